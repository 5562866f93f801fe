--- Reads the ComfyUI workflow that made an image out of its metadata.
-- ComfyUI writes two JSON texts into its PNG files: "prompt", the nodes as they were executed, with
-- named inputs, and "workflow", the graph as it was drawn, with the values of the controls in a
-- list. The first says more; the second is read where there is no first.

local json = require "tuff.json"
local attempt = require "image_library.attempt"
local text = require "image_library.text"

local M = {}

-- A big workflow has some hundred nodes.
M.MAX_NODES = 10000

---@class Property
---@field name string
---@field value string the value as JSON
---@field is_link boolean it comes from another node: [key of the node, number of its output]

---@class Node
---@field key string the node's name within its workflow
---@field class_type string
---@field title string? what the user called it
---@field properties Property[] by name

-- Python writes NaN and Infinity, which JSON has not got; ComfyUI does so in "is_changed". They
-- become null, in strings they stay.
local function without_nan(source)
  local parts, position = {}, 1
  while true do
    local quote = source:find('"', position, true)
    local code = source:sub(position, quote and quote - 1)
    parts[#parts + 1] = code:gsub("%-?%f[%a]%a+", { NaN = "null", Infinity = "null",
                                                    ["-Infinity"] = "null" })
    if not quote then break end
    local finish = quote
    repeat
      finish = source:find('["\\]', finish + 1)
      local escaped = finish and source:byte(finish) == 0x5C
      finish = escaped and finish + 1 or finish
    until not escaped
    parts[#parts + 1] = source:sub(quote, finish)
    if not finish then break end
    position = finish + 1
  end
  return table.concat(parts)
end

local function decode(source)
  if source:find("NaN", 1, true) or source:find("Infinity", 1, true) then
    source = without_nan(source)
  end
  local ok, value = attempt.call(json.decode, source)
  return ok and type(value) == "table" and value or nil
end

local function text_or_nil(value)
  return type(value) == "string" and text.from_bytes(value) or nil
end

local function is_link(value)
  return type(value) == "table" and #value == 2
    and type(value[1]) == "string" and math.type(value[2]) == "integer"
end

-- A hand-made file may name two things alike, and the tables hold each name once.
local function sorted_once(list, field)
  table.sort(list, function(a, b) return a[field] < b[field] end)
  local once = {}
  for _, item in ipairs(list) do
    if #once == 0 or once[#once][field] ~= item[field] then
      once[#once + 1] = item
    end
  end
  return once
end

local function properties_of(inputs, name_of)
  local properties = {}
  for name, value in pairs(type(inputs) == "table" and inputs or {}) do
    properties[#properties + 1] = {
      name = name_of(name),
      value = json.encode(value),
      is_link = is_link(value),
    }
  end
  return sorted_once(properties, "name")
end

local function from_prompt(prompt)
  local nodes = {}
  for key, node in pairs(prompt) do
    if type(key) == "string" and type(node) == "table" and text_or_nil(node.class_type) then
      nodes[#nodes + 1] = {
        key = text.from_bytes(key),
        class_type = text_or_nil(node.class_type),
        title = type(node._meta) == "table" and text_or_nil(node._meta.title) or nil,
        properties = properties_of(node.inputs, text.from_bytes),
      }
    end
  end
  return nodes
end

local function from_drawing(drawing)
  local nodes = {}
  for _, node in ipairs(type(drawing.nodes) == "table" and drawing.nodes or {}) do
    if type(node) == "table" and text_or_nil(node.type) and node.id ~= nil then
      nodes[#nodes + 1] = {
        key = text.from_bytes(tostring(node.id)),
        class_type = text_or_nil(node.type),
        title = text_or_nil(node.title),
        -- The controls have no names here, only places; some nodes do name them.
        properties = properties_of(node.widgets_values, function(name)
          return math.type(name) and ("widget %03d"):format(name) or text.from_bytes(name)
        end),
      }
    end
  end
  return nodes
end

local SOURCES = {
  { name = "prompt", read = from_prompt },
  { name = "workflow", read = from_drawing },
}

---The nodes of the workflow within an image's texts.
---@param texts table<string, string>
---@return Node[]? nodes in the order of their keys; nil if there is no workflow
---@return string? problem why a text that looks like a workflow was not taken
function M.read(texts)
  local problem
  for _, source in ipairs(SOURCES) do
    local found = texts[source.name]
    -- Other programs have a prompt too, in plain words.
    if found and found:find("^%s*{") then
      local value = decode(found)
      local ok, nodes = attempt.call(source.read, value or {})
      if not value then
        problem = problem or source.name .. ": no valid JSON"
      elseif not ok then
        problem = problem or source.name .. ": a value that JSON cannot hold"
      elseif #nodes > M.MAX_NODES then
        problem = problem or source.name .. ": too many nodes"
      elseif #nodes > 0 then
        return sorted_once(nodes, "key")
      end
    end
  end
  return nil, problem
end

return M
