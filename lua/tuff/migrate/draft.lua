--- A migration that is written from a difference: it holds the whole schema that the tables are to
--- have, so that what the program declares later is nothing to it.
local apply = require "tuff.schema.apply"

local M = {}

--- A list or a table of names, as Lua.
local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local items = {}
  for key, each in pairs(value) do
    local name = math.type(key) == "integer" and "" or ("[%q] = "):format(key)
    items[#items + 1] = name .. literal(each)
  end
  table.sort(items)
  return "{ " .. table.concat(items, ", ") .. " }"
end

local function options_text(options)
  local items = {}
  for _, name in ipairs { "allow_drop", "renames" } do
    if options[name] then items[#items + 1] = name .. " = " .. literal(options[name]) end
  end
  return #items > 0 and ", { " .. table.concat(items, ", ") .. " }" or ""
end

--- What a template takes for a migration that gives the tables this schema; nil: they have it.
--- Raises `migration` where something would be lost that was not allowed.
---@param db tuff.Database
---@param schema tuff.Schema
---@param options { allow_drop: string[]?, renames: table? } as of db:diff
---@return { preface: string, up: string }?
function M.of(db, schema, options)
  local plan = db:diff(schema, { allow_drop = options.allow_drop, renames = options.renames })
  if #plan.changes == 0 then return nil end
  apply.check_refusals(plan)
  local lines = {}
  for line in tostring(plan):gmatch("[^\n]+") do lines[#lines + 1] = "-- - " .. line end
  local declaration = schema:to_lua():gsub("\nreturn s%.define", function()
    return "\n-- What the tables are to be, when this has run:\n" .. table.concat(lines, "\n")
      .. "\nlocal schema = s.define"
  end, 1)
  return { preface = declaration, up = "    step.apply(schema" .. options_text(options) .. ")" }
end

return M
