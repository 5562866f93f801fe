--- Waiting for what another process does: by looking again and again, a bounded number of times.

local system = require "system"

local PAUSE, TRIES = 0.01, 3000 -- seconds

--- Looks until a condition holds.
---@generic T
---@param what string what is waited for, for the message
---@param condition fun(): T any true value ends the wait
---@return T
return function(what, condition)
  for _ = 1, TRIES do
    local value = condition()
    if value then return value end
    system.sleep(PAUSE)
  end
  error("waited in vain: " .. what, 2)
end
