--- The statements of PostgreSQL that make what a model says. All constraints have names, and stand
--- beside the columns; foreign keys are added when all tables are there, since tables may refer to
--- each other.
local collation = require "tuff.schema.postgres.collation"
local default = require "tuff.schema.postgres.default"
local identifier = require "tuff.identifier"
local kept = require "tuff.schema.postgres.kept"
local limits = require "tuff.schema.postgres.limits"
local model = require "tuff.schema.model"
local path = require "tuff.schema.postgres.path"
local search = require "tuff.schema.postgres.search"
local sql = require "tuff.schema.sql"
local trigger = require "tuff.schema.postgres.trigger"
local types = require "tuff.schema.postgres.types"

local M = {}

local quote, quote_all, words = identifier.quote, identifier.quote_all, sql.words

-- ---- columns -----------------------------------------------------------------------------

local function collate(name)
  return name and "COLLATE " .. quote(collation.written(name))
end

--- The definition of a column, as in CREATE TABLE and ADD COLUMN, without its constraints.
---@param _ table its table
---@param column table
---@return string
function M.column(_, column)
  local generated = column.generated
  return words(quote(column.name), types.declared(column), collate(column.collate),
    column.default and "DEFAULT " .. default.write(column),
    generated and "GENERATED ALWAYS AS (" .. generated.expression .. ") STORED",
    column.not_null and column.type ~= "id" and "NOT NULL")
end

-- ---- constraints -------------------------------------------------------------------------

local function columns_of(key)
  return "(" .. quote_all(model.columns_of(key.parts)) .. ")"
end

local deferrables = { deferred = "DEFERRABLE INITIALLY DEFERRED", immediate = "DEFERRABLE" }

--- What a constraint is, by its kind, without its name.
---@type table<string, fun(object: table): string>
M.definition = {
  primary_key = function(key) return "PRIMARY KEY " .. columns_of(key) end,
  unique = function(key) return "UNIQUE " .. columns_of(key) end,
  check = function(check) return "CHECK (" .. check.expression .. ")" end,
  foreign_key = function(key)
    return words("FOREIGN KEY (" .. quote_all(key.columns) .. ") REFERENCES", quote(key.table),
      key.references and "(" .. quote_all(key.references) .. ")",
      key.match and "MATCH " .. key.match:upper(),
      key.on_update and "ON UPDATE " .. key.on_update:upper(),
      key.on_delete and "ON DELETE " .. key.on_delete:upper(), deferrables[key.deferrable])
  end,
}

--- A constraint, as in CREATE TABLE and ADD.
---@param kind string "primary_key", "unique", "check" or "foreign_key"
---@param object table
---@return string
function M.constraint(kind, object)
  return words("CONSTRAINT", quote(object.name), M.definition[kind](object))
end

--- ALTER TABLE … ADD CONSTRAINT.
---@param of table
---@param kind string
---@param object table
---@return string
function M.add_constraint(of, kind, object)
  return words("ALTER TABLE", quote(of.name), "ADD", M.constraint(kind, object))
end

-- ---- tables ------------------------------------------------------------------------------

--- CREATE TABLE, without foreign keys.
---@param of table
---@return string
function M.table(of)
  local lines = {}
  local function add(line) lines[#lines + 1] = "  " .. line end
  for _, column in ipairs(of.columns) do add(M.column(of, column)) end
  for _, column in ipairs(of.columns) do
    for _, rule in ipairs(types.rules(of.name, column)) do add(M.constraint("check", rule)) end
  end
  model.each_constraint(of, function(kind, object)
    if kind ~= "index" and kind ~= "foreign_key" then add(M.constraint(kind, object)) end
  end)
  return words("CREATE TABLE", quote(of.name), "(\n" .. table.concat(lines, ",\n") .. "\n)")
end

local function part(of)
  local expression = of.path and path.expression(of.column, of.path)
    or of.column and quote(of.column) or "(" .. of.expression .. ")"
  return words(expression, collate(of.collate), of.descending and "DESC")
end

--- CREATE INDEX.
---@param of table
---@param index table
---@return string
function M.index(of, index)
  local parts = {}
  for i, each in ipairs(index.parts) do parts[i] = part(each) end
  return words(index.unique and "CREATE UNIQUE INDEX" or "CREATE INDEX", quote(index.name), "ON",
    quote(of.name), "(" .. table.concat(parts, ", ") .. ")",
    index.where and "WHERE (" .. index.where .. ")")
end

--- COMMENT ON TABLE, or on a column of it. Without a comment, there is none any more.
---@param of table
---@param column table? nil: of the table itself
---@return string
function M.comment(of, column)
  local text = (column or of).comment
  return words("COMMENT ON", column and "COLUMN" or "TABLE",
    quote(of.name) .. (column and "." .. quote(column.name) or ""), "IS",
    text and sql.literal(text) or "NULL")
end

-- ---- what is no table --------------------------------------------------------------------

--- CREATE VIEW.
---@param view table
---@param replaces boolean? whether it takes the place of another one
---@return string
function M.view(view, replaces)
  return words(replaces and "CREATE OR REPLACE VIEW" or "CREATE VIEW", quote(view.name),
    view.columns and "(" .. quote_all(view.columns) .. ")", "AS " .. view.select)
end

-- ---- the whole ---------------------------------------------------------------------------

--- Views in an order in which each comes behind those that it names.
---@param views table[]
---@return table[]
function M.in_order(views)
  local ordered, state, by_name = {}, {}, {}
  for _, view in ipairs(views) do by_name[view.name] = view end
  local function add(view)
    if state[view] then return end
    state[view] = true
    for _, name in ipairs(sql.names(view.select)) do
      if by_name[name] then add(by_name[name]) end
    end
    ordered[#ordered + 1] = view
  end
  for _, view in ipairs(views) do add(view) end
  return ordered
end

--- The statements that make a schema in an empty database, in an order that works. Raises
--- `unsupported`, with all that PostgreSQL has no form for.
---@param schema tuff.Schema
---@return string[]
function M.statements(schema)
  limits.check(schema)
  schema = kept.of(schema)
  local statements = {}
  local function add(text) statements[#statements + 1] = text end
  for _, of in ipairs(schema.tables) do add(M.table(of)) end
  for _, of in ipairs(schema.tables) do
    for _, index in ipairs(of.indexes) do add(M.index(of, index)) end
    if of.search then add(search.index(of)) end
  end
  for _, of in ipairs(schema.tables) do
    for _, key in ipairs(of.foreign_keys) do add(M.add_constraint(of, "foreign_key", key)) end
  end
  for _, of in ipairs(schema.tables) do
    if of.comment then add(M.comment(of)) end
    for _, column in ipairs(of.columns) do
      if column.comment then add(M.comment(of, column)) end
    end
  end
  for _, view in ipairs(M.in_order(schema.views)) do add(M.view(view)) end
  for _, each in ipairs(schema.triggers) do
    add(trigger.create_function(each))
    add(trigger.create_trigger(each))
  end
  return statements
end

return M
