--- Carries out the steps of a change, see alter.lua.
local core = require "tuff.core"
local errors = require "tuff.error"
local rebuild = require "tuff.schema.sqlite.rebuild"
local rows = require "tuff.schema.sqlite.rows"
local scan = require "tuff.schema.sqlite.scan"

local M = {}

local unchanged = "change these rows first; nothing was changed"

local function refuse(problems)
  local single = #problems == 1
  errors.raise("migration", single and problems[1]
    or ("%d reasons not to change the schema:\n  %s"):format(#problems,
      table.concat(problems, "\n  ")),
    { hint = unchanged })
end

--- Errors of a statement that its table is the reason of.
local about_rows = {
  constraint = true, type = true, not_found = true, syntax = true, misuse = true,
}

--- What a statement failed with, as a failure of its table. Scans find what can be found before;
--- what is computed for every row shows only then.
local function of_table(err, step)
  if not step.table or not (errors.is_error(err) and about_rows[err.code]) then return err end
  local message = err.message
  if step.fills then
    local from, to = message:find(rebuild.target(step.table), 1, true)
    if from then message = message:sub(1, from - 1) .. step.table .. message:sub(to + 1) end
  end
  return errors.new("migration", ("table %s: %s"):format(step.table, message),
    { cause = err, table = step.table, hint = err.code == "constraint" and unchanged or nil })
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
  if not good then error(of_table(result, step), 0) end
  if count and count ~= result then
    errors.raise("migration", ("table %s has %d rows, and %d of them were copied"):format(
      step.fills, count, result), { table = step.fills })
  end
end

--- Runs steps, in a transaction that is open. Where one fails, the others do not count either: the
--- transaction has to be rolled back.
---@param db tuff.Database
---@param steps table[]
function M.steps(db, steps)
  local memory, problems = {}, {}
  for _, step in ipairs(steps) do
    if step.scan then
      for _, problem in ipairs(scan.run(db, step.scan)) do problems[#problems + 1] = problem end
    else
      if #problems > 0 then refuse(problems) end
      if step.call then step.call(db, memory) else run_statement(db, step) end
    end
  end
  if #problems > 0 then refuse(problems) end
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
