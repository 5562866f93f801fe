--- What of a schema that was read can be declared: a database may hold what a declaration refuses,
--- such as a reference to a table that there is not.
local model = require "tuff.schema.model"
local validator = require "tuff.schema.validator"

local M = {}

local kinds = {
  tables = "table", views = "view", triggers = "trigger", virtual_tables = "virtual table",
  uniques = "unique", foreign_keys = "foreign key", checks = "check", indexes = "index",
}

local function take(list, object)
  for i, each in ipairs(list) do
    if each == object then return table.remove(list, i) end
  end
end

--- Takes an object out of the schema: itself, or the whole table where it cannot be without it.
local function take_out(schema, objection)
  local object = objection.object
  for _, list in ipairs { "tables", "views", "triggers", "virtual_tables" } do
    if take(schema[list], object) then return { kind = kinds[list], name = object.name } end
  end
  for _, of in ipairs(schema.tables) do
    for _, list in pairs(model.lists) do
      if take(of[list], object) then
        return { kind = kinds[list], name = object.name, table = of.name }
      end
    end
  end
  local of = model.find(schema.tables, objection.table)
  if of and take(schema.tables, of) then return { kind = "table", name = of.name } end
end

--- A copy of the schema that can be declared, and what is not in it.
---@param schema tuff.Schema
---@return tuff.Schema reduced
---@return table[] left_out { kind, name, table?, reason, sql? }
function M.of(schema)
  local left_out = {}
  for _, each in ipairs(schema.unmanaged) do left_out[#left_out + 1] = model.copy(each) end
  local reduced = model.copy(schema)
  repeat
    local taken = false
    for _, objection in ipairs(validator.mistakes(reduced)) do
      local object = take_out(reduced, objection)
      if object then
        object.reason, taken = objection.message, true
        left_out[#left_out + 1] = object
      end
    end
  until not taken
  return reduced, left_out
end

return M
