--- Carries out the steps of a change, see alter.lua.
local core = require "tuff.core"
local errors = require "tuff.error"
local rebuild = require "tuff.schema.sqlite.rebuild"
local rows = require "tuff.schema.sqlite.rows"
local steps_of = require "tuff.schema.steps"

local M = {}

--- What a statement failed with. The name of a table that is being made says nothing.
local function failure(err, step)
  local message = errors.is_error(err) and err.message
  local from, to
  if message and step.fills then from, to = message:find(rebuild.target(step.table), 1, true) end
  return steps_of.failure(err, step,
    from and message:sub(1, from - 1) .. step.table .. message:sub(to + 1))
end

--- Runs one statement.
local function run_statement(db, step)
  local count
  if step.fills then
    core.own(db)
    count = db:value("SELECT count(*) FROM " .. rows.main(step.fills))
  end
  core.own(db)
  local good, result = pcall(db.run, db, step.sql)
  if not good then error(failure(result, step), 0) end
  if count and count ~= result then
    errors.raise("migration", ("table %s has %d rows, and %d of them were copied"):format(
      step.fills, count, result), { table = step.fills })
  end
end

--- Runs steps, in a transaction that is open.
---@param db tuff.Database
---@param steps table[]
function M.steps(db, steps)
  steps_of.run(db, steps, run_statement)
end

--- Runs fn, in which steps are run, with the settings that they begin with. A statement that fails
--- may end the transaction, and leave them as they are: so this goes around all of it.
---@param db tuff.Database
---@param fn fun()
function M.with_settings(db, fn)
  core.own(db)
  local legacy = db:value("PRAGMA legacy_alter_table")
  local function set(value)
    core.own(db)
    db:exec("PRAGMA legacy_alter_table = " .. value)
  end
  set(0)
  local good, err = pcall(fn)
  local restored, reason = pcall(set, legacy)
  if not good then error(err, 0) end
  if not restored then error(reason, 0) end
end

return M
