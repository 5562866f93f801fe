--- The types that a column may have, whatever the engine makes of them: the options that each one
--- takes, and the values that it may default to.
local json = require "tuff.json"

local M = {}

-- ---- options -----------------------------------------------------------------------------

local MOST_DIGITS = 18 -- of a decimal: as many as an integer of 64 bits always holds

local function length(value)
  return math.type(value) == "integer" and value >= 1 and value < 1 << 31,
    "an integer from 1 to 2147483647"
end

local function digits(least)
  return function(value)
    return math.type(value) == "integer" and value >= least and value <= MOST_DIGITS,
      ("an integer from %d to %d"):format(least, MOST_DIGITS)
  end
end

local function boolean(value) return type(value) == "boolean", "true or false" end

-- ---- values ------------------------------------------------------------------------------

local function is_text(value)
  return type(value) == "string" and utf8.len(value) ~= nil and not value:find("\0", 1, true)
end

--- JSON whose text is the same for equal values: keys are sorted.
local function encode(value)
  if type(value) ~= "table" then return json.encode(value) end
  local keys, items = {}, {}
  if getmetatable(value) == json.array or #value > 0 then
    for i, item in ipairs(value) do items[i] = encode(item) end
    return "[" .. table.concat(items, ",") .. "]"
  end
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do items[i] = json.encode(key) .. ":" .. encode(value[key]) end
  return "{" .. table.concat(items, ",") .. "}"
end

local function json_text(value)
  if type(value) == "string" then return pcall(json.decode, value) and value or nil end
  return pcall(json.encode, value) and encode(value) or nil
end

--- The decimal with all digits of its scale: "1.5" is "1.50".
local function decimal(value, column)
  if math.type(value) == "integer" then value = ("%d"):format(value) end
  if type(value) ~= "string" then return nil end
  local sign, whole, fraction = value:match("^([+-]?)(%d+)%.?(%d*)$")
  if not whole or value:find("%.$") then return nil end
  whole, fraction = whole:gsub("^0+(%d)", "%1"), fraction:gsub("0+$", "")
  local room = column.precision - column.scale
  if #fraction > column.scale or #whole > room and whole ~= "0" then return nil end
  fraction = fraction .. ("0"):rep(column.scale - #fraction)
  local text = whole .. (fraction ~= "" and "." .. fraction or "")
  return (sign == "-" and text:find("[1-9]") and "-" or "") .. text
end

local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or not days[month] or day < 1 then return false end
  local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return day <= days[month] + (leap and 1 or 0)
end

local function is_timestamp(text)
  local day, hour, minute, second =
    text:match("^(%d%d%d%d%-%d%d%-%d%d)T(%d%d):(%d%d):(%d%d)%.%d%d%d%d%d%dZ$")
  return day ~= nil and is_date(day) and tonumber(hour) <= 23 and tonumber(minute) <= 59
    and tonumber(second) <= 60
end

local hexadecimal = { 8, 4, 4, 4, 12 }
for i, count in ipairs(hexadecimal) do hexadecimal[i] = ("[0-9a-f]"):rep(count) end
local uuid = "^" .. table.concat(hexadecimal, "%-") .. "$"

local function text_that(holds)
  return function(value) return type(value) == "string" and holds(value) and value or nil end
end

local function real(value)
  local finite = type(value) == "number" and value - value == 0
  return finite and value + 0.0 or nil
end

-- ---- the types ---------------------------------------------------------------------------

---@class tuff.schema.Type
---@field default fun(value: any, column: table): any the value as the model has it; nil: it is none
---@field wanted string what a default must be
---@field options table<string, fun(value: any): boolean, string>? beside those of every column
---@field textual boolean? whether it may be searched
---@field timely boolean? whether s.now is a value of it
---@field certain boolean? whether a database always refuses values of another type

---@type table<string, tuff.schema.Type>
M.types = {
  id = {
    certain = true, wanted = "absent: ids are given",
    default = function() return nil end,
  },
  integer = {
    wanted = "an integer",
    default = function(value) return type(value) == "number" and math.tointeger(value) or nil end,
  },
  real = { wanted = "a finite number", default = real },
  decimal = {
    options = { precision = digits(1), scale = digits(0) },
    wanted = 'a string like "12.34" that fits its precision and scale', default = decimal,
  },
  text = {
    textual = true, options = { max_length = length },
    wanted = "a string that is no longer than the column allows",
    default = function(value, column)
      local fits = is_text(value) and utf8.len(value) <= (column.max_length or math.huge)
      return fits and value or nil
    end,
  },
  boolean = {
    wanted = "true or false",
    default = function(value) if type(value) == "boolean" then return value end end,
  },
  blob = {
    options = { max_length = length },
    wanted = "a string or tuff.blob that is no longer than the column allows",
    default = function(value, column)
      if type(value) ~= "string" and getmetatable(value) ~= "tuff.blob" then return nil end
      local bytes = tostring(value)
      return #bytes <= (column.max_length or math.huge) and bytes or nil
    end,
  },
  json = {
    options = { verbatim = boolean }, wanted = "a table, or a string of JSON", default = json_text,
  },
  timestamp = {
    timely = true, wanted = 'a string like "2026-11-21T10:00:00.000000Z", or s.now',
    default = text_that(is_timestamp),
  },
  date = {
    timely = true, wanted = 'a string like "2026-11-21", or s.now', default = text_that(is_date),
  },
  uuid = {
    wanted = "a string of 36 characters in lower case",
    default = text_that(function(value) return value:find(uuid) end),
  },
  enum = {
    certain = true, textual = true, wanted = "one of its values",
    default = function(value, column)
      for _, each in ipairs(column.values) do
        if value == each then return value end
      end
    end,
  },
  --- Whatever the engine knows by the name in `declared`; nothing is known of its values.
  other = {
    certain = true, textual = true, wanted = "a string, a number or a boolean",
    default = function(value)
      if type(value) == "boolean" or is_text(value) then return value end
      return type(value) == "number" and value - value == 0 and value or nil
    end,
  },
}

--- Options that a column of any type takes.
M.options = { checked = boolean }

--- Types of which a key may refer to each other.
---@param column table
---@return string
function M.family(column)
  return column.type == "id" and "integer" or column.type == "enum" and "text" or column.type
end

M.is_text = is_text

return M
