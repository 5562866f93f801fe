--- Schemas declared in Lua: `local s = require "tuff.schema"`. What a declaration is made of comes
--- from here; s.define puts it together, and raises all that is wrong with it at once.
local column = require "tuff.schema.column"
local constraint = require "tuff.schema.constraint"
local declaration = require "tuff.schema.declaration"
local errors = require "tuff.error"
local model = require "tuff.schema.model"
local table_of = require "tuff.schema.table"
local validator = require "tuff.schema.validator"

---@alias tuff.schema.Checked { checked: boolean? } the database checks the type of each value
---@alias tuff.schema.Digits { precision: integer, scale: integer?, checked: boolean? }
---@alias tuff.schema.Json { verbatim: boolean?, checked: boolean? } kept to the letter
---@alias tuff.schema.Limited { max_length: integer?, checked: boolean? }

---@class tuff.schema
---@field now any the time at which a row is inserted, as the default of a timestamp or a date
---@field id fun(name: string?): tuff.schema.Column an integer that is given, and never again
---@field integer fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column of 64 bits
---@field real fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column a float
---@field decimal fun(name: string, options: tuff.schema.Digits): tuff.schema.Column exact
---@field text fun(name: string, options: tuff.schema.Limited?): tuff.schema.Column
---@field boolean fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column
---@field blob fun(name: string, options: tuff.schema.Limited?): tuff.schema.Column bytes
---@field json fun(name: string, options: tuff.schema.Json?): tuff.schema.Column
---@field timestamp fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column in UTC
---@field date fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column a day
---@field uuid fun(name: string, options: tuff.schema.Checked?): tuff.schema.Column in lower case
---@field enum fun(name: string, values: string[]): tuff.schema.Column one of these texts
---@field column fun(name: string, declared: string?): tuff.schema.Column of a type of the engine
local M = {
  now = column.now,
  table = table_of.new,
  expr = constraint.expr, path = constraint.path, desc = constraint.desc,
  collate = constraint.collate,
  primary_key = constraint.primary_key, unique = constraint.unique,
  foreign_key = constraint.foreign_key, check = constraint.check, index = constraint.index,
  json_index = constraint.json_index, search = constraint.search,
}

for _, name in ipairs {
  "id", "integer", "real", "decimal", "text", "boolean", "blob", "json", "timestamp", "date",
  "uuid", "enum", "column",
} do
  M[name] = column[name]
end

-- ---- what is no table --------------------------------------------------------------------

local checks = declaration.checks

local Object = declaration.class("object")

local function object(kind, name, fields)
  fields.name = name
  local piece = declaration.piece(Object, kind, fields)
  if not declaration.name(piece, name, "the name of a " .. kind) then fields.name = "" end
  return piece
end

--- A view.
---@param name string
---@param select string its query
---@param options { columns: string[]? }? names for its columns
---@return tuff.schema.Piece
function M.view(name, select, options)
  local piece = object("view", name, {})
  piece.model.select = declaration.sql(piece, select, "the query of a view") or "select 1"
  options = declaration.options(piece, options, { columns = checks.names }, "s.view")
  piece.model.columns = declaration.list(options.columns)
  return piece
end

local event = checks.one_of("insert", "update", "delete")
local trigger_options = {
  on = checks.string, before = event, after = event, instead_of = event, of = checks.names,
  when = checks.string, run = checks.string,
}
local timings = { before = "before", after = "after", instead_of = "instead of" }

--- A trigger: s.trigger("touch", { after = "update", of = { "path" }, on = "images", run = … }).
---@param name string
---@param given table on: a table or view; before, after or instead_of: "insert", "update" or
---  "delete"; of: columns; when: a condition; run: statements
---@return tuff.schema.Piece
function M.trigger(name, given)
  local piece = object("trigger", name, { body = "select 1", event = "insert", timing = "after" })
  local options = declaration.options(piece, given, trigger_options, "s.trigger")
  local of, count = piece.model, 0
  for option, timing in pairs(timings) do
    if options[option] then
      of.timing, of.event, count = timing, options[option], count + 1
    end
  end
  of.table = options.on
  of.condition = options.when and declaration.sql(piece, options.when, "the option when")
  of.body = options.run and declaration.sql(piece, options.run, "the option run") or of.body
  of.columns = declaration.list(options.of)
  if #piece.mistakes > 0 then return piece end
  if count ~= 1 then
    declaration.mistake(piece, "s.trigger needs one of before, after and instead_of")
  end
  if not options.on then declaration.mistake(piece, "s.trigger needs the option on: a table") end
  if not options.run then
    declaration.mistake(piece, "s.trigger needs the option run: the statements")
  end
  if of.columns and of.event ~= "update" then
    declaration.mistake(piece, "the option of is for a trigger on update")
  end
  return piece
end

--- A virtual table of a module of SQLite.
---@param name string
---@param module string "rtree"
---@param arguments string? as they stand between the parentheses
---@return tuff.schema.Piece
function M.virtual_table(name, module, arguments)
  local piece = object("virtual table", name, { module = module })
  if not declaration.name(piece, module, "the module of a virtual table") then
    piece.model.module = ""
  end
  piece.model.arguments = arguments and declaration.sql(piece, arguments, "what a module is given")
  return piece
end

-- ---- putting it together -----------------------------------------------------------------

local lists = {
  table = "tables", view = "views", trigger = "triggers", ["virtual table"] = "virtual_tables",
}

--- Adds one item of the declaration, and its mistakes to the list.
local function add_item(schema, item, number, mistakes)
  local list = declaration.is_piece(item) and lists[item.kind]
  if list then
    table.insert(schema[list], declaration.copy(item.model))
  end
  if declaration.is_piece(item) and (list or item.kind == "unknown") then
    table.move(item.mistakes, 1, #item.mistakes, #mistakes + 1, mistakes)
    return
  end
  mistakes[#mistakes + 1] = {
    source = errors.source(),
    message = ("item %d of the schema is no table, view or trigger"):format(number),
    hint = declaration.is_piece(item) and "it belongs into s.table" or nil,
  }
end

--- The mistakes in the order of their lines.
local function sort(mistakes)
  local order = {}
  for i, mistake in ipairs(mistakes) do
    local file, line = (mistake.source or ""):match("^(.*):(%d+)$")
    order[mistake] = { file or "", tonumber(line) or 0, i }
  end
  table.sort(mistakes, function(a, b)
    a, b = order[a], order[b]
    if a[1] ~= b[1] then return a[3] < b[3] end
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[3] < b[3]
  end)
end

--- Raises one error with all mistakes.
local function raise(mistakes)
  sort(mistakes)
  local fields = {}
  for _, mistake in ipairs(mistakes) do
    if mistake.table and mistake.column then
      fields[mistake.table .. "." .. mistake.column] = mistake.message
    end
  end
  errors.raise_mistakes("schema", "the schema", mistakes, { fields = fields })
end

--- Declares a schema. Raises `schema` with all that is wrong with it: `mistakes` is a list of
--- { message, hint, source, table, column }, and `fields` has the messages by "table.column".
---@param given table[] tables, views, triggers and virtual tables
---@return tuff.Schema
function M.define(given)
  errors.check(given, "table", "the schema given to s.define")
  if declaration.is_piece(given) then
    errors.raise("misuse", "s.define takes a list, { s.table(…), … }")
  end
  local schema, mistakes = model.new(), {}
  for number = 1, declaration.last(given) do
    add_item(schema, given[number], number, mistakes)
  end
  for key in pairs(given) do
    if math.type(key) ~= "integer" then
      mistakes[#mistakes + 1] = {
        message = "s.define has no option " .. errors.shown(key), source = errors.source(),
      }
    end
  end
  for _, mistake in ipairs(validator.mistakes(model.complete(schema))) do
    mistake.source = declaration.place_of(mistake.object)
    mistake.object = nil
    if mistake.message ~= validator.NO_NAME then mistakes[#mistakes + 1] = mistake end -- was noted
  end
  if #mistakes > 0 then raise(mistakes) end
  return schema
end

-- ---- words that are misspelt ---------------------------------------------------------------

local Unknown = {}

--- Whatever is said of it, it is one mistake.
function Unknown.__index()
  return function(self) return self end
end

return setmetatable(M, {
  __index = function(_, name)
    local known = {}
    for each in pairs(M) do known[#known + 1] = each end
    return function()
      local piece = declaration.piece(Unknown, "unknown", {})
      declaration.mistake(piece, "tuff.schema has no " .. errors.shown(name),
        errors.did_you_mean(name, known))
      return piece
    end
  end,
})
