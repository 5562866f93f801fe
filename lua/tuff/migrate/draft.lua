--- What a migration has to do for a database to become what a schema declares.
local apply = require "tuff.schema.apply"
local lua = require "tuff.schema.lua"

local M = {}

local function quoted(text)
  return ("%q"):format(text):gsub("\\\n", "\\n")
end

--- The options as they stand in the migration, but for empty ones.
local function options_text(options)
  local parts = {}
  local names = {}
  for i, name in ipairs(options.allow_drop or {}) do names[i] = quoted(name) end
  if #names > 0 then parts[1] = ("allow_drop = { %s }"):format(table.concat(names, ", ")) end
  local renames = {}
  for old, new in pairs(options.renames or {}) do
    renames[#renames + 1] = ("[%s] = %s"):format(quoted(old), new and quoted(new) or "false")
  end
  table.sort(renames)
  if #renames > 0 then
    parts[#parts + 1] = ("renames = { %s }"):format(table.concat(renames, ", "))
  end
  return #parts > 0 and (", { %s }"):format(table.concat(parts, ", ")) or ""
end

--- The lines, moved to the right; not where a text goes over several of them.
local function indented(text)
  if text:find("%[=*%[") then return text end
  return (text:gsub("[^\n]+", "    %0"))
end

--- The declaration as it is now, so that the migration stays what it is when that goes on.
local function up_text(schema, plan, options)
  local declared = lua.write(schema):gsub("%s+$", "")
  local head, body = declared:match("^(.-)\nreturn (s%.define .*)$")
  local lines = {}
  for line in tostring(plan):gmatch("[^\n]+") do
    if not line:find("^leaves ") then lines[#lines + 1] = "-- " .. line end
  end
  return indented(("%s\n%s\nstep.apply(%s%s)"):format(table.concat(lines, "\n"),
    head:gsub("%s+$", ""), body, options_text(options)))
end

---@class tuff.migrate.Draft
---@field up string the lines of its function
---@field changes string[] one for each line that a person reads

--- Raises `migration` where something would be lost that was not allowed.
---@param db tuff.Database
---@param schema tuff.Schema
---@param options tuff.DiffOptions?
---@return tuff.migrate.Draft
function M.from(db, schema, options)
  local plan = db:diff(schema, options)
  apply.check_refusals(plan)
  local changes = {}
  if #plan.changes == 0 then return { up = "", changes = changes } end
  for line in tostring(plan):gmatch("[^\n]+") do changes[#changes + 1] = line end
  return { up = up_text(schema, plan, options or {}), changes = changes }
end

return M
