--- Defaults of columns as SQLite writes them. A literal that is no value of its column's type, or
--- that SQLite would change, stays the expression that it is.
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.types"

local M = {}

local now = {
  timestamp = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
  date = "date('now')",
}

-- ---- writing -----------------------------------------------------------------------------

--- A decimal is kept as the integer that it is times 10^scale.
local function scaled(value)
  return ((value:gsub("%.", "", 1):gsub("^(-?)0+(%d)", "%1%2")))
end

local function literal(column, value)
  if type(value) == "boolean" then return value and "TRUE" or "FALSE" end
  if type(value) == "number" then return sql.number(value) end
  if column.type == "decimal" then return scaled(value) end
  if column.type ~= "blob" then return sql.literal(value) end
  return "x'" .. value:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end) .. "'"
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

--- Words that are no texts although they have no quotes.
local special = {
  ["true"] = true, ["false"] = true, null = true, current_time = true, current_date = true,
  current_timestamp = true,
}

--- The Lua value of a literal; nil: it is none.
local function value_of(text)
  local quote = text:sub(1, 1)
  if quote == "'" or quote == '"' or quote == "`" or quote == "[" then return sql.unquote(text) end
  local sign, digits = text:match("^([+-]?)%s*(%.?%d.*)$")
  local value = sign and tonumber((sign == "-" and "-" or "") .. digits)
  if value then return value end
  local word = text:lower()
  if word == "true" or word == "false" then return word == "true" end
  local hexadecimal = text:match("^[xX]'(%x*)'$")
  if hexadecimal then
    return (hexadecimal:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
  end
  return text:find("^[%a_\x80-\xff][%w_$\x80-\xff]*$") and not special[word] and text or nil
end

local function unscaled(value, column)
  if math.type(value) ~= "integer" then return nil end
  local digits = ("%d"):format(value):gsub("^-", "")
  digits = ("0"):rep(column.scale + 1 - #digits) .. digits
  local whole = digits:sub(1, #digits - column.scale)
  local fraction = digits:sub(#digits - column.scale + 1)
  return (value < 0 and "-" or "") .. whole .. (fraction ~= "" and "." .. fraction or "")
end

--- The value as a value of its column; nil: it is none.
local function fitted(column, value, text)
  local is_blob = text:find("^[xX]'") ~= nil
  if is_blob ~= (column.type == "blob") then return nil end
  if column.type == "decimal" then
    value = unscaled(value, column)
  elseif column.type == "boolean" and (value == 0 or value == 1) then
    value = value == 1
  elseif column.type == "real" and math.type(value) == "integer" then
    value = value + 0.0
  end
  if value == nil then return nil end
  local fits = types.types[column.type].default(value, column)
  if fits == value and math.type(fits) == math.type(value) then return fits end
end

local function is_now(column, text)
  local wanted = now[column.type]
  return wanted and (text == wanted or sql.canonical(text) == sql.canonical(wanted))
end

--- The default that stands in a definition, without the parentheses of an expression.
---@param column table whose type is known
---@param text string
---@return table? default
function M.read(column, text)
  if text:lower() == "null" then return nil end
  if is_now(column, text) then return { kind = "now" } end
  local value = value_of(text)
  local fits
  if value ~= nil then fits = fitted(column, value, text) end
  if fits ~= nil then return { kind = "literal", value = fits } end
  local is_name = type(value) == "string" and text:find("^[%a_\x80-\xff\"`%[]")
    and not text:find("^[xX]'")
  return { kind = "expression", expression = is_name and sql.literal(value) or text }
end

return M
