-- Who takes part, and how each is called.

local process = require "bench.process"

local M = {}

local lua = process.interpreter()

-- `internal`: a yardstick without a column of its own. `lua`: a binding for Lua, so that memory
-- and speed compare with tuff's.
local function all(raw, folder)
  local function script(name) return folder .. "/contenders/" .. name end
  return {
    { name = "raw", title = "raw C", command = { raw } },
    { name = "nomutex", title = "NOMUTEX", command = { raw, "--nomutex" } },
    { name = "tuff", title = "tuff", command = { lua, script("tuff.lua") }, lua = true },
    { name = "lsqlite3", title = "lsqlite3", command = { lua, script("lsqlite3.lua") },
      lua = true },
    { name = "luadbi", title = "LuaDBI", command = { lua, script("luadbi.lua") }, lua = true },
    { name = "luasql", title = "LuaSQL", command = { lua, script("luasql.lua") }, lua = true },
    -- The system's own: it links the system's SQLite, as the others do.
    { name = "python", title = "Python", command = { "/usr/bin/python3", script("python3.py") } },
    { name = "tables", title = "tables alone", command = { lua, script("tables.lua") },
      internal = true },
  }
end

---@param contender table
---@return string[] words  the contender's command with these arguments
function M.command(contender, ...)
  local words = table.move(contender.command, 1, #contender.command, 1, {})
  for _, argument in ipairs { ... } do words[#words + 1] = argument end
  return words
end

local function describe(contender)
  contender.works = {}
  local output, reason = process.capture(M.command(contender, "describe"))
  if not output then
    contender.absent = reason
    return
  end
  contender.absent = output:match("absent ([^\n]*)")
  contender.version = output:match("title ([^\n]*)")
  contender.sqlite = output:match("sqlite ([^\n]*)")
  for name in output:gmatch("work (%g+)") do contender.works[name] = true end
end

--- All contenders, each asked what it is. One that is not installed has `absent`, the reason.
---@param raw string  the raw C program
---@param folder string  this folder
---@return table[] contenders
function M.find(raw, folder)
  local contenders = all(raw, folder)
  for _, contender in ipairs(contenders) do describe(contender) end
  return contenders
end

return M
