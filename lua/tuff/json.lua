--- JSON that loses nothing: integers of 64 bits come back as integers, floats as the same
--- floats, an empty array as an array. lua-cjson does the work. Its older versions read
--- every number as a float, print 14 digits and know no empty array, so that these pass
--- through it as marked strings.
local cjson = require "cjson"
local errors = require "tuff.error"

local M = {}

M.null = cjson.null -- the same light userdata as tuff.null

--- The metatable of arrays: gives an empty table the form `[]`.
M.array = {}

local DEEPEST = 1000

local codec = cjson.new()
codec.encode_max_depth(DEEPEST)
codec.decode_max_depth(DEEPEST)
codec.encode_sparse_array(false, 0)
codec.decode_invalid_numbers(false)

--- A prefix that no string of the text begins with.
local function marker_for(text)
  local marker = "\1n"
  while text:find(marker, 1, true) or text:find("\\u0001n", 1, true) do
    marker = marker .. "n"
    if not text:find(marker, 1, true) then break end
  end
  return marker
end

-- ---- reading ----------------------------------------------------------------------------

--- Puts every number and empty array of the text into a marked string.
local function mark_text(text, marker)
  local out, at = {}, 1
  local escaped = '"' .. marker:gsub("\1", "\\u0001")
  while true do
    local quote = text:find('"', at, true)
    local plain = text:sub(at, (quote or 0) - 1)
    if plain:find("\0", 1, true) then error("a NUL byte", 0) end
    if plain:find("%d%s*:") then error("a key that is a number", 0) end
    plain = plain:gsub("-?%d[%d.eE+-]*", function(number)
      return escaped .. number .. '"'
    end)
    out[#out + 1] = plain:gsub("%[%s*%]", escaped .. '[]"')
    if not quote then return table.concat(out) end
    local close = quote + 1
    while true do
      close = text:find('["\\]', close)
      if not close then return table.concat(out) .. text:sub(quote) end
      if text:byte(close) == 34 then break end
      close = close + 2
    end
    local quoted = text:sub(quote, close)
    if quoted:find("[\0-\31]") then error("a control character in a string", 0) end
    out[#out + 1] = quoted
    at = close + 1
  end
end

--- The number that stands in JSON; raises a reason where it is none, or no Lua number.
local function read_number(text)
  local whole, rest = text:match("^-?(%d+)(.*)$")
  local form = rest and rest:gsub("^%.%d+", ""):gsub("^[eE][+-]?%d+$", "")
  if form ~= "" or whole:find("^0%d") then error("invalid number " .. text, 0) end
  local number = tonumber(text)
  if number == math.huge or number == -math.huge
    or rest == "" and math.type(number) == "float" then
    error("the number " .. text:sub(1, 40) .. " is out of range: a number in JSON must be an "
      .. "integer of 64 bits or a float", 0)
  end
  if rest ~= "" then number = number + 0.0 end
  return number
end

local function unmark(value, marker)
  if type(value) == "string" then
    if value:sub(1, #marker) ~= marker then return value end
    local marked = value:sub(#marker + 1)
    if marked == "[]" then return setmetatable({}, M.array) end
    return read_number(marked)
  elseif type(value) == "table" then
    for key, item in pairs(value) do
      if type(item) == "string" or type(item) == "table" then
        value[key] = unmark(item, marker)
      end
    end
  end
  return value
end

--- Reads JSON.
---@param text string
---@return any value null is tuff.null
function M.decode(text)
  errors.check(text, "string", "the text given to json.decode")
  if not utf8.len(text) then errors.raise("type", "this text is no valid UTF-8") end
  local marker = marker_for(text)
  local good, value = pcall(function()
    return unmark(codec.decode(mark_text(text, marker)), marker)
  end)
  if good then return value end
  -- Positions in the marked text would mislead.
  local reason = tostring(value):gsub("^[^\n]-:%d+: ", ""):gsub(" at character %d+$", "")
  errors.raise("type", "this text is no valid JSON: " .. reason:sub(1, 200))
end

-- ---- writing ----------------------------------------------------------------------------

local function write_number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    errors.raise("range", "JSON has no form for NaN and infinity")
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return text:find("[.e]") and text or text .. ".0"
    end
  end
end

local function refuse_key(key)
  errors.raise("type", ("a table with the key %s is neither a list nor an object of JSON")
    :format(tostring(key)), { hint = "its keys must be 1 to n, or all strings" })
end

--- A copy of the value whose numbers and empty arrays are marked strings.
local function mark(value, marker, depth)
  if depth > DEEPEST then
    errors.raise("range", ("the value is nested deeper than %d"):format(DEEPEST))
  end
  local kind = type(value)
  if kind == "number" then return marker .. write_number(value) end
  if kind ~= "table" then return value end
  local count = #value
  if next(value) == nil and getmetatable(value) == M.array then return marker .. "[]" end
  local copy = {}
  for key, item in next, value do
    local is_index = math.type(key) == "integer" and key >= 1 and key <= count
    if not is_index and (count > 0 or type(key) ~= "string") then refuse_key(key) end
    copy[key] = mark(item, marker, depth + 1)
  end
  return copy
end

local function holds(value, marker, depth)
  if type(value) == "string" then return value:find(marker, 1, true) ~= nil end
  if type(value) ~= "table" or depth > DEEPEST then return false end
  for key, item in next, value do
    if holds(key, marker, depth + 1) or holds(item, marker, depth + 1) then return true end
  end
  return false
end

--- Writes JSON. A table is an array if its keys are 1 to n, an object if all are strings;
--- an empty one is an object unless its metatable is `json.array`.
---@param value any
---@return string
function M.encode(value)
  local marker = "\1n"
  while holds(value, marker, 0) do marker = marker .. "n" end
  local good, text = pcall(function() return codec.encode(mark(value, marker, 0)) end)
  if not good then
    if errors.is_error(text) then error(text, 0) end
    errors.raise("type", "this value has no form in JSON: " .. tostring(text))
  end
  if not utf8.len(text) then errors.raise("type", "a string in it is no valid UTF-8") end
  local escaped = marker:gsub("\1", "\\u0001")
  return (text:gsub('"' .. escaped .. '([^"]*)"', "%1"))
end

return M
