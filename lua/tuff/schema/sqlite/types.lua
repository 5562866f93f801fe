--- How SQLite keeps the types of columns. The declared type says what a value means, in two words
--- where SQLite has no such type (see doc/values.md); what else belongs to the type is a rule, a
--- CHECK of its own, that no statement gets around:
--
--   max_length   length("path") <= 4096                 images_path_length
--   enum         "state" = 'open' OR "state" = 'done'   images_state_values
--   decimal      "price" BETWEEN -9999 AND 9999         images_price_range
--   checked      typeof("n") IN ('integer', 'null')     images_n_type
--
-- A rule that is read is known by its form, as long as it has the name of a rule or none, so that
-- it is never taken for a check that was declared as such. Comparisons joined by OR, because SQLite
-- builds a table of what stands behind IN for every row, if that is more than two.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local names = require "tuff.schema.names"
local sql = require "tuff.schema.sql"

local M = {}

local declared = {
  id = "INTEGER", integer = "INTEGER", real = "REAL", text = "TEXT", enum = "TEXT", blob = "BLOB",
  boolean = "BOOLEAN INTEGER", json = "JSON TEXT", timestamp = "TIMESTAMP TEXT", date = "DATE TEXT",
  uuid = "UUID TEXT",
}

--- The declared type of a column.
---@param column table
---@return string
function M.declared(column)
  if column.type == "decimal" then
    return ("DECIMAL INTEGER(%d,%d)"):format(column.precision, column.scale)
  end
  return declared[column.type] or column.declared
end

-- ---- rules -------------------------------------------------------------------------------

local function typeof(name, kind)
  return ("typeof(%s) IN ('%s', 'null')"):format(name, kind)
end

--- A pattern of GLOB: d stands for a digit, x for one of base 16.
local function pattern(form)
  return (form:gsub("[dx]", { d = "[0-9]", x = "[0-9a-f]" }))
end

local DATE, TIME = pattern("dddd-dd-dd"), pattern("T[0-2]d:[0-5]d:[0-6]d.ddddddZ")

--- What the value of a column must be to be of its type. NULL passes, and must never make `date` or
--- `typeof` say no. Only where SQLite computes with a date does it become one that there is.
local of_type = {
  integer = function(name) return typeof(name, "integer") end,
  decimal = function(name) return typeof(name, "integer") end,
  real = function(name) return typeof(name, "real") end,
  text = function(name) return typeof(name, "text") end,
  blob = function(name) return typeof(name, "blob") end,
  boolean = function(name) return name .. " IN (0, 1)" end,
  json = function(name) return ("%s IS NULL OR json_valid(%s)"):format(name, name) end,
  uuid = function(name)
    return ("%s GLOB '%s' AND typeof(%s) <> 'blob'"):format(name,
      pattern("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"), name)
  end,
  date = function(name)
    return ("%s GLOB '%s' AND date(%s, '+0 days') IS %s"):format(name, DATE, name, name)
  end,
  timestamp = function(name)
    local day = ("substr(%s, 1, 10)"):format(name)
    return ("%s GLOB '%s%s' AND date(%s, '+0 days') IS %s AND substr(%s, 12, 2) < '24'")
      :format(name, DATE, TIME, day, day, name)
  end,
}

local function values(name, list)
  local terms = {}
  for i, value in ipairs(list) do terms[i] = name .. " = " .. sql.literal(value) end
  return table.concat(terms, " OR ")
end

--- The rules of a column: a suffix for the name of each, and its expression.
local function each_rule(column)
  local name = identifier.quote(column.name)
  local rules = {}
  if column.max_length then
    rules.length = ("length(%s) <= %d"):format(name, column.max_length)
  end
  if column.type == "enum" then rules.values = values(name, column.values) end
  if column.type == "decimal" then
    local most = ("9"):rep(column.precision)
    rules.range = ("%s BETWEEN -%s AND %s"):format(name, most, most)
  end
  if column.checked then rules.type = of_type[column.type](name) end
  return rules
end

local order = { "length", "values", "range", "type" }

--- The rules of a column as checks, in the order in which they stand in its definition.
---@param owner string the table
---@param column table
---@return table[] checks
function M.rules(owner, column)
  local checks, rules = {}, each_rule(column)
  for _, suffix in ipairs(order) do
    if rules[suffix] then
      checks[#checks + 1] = {
        name = names.join(owner, column.name, suffix), expression = rules[suffix],
      }
    end
  end
  return checks
end

--- What every value of a column has to be to be of its type: a condition.
---@param column table
---@return string
function M.form(column)
  return of_type[column.type](identifier.quote(column.name))
end

-- ---- reading -----------------------------------------------------------------------------

local kinds = {}
for kind, text in pairs(declared) do
  if kind ~= "id" and kind ~= "enum" then kinds[text] = kind end
end

--- A declared type in one form: capitals, and no more white space than needed.
---@param text string
---@return string
function M.spelled(text)
  return (text:upper():gsub("%s+", " "):gsub(" ?([(),]) ?", "%1"):gsub("^ ", ""):gsub(" $", ""))
end

--- Sets the type of a column, as far as its declared type tells.
---@param column table
---@param text string
function M.settle(column, text)
  local kind = kinds[M.spelled(text)]
  column.type = kind or "other"
  column.declared = not kind and text or nil
end

--- What a check would be the rule of: the column as it is then.
local guess = {}

function guess.length(column, expression)
  local most = math.tointeger(expression:match("<=%s*(%d+)$"))
  local has_length = column.type == "text" or column.type == "blob"
  if has_length and most and most >= 1 and most < 1 << 31 then
    return { type = column.type, max_length = most }
  end
end

function guess.values(column, expression)
  local list, seen = column.type == "text" and sql.strings(expression) or {}, {}
  for _, value in ipairs(list) do
    if seen[value] then return nil end
    seen[value] = true
  end
  if #list > 0 then return { type = "enum", values = list } end
end

function guess.range(column)
  local precision, scale = M.spelled(column.declared or "")
    :match("^DECIMAL INTEGER%((%d+),(%d+)%)$")
  precision, scale = math.tointeger(precision), math.tointeger(scale)
  if precision and precision >= 1 and precision <= 18 and scale <= precision then
    return { type = "decimal", precision = precision, scale = scale }
  end
end

function guess.type(column)
  if not of_type[column.type] then return nil end
  return {
    type = column.type, precision = column.precision, scale = column.scale, checked = true,
  }
end

--- What people write where a rule joins by OR.
local function in_list(column)
  local list = {}
  for i, value in ipairs(column.values) do list[i] = sql.literal(value) end
  return ("%s IN (%s)"):format(identifier.quote(column.name), table.concat(list, ", "))
end

--- The column as a check makes it, if the check is such a rule.
local function as_ruled(column, suffix, expression)
  local guessed = guess[suffix](column, expression)
  if not guessed then return nil end
  guessed.name = column.name
  local rule = each_rule(guessed)[suffix]
  local same = expression == rule -- as it is written here
  if not same then
    local canonical = sql.canonical(expression)
    same = canonical == sql.canonical(rule)
      or suffix == "values" and canonical == sql.canonical(in_list(guessed))
  end
  return same and guessed or nil
end

--- Whether a check may be a rule, by its name.
local function may_be(check, owner, column, suffix)
  if check.on_conflict then return false end
  return not check.name or names.is_rule(check.name, owner, column, suffix)
end

--- Takes a check into the type of its column.
local function absorb(of, check, suffix)
  local first = check.column or (sql.columns(check.expression)[1] or {}).name
  local column = first and first ~= "" and model.find(of.columns, first)
  if not column or not may_be(check, of.name, column.name, suffix) then return false end
  local ruled = as_ruled(column, suffix, check.expression)
  if not ruled then return false end
  if ruled.type ~= column.type then column.declared = nil end
  for field, value in pairs(ruled) do column[field] = value end
  return true
end

--- Gives the columns of a table that was read their types; what belongs to these is no check any
--- more.
---@param of table whose columns have the text of their type in `declared`
function M.read(of)
  for _, column in ipairs(of.columns) do M.settle(column, column.declared) end
  for _, suffix in ipairs(order) do
    local left = {}
    for _, check in ipairs(of.checks) do
      if not absorb(of, check, suffix) then left[#left + 1] = check end
    end
    of.checks = left
  end
end

return M
