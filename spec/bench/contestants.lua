-- Who takes part: asked what they are, and how each is called.

local process = require "bench.process"

local M = {}

--- A contender written in Lua, by the file of its name.
---@param folder string  of contender.lua
---@param name string
---@return string[] words
function M.binding(folder, name)
  return { process.interpreter(), folder .. "/contender.lua", name }
end

--- One written in Python, for the system's own: that links the system's libraries, as the others
--- do. It leaves no compiled files behind.
---@param folder string
---@param name string
---@return string[] words
function M.python(folder, name)
  return { "/usr/bin/python3", "-B", ("%s/contenders/%s.py"):format(folder, name) }
end

---@param contender table
---@return string[] words  the contender's command with these arguments
function M.command(contender, ...)
  local words = table.move(contender.command, 1, #contender.command, 1, {})
  for _, argument in ipairs { ... } do words[#words + 1] = tostring(argument) end
  return words
end

--- Asks each contender what it is and what it can do. One that is not installed gets `absent`,
--- the reason.
---@param contenders table[]
function M.describe(contenders)
  for _, contender in ipairs(contenders) do
    contender.works = {}
    local output, reason = process.capture(M.command(contender, "describe"))
    if output then
      contender.absent = output:match("absent ([^\n]*)")
      contender.version = output:match("title ([^\n]*)")
      contender.library = output:match("library ([^\n]*)")
      for name in output:gmatch("work (%g+)") do contender.works[name] = true end
    else
      contender.absent = reason
    end
  end
end

return M
