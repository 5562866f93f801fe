--- The model of a schema: plain tables of strings, numbers and booleans, the same whether a script
--- declared it or a database was read. Declarations, databases, differences and drawings all meet
--- here, and nothing here knows an engine. What is absent is nil, never false.
--
--   schema  { tables, views, triggers, virtual_tables, unmanaged }
--   table   { name, columns, primary_key?, uniques, foreign_keys, checks, indexes, search?,
--             comment?, strict?, without_rowid? }
--   column  { name, type, max_length?, precision?, scale?, values?, declared?, verbatim?, checked?,
--             not_null?, not_null_conflict?, default?, generated?, collate?, comment? }
--   default { kind = "literal", value } | { kind = "now" } | { kind = "expression", expression }
--   generated { expression, stored? }
--   key     { name, parts, on_conflict? }                         primary_key and uniques
--   part    { column } | { column, path } | { expression }, each with descending?, collate?
--   foreign key { name, columns, table, references?, on_delete?, on_update?, deferrable?, match? }
--   check   { name, expression, column?, on_conflict? }
--   index   { name, parts, unique?, where? }
--   search  { columns, tokenize?, prefix?, language? }
--   view    { name, select, columns? }
--   trigger { name, table, timing, event, columns?, condition?, body }
--   virtual table { name, module, arguments?, shadows? }
--   unmanaged { kind, name, table?, sql, reason }                 read, but not understood
--
-- type is a key of tuff.schema.types; `declared` is the engine's own text of a type that is
-- "other". verbatim: JSON is kept to the letter where the engine would not. checked: the database
-- itself checks the type of its values, where it does not anyway. value: as a script gives it, but
-- a decimal has all its digits, a blob is a string, and JSON is its text. "now" is for timestamps
-- and dates. path: of a value in a JSON column, strings and integers from 0. references: columns;
-- nil only where the other table has no primary key, or is not there. on_delete and on_update:
-- "cascade", "restrict", "set null", "set default"; deferrable: "deferred" or "immediate". A check
-- with a column was declared with that column. on_conflict: "rollback", "fail", "ignore",
-- "replace". timing: "before", "after", "instead of"; event: "insert", "update", "delete"; body:
-- statements without the last semicolon. shadows: the tables that it keeps its rows in, which are
-- no tables of the schema.
--
-- Constraints and indexes always have a name. `unnamed` says that it was derived from what they
-- are about (tuff.schema.names), and does not count where two of them are compared.
local names = require "tuff.schema.names"
local sql = require "tuff.schema.sql"

local M = {}

---@class tuff.Schema
---@field tables table[]
---@field views table[]
---@field triggers table[]
---@field virtual_tables table[]
---@field unmanaged table[] what was read and could not be understood
local Schema = { __name = "tuff.Schema" }
Schema.__index = Schema

--- The lists of a schema.
M.kinds = { "tables", "views", "triggers", "virtual_tables", "unmanaged" }

--- The kinds of constraints and indexes, and the lists of a table that hold them.
M.lists = {
  unique = "uniques", foreign_key = "foreign_keys", check = "checks", index = "indexes",
}

---@return tuff.Schema
function M.new()
  local schema = setmetatable({}, Schema)
  for _, kind in ipairs(M.kinds) do schema[kind] = {} end
  return schema
end

---@param name string
---@return table
function M.new_table(name)
  return {
    name = name, columns = {}, uniques = {}, foreign_keys = {}, checks = {}, indexes = {},
  }
end

--- The object of this name in a list.
---@param list table[]
---@param name string
---@return table?
function M.find(list, name)
  for _, object in ipairs(list) do
    if object.name == name then return object end
  end
end

--- The same; where there is none of just this name, one whose name differs in its capitals only.
---@param list table[]
---@param name string
---@return table?
function M.find_like(list, name)
  local found = M.find(list, name)
  for _, object in ipairs(found and {} or list) do
    if object.name:lower() == name:lower() then return object end
  end
  return found
end

--- The columns of a key or an index; nil where a part of it is none.
---@param parts table[]
---@return string[]?
function M.columns_of(parts)
  local columns = {}
  for i, part in ipairs(parts) do
    if not part.column or part.path then return nil end
    columns[i] = part.column
  end
  return columns
end

--- A copy of the model of a schema, or of any part of it.
---@generic T
---@param value T
---@return T
function M.copy(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, each in pairs(value) do copy[key] = M.copy(each) end
  return setmetatable(copy, getmetatable(value))
end

--- Calls fn(kind, object) for each constraint and index of a table, in a fixed order.
---@param of table
---@param fn fun(kind: string, object: table)
function M.each_constraint(of, fn)
  if of.primary_key then fn("primary_key", of.primary_key) end
  for _, kind in ipairs { "unique", "foreign_key", "check", "index" } do
    for _, object in ipairs(of[M.lists[kind]]) do fn(kind, object) end
  end
end

-- ---- comparing ---------------------------------------------------------------------------

--- Texts that are compared by their tokens; in those marked "exact" capitals count.
local texts = {
  expression = "any", where = "any", condition = "any",
  select = "exact", body = "exact", arguments = "exact", sql = "exact",
}

--- Words of which the engine takes no notice how they are written.
local words = { collate = true, declared = true, module = true, match = true }

--- Lists whose order means nothing.
local sets = {
  tables = true, views = true, triggers = true, virtual_tables = true, unmanaged = true,
  uniques = true, foreign_keys = true, checks = true, indexes = true,
}

local function plain(key, value)
  if type(value) ~= "string" then
    return math.type(value) == "float" and ("%a"):format(value) or tostring(value)
  end
  if texts[key] then value = sql.canonical(value, texts[key] == "exact") end
  if words[key] then value = sql.canonical(value):upper() end
  return ("%q"):format(value)
end

--- What does not count: where a check was declared, a derived name, and what follows from the rest.
local function is_left_out(object, key)
  return key == "unnamed" or key == "shadows" or key == "reason" or key == "name" and object.unnamed
    or key == "column" and object.expression ~= nil
end

local write

local function write_list(list, key, options)
  local items = {}
  for i, item in ipairs(list) do items[i] = write(key, item, options) end
  local of_table = key == "columns" and type(list[1]) == "table"
  if sets[key] or of_table and options.order == false then table.sort(items) end
  return "[" .. table.concat(items, ",") .. "]"
end

local function write_object(object, options)
  local keys, items = {}, {}
  for key in pairs(object) do
    if not is_left_out(object, key) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for i, key in ipairs(keys) do items[i] = key .. "=" .. write(key, object[key], options) end
  return "{" .. table.concat(items, ",") .. "}"
end

function write(key, value, options)
  if type(value) ~= "table" then return plain(key, value) end
  if #value > 0 or next(value) == nil then return write_list(value, key, options) end
  return write_object(value, options)
end

---@class tuff.schema.Comparison
---@field order boolean? false: the order of a table's columns does not count

--- A text that is the same for all forms of the same schema, or of any part of it.
---@param object table
---@param options tuff.schema.Comparison?
---@return string
function M.canonical(object, options)
  return write("", object, options or {})
end

--- Whether two schemas, or two parts of the same kind, are the same.
---@param a table
---@param b table
---@param options tuff.schema.Comparison?
---@return boolean
function M.equal(a, b, options)
  return M.canonical(a, options) == M.canonical(b, options)
end

-- ---- completing --------------------------------------------------------------------------

--- Gives a constraint or an index the name that is derived, or finds out that it has it. Where
--- another object has that name, a hash of what it is about comes behind.
local function name_it(owner, kind, object, taken)
  local derived, given = names.of[kind](owner.name, object), object.name
  object.unnamed = true -- so that the hash is not one of the name
  local function hashed() return names.with_hash(derived, M.canonical(object)) end
  if given then
    local may_be = given:find("_%x%x%x%x%x%x%x%x$")
    if given ~= derived and not (may_be and given == hashed()) then object.unnamed = nil end
  else
    object.name = taken[derived:lower()] and hashed() or derived
    taken[object.name:lower()] = true
  end
end

local function taken_names(schema)
  local taken = {}
  for _, list in ipairs { schema.tables, schema.views, schema.virtual_tables } do
    for _, object in ipairs(list) do taken[object.name:lower()] = true end
  end
  for _, of in ipairs(schema.tables) do
    M.each_constraint(of, function(_, object)
      if object.name then taken[object.name:lower()] = true end
    end)
  end
  return taken
end

--- An expression that is only the name of a column is that column.
local function settle_part(of, part)
  local columns = part.expression and sql.columns(part.expression)
  if not columns or #columns ~= 1 then return end
  local name = columns[1].name
  if sql.unquote(part.expression) == name and M.find(of.columns, name) then
    part.column, part.expression = name, nil
  end
end

local function settle_reference(schema, key)
  if key.references then return end
  local other = M.find_like(schema.tables, key.table)
  key.references = other and other.primary_key and M.columns_of(other.primary_key.parts)
end

--- Fills in what a schema leaves open: names, and the columns that references mean.
---@param schema tuff.Schema
---@return tuff.Schema schema
function M.complete(schema)
  for _, of in ipairs(schema.tables) do
    for _, index in ipairs(of.indexes) do
      for _, part in ipairs(index.parts) do settle_part(of, part) end
    end
    for _, key in ipairs(of.foreign_keys) do settle_reference(schema, key) end
  end
  local taken = taken_names(schema)
  for _, of in ipairs(schema.tables) do
    M.each_constraint(of, function(kind, object) name_it(of, kind, object, taken) end)
  end
  return schema
end

-- ---- methods -----------------------------------------------------------------------------

--- A table of the schema.
---@param name string
---@return table?
function Schema:table(name)
  return M.find(self.tables, name)
end

--- A text that two schemas have in common exactly where they are equal, as long as no one makes
--- two of them agree on purpose.
---@return string fingerprint 16 characters
function Schema:fingerprint()
  return ("%016x"):format(names.hash(M.canonical(self)))
end

--- Whether a value is a schema.
---@param value any
---@return boolean
function M.is_schema(value)
  return getmetatable(value) == Schema
end

--- Whether two schemas are the same, whatever the order of what they hold, but for columns.
function Schema.__eq(a, b)
  return M.is_schema(a) and M.is_schema(b) and M.equal(a, b)
end

--- A declaration in Lua: a script that returns this schema.
---@return string script
---@return table[] left_out what cannot be declared, { kind, name, table?, reason }; the script says
---  it in comments
function Schema:to_lua()
  return require("tuff.schema.lua").write(self)
end

--- A diagram of the tables and their references, in the language of Mermaid.
---@return string
function Schema:to_mermaid()
  return require("tuff.schema.mermaid").write(self)
end

return M
