--- Carries out the steps of a change, in a transaction that is open.
--
--   step { sql, table?, view?, later? } | { scan } | { call }
--
-- table, view: what it is about. later: it is not of the transaction, and runs behind it. What
-- scans find is told together, before anything is changed.
local core = require "tuff.core"
local errors = require "tuff.error"
local scan = require "tuff.schema.scan"

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
  constraint = true, type = true, range = true, not_found = true, syntax = true, misuse = true,
  unsupported = true,
}

--- What a statement failed with, as a failure of its table. Scans find what can be found before;
--- what is computed for every row shows only then.
---@param err any
---@param step table
---@param message string? instead of that of the error
---@return any
function M.failure(err, step, message)
  local about = step.view and "view " .. step.view or step.table and "table " .. step.table
  if not about or not (errors.is_error(err) and about_rows[err.code]) then return err end
  return errors.new("migration", ("%s: %s"):format(about, message or err.message), {
    cause = err, table = step.table, hint = err.code == "constraint" and unchanged or err.hint,
  })
end

local function run_statement(db, step)
  core.own(db)
  local good, err = pcall(db.run, db, step.sql)
  if not good then error(M.failure(err, step), 0) end
end

--- Runs steps. Where one fails, the others do not count either: the transaction has to be rolled
--- back.
---@param db tuff.Database
---@param steps table[]
---@param run fun(db: tuff.Database, step: table)? runs one that is a statement
function M.run(db, steps, run)
  local memory, problems = {}, {}
  for _, step in ipairs(steps) do
    if step.scan then
      for _, problem in ipairs(scan.run(db, step.scan)) do problems[#problems + 1] = problem end
    elseif not step.later then
      if #problems > 0 then refuse(problems) end
      if step.call then step.call(db, memory) else (run or run_statement)(db, step) end
    end
  end
  if #problems > 0 then refuse(problems) end
end

return M
