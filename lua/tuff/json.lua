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

local DEEPEST = 1000 -- as in csrc/core/json.h

local codec = cjson.new()
codec.encode_max_depth(DEEPEST)
codec.decode_max_depth(DEEPEST)
codec.encode_sparse_array(false, 0)
codec.decode_invalid_numbers(false)

-- On its way through cjson every string carries a letter in front: `s` before a string and a
-- key, `n` before a number, `a` for an empty array.

--- Calls `quoted` for each string literal of the text and `plain` for what is between them, and
--- joins what they return.
local function each_literal(text, plain, quoted)
  local out, at = {}, 1
  while true do
    local quote = text:find('"', at, true)
    out[#out + 1] = plain(text:sub(at, (quote or 0) - 1))
    if not quote then return table.concat(out) end
    local close = quote + 1
    while true do
      close = text:find('["\\]', close)
      if not close then error("a string without an end", 0) end
      if text:byte(close) == 34 then break end
      close = close + 2
    end
    out[#out + 1] = quoted(text:sub(quote, close))
    at = close + 1
  end
end

-- ---- reading ----------------------------------------------------------------------------

local function mark_plain(plain)
  if plain:find("\0", 1, true) then error("a NUL byte", 0) end
  plain = plain:gsub("-?%d[%d.eE+-]*", '"n%0"')
  if plain:find('"%s*:') then error("a key that is a number", 0) end
  return (plain:gsub("%[[ \t\n\r]*%]", '"a"'))
end

local function mark_quoted(quoted)
  if quoted:find("[\0-\31]") then error("a control character in a string", 0) end
  return '"s' .. quoted:sub(2)
end

--- The number that stands in JSON; raises a reason where it is none, or no Lua number.
local function read_number(text)
  local whole, rest = text:match("^-?(%d+)(.*)$")
  local form = rest and rest:gsub("^%.%d+", ""):gsub("^[eE][+-]?%d+$", "")
  if form ~= "" or whole:find("^0%d") then error("invalid number " .. text, 0) end
  -- Lua replaces the point by that of the locale in short texts only.
  local number = tonumber(text) or tonumber((text:gsub("%.", ("%.1f"):format(0):sub(2, -2))))
  if number == math.huge or number == -math.huge
    or rest == "" and math.type(number) == "float" then
    error("the number " .. text:sub(1, 40) .. " is out of range: a number in JSON must be an "
      .. "integer of 64 bits or a float", 0)
  end
  return number
end

local function unmark(value)
  if type(value) == "table" then
    local result = {}
    for key, item in pairs(value) do
      result[type(key) == "string" and key:sub(2) or key] = unmark(item)
    end
    return result
  elseif type(value) == "string" then
    local mark = value:sub(1, 1)
    if mark == "s" then return value:sub(2) end
    if mark == "a" then return setmetatable({}, M.array) end
    return read_number(value:sub(2))
  end
  return value
end

--- Why a call failed, without the place in this file. No memory is another matter.
local function reason_of(err)
  if errors.is_error(err) then error(err, 0) end
  if err == "not enough memory" then errors.raise("memory", "out of memory") end
  return (tostring(err):gsub("^[^\n]-:%d+: ", ""))
end

local function decode(text, hint)
  errors.check(text, "string", "the text given to json.decode")
  if not utf8.len(text) then
    errors.raise("type", "this text is no valid UTF-8", { hint = hint })
  end
  local good, value = pcall(function()
    return unmark(codec.decode(each_literal(text, mark_plain, mark_quoted)))
  end)
  if good then return value end
  -- Positions in the marked text would mislead.
  local reason = reason_of(value):gsub(" at character %d+$", "")
  errors.raise("type", "this text is no valid JSON: " .. reason:sub(1, 200), { hint = hint })
end

--- Reads JSON.
---@param text string
---@return any value null is tuff.null
function M.decode(text)
  return decode(text)
end

--- Reads what a JSON column holds: another program may have written there what it likes.
---@param text string
---@return any
function M.decode_column(text)
  return decode(text, "the text itself is read by cast(the_column as text)")
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
      text = text:gsub("[^%d+e-]+", ".") -- the process may have a locale with a comma
      return text:find("[.e]") and text or text .. ".0"
    end
  end
end

local function refuse_key(key)
  errors.raise("type", ("a table with a key of type %s is neither a list nor an object of JSON")
    :format(type(key)), { hint = "its keys must be 1 to n, or all strings" })
end

--- A copy of the value in which every string, number and empty array is marked.
local function mark(value, depth)
  local kind = type(value)
  if kind == "number" then return "n" .. write_number(value) end
  if kind == "string" then return "s" .. value end
  if kind ~= "table" then return value end
  if depth == DEEPEST then
    errors.raise("range", ("the value is nested deeper than %d"):format(DEEPEST))
  end
  local count = rawlen(value)
  if next(value) == nil and getmetatable(value) == M.array then return "a" end
  local copy = {}
  for key, item in next, value do
    local is_index = math.type(key) == "integer" and key >= 1 and key <= count
    if not is_index and (count > 0 or type(key) ~= "string") then refuse_key(key) end
    copy[is_index and key or "s" .. key] = mark(item, depth + 1)
  end
  return copy
end

local function unmark_quoted(quoted)
  local letter = quoted:sub(2, 2)
  if letter == "s" then return '"' .. quoted:sub(3) end
  return letter == "a" and "[]" or quoted:sub(3, -2)
end

local function keep(plain) return plain end

--- Writes JSON. A table is an array if its keys are 1 to n, an object if all are strings;
--- an empty one is an object unless its metatable is `json.array`.
---@param value any
---@return string
function M.encode(value)
  local good, text = pcall(function()
    return each_literal(codec.encode(mark(value, 0)), keep, unmark_quoted)
  end)
  if not good then
    errors.raise("type", "this value has no form in JSON: " .. reason_of(text))
  end
  if not utf8.len(text) then errors.raise("type", "a string in it is no valid UTF-8") end
  return text
end

return M
