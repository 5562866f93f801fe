--- Keys, checks and indexes in a declaration: the constructors of what stands beside the columns
--- of a table. The methods of columns use them too.
local declaration = require "tuff.schema.declaration"

local M = {}

local checks = declaration.checks

local conflict = checks.one_of("rollback", "abort", "fail", "ignore", "replace")
local action = checks.one_of("cascade", "restrict", "set null", "set default", "no action")

--- Options by the kind of the constraint.
M.options = {
  primary_key = { name = checks.string, on_conflict = conflict },
  unique = { name = checks.string, on_conflict = conflict },
  not_null = { on_conflict = conflict },
  check = { name = checks.string, on_conflict = conflict },
  index = { name = checks.string, where = checks.string, unique = checks.boolean },
  foreign_key = {
    name = checks.string, references = checks.string, columns = checks.names, on_delete = action,
    on_update = action, match = checks.string,
    deferrable = function(value)
      local words = { [true] = true, [false] = true, deferred = true, immediate = true }
      return words[value] == true, 'true, false, "deferred" or "immediate"'
    end,
  },
  search = {
    tokenize = checks.string, language = checks.string,
    prefix = function(value)
      local good = type(value) == "table" and #value > 0
      for _, length in ipairs(good and value or {}) do
        good = good and math.type(length) == "integer" and length >= 1 and length <= 999
      end
      return good, "a list of lengths, from 1 to 999"
    end,
  },
}

-- ---- what differs from the default -------------------------------------------------------

--- What happens on a conflict, if not what always does.
---@param word string?
---@return string?
function M.conflict(word)
  return word ~= "abort" and word or nil
end

local function action_of(word) return word ~= "no action" and word or nil end

local function deferrable_of(value)
  if value == true then return "deferred" end
  return value or nil
end

--- The fields of a foreign key that its options say.
---@param key table
---@param options table
function M.refer(key, options)
  key.references = declaration.list(options.columns)
  key.on_delete, key.on_update = action_of(options.on_delete), action_of(options.on_update)
  key.deferrable, key.match = deferrable_of(options.deferrable), options.match
  key.name = options.name
end

-- ---- parts of keys and indexes -----------------------------------------------------------

local Part = declaration.class("part")

--- An expression of SQL: the default of a column, or a part of an index.
---@param text string
---@return tuff.schema.Piece
function M.expr(text)
  local part = declaration.piece(Part, "part", { expression = "null" })
  part.model.expression = declaration.sql(part, text, "an expression") or "null"
  return part
end

--- The steps of a path: ".nodes[0].type" is { "nodes", 0, "type" }; nil: it is none.
local function steps_of(text)
  local steps, at = {}, 1
  while at <= #text do
    local key, behind = text:match("^%.([^.%[%]]+)()", at)
    if not key then
      key, behind = text:match("^%[(%d+)%]()", at)
      key = math.tointeger(key)
    end
    if not key then return nil end
    steps[#steps + 1], at = key, behind
  end
  return steps
end

local function is_step(value)
  return math.type(value) == "integer" and value >= 0
    or checks.string(value) and not value:find('"', 1, true) -- SQLite has no form for it
end

--- The column and the steps of a path, given as text or as a list; nil: it is none.
local function path_of(given)
  local column, steps
  if type(given) == "string" then
    local rest
    column, rest = given:match("^([^.%[%]]+)(.*)$")
    steps = column and steps_of(rest)
  elseif type(given) == "table" then
    column, steps = given[1], { table.unpack(given, 2) }
  end
  if not checks.string(column) or not steps or #steps == 0 then return nil end
  for _, step in ipairs(steps) do
    if not is_step(step) then return nil end
  end
  return column, steps
end

--- A value in a column of JSON: "workflow.nodes[0].type". A key that holds a dot or a bracket
--- needs the form of a list: { "workflow", "nodes", 0, "a.b" }.
---@param given string|(string|integer)[]
---@return tuff.schema.Piece
function M.path(given)
  local part = declaration.piece(Part, "part", { expression = "null" })
  local column, steps = path_of(given)
  if column then
    part.model = declaration.place { column = column, path = steps }
  else
    declaration.mistake(part, "s.path needs a column and what leads to the value",
      'write it like "workflow.nodes[0].type"')
  end
  return part
end

--- A piece for a part: a column by its name, or a copy of what s.expr and the like made.
local function part_of(given)
  if declaration.is_piece(given, "part") then return declaration.copy(given) end
  local part = declaration.piece(Part, "part", { column = given })
  if not declaration.name(part, given, "a column of a key or an index") then
    part.model.column = ""
  end
  return part
end

--- A part in descending order.
---@param given string|tuff.schema.Piece
---@return tuff.schema.Piece
function M.desc(given)
  local part = part_of(given)
  part.model.descending = true
  return part
end

--- A part that is compared by another collation than its column.
---@param given string|tuff.schema.Piece
---@param collation string
---@return tuff.schema.Piece
function M.collate(given, collation)
  local part = part_of(given)
  if declaration.name(part, collation, "the name of a collation") then
    part.model.collate = collation
  end
  return part
end

-- ---- what stands in a table --------------------------------------------------------------

local Item = declaration.class("item")

--- A table that a constructor was given, or an empty one and a mistake.
local function table_given(item, given, what)
  if type(given) == "table" and not declaration.is_piece(given) then return given end
  declaration.mistake(item, ("%s takes a table, { … }"):format(what))
  return {}
end

local function parts_of(item, given, what)
  local parts = {}
  for i, each in ipairs(given) do
    local part = part_of(each)
    declaration.adopt(item, part)
    parts[i] = part.model
  end
  if #given == 0 then declaration.mistake(item, what .. " needs a column") end
  return parts
end

local function names_of(item, given, what)
  local columns = {}
  for _, column in ipairs(given) do
    if declaration.name(item, column, "a column of " .. what) then
      columns[#columns + 1] = column
    end
  end
  if #given == 0 then declaration.mistake(item, what .. " needs a column") end
  return columns
end

local function key(kind, given)
  local item = declaration.piece(Item, kind, {})
  local what = "s." .. kind
  given = table_given(item, given, what)
  local options = declaration.options(item, given, M.options[kind], what, true)
  item.model.parts = parts_of(item, given, what)
  item.model.name, item.model.on_conflict = options.name, M.conflict(options.on_conflict)
  return item
end

--- The primary key of a table, of one or several columns.
---@param given table columns; name, on_conflict
---@return tuff.schema.Piece
function M.primary_key(given)
  return key("primary_key", given)
end

--- Columns whose values together are different in all rows.
---@param given table columns; name, on_conflict
---@return tuff.schema.Piece
function M.unique(given)
  return key("unique", given)
end

--- An index.
---@param given table columns, s.desc, s.expr, s.path; name, unique, where
---@return tuff.schema.Piece
function M.index(given)
  local item = declaration.piece(Item, "index", {})
  given = table_given(item, given, "s.index")
  local options = declaration.options(item, given, M.options.index, "s.index", true)
  item.model.parts = parts_of(item, given, "s.index")
  item.model.name, item.model.unique = options.name, options.unique or nil
  item.model.where = options.where and declaration.sql(item, options.where, "the option where")
  return item
end

--- An index on a value in a column of JSON.
---@param path string "workflow.nodes[0].type"
---@param options table? name, unique, where
---@return tuff.schema.Piece
function M.json_index(path, options)
  local given = {}
  for name, value in pairs(type(options) == "table" and options or {}) do given[name] = value end
  given[1] = M.path(path)
  local item = M.index(given)
  if options ~= nil and type(options) ~= "table" then
    declaration.mistake(item, "the options of s.json_index must be a table")
  end
  return item
end

--- Columns that refer to those of another table.
---@param given table columns; references, columns, on_delete, on_update, deferrable, match, name
---@return tuff.schema.Piece
function M.foreign_key(given)
  local item = declaration.piece(Item, "foreign_key", {})
  given = table_given(item, given, "s.foreign_key")
  local options = declaration.options(item, given, M.options.foreign_key, "s.foreign_key", true)
  item.model.columns = names_of(item, given, "s.foreign_key")
  item.model.table = options.references or ""
  if not options.references then
    declaration.mistake(item, "s.foreign_key needs the option references: the other table")
  end
  M.refer(item.model, options)
  return item
end

--- A condition that every row must meet.
---@param expression string
---@param options table? name
---@return tuff.schema.Piece
function M.check(expression, options)
  local item = declaration.piece(Item, "check", {})
  item.model.expression = declaration.sql(item, expression, "a check") or "true"
  options = declaration.options(item, options, M.options.check, "s.check")
  item.model.name, item.model.on_conflict = options.name, M.conflict(options.on_conflict)
  return item
end

--- Full-text search over columns of text.
---@param given table columns; tokenize, prefix, language
---@return tuff.schema.Piece
function M.search(given)
  local item = declaration.piece(Item, "search", {})
  given = table_given(item, given, "s.search")
  local options = declaration.options(item, given, M.options.search, "s.search", true)
  item.model.columns = names_of(item, given, "s.search")
  item.model.tokenize, item.model.language = options.tokenize, options.language
  item.model.prefix = options.prefix and { table.unpack(options.prefix) }
  return item
end

return M
