--- Trying migrations where nothing can be lost: on a copy of the database, or where there can be
--- none, in a transaction that is rolled back.
local change = require "tuff.migrate.change"
local core = require "tuff.core"
local errors = require "tuff.error"
local ledger = require "tuff.migrate.ledger"
local plans = require "tuff.migrate.plan"
local runner = require "tuff.migrate.runner"

local M = {}

---@class tuff.Rehearsed
---@field id string
---@field sql string[] what the script ran, without what only reads, each text once
---@field times integer[] how often it ran each
---@field rows integer rows that it changed
---@field ms number

-- ---- where it is tried -------------------------------------------------------------------

local UNDO = {} -- raised to roll back

--- Runs fn(db) in the frame of a change, and undoes it.
local function undone(db, fn)
  local result
  local good, err = pcall(change.run, db, nil, function()
    result = fn(db, true)
    error(UNDO, 0)
  end)
  if not good and err ~= UNDO then error(err, 0) end
  return result
end

--- Runs fn(copy) on a copy of a file, which is then removed.
local function on_copy(db, fn)
  local path = ("%s-rehearsal-%s"):format(db.path, core.sha256(tostring({}) .. os.clock()
    .. os.time()):sub(1, 12))
  local _ <close> = setmetatable({}, { __close = function()
    for _, ending in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(path .. ending) end
  end })
  local options = {}
  for name, value in pairs(core.state(db).options) do options[name] = value end
  db:backup(path, { file = true })
  options.path, options.root = path, nil
  local copy <close> = require("tuff").open(options)
  return fn(copy, false)
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

local housekeeping = {
  pragma = true, begin = true, commit = true, rollback = true, savepoint = true, release = true,
}

--- Whether it changes something, and is not what tuff does for itself: about transactions, and on
--- its tables.
local function counts(run)
  local verb = (run.sql:match("^%s*(%a+)") or ""):lower()
  return not run.failed and verb ~= "select"
    and not (run.own and (housekeeping[verb] or run.sql:find("%f[%w_]tuff_")))
end

--- The same migration, which notes what its script runs.
local function noting(source, tried)
  local place = {}
  local function note(run)
    if not counts(run) then return end
    local i = place[run.sql] or #tried.sql + 1
    place[run.sql], tried.sql[i], tried.times[i] = i, run.sql, (tried.times[i] or 0) + 1
    tried.rows = tried.rows + run.changes
  end
  local function up(db, step)
    local outer = core.state(db).traced_by
    local _ <close> = setmetatable({}, { __close = function() db:trace(outer) end })
    db:trace(note)
    source.up(db, step)
  end
  return setmetatable({ up = up }, { __index = source })
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
      local tried, began = { id = status.id, sql = {}, times = {}, rows = 0 }, core.now()
      runner.apply(context, noting(status.source, tried))
      tried.ms = core.now() - began
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

--- The names of all tables and of their columns, in whatever order these stand.
local function names_of(db)
  local dialect, names = core.state(db).dialect, {}
  for _, of in ipairs(db:tables()) do
    names[#names + 1] = of
    for _, column in ipairs(dialect.columns(db, of)) do
      names[#names + 1] = of .. "." .. column.name
    end
  end
  table.sort(names)
  return names
end

--- The first name that only one of the lists has.
local function difference(before, after)
  local known = {}
  for _, name in ipairs(before) do known[name] = true end
  for _, name in ipairs(after) do
    if not known[name] then return name, "leaves" end
    known[name] = nil
  end
  local name = next(known)
  return name, "does not bring back"
end

--- Takes it back, and looks whether it was taken back.
local function take_back(context, source, before)
  runner.take_back(context, source)
  local name, how = difference(before or {}, before and names_of(context.db) or {})
  if not name then return end
  errors.raise("migration", ("the down of %s %s %s"):format(source.id, how, name))
end

local function try(trial, db, inside, sources)
  local context, dialect, before = context_of(db, inside), core.state(db).dialect, {}
  local function up()
    for _, status in ipairs(plans.pending(sources, ledger.read(db), { allow_changed = true,
      allow_out_of_order = true })) do
      before[status.id] = names_of(db)
      runner.apply(context, status.source)
      trial.ran[#trial.ran + 1] = status.id
    end
  end
  up()
  local first = dialect.fingerprint(db)
  local list, blocked = reversible(sources, ledger.read(db).entries)
  trial.irreversible = blocked
  for _, source in ipairs(list) do take_back(context, source, before[source.id]) end
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
