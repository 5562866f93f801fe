--- The frame of every change of a schema: a transaction in which tables may be made anew, and
--- that is committed only when what it leaves is found to be sound.
local core = require "tuff.core"
local errors = require "tuff.error"
local transaction = require "tuff.transaction"
local turns = require "tuff.migrate.turn"

local M = {}

--- Whether such a frame is open on this connection.
---@param db tuff.Database
---@return boolean
function M.is_open(db)
  return core.state(db).changing == true
end

---@class tuff.ChangeOptions
---@field wait number? milliseconds for whoever writes, or changes the schema (as the connection)
---@field retry integer? how often it is run again after a deadlock, or where a table is locked (0)
---@field progress fun(what: string)? told what is looked at before the commit

--- Runs fn in a transaction of its own, when it is its turn. Foreign keys are not enforced in it,
--- so that no child follows a parent that is made anew. What it touched is verified before the
--- commit; an error undoes all of it.
---@generic T
---@param db tuff.Database outside of any transaction
---@param options tuff.ChangeOptions?
---@param fn fun(db: tuff.Database): T...
---@return T ... what fn returned
function M.run(db, options, fn)
  local state = core.state(db)
  local soundness = state.dialect.soundness and state.dialect.soundness()
  options = options or {}
  local function verified(before, ...)
    if not soundness then return ... end
    local good, err = pcall(soundness.verify, db, before, options.progress)
    -- An error that the script has caught, and that has ended the transaction.
    local aborted = not good and errors.is_error(err) and err.code == "transaction_aborted"
    if not good then error(aborted and err.cause or err, 0) end
    return ...
  end
  return turns.wait(db, options, function(attempt)
    return transaction.change(db, options.wait, attempt, options.retry)
  end, function()
    local _ <close> = setmetatable({}, { __close = function() state.changing = nil end })
    state.changing = true
    return verified(soundness and soundness.before(db), fn(db))
  end)
end

return M
