--- Trying migrations where nothing can be lost: on a copy of the database, or where there can be
--- none, in a transaction that is rolled back.
local core = require "tuff.core"
local errors = require "tuff.error"
local ledger = require "tuff.migrate.ledger"
local plans = require "tuff.migrate.plan"
local runner = require "tuff.migrate.runner"
local transaction = require "tuff.transaction"

local M = {}

---@class tuff.Rehearsed
---@field id string
---@field sql string[] what the script ran
---@field rows integer rows that it changed
---@field ms number

-- ---- where it is tried -------------------------------------------------------------------

local UNDO = {} -- raised to roll back

--- Runs fn(db) in a transaction in which tables may be made anew, and undoes it.
local function undone(db, fn)
  local result
  local good, err = pcall(transaction.change, db, nil, function()
    result = fn(db, true)
    error(UNDO, 0)
  end)
  if not good and err ~= UNDO then error(err, 0) end
  return result
end

--- Runs fn(copy) on a copy of a file, which is then removed.
local function on_copy(db, fn)
  local path = ("%s-rehearsal-%s"):format(db.path, os.date("!%Y%m%d%H%M%S"))
  local options = {}
  for name, value in pairs(core.state(db).options) do options[name] = value end
  db:backup(path, { file = true })
  options.path, options.root = path, nil
  local copy = require("tuff").open(options)
  local good, result = pcall(fn, copy, false)
  copy:close()
  for _, ending in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(path .. ending) end
  if not good then error(result, 0) end
  return result
end

--- A copy has none of the functions that this connection was given.
local function has_functions(db)
  return core.state(db).extended == true
end

--- Runs fn(db, inside) where all that it does can be forgotten; inside: in an open transaction.
local function somewhere(db, fn)
  if db.path == ":memory:" or not db:supports("backup") or has_functions(db) then
    return undone(db, fn)
  end
  return on_copy(db, fn)
end

--- A context of the runner for one of those places.
local function context_of(db, inside, progress)
  return runner.context(db, { inside = inside, progress = progress })
end

-- ---- dry runs ----------------------------------------------------------------------------

--- What a connection runs while fn does, tuff's own statements left out.
local function traced(db, fn)
  local sql, rows, began = {}, 0, core.now()
  db:trace(function(run)
    local own = run.sql:find("%f[%w_]tuff_") or run.sql:find("^%l[%l ]*$")
    if own or run.failed then return end
    sql[#sql + 1], rows = run.sql, rows + run.changes
  end)
  local good, err = pcall(fn)
  db:trace(nil)
  if not good then error(err, 0) end
  return { sql = sql, rows = rows, ms = core.now() - began }
end

--- Tries the migrations of a plan, and reports what each would do.
---@param migrations tuff.Migrations
---@param plan tuff.MigrationStatus[]
---@param options tuff.UpOptions
---@return tuff.MigrationReport
function M.up(migrations, plan, options)
  local report = { applied = {}, ms = 0, tried = {} }
  if #plan == 0 then return report end
  somewhere(migrations.db, function(db, inside)
    local context = context_of(db, inside, options.progress)
    for i, status in ipairs(plan) do
      local tried = traced(db, function() runner.apply(context, status.source) end)
      tried.id = status.id
      report.tried[i], report.ms = tried, report.ms + tried.ms
    end
  end)
  return report
end

-- ---- up, down and up again ---------------------------------------------------------------

---@class tuff.Trial
---@field on "an empty database"|"a copy"
---@field ok boolean
---@field ran string[] the ids, in their order
---@field irreversible string[] those without down: they and all before them were not taken back
---@field message string? what went wrong

--- All that can be taken back behind the last one that cannot.
local function reversible(sources, entries)
  local list, of, blocked = {}, {}, {}
  for _, source in ipairs(sources) do of[source.id] = source end
  for i = #entries, 1, -1 do
    local source = of[entries[i].id]
    if source and source.kind ~= "repeatable" then
      if #blocked > 0 or not source.down then
        if not source.down then blocked[#blocked + 1] = source.id end
      else
        list[#list + 1] = source
      end
    end
  end
  return list, blocked
end

local function try(trial, db, inside, sources)
  local context, dialect = context_of(db, inside), core.state(db).dialect
  local function up()
    for _, status in ipairs(plans.pending(sources, ledger.read(db), { allow_changed = true,
      allow_out_of_order = true })) do
      runner.apply(context, status.source)
      trial.ran[#trial.ran + 1] = status.id
    end
  end
  up()
  local first = dialect.fingerprint(db)
  local list, blocked = reversible(sources, ledger.read(db).entries)
  trial.irreversible = blocked
  for _, source in ipairs(list) do runner.take_back(context, source) end
  up()
  if dialect.fingerprint(db) ~= first then
    errors.raise("migration", "up, down and up again makes other tables than up alone")
  end
end

local function trial_on(on, place, sources)
  local trial = { on = on, ok = true, ran = {}, irreversible = {} }
  local good, err = pcall(place, function(db, inside) try(trial, db, inside, sources) end)
  if not good then
    if not errors.is_error(err) then error(err, 0) end
    trial.ok, trial.message = false, err.message
  end
  return trial
end

---@param migrations tuff.Migrations
---@return tuff.Trial[]
function M.test(migrations)
  local db, sources = migrations.db, migrations.sources
  local dialect = core.state(db).dialect
  return {
    trial_on("an empty database", function(fn) dialect.with_empty(db, undone, fn) end, sources),
    trial_on("a copy", function(fn) somewhere(db, fn) end, sources),
  }
end

return M
