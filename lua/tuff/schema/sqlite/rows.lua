--- The rows of a table as they are going to be: what each new column is made of, as expressions on
--- the row that there is.
local conversion = require "tuff.schema.sqlite.conversion"
local ddl = require "tuff.schema.sqlite.ddl"
local default = require "tuff.schema.sqlite.default"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"

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

--- Whether a column is computed as it was, so that the row that there is has its value.
local function is_computed_as_before(old, column)
  local before = model.find(old.columns, column.name)
  return before ~= nil and before.generated ~= nil and model.equal(before, column)
end

--- A column whose value is not that of the row: with the collation that it is going to have.
local function named(old, column, expression)
  local before = model.find(old.columns, column.name)
  if column.collate ~= (before and before.collate) then
    expression = expression .. " COLLATE " .. quote(column.collate or "BINARY")
  end
  return expression .. " AS " .. quote(column.name)
end

--- Whether an expression needs only columns of this set.
local function is_known(known, expression)
  for _, each in ipairs(sql.columns(expression)) do
    if not known[each.name:lower()] then return false end
  end
  return true
end

---@class tuff.schema.Rows
---@field known table<string, boolean> the columns that the rows have, in lower case: not those that
---  cannot be told before they are there, such as defaults that are computed
local Rows = {}
Rows.__index = Rows

--- The rows of a table as they are going to be.
---@param old table
---@param new table
---@return tuff.schema.Rows
function M.of(old, new)
  local inner, outer, known = {}, {}, {}
  for i, expression in ipairs((M.key(old))) do
    inner[#inner + 1] = ("%s AS tuff_key%d"):format(expression, i)
  end
  for _, column in ipairs(new.columns) do
    local value = M.value(old, new, column)
    if is_computed_as_before(old, column) then
      value = own(column.name)
    elseif not value and not column.generated then
      local literal = column.default and column.default.kind == "literal"
      value = literal and default.write(column) or not column.default and "NULL" or nil
    end
    known[column.name:lower()] = value and true
    inner[#inner + 1] = value and named(old, column, value)
  end
  for _, column in ipairs(new.columns) do
    local expression = column.generated and column.generated.expression
    if expression and not known[column.name:lower()] and is_known(known, expression) then
      outer[#outer + 1] = column
    end
  end
  for i, column in ipairs(outer) do
    known[column.name:lower()] = true
    outer[i] = named(old, column, "(" .. column.generated.expression .. ")")
  end
  return setmetatable({ name = new.name, inner = inner, outer = outer, known = known }, Rows)
end

--- A query of the rows, in parentheses. Their keys are tuff_key1 and so on.
---@param extra string[] more columns, of the rows that there are
---@return string
function Rows:query(extra)
  local inner = table.move(self.inner, 1, #self.inner, #extra + 1, { table.unpack(extra) })
  local query = ('(SELECT %s FROM %s AS "t")'):format(table.concat(inner, ", "), M.main(self.name))
  if #self.outer == 0 then return query end
  return ("(SELECT *, %s FROM %s)"):format(table.concat(self.outer, ", "), query)
end

return M
