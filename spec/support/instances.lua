--- The check that stands at the end of every spec: whatever was opened is closed.

local tuff = require "tuff"

local instances = {}

--- Fails when a connection, statement, cursor or transaction is left; meant for `teardown`.
function instances.none_left()
  for _ = 1, 4 do collectgarbage() end
  local left = tuff.instances()
  if left ~= 0 then
    error(("tuff.instances() is %s where everything should be closed"):format(tostring(left)), 2)
  end
end

return instances
