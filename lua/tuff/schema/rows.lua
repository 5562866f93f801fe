--- The rows of a table as they are going to be, as a query on the rows that there are.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"

local M = {}

local quote = identifier.quote

--- What an engine gives for it, and for tuff.schema.scan.
---@class tuff.schema.EngineRows
---@field main fun(name: string): string a table, whatever hides it
---@field value fun(old: table, new: table, column: table): string?, string?, boolean? what a column
---  is made of, of the row `"t"`; nil: its default, or it is computed. With the condition under
---  which nothing is lost, and whether that is about the form of values
---@field constant fun(column: table): string? what a new column begins with; nil: it is computed
---@field collation fun(column: table): string what gives an expression the collation of a column,
---  or of a part of an index
---@field key fun(of: table): string[], string what rows are told apart by, and how that is called
---@field equal fun(other: table, other_row: string, column: table, row: string): string
---@field rules fun(owner: string, column: table): table[] the checks that belong to its type
---@field form fun(old: table, new: table): string? what else must hold for values of its type
---@field path fun(column: string, path: table): string a value in JSON

--- Whether a column is computed as it was, so that the row that there is has its value.
local function is_computed_as_before(old, column)
  local before = model.find(old.columns, column.name)
  return before ~= nil and before.generated ~= nil and model.equal(before, column)
end

--- A column whose value is not that of the row: with the collation that it is going to have.
local function named(engine, old, column, expression)
  local before = model.find(old.columns, column.name)
  if column.collate ~= (before and before.collate) then
    expression = expression .. engine.collation(column)
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
---@param engine tuff.schema.EngineRows
---@param old table
---@param new table
---@return tuff.schema.Rows
function M.of(engine, old, new)
  local inner, outer, known = {}, {}, {}
  for i, expression in ipairs((engine.key(old))) do
    inner[#inner + 1] = ("%s AS tuff_key%d"):format(expression, i)
  end
  for _, column in ipairs(new.columns) do
    local value = engine.value(old, new, column)
    if is_computed_as_before(old, column) then
      value = '"t".' .. quote(column.name)
    elseif not value and not column.generated then
      value = engine.constant(column)
    end
    known[column.name:lower()] = value and true
    inner[#inner + 1] = value and named(engine, old, column, value)
  end
  for _, column in ipairs(new.columns) do
    local expression = column.generated and column.generated.expression
    if expression and not known[column.name:lower()] and is_known(known, expression) then
      outer[#outer + 1] = column
    end
  end
  for i, column in ipairs(outer) do
    known[column.name:lower()] = true
    outer[i] = named(engine, old, column, "(" .. column.generated.expression .. ")")
  end
  return setmetatable({
    name = engine.main(new.name), inner = inner, outer = outer, known = known,
  }, Rows)
end

--- A query of the rows, in parentheses. Their keys are tuff_key1 and so on.
---@param extra string[] more columns, of the rows that there are
---@return string
function Rows:query(extra)
  local inner = table.move(self.inner, 1, #self.inner, #extra + 1, { table.unpack(extra) })
  local query = ('(SELECT %s FROM %s AS "t")'):format(table.concat(inner, ", "), self.name)
  if #self.outer == 0 then return query end
  return ("(SELECT *, %s FROM %s AS tuff_kept)"):format(table.concat(self.outer, ", "), query)
end

return M
