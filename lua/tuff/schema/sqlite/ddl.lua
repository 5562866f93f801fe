--- The statements of SQLite that make what a model says. Names of constraints are written where
--- SQLite speaks of them, in checks, and where they were chosen.
local default = require "tuff.schema.sqlite.default"
local identifier = require "tuff.identifier"
local path = require "tuff.schema.sqlite.path"
local search = require "tuff.schema.sqlite.search"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.sqlite.types"

local M = {}

local quote, quote_all = identifier.quote, identifier.quote_all
local words = sql.words

-- ---- pieces ------------------------------------------------------------------------------

local function conflict(word)
  return word and "ON CONFLICT " .. word:upper()
end

local function constraint(object)
  return not object.unnamed and object.name and "CONSTRAINT " .. quote(object.name)
end

local function comment(text)
  return text and "/* " .. text .. " */"
end

local function part(of)
  local expression = of.path and path.expression(of.column, of.path)
    or of.column and quote(of.column) or of.expression
  return words(expression, of.collate and "COLLATE " .. quote(of.collate), of.descending and "DESC")
end

local function parts(list)
  local texts = {}
  for i, each in ipairs(list) do texts[i] = part(each) end
  return "(" .. table.concat(texts, ", ") .. ")"
end

local function check(of)
  return words("CONSTRAINT", quote(of.name), "CHECK (" .. of.expression .. ")",
    conflict(of.on_conflict))
end

local deferrables = {
  deferred = "DEFERRABLE INITIALLY DEFERRED", immediate = "DEFERRABLE INITIALLY IMMEDIATE",
}

local function references(key)
  return words("REFERENCES", quote(key.table),
    key.references and "(" .. quote_all(key.references) .. ")",
    key.match and "MATCH " .. quote(key.match),
    key.on_delete and "ON DELETE " .. key.on_delete:upper(),
    key.on_update and "ON UPDATE " .. key.on_update:upper(), deferrables[key.deferrable])
end

-- ---- columns -----------------------------------------------------------------------------

--- Constraints of one column stand in its definition, so that ADD COLUMN takes them along.
local function is_of(column, key)
  local first = key.parts[1]
  return #key.parts == 1 and first.column == column.name and not first.collate
end

--- Whether the column is another name for the rowid.
local function is_rowid(of, column)
  local key = of.primary_key
  return (column.type == "id" or column.type == "integer") and key ~= nil and is_of(column, key)
    and not key.parts[1].descending and not of.without_rowid
end

M.is_rowid = is_rowid

local function primary_key(of, column)
  local key = of.primary_key
  if not key or not is_of(column, key) then return nil end
  return words(constraint(key), "PRIMARY KEY", key.parts[1].descending and "DESC",
    conflict(key.on_conflict), column.type == "id" and "AUTOINCREMENT")
end

local function generated(of)
  return of and words("GENERATED ALWAYS AS (" .. of.expression .. ")",
    of.stored and "STORED" or "VIRTUAL")
end

--- The definition of a column with all that is of it alone, as in CREATE TABLE and ADD COLUMN.
---@param of table the table
---@param column table
---@return string
function M.column(of, column)
  local list = { quote(column.name) }
  local function add(text)
    if text and text ~= "" then list[#list + 1] = text end
  end
  -- SQLite forgets a comment at the end of ADD COLUMN, and takes one in front of GENERATED for a
  -- part of the type.
  add(comment(column.comment))
  add(types.declared(column))
  add(primary_key(of, column))
  add(column.not_null and not is_rowid(of, column)
    and words("NOT NULL", conflict(column.not_null_conflict)))
  for _, key in ipairs(of.uniques) do
    if is_of(column, key) and not key.parts[1].descending then
      add(words(constraint(key), "UNIQUE", conflict(key.on_conflict)))
    end
  end
  add(column.default and "DEFAULT " .. default.write(column))
  add(generated(column.generated))
  add(column.collate and "COLLATE " .. quote(column.collate))
  for _, rule in ipairs(types.rules(of.name, column)) do add(check(rule)) end
  for _, each in ipairs(of.checks) do
    if each.column == column.name then add(check(each)) end
  end
  for _, key in ipairs(of.foreign_keys) do
    if #key.columns == 1 and key.columns[1] == column.name then
      add(words(constraint(key), references(key)))
    end
  end
  return table.concat(list, " ")
end

-- ---- tables ------------------------------------------------------------------------------

local function table_constraints(of)
  local list = {}
  local function add(...) list[#list + 1] = words(...) end
  local function is_inline(key)
    return #key.parts == 1 and not key.parts[1].collate
  end
  local key = of.primary_key
  if key and not is_inline(key) then
    add(constraint(key), "PRIMARY KEY", parts(key.parts), conflict(key.on_conflict))
  end
  for _, each in ipairs(of.uniques) do
    if not is_inline(each) or each.parts[1].descending then
      add(constraint(each), "UNIQUE", parts(each.parts), conflict(each.on_conflict))
    end
  end
  for _, each in ipairs(of.checks) do
    if not each.column then add(check(each)) end
  end
  for _, each in ipairs(of.foreign_keys) do
    if #each.columns > 1 then
      add(constraint(each), "FOREIGN KEY", "(" .. quote_all(each.columns) .. ")", references(each))
    end
  end
  return list
end

--- CREATE TABLE.
---@param of table
---@param name string? another name for it: a table is built anew beside itself
---@return string
function M.table(of, name)
  local lines = {}
  for i, column in ipairs(of.columns) do lines[i] = "  " .. M.column(of, column) end
  for _, text in ipairs(table_constraints(of)) do lines[#lines + 1] = "  " .. text end
  local options = {}
  if of.without_rowid then options[#options + 1] = "WITHOUT ROWID" end
  if of.strict then options[#options + 1] = "STRICT" end
  return words("CREATE TABLE", quote(name or of.name), comment(of.comment),
    "(\n" .. table.concat(lines, ",\n") .. "\n)",
    #options > 0 and table.concat(options, ", "))
end

--- CREATE INDEX.
---@param of table
---@param index table
---@return string
function M.index(of, index)
  return words(index.unique and "CREATE UNIQUE INDEX" or "CREATE INDEX", quote(index.name), "ON",
    quote(of.name), parts(index.parts), index.where and "WHERE " .. index.where)
end

-- ---- what is no table --------------------------------------------------------------------

--- CREATE VIEW.
---@param view table
---@return string
function M.view(view)
  return words("CREATE VIEW", quote(view.name),
    view.columns and "(" .. quote_all(view.columns) .. ")", "AS " .. view.select)
end

--- CREATE TRIGGER.
---@param trigger table
---@return string
function M.trigger(trigger)
  return words("CREATE TRIGGER", quote(trigger.name), trigger.timing:upper(),
    trigger.event:upper(), trigger.columns and "OF " .. quote_all(trigger.columns), "ON",
    quote(trigger.table), trigger.condition and "WHEN " .. trigger.condition,
    "BEGIN\n  " .. trigger.body .. ";\nEND")
end

--- CREATE VIRTUAL TABLE.
---@param virtual table
---@return string
function M.virtual_table(virtual)
  return words("CREATE VIRTUAL TABLE", quote(virtual.name), "USING", quote(virtual.module))
    .. (virtual.arguments and "(" .. virtual.arguments .. ")" or "")
end

--- The statements that make the full-text search of a table, and fill it with the rows that there
--- are.
---@param of table
---@return string[]
function M.search(of)
  local virtual, triggers = search.objects(of)
  local statements = { M.virtual_table(virtual) }
  for _, trigger in ipairs(triggers) do statements[#statements + 1] = M.trigger(trigger) end
  statements[#statements + 1] = search.rebuild(of)
  return statements
end

--- The statements that make a schema in an empty database, in an order that works.
---@param schema tuff.Schema
---@return string[]
function M.statements(schema)
  local statements = {}
  local function add(text) statements[#statements + 1] = text end
  for _, of in ipairs(schema.tables) do add(M.table(of)) end
  for _, of in ipairs(schema.tables) do
    for _, index in ipairs(of.indexes) do add(M.index(of, index)) end
  end
  for _, virtual in ipairs(schema.virtual_tables) do add(M.virtual_table(virtual)) end
  for _, view in ipairs(schema.views) do add(M.view(view)) end
  for _, of in ipairs(schema.tables) do
    if of.search then
      for _, text in ipairs(M.search(of)) do add(text) end
    end
  end
  for _, trigger in ipairs(schema.triggers) do add(M.trigger(trigger)) end
  return statements
end

return M
