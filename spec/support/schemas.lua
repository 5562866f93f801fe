--- What specs of schemas share.

local model = require "tuff.schema.model"
local s = require "tuff.schema"

local schemas = {}

--- Lets the collector go its usual pace for a test: much is computed there, and little of it is the
--- core's.
---@param finally fun(fn: fun()) of the test
function schemas.usual_pace(finally)
  local pause, multiplier = collectgarbage("setpause", 200), collectgarbage("setstepmul", 100)
  finally(function()
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", multiplier)
  end)
end

--- What a script declares.
---@param script string
---@return tuff.Schema
function schemas.loaded(script)
  return assert(load(script, "=schema.lua"))()
end

--- The place where two schemas, or parts of them, begin to differ.
---@param a table
---@param b table
---@return string? text nil: they are the same
function schemas.first_difference(a, b)
  a, b = model.canonical(a), model.canonical(b)
  if a == b then return nil end
  local at = 1
  while a:byte(at) == b:byte(at) do at = at + 1 end
  return ("%s\n  and\n%s"):format(a:sub(math.max(1, at - 100), at + 100),
    b:sub(math.max(1, at - 100), at + 100))
end

--- Why the schema of a database cannot be changed by tuff.
---@param db tuff.Database
---@return string? reason nil: it can
function schemas.cannot_change(db)
  local good, err = pcall(db.diff, db, s.define {})
  if good then return nil end
  return err.code == "unsupported" and err.message or error(err, 0)
end

local texts = { "expression", "where", "select", "body", "condition", "declared" }

--- A copy of a model without the texts that an engine spells in its own way, and what is derived
--- from them.
---@generic T
---@param value T
---@return T
function schemas.without_texts(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, each in pairs(value) do copy[key] = schemas.without_texts(each) end
  for _, field in ipairs(texts) do
    if type(copy[field]) == "string" then copy[field] = nil end
  end
  copy.unnamed = nil
  if value.expression then copy.column = nil end
  if value.select then copy.columns = nil end
  return copy
end

return schemas
