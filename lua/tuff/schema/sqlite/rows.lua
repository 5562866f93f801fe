--- Rows in SQLite: what each new column is made of, as expressions on the row that there is.
local conversion = require "tuff.schema.sqlite.conversion"
local ddl = require "tuff.schema.sqlite.ddl"
local default = require "tuff.schema.sqlite.default"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local path = require "tuff.schema.sqlite.path"
local types = require "tuff.schema.sqlite.types"

local M = {}

local quote = identifier.quote

--- A table of the main database, whatever hides it.
---@param name string
---@return string
function M.main(name) return "main." .. quote(name) end

local function folded(of)
  local set = {}
  for _, column in ipairs(of.columns) do set[column.name:lower()] = true end
  return set
end

--- The name by which a statement speaks of the rowid; nil: it cannot.
---@param of table
---@return string?
function M.rowid(of)
  if of.without_rowid then return nil end
  local taken = folded(of)
  for _, name in ipairs { "rowid", "_rowid_", "oid" } do
    if not taken[name] then return name end
  end
end

--- The column that is another name for the rowid.
---@param of table
---@return table?
function M.alias(of)
  for _, column in ipairs(of.columns) do
    if ddl.is_rowid(of, column) then return column end
  end
end

local function own(name) return '"t".' .. quote(name) end

--- The rowid of a row of `"t"`; nil: it has none that can be spoken of.
local function rowid_of(of)
  local alias, name = M.alias(of), M.rowid(of)
  return alias and own(alias.name) or name and own(name)
end

--- What a column is made of; nil: its default, or it is computed. With the condition under which
--- nothing is lost.
---@param old table the table as it was
---@param new table
---@param column table of the new table
---@return string? expression
---@return string? fits
function M.value(old, new, column)
  if column.generated then return nil end
  local before = model.find(old.columns, column.name)
  if before then return conversion.of(before, column, own(column.name)) end
  return ddl.is_rowid(new, column) and rowid_of(old) or nil
end

--- What rows are told apart by, for a message: the rowid, or the primary key.
---@param of table
---@return string[] expressions
---@return string name "rowid"
function M.key(of)
  local rowid = rowid_of(of)
  if rowid then return { rowid }, "rowid" end
  local list = {}
  for i, part in ipairs(of.primary_key and of.primary_key.parts or {}) do
    list[i] = own(part.column)
  end
  return list, "key"
end

--- What makes a column's own collation an expression's.
---@param column table
---@return string
function M.collation(column) return " COLLATE " .. quote(column.collate or "BINARY") end

--- A constant that a new column begins with, or NULL; nil: it is computed.
---@param column table
---@return string?
function M.constant(column)
  if not column.default then return "NULL" end
  return column.default.kind == "literal" and default.write(column) or nil
end

--- Whether a reference finds its row.
---@param other table the column that is referred to, as it is
---@param other_row string
---@param column table
---@param row string
---@return string condition
function M.equal(other, other_row, column, row)
  return ("%s.%s = %s.%s"):format(other_row, quote(other.name), row, quote(column.name))
end

M.rules, M.form, M.path = types.rules, conversion.form, path.expression

return M
