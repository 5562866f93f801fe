--- Columns in a declaration: a constructor for each type, and the methods that say more about a
--- column. What a method says of a constraint becomes one of the table.
local core = require "tuff.core"
local constraint = require "tuff.schema.constraint"
local declaration = require "tuff.schema.declaration"
local types = require "tuff.schema.types"

local M = {}

--- What stands for the time at which a row is inserted, as the default of a column.
M.now = setmetatable({}, { __tostring = function() return "s.now" end })

---@class tuff.schema.Column: tuff.schema.Piece
---@field constraints { kind: string, model: table }[] that become those of the table
local Column = declaration.class("column")

local function options_given(self, options, kind, method)
  return declaration.options(self, options, constraint.options[kind], ":" .. method)
end

local function add(self, kind, model)
  table.insert(self.constraints, { kind = kind, model = declaration.place(model) })
  return self
end

--- Its value may not be NULL.
---@param options { on_conflict: string? }? what happens where one is inserted (SQLite)
---@return tuff.schema.Column self
function Column:not_null(options)
  options = options_given(self, options, "not_null", "not_null")
  self.model.not_null = true
  self.model.not_null_conflict = constraint.conflict(options.on_conflict)
  return self
end

--- It may be NULL, although it belongs to the primary key: only SQLite allows that.
---@return tuff.schema.Column self
function Column:nullable()
  self.nullable_key = true
  return self
end

--- All rows have different values.
---@param options { name: string?, on_conflict: string? }?
---@return tuff.schema.Column self
function Column:unique(options)
  options = options_given(self, options, "unique", "unique")
  return add(self, "unique", {
    parts = { { column = self.model.name } }, name = options.name,
    on_conflict = constraint.conflict(options.on_conflict),
  })
end

local key_options = { descending = declaration.checks.boolean }
for name, check in pairs(constraint.options.primary_key) do key_options[name] = check end

--- It is the primary key, and never NULL. An id is one anyway: then only the options count.
---@param options { name: string?, on_conflict: string?, descending: boolean? }?
---@return tuff.schema.Column self
function Column:primary_key(options)
  options = declaration.options(self, options, key_options, ":primary_key")
  for i, each in ipairs(self.constraints) do
    if each.kind == "primary_key" then table.remove(self.constraints, i) break end
  end
  return add(self, "primary_key", {
    parts = { { column = self.model.name, descending = options.descending or nil } },
    name = options.name, on_conflict = constraint.conflict(options.on_conflict),
  })
end

--- A condition that its value must meet; NULL meets every one.
---@param expression string "score between 0 and 10"
---@param options { name: string? }?
---@return tuff.schema.Column self
function Column:check(expression, options)
  options = declaration.options(self, options, { name = declaration.checks.string }, ":check")
  local trimmed = declaration.sql(self, expression, "a check")
  return not trimmed and self or add(self, "check", {
    expression = trimmed, column = self.model.name, name = options.name,
  })
end

--- Its value is found fast.
---@param options { name: string?, unique: boolean?, where: string? }?
---@return tuff.schema.Column self
function Column:index(options)
  options = options_given(self, options, "index", "index")
  return add(self, "index", {
    parts = { { column = self.model.name } }, name = options.name,
    unique = options.unique or nil,
    where = options.where and declaration.sql(self, options.where, "the option where"),
  })
end

--- Its value is that of a column of another table, or NULL.
---@param other string the table
---@param options table? columns (its primary key), on_delete, on_update, deferrable, match, name
---@return tuff.schema.Column self
function Column:references(other, options)
  local allowed = {}
  for name, check in pairs(constraint.options.foreign_key) do allowed[name] = check end
  allowed.references = nil
  options = declaration.options(self, options, allowed, ":references")
  if not declaration.name(self, other, "the table that :references names") then return self end
  local key = { columns = { self.model.name }, table = other }
  constraint.refer(key, options)
  return add(self, "foreign_key", key)
end

--- The value of a row that does not say it.
---@param value any of the type of the column; s.now, s.expr "…"
---@return tuff.schema.Column self
function Column:default(value)
  local default
  if value == nil then
    declaration.mistake(self, ":default needs a value", "give tuff.null if NULL is meant")
  elseif value == M.now then
    default = { kind = "now" }
  elseif declaration.is_piece(value, "part") then
    declaration.adopt(self, value)
    default = { kind = "expression", expression = value.model.expression }
  elseif value ~= core.null then
    default = { kind = "literal", value = value }
  end
  self.model.default = default and declaration.place(default)
  return self
end

--- Its value is computed from other columns of the row.
---@param expression string
---@param options { stored: boolean? }? whether it is kept in the row, not computed when it is read
---@return tuff.schema.Column self
function Column:generated(expression, options)
  options = declaration.options(self, options, { stored = declaration.checks.boolean },
    ":generated")
  local trimmed = declaration.sql(self, expression, "what :generated computes")
  self.model.generated = trimmed and declaration.place {
    expression = trimmed, stored = options.stored or nil,
  }
  return self
end

--- How its texts are compared: "binary", by their bytes, on every engine; "nocase" on SQLite, or
--- what the engine or db:define_collation knows.
---@param name string
---@return tuff.schema.Column self
function Column:collate(name)
  if declaration.name(self, name, "the name of a collation") then
    self.model.collate = name
  end
  return self
end

--- What it means, for people.
---@param text string
---@return tuff.schema.Column self
function Column:comment(text)
  if declaration.text(self, text, "a comment") then self.model.comment = text end
  return self
end

-- ---- constructors ------------------------------------------------------------------------

local function new(type_name, name, options, what)
  local column = declaration.piece(Column, "column", { name = name, type = type_name })
  column.constraints, column.nullable_key = {}, false
  if not declaration.name(column, name, "the name of a column") then column.model.name = "" end
  local allowed = {}
  for _, list in ipairs { types.options, types.types[type_name].options } do
    for option, check in pairs(list) do allowed[option] = check end
  end
  for option, value in pairs(declaration.options(column, options, allowed, what)) do
    column.model[option] = value or nil
  end
  return column
end

--- An integer that is given by the database, and never again once its row was deleted.
---@param name string? ("id")
---@return tuff.schema.Column
function M.id(name)
  return new("id", name or "id", nil, "s.id"):primary_key()
end

for _, name in ipairs {
  "integer", "real", "text", "boolean", "blob", "json", "timestamp", "date", "uuid",
} do
  M[name] = function(column, options) return new(name, column, options, "s." .. name) end
end

--- A number with a fixed count of digits behind the point, exact.
---@param name string
---@param options { precision: integer, scale: integer? } digits in all (18 at most), and behind
---  the point (0)
---@return tuff.schema.Column
function M.decimal(name, options)
  local column = new("decimal", name, options, "s.decimal")
  local model = column.model
  if not model.precision and #column.mistakes == 0 then
    declaration.mistake(column, "s.decimal needs a precision",
      "give { precision = 10, scale = 2 }: ten digits, two of them behind the point")
  end
  model.precision, model.scale = model.precision or 18, model.scale or 0
  if model.scale > model.precision then
    declaration.mistake(column, ("the scale of a decimal, %d, is more than its precision, %d")
      :format(model.scale, model.precision))
    model.scale = model.precision
  end
  return column
end

--- One of some texts.
---@param name string
---@param values string[]
---@param options table?
---@return tuff.schema.Column
function M.enum(name, values, options)
  local column = new("enum", name, options, "s.enum")
  local seen, good = {}, type(values) == "table" and #values > 0
  column.model.values = {}
  for i, value in ipairs(good and values or {}) do
    good = good and types.is_text(value) and not seen[value]
    seen[good and value or ""], column.model.values[i] = true, value
  end
  if not good then
    declaration.mistake(column, "s.enum needs a list of texts that differ",
      's.enum("state", { "open", "done" })')
  end
  return column
end

--- A column of a type that the engine knows by this name, and of which nothing else is known.
---@param name string
---@param declared string? as the engine writes it; absent: no type (SQLite)
---@param options table?
---@return tuff.schema.Column
function M.column(name, declared, options)
  local column = new("other", name, options, "s.column")
  local given = declared ~= nil and declared ~= ""
  column.model.declared = given and declaration.sql(column, declared, "the type of s.column") or ""
  return column
end

return M
