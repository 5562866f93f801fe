--- Defaults of columns as PostgreSQL writes them. A constant that is no value of its column's type
--- stays the expression that it is.
local json = require "tuff.json"
local spelled = require "tuff.schema.postgres.spelled"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.types"

local M = {}

local now = {
  timestamp = "now()",
  date = "(now() AT TIME ZONE 'utc')::date", -- whatever the time zone of the session
}

-- ---- writing -----------------------------------------------------------------------------

local function literal(column, value)
  if type(value) == "boolean" then return value and "true" or "false" end
  if type(value) == "number" then return sql.number(value) end
  if column.type == "decimal" then return value end
  if column.type ~= "blob" then return sql.literal(value) end
  return "'\\x" .. value:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end) .. "'"
end

--- What stands behind DEFAULT.
---@param column table
---@return string
function M.write(column)
  local default = column.default
  if default.kind == "literal" then return literal(column, default.value) end
  return "(" .. (default.kind == "now" and now[column.type] or default.expression) .. ")"
end

-- ---- reading -----------------------------------------------------------------------------

local MOST_DIGITS = 15 -- that a number of any kind has in Lua without loss

local function few_digits(text)
  local _, count = text:gsub("%d", "")
  return count <= MOST_DIGITS
end

--- The number, unless Lua would change it.
local function number(text)
  local value = text:find("^[+-]?[%d.]") and tonumber(text)
  if not value or math.type(value) == "float" and not few_digits(text) then return nil end
  return value
end

--- What a text means in a column, by its type.
local value_of = {}

function value_of.integer(text)
  return math.tointeger(number(text))
end

function value_of.real(text)
  local value = text:find("^[+-]?[%d.]") and tonumber(text)
  return value and value + 0.0
end

function value_of.decimal(text) return text end

function value_of.boolean(text)
  if text == "true" or text == "false" then return text == "true" end
end

function value_of.blob(text)
  local digits = text:match("^\\x(%x*)$")
  return digits and digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
end

--- jsonb keeps numbers of any length.
function value_of.json(text)
  for digits in text:gmatch("%d[%d.]*") do
    if not few_digits(digits) then return nil end
  end
  local good, value = pcall(json.decode, text)
  if good then return value end
end

function value_of.timestamp(text)
  local day, time, fraction = text:match("^(%d+%-%d%d%-%d%d) (%d%d:%d%d:%d%d)%.?(%d*)%+00$")
  return day and ("%sT%s.%s%sZ"):format(day, time, fraction, ("0"):rep(6 - #fraction))
end

local function as_text(text) return text end

value_of.text, value_of.enum, value_of.date, value_of.uuid = as_text, as_text, as_text, as_text

local numbers = { integer = true, bigint = true, numeric = true }

--- A value of a type of which nothing is known.
local function of_other(column, text, cast, quoted)
  if numbers[cast] or not quoted and number(text) then return number(text) end
  if quoted then return cast == column.base and text or nil end
  return value_of.boolean(text)
end

--- Types of constants that are values of these columns.
local casts = {
  integer = { integer = true, bigint = true }, decimal = { numeric = true, integer = true },
  real = { ["double precision"] = true, numeric = true, integer = true },
  text = { text = true }, enum = { text = true }, blob = { bytea = true },
  json = { jsonb = true, json = true },
  timestamp = { ["timestamp with time zone"] = true }, date = { date = true },
  uuid = { uuid = true }, boolean = { boolean = true }, other = numbers,
}

--- A constant as a value of its column; nil: it is none, or has another type.
local function fitted(column, text, cast, quoted)
  if cast and not casts[column.type][cast] and cast ~= column.base then return nil end
  if column.type == "other" then return of_other(column, text, cast, quoted) end
  local value
  if value_of[column.type] then value = value_of[column.type](text) end
  if value ~= nil then return types.types[column.type].default(value, column) end
end

local function is_now(column, text)
  return now[column.type] and spelled.same(now[column.type], text)
end

--- A default that PostgreSQL tells.
---@param column table whose type is known; base: the name of its type, of one that is "other"
---@param text string
---@return table? default
function M.read(column, text)
  if is_now(column, text) then return { kind = "now" } end
  local constant, cast, quoted = spelled.constant(text)
  if constant == "null" and not quoted then return nil end
  local value
  if constant then value = fitted(column, constant, cast, quoted) end
  if value ~= nil then return { kind = "literal", value = value } end
  return { kind = "expression", expression = spelled.bare(text) }
end

return M
