--- Rows in PostgreSQL: what each new column is made of, as expressions on the row that there is.
local collation = require "tuff.schema.postgres.collation"
local conversion = require "tuff.schema.postgres.conversion"
local default = require "tuff.schema.postgres.default"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local path = require "tuff.schema.postgres.path"
local storage = require "tuff.schema.postgres.storage"
local types = require "tuff.schema.postgres.types"

local M = {}

local quote = identifier.quote

local function own(name) return '"t".' .. quote(name) end

M.main, M.rules, M.path = quote, types.rules, path.expression

--- PostgreSQL itself checks values by their types.
function M.form() return nil end

--- What a column is made of; nil: its default, or it is computed.
---@param old table the table as it was
---@param _ table
---@param column table of the new table
---@return string? expression
---@return string? fits
---@return boolean? has_form
function M.value(old, _, column)
  if column.generated then return nil end
  local before = model.find(old.columns, column.name)
  if before then return conversion.of(before, column, own(column.name)) end
  return nil
end

--- The collation of a column as one that an expression has.
---@param column table
---@return string
function M.collation(column)
  return ' COLLATE ' .. quote(column.collate and collation.written(column.collate) or "default")
end

--- A constant that a new column begins with, or NULL; nil: it is computed.
---@param column table
---@return string?
function M.constant(column)
  local kept = storage.of(column)
  if kept.identity or kept.serial then return nil end
  local text = "NULL"
  if column.default then
    if column.default.kind ~= "literal" then return nil end
    text = default.write(column)
  end
  return ("CAST(%s AS %s)"):format(text, kept.type)
end

--- What rows are told apart by, for a message: the primary key.
---@param of table
---@return string[] expressions
---@return string name
function M.key(of)
  local list = {}
  for i, part in ipairs(of.primary_key and of.primary_key.parts or {}) do
    list[i] = own(part.column)
  end
  return list, "key"
end

--- Whether a reference finds its row. Columns that change their types together do not agree yet.
---@param other table the column that is referred to, as it is
---@param other_row string
---@param column table
---@param row string
---@return string condition
function M.equal(other, other_row, column, row)
  local cast = conversion.is_retyped(other, column) and "::text" or ""
  return ("%s.%s%s = %s.%s%s"):format(other_row, quote(other.name), cast, row, quote(column.name),
    cast)
end

return M
