--- What specs of migrations ask again and again.

local temporary = require "spec.support.temporary"

local migrations = {}

--- Where each migration stands, by its id.
---@param m tuff.Migrations
---@return table<string, string>
function migrations.states(m)
  local states = {}
  for _, each in ipairs(m:status()) do states[each.id] = each.state end
  return states
end

--- Those of a list that was given the ids `a`, `b`, …
---@param list { id: string }[]
---@return string[]
function migrations.ids(list)
  local ids = {}
  for i, each in ipairs(list) do ids[i] = each.id end
  return ids
end

--- A directory of migrations.
---@param files table<string, string> their texts, by their names without .lua
---@return string path
function migrations.directory(files)
  local path = temporary.directory()
  for name, text in pairs(files) do temporary.write(("%s/%s.lua"):format(path, name), text) end
  return path
end

--- What went wrong, as m:verify() tells: "changed a".
---@param m tuff.Migrations
---@return string[]
function migrations.problems(m)
  local found = {}
  for i, each in ipairs(m:verify().problems) do
    found[i] = each.id and each.what .. " " .. each.id or each.what
  end
  return found
end

return migrations
