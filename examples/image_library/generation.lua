--- What the generator of an image says about how it was made, out of its metadata.
-- A1111, Forge and their kin write a line of "Name: value" into "parameters", after the prompts;
-- NovelAI and InvokeAI write a JSON text; ComfyUI its workflow, whose sampler knows the seed.

local json = require "tuff.json"
local attempt = require "image_library.attempt"
local text = require "image_library.text"

local M = {}

-- A line of values is short; what is longer is something else.
local MAX_VALUE = 200

---@class Generation
---@field model_hash string?
---@field seed integer? of 64 bits; what does not fit into it is left out
---@field sampler string?

-- NaN for a number, or a table where a word should be: a file may say anything.
local function word(value)
  if math.type(value) == "integer" then value = ("%d"):format(value) end
  local fits = type(value) == "string" and #value <= MAX_VALUE and value:find("%S")
  return fits and text.from_bytes(value) or nil
end

-- A seed beyond 64 bits reads as a float, which has lost its last digits.
local function integer(value)
  if type(value) == "string" then
    value = value:find("^%s*%-?%d+%s*$") and tonumber(value)
  end
  return math.type(value) == "integer" and value or nil
end

-- "Steps: 20, Sampler: Euler a, Seed: 7, Model hash: 6ce0161689": the last line that has a seed.
local function from_parameters(parameters)
  local line
  for each in parameters:gmatch("[^\n]+") do
    line = each:find("%f[%w]Seed: ") and each or line
  end
  local function value(name)
    return line and line:match("%f[%w]" .. name .. ": ([^,]*)")
  end
  return { model_hash = value "Model hash", seed = value "Seed", sampler = value "Sampler" }
end

local function decoded(source)
  if not source or not source:find("^%s*{") then return nil end
  local ok, value = attempt.call(json.decode, source)
  return ok and type(value) == "table" and value or nil
end

-- Programs nest what they say of an image in different places, and agree on the names.
local function from_json(value)
  local image = type(value.image) == "table" and value.image or value
  local model = type(value.model) == "table" and value.model.hash or nil
  return {
    model_hash = value.model_hash or model,
    seed = image.seed,
    sampler = image.sampler or image.scheduler,
  }
end

-- The first sampler by its key; its seed may come from another node, and is then no number.
local function from_nodes(nodes)
  for _, node in ipairs(nodes) do
    local found = {}
    for _, property in ipairs(node.properties) do
      local name = property.name == "noise_seed" and "seed"
        or property.name == "sampler_name" and "sampler" or property.name
      if not property.is_link and not found[name] then
        found[name] = json.decode(property.value)
      end
    end
    if node.class_type:find("Sampler", 1, true) and integer(found.seed) then
      return { seed = found.seed, sampler = found.sampler }
    end
  end
end

local JSON_TEXTS = { "parameters", "Comment", "invokeai_metadata", "sd-metadata" }

local function find(texts, nodes)
  for _, name in ipairs(JSON_TEXTS) do
    local value = decoded(texts[name])
    if value then return from_json(value) end
  end
  return texts.parameters and from_parameters(texts.parameters)
    or nodes and from_nodes(nodes)
    or {}
end

---What the texts and the workflow of an image say of its generation.
---@param texts table<string, string>
---@param nodes Node[]? of its workflow
---@return Generation empty if they say nothing
function M.read(texts, nodes)
  local found = find(texts, nodes)
  return {
    model_hash = word(found.model_hash),
    seed = integer(found.seed),
    sampler = word(found.sampler),
  }
end

return M
