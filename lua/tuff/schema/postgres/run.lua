--- Indexes that are made while others go on writing. Outside of a transaction: where one cannot be
--- made, the others stay.
local core = require "tuff.core"
local identifier = require "tuff.identifier"
local steps_of = require "tuff.schema.steps"

local M = {}

--- Runs the steps that were left for later, each on its own. What is begun and cannot be ended is
--- dropped.
---@param db tuff.Database outside of any transaction
---@param steps table[]
function M.later(db, steps)
  for _, step in ipairs(steps) do
    if step.later then
      core.own(db)
      local good, err = pcall(db.run, db, step.sql)
      if not good then
        core.own(db)
        pcall(db.run, db, "DROP INDEX CONCURRENTLY IF EXISTS " .. identifier.quote(step.index))
        error(steps_of.failure(err, step), 0)
      end
    end
  end
end

return M
