--- What SQLite keeps of a schema: the form in which it is read again after it was made. Two texts
--- that mean the same here are one there, and what is for other engines is gone.
local default = require "tuff.schema.sqlite.default"
local model = require "tuff.schema.model"
local parts = require "tuff.schema.sqlite.parts"
local path = require "tuff.schema.sqlite.path"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.sqlite.types"

local M = {}

--- What a default is depends on the type, and so does not stand where that is another one.
local function settle_type(column)
  local text = column.default and column.default.kind == "literal" and default.write(column)
  types.settle(column, column.declared)
  if text and column.type ~= "other" then column.default = default.read(column, text) end
end

local function settle_column(column)
  column.verbatim = nil -- JSON always is
  if column.collate and column.collate:upper() == "BINARY" then column.collate = nil end
  if column.type == "other" then settle_type(column) end
  if column.default and column.default.kind == "expression" then
    column.default = default.read(column, column.default.expression)
  end
end

--- Where rows are found by the key alone, and in strict tables, no part of it is ever NULL.
local function settle_key(of)
  if not of.primary_key or not (of.without_rowid or of.strict) then return end
  for _, part in ipairs(of.primary_key.parts) do
    model.find(of.columns, part.column).not_null = true
  end
end

--- A path is one however it is written.
local function settle_part(of, part)
  if part.expression then
    local name, steps = path.read(part.expression)
    local column = name and model.find(of.columns, name)
    if column and column.type == "json" then
      part.column, part.path, part.expression = name, steps, nil
    end
  end
  parts.settle_collation(part, part.column and model.find(of.columns, part.column))
end

--- A copy of a schema as SQLite keeps it.
---@param schema tuff.Schema
---@return tuff.Schema
function M.of(schema)
  local kept = model.copy(schema)
  for _, of in ipairs(kept.tables) do
    for _, column in ipairs(of.columns) do settle_column(column) end
    settle_key(of)
    for _, check in ipairs(of.checks) do
      check.expression = sql.unqualified(check.expression, of.name)
    end
    if of.search then of.search.language = nil end
    model.each_constraint(of, function(_, object)
      for _, part in ipairs(object.parts or {}) do settle_part(of, part) end
    end)
  end
  return model.complete(kept) -- a part may have got another name
end

return M
