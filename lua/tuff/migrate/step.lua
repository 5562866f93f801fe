--- What the function of a migration is given beside the connection.
local batch = require "tuff.migrate.batch"
local core = require "tuff.core"
local errors = require "tuff.error"
local settings = require "tuff.settings"

local M = {}

---@class tuff.Step
---@field id string of the migration
---@field has fun(name: string): boolean whether there is a table or view "images", or its column
---  "images.path"
---@field apply fun(schema: tuff.Schema, options: table?) changes the tables as db:apply does
---@field rescan fun() asks the program to read everything anew: db.settings:get("rescan") is true
---  from the commit of this migration on, until the program sets it to nil
---@field batch fun(options: tuff.BatchOptions) works on all rows of a table, piece by piece; for a
---  migration with transaction = false

--- What a run of a migration has, which the runner lends.
---@class tuff.migrate.Run
---@field id string
---@field db tuff.Database
---@field turn fun(fn: fun(db: tuff.Database): any...): any... a transaction of its own
---@field progress fun(event: table)
---@field transaction boolean
---@field batches integer? how many calls of step.batch there were

---@param run tuff.migrate.Run
---@return tuff.Step
function M.new(run)
  local db = run.db
  local step = { id = run.id }

  function step.has(name)
    errors.check(name, "string", "what step.has is asked for")
    local dialect = core.state(db).dialect
    local of, column = name:match("^(.-)%.(.+)$")
    if of then return dialect.has_column(db, of, column) end
    return dialect.relation(db, name) ~= nil
  end

  function step.apply(schema, options)
    return db:apply(schema, options)
  end

  function step.rescan()
    settings.put(db, "rescan", true)
  end

  function step.batch(options)
    if run.transaction then
      errors.raise("misuse", "step.batch cannot work in the transaction of its migration",
        { hint = "give the migration transaction = false; its down is always one transaction" })
    end
    return batch.run(run, options)
  end

  return setmetatable(step, { __index = function(_, name)
    local known = { "has", "apply", "rescan", "batch", "id" }
    errors.raise("misuse", "step has no " .. errors.shown(name),
      { hint = errors.did_you_mean(tostring(name), known) })
  end })
end

return M
