--- Turns of those who change the schema of one database at the same time, where no lock of the
--- engine is one: a transaction asks for its turn, and has it until it ends.
local core = require "tuff.core"
local errors = require "tuff.error"

local M = {}

local NOT_YET = {} -- raised where somebody else has the turn

---@class tuff.migrate.TurnOptions
---@field wait number? milliseconds for others that change the schema (busy_timeout)
---@field retry integer? how often it is tried again where others have a lock on a table (0)

--- Runs work in transactions until it has been its turn. A lock that others have on a table is not
--- waited for as long as it takes, for those who come later would wait behind: it is given up after
--- busy_timeout, and tried again.
---@generic T
---@param db tuff.Database outside of any transaction
---@param options tuff.migrate.TurnOptions
---@param transact fun(work: function): any... runs a function in a transaction
---@param work fun(): T...
---@return T ... what work returned
function M.wait(db, options, transact, work)
  local state = core.state(db)
  local dialect = state.dialect
  if not dialect.take_turn then return transact(work) end
  local wait = options.wait or state.options.busy_timeout or 5000
  local deadline, pause, locked = core.now() + wait, 5, 0
  local function attempt()
    if not dialect.take_turn(db) then error(NOT_YET, 0) end
    return work()
  end
  while true do
    local results = table.pack(pcall(transact, attempt))
    if results[1] then return table.unpack(results, 2, results.n) end
    local err = results[2]
    if err ~= NOT_YET then
      locked = locked + 1
      local again = locked <= (options.retry or 0) and errors.is_error(err) and err.code == "busy"
      if not again then error(err, 0) end
    elseif core.now() > deadline then
      errors.raise("busy", "another program changes the schema of this database, and has not come "
        .. "to its end", { hint = "try again later, or give more time by "
        .. (options.wait and "wait" or "busy_timeout") })
    end
    dialect.rest(db, pause)
    pause = math.min(pause * 1.5, 100)
  end
end

return M
