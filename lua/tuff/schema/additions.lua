--- What a schema can have more without anything being taken from it: a start-up may add tables,
--- columns and indexes by itself; what goes, goes by a migration.
local model = require "tuff.schema.model"

local M = {}

--- Adds to a list what another one has and it has not.
local function add_missing(list, wanted)
  for _, object in ipairs(wanted) do
    if not model.find(list, object.name) then list[#list + 1] = object end
  end
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
      if not model.find(of.columns, name) then return true end
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
  for i, of in ipairs(schema.tables) do
    local wanted = model.find(want.tables, of.name)
    if wanted then schema.tables[i] = extended(of, wanted) end
  end
  add_missing(schema.tables, want.tables)
  add_missing(schema.virtual_tables, want.virtual_tables)
  for _, list in ipairs { "views", "triggers" } do
    for i, object in ipairs(schema[list]) do
      schema[list][i] = model.find(want[list], object.name) or object
    end
    add_missing(schema[list], want[list])
  end
  return schema
end

return M
