-- Who takes part, and how each is called.

local process = require "bench.process"

local M = {}

local lua = process.interpreter()

-- `internal`: a yardstick without a column of its own. `lua`: a binding for Lua, so that memory
-- and speed compare with tuff's.
local function all(raw, folder)
  local function binding(name) return { lua, folder .. "/contender.lua", name } end
  return {
    { name = "raw", title = "raw C", command = { raw } },
    { name = "nomutex", title = "NOMUTEX", command = { raw, "--nomutex" } },
    { name = "tuff", title = "tuff", command = binding("tuff"), lua = true },
    { name = "lsqlite3", title = "lsqlite3", command = binding("lsqlite3"), lua = true },
    { name = "luadbi", title = "LuaDBI", command = binding("luadbi"), lua = true },
    { name = "luasql", title = "LuaSQL", command = binding("luasql"), lua = true },
    -- The system's own: it links the system's SQLite, as the others do.
    { name = "python", title = "Python",
      command = { "/usr/bin/python3", folder .. "/contenders/python3.py" } },
    { name = "tables", title = "tables alone", command = binding("tables"),
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
