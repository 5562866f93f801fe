--- A part of what makes one schema of another. What a schema can have more without anything being
--- taken from it: a start-up may add tables, columns and indexes by itself; what goes, goes by a
--- migration. And single tables.
local errors = require "tuff.error"
local model = require "tuff.schema.model"

local M = {}

--- What a name means in a list, capitals or not: unless it means another one that is wanted, too.
local function counterpart(list, name, wanted)
  local found = model.find_like(list, name)
  if found and found.name ~= name and model.find(wanted, found.name) then return nil end
  return found
end

--- Adds to a list what another one has and it has not.
local function add_missing(list, wanted)
  for _, object in ipairs(wanted) do
    if not counterpart(list, object.name, wanted) then list[#list + 1] = object end
  end
end

--- Puts a schema straight that was made of two: references have the names of the tables in it, and
--- a name that was derived depends on that of its table.
local function settled(schema)
  for _, of in ipairs(schema.tables) do
    for _, key in ipairs(of.foreign_keys) do
      local other = model.find_like(schema.tables, key.table)
      key.table = other and other.name or key.table
    end
  end
  return model.complete(schema)
end

--- The same table with the columns, indexes and the search that another has more.
local function extended(of, wanted)
  local table_of = model.copy(of)
  add_missing(table_of.columns, wanted.columns)
  add_missing(table_of.indexes, wanted.indexes)
  table_of.search = table_of.search or wanted.search
  -- The constraints of a column that is new come with it.
  local function is_new(columns)
    for _, name in ipairs(columns or {}) do
      if not model.find_like(of.columns, name) then return true end
    end
    return false
  end
  for _, unique in ipairs(wanted.uniques) do
    if is_new(model.columns_of(unique.parts)) then table.insert(table_of.uniques, unique) end
  end
  for _, key in ipairs(wanted.foreign_keys) do
    if is_new(key.columns) then table.insert(table_of.foreign_keys, key) end
  end
  for _, check in ipairs(wanted.checks) do
    if check.column and is_new { check.column } then table.insert(table_of.checks, check) end
  end
  return table_of
end

--- The schema that a database has, with what another one has more: views and triggers as they are
--- there, for they hold nothing.
---@param have tuff.Schema
---@param want tuff.Schema as the engine reads it
---@return tuff.Schema
function M.of(have, want)
  local schema = model.copy(have)
  want = model.copy(want)
  for _, wanted in ipairs(want.tables) do
    for i, of in ipairs(schema.tables) do
      if of == counterpart(schema.tables, wanted.name, want.tables) then
        schema.tables[i] = extended(of, wanted)
      end
    end
  end
  add_missing(schema.tables, want.tables)
  add_missing(schema.virtual_tables, want.virtual_tables)
  for _, list in ipairs { "views", "triggers" } do
    for i, object in ipairs(schema[list]) do
      schema[list][i] = model.find(want[list], object.name) or object
    end
    add_missing(schema[list], want[list])
  end
  return settled(schema)
end

--- The schema that a database has, with some tables as another one has them.
---@param have tuff.Schema
---@param want tuff.Schema as the engine reads it
---@param names string[] of the tables
---@return tuff.Schema
function M.only(have, want, names)
  local schema, known = model.copy(have), {}
  want = model.copy(want)
  for i, of in ipairs(want.tables) do known[i] = of.name end
  for _, name in ipairs(names) do
    local wanted = model.find(want.tables, name)
    if not wanted then
      errors.raise("misuse", ("only: the table %s is not declared"):format(errors.shown(name)),
        { hint = errors.did_you_mean(name, known) })
    end
    local of = counterpart(schema.tables, name, want.tables)
    local place = #schema.tables + 1
    for i, each in ipairs(schema.tables) do place = each == of and i or place end
    schema.tables[place] = wanted
  end
  return settled(schema)
end

return M
