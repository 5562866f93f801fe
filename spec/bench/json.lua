-- JSON for build/bench.json: keys sorted and lines indented, so that two runs can be compared.

local M = {}

local encode

local function encode_string(text)
  return '"' .. text:gsub('[%c"\\]', function(character)
    return ("\\u%04x"):format(character:byte())
  end) .. '"'
end

local function encode_array(list, indent)
  local parts = {}
  for i, value in ipairs(list) do parts[i] = encode(value, indent .. "  ") end
  if type(list[1]) ~= "table" then return "[" .. table.concat(parts, ", ") .. "]" end
  local separator = ",\n" .. indent .. "  "
  return "[\n" .. indent .. "  " .. table.concat(parts, separator) .. "\n" .. indent .. "]"
end

local function encode_object(object, indent)
  local keys, parts = {}, {}
  for key in pairs(object) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = indent .. "  " .. encode_string(key) .. ": " .. encode(object[key], indent .. "  ")
  end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "}"
end

function encode(value, indent)
  local kind = type(value)
  if kind == "table" then
    if value[1] ~= nil or next(value) == nil then return encode_array(value, indent) end
    return encode_object(value, indent)
  elseif kind == "string" then
    return encode_string(value)
  elseif kind == "number" then
    return math.type(value) == "integer" and ("%d"):format(value) or ("%.6g"):format(value)
  end
  return tostring(value)
end

---@param value any  of tables, strings, finite numbers and booleans; an empty table is a list
---@return string
function M.encode(value) return encode(value, "") .. "\n" end

return M
