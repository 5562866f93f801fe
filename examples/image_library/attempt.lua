--- Failures: pcall for one risky call that lets Ctrl-C through, and what to tell the user.
-- lua5.4 turns Ctrl-C into an ordinary error, "interrupted!", and tuff into an error with the code
-- `interrupted`. A plain pcall around a bad file would swallow either and carry on.

local tuff = require "tuff"

local M = {}

---Whether an error means that the user wants the program to stop.
---@param err any
---@return boolean
function M.interrupted(err)
  if type(err) == "string" then
    return err:find("interrupted!", 1, true) ~= nil
  end
  return tuff.is_error(err) and err.code == "interrupted"
end

---An error in words for somebody who runs the program. Where in the program it happened is left
---out of the database's errors, which are about files and queries, not about the program.
---@param err any
---@return string
function M.explain(err)
  if M.interrupted(err) then
    return "interrupted"
  elseif tuff.is_error(err) then
    return err.hint and ("%s\nhint: %s"):format(err.message, err.hint) or err.message
  end
  return tostring(err)
end

---Calls `fn`; like pcall, except that an interruption is raised again.
---@param fn function
---@param ... any arguments of `fn`
---@return boolean ok
---@return any ... results of `fn`, or the error
function M.call(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if not results[1] and M.interrupted(results[2]) then
    error(results[2], 0)
  end
  return table.unpack(results, 1, results.n)
end

return M
