--- What PostgreSQL keeps of a schema: what is for SQLite only is gone. Expressions are spelled anew
--- by the server, which no one else can do; see scratch.lua.
local collation = require "tuff.schema.postgres.collation"
local default = require "tuff.schema.postgres.default"
local json = require "tuff.json"
local model = require "tuff.schema.model"
local path = require "tuff.schema.postgres.path"
local search = require "tuff.schema.postgres.search"
local types = require "tuff.schema.postgres.types"
local value_types = require "tuff.schema.types"

local M = {}

--- A type has one name, and what its default is depends on it.
local function settle_type(column)
  local text = column.default and default.write(column)
  types.settle(column, column.declared)
  if text then column.default = default.read(column, text) end
end

local function settle_default(column)
  local given = column.default
  if given.kind == "expression" then
    column.default = default.read(column, given.expression)
  elseif column.type == "json" and given.kind == "literal" then
    given.value = value_types.types.json.default(json.decode(given.value))
  end
end

--- A generated column is always stored.
local function settle_column(column)
  column.checked, column.collate = nil, collation.read(column.collate)
  if column.type == "other" then settle_type(column) end
  if column.default then settle_default(column) end
  if column.generated then column.generated.stored = true end
end

--- Keys have no order, and no part of a primary key is ever NULL.
local function settle_key(of, kind, key)
  for _, part in ipairs(key.parts) do
    part.descending = nil
    if kind == "primary_key" then model.find(of.columns, part.column).not_null = true end
  end
end

--- The first of those objects of a list that say the same.
local function without_repeated(list, said, seen)
  local first = {}
  for _, object in ipairs(list) do
    local text = said(object)
    if not seen[text] then first[#first + 1] = object end
    seen[text] = true
  end
  return first
end

local function parts_of(key) return model.canonical(key.parts) end
local function all_of(object) return object.name .. " " .. model.canonical(object) end

--- A constraint that is there twice is there once.
local function settle_repeated(of)
  local key = of.primary_key
  of.uniques = without_repeated(of.uniques, parts_of, { [key and parts_of(key) or ""] = true })
  of.checks = without_repeated(of.checks, all_of, {})
  of.foreign_keys = without_repeated(of.foreign_keys, all_of, {})
end

local function settle_part(of, part)
  local column = part.column and model.find(of.columns, part.column)
  for i, step in ipairs(part.path or {}) do part.path[i] = path.step(step) end
  part.collate = collation.read(part.collate)
  if column and column.collate == part.collate then part.collate = nil end
end

local function settle_search(of)
  of.search.tokenize, of.search.prefix = nil, nil
  if of.search.language == search.LANGUAGE then of.search.language = nil end
end

--- A copy of a schema as PostgreSQL keeps it, but for the spelling of expressions.
---@param schema tuff.Schema
---@return tuff.Schema
function M.of(schema)
  local kept = model.copy(schema)
  for _, of in ipairs(kept.tables) do
    of.strict, of.without_rowid = nil, nil
    for _, column in ipairs(of.columns) do settle_column(column) end
    types.read(of) -- a check may be a rule by chance
    if of.search then settle_search(of) end
    model.each_constraint(of, function(kind, object)
      if kind == "primary_key" or kind == "unique" then settle_key(of, kind, object) end
      if kind == "index" then
        for _, part in ipairs(object.parts) do settle_part(of, part) end
      end
      if object.match and object.match:lower() == "simple" then object.match = nil end
    end)
    settle_repeated(of)
  end
  return model.complete(kept)
end

return M
