--- The call with which an application starts: the database becomes what the program needs, or
--- stays as it was.
local backups = require "tuff.migrate.backup"
local core = require "tuff.core"
local errors = require "tuff.error"
local ledger = require "tuff.migrate.ledger"
local model = require "tuff.schema.model"
local options_of = require "tuff.options"
local plans = require "tuff.migrate.plan"
local runner = require "tuff.migrate.runner"
local settings = require "tuff.settings"
local source = require "tuff.migrate.source"

local M = {}

local checks = options_of.checks

local allowed = {
  schema = function(value) return model.is_schema(value), "a schema, from s.define" end,
  migrations = function(value)
    return type(value) == "string" or type(value) == "table", "a directory or a list of migrations"
  end,
  backup = checks.text, notify = checks.callback, complete = checks.callback,
  progress = checks.callback, wait = checks.milliseconds, allow_out_of_order = checks.boolean,
  allow_changed = checks.boolean,
}

---@class tuff.UpgradeOptions
---@field schema tuff.Schema? what the tables are to be
---@field migrations string|table|nil a directory, or migrations as tables
---@field backup string? a directory for a copy of the database, made and checked before the first
---  change
---@field notify (fun(plan: { migrations: string[], changes: string[], empty: boolean }): any)? told
---  before the first change, and not if there is nothing to do
---@field complete (fun(handle: any, err: any))? given what notify returned, at the end, and the
---  error
---@field progress (fun(event: table))? as of migrations:up
---@field wait number? milliseconds for another program that does the same (600000)
---@field allow_out_of_order boolean?
---@field allow_changed boolean?

---@class tuff.UpgradeReport
---@field changed boolean whether anything was done
---@field created boolean? the database was empty
---@field applied string[] the migrations that were run
---@field changes string[] what was done to make the tables as they are declared
---@field backup string? the path of the copy
---@field ms number

--- What is remembered of the last upgrade: as long as neither the declaration nor the database has
--- another schema, no one need compare them.
local MARK = "tuff.schema"

local function mark_of(db, schema)
  return { declared = schema:fingerprint(), found = core.state(db).dialect.fingerprint(db) }
end

local function is_current(db, schema)
  if not schema then return true end
  local mark = db.settings:get(MARK)
  if not mark or mark.declared ~= schema:fingerprint() then return false end
  return mark.found == core.state(db).dialect.fingerprint(db)
end

local function is_empty(db, read)
  return #read.entries == 0 and #db:tables() == 0
end

---@class tuff.migrate.Upgrade
---@field db tuff.Database
---@field options tuff.UpgradeOptions
---@field sources tuff.migrate.Source[]
---@field context tuff.migrate.Context
---@field report tuff.UpgradeReport

--- Notes that a migration is to run, though newer ones are recorded as applied.
local function expect(db, each)
  ledger.write(db, each.id, {
    phase = each.phase, kind = each.kind, state = "running", attempt = 0, started = ledger.now(),
  })
end

--- The newest schema at once, with all migrations recorded as applied, but for those that are for
--- an empty database, too. Whether it was still empty: else another program was faster, and may
--- have been an older one.
local function create(upgrade)
  local db, options = upgrade.db, upgrade.options
  local fresh, rest = {}, {}
  for _, each in ipairs(upgrade.sources) do
    table.insert(each.fresh and fresh or rest, each)
  end
  return runner.turn(upgrade.context, true, function()
    if not is_empty(db, ledger.read(db)) then return false end
    if not options.schema then return true end
    core.state(db).dialect.schema().create(db, options.schema)
    for _, each in ipairs(fresh) do expect(db, each) end
    runner.adopt_in(db, rest, "applied")
    settings.put(db, MARK, mark_of(db, options.schema))
    return true
  end)
end

local function run(upgrade, phases)
  local db, options = upgrade.db, upgrade.options
  for _, status in ipairs(plans.pending(upgrade.sources, ledger.read(db), options)) do
    if phases[status.phase] and runner.apply(upgrade.context, status.source) then
      table.insert(upgrade.report.applied, status.id)
    end
  end
end

local function lines_of(plan)
  local lines = {}
  if #plan.changes == 0 then return lines end
  for line in tostring(plan):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

--- What the tables lack of their declaration, as the lines of a plan.
local function lacking(db, schema)
  return schema and lines_of(db:diff(schema, { add_only = true })) or {}
end

--- Makes the declared tables what they are to be, by adding only: what is too much is dropped by a
--- migration of the phase post, which comes later.
local function apply(upgrade)
  local db, schema = upgrade.db, upgrade.options.schema
  if not schema then return end
  upgrade.context.id = nil
  runner.turn(upgrade.context, true, function()
    upgrade.report.changes = lines_of(db:apply(schema, { add_only = true }))
  end)
end

--- So that the next start need not compare.
local function remember(upgrade)
  local schema = upgrade.options.schema
  if not schema then return end
  runner.turn(upgrade.context, false, function(db)
    settings.put(db, MARK, mark_of(db, schema))
  end)
end

local function work(upgrade, plan, empty)
  local options, report = upgrade.options, upgrade.report
  if empty and create(upgrade) then
    report.created = true
  else
    if options.backup then
      report.backup = backups.make(upgrade.db, options.backup, plan[1] and plan[1].id or "schema")
    end
    run(upgrade, { pre = true })
    apply(upgrade)
  end
  run(upgrade, { pre = true, main = true })
  run(upgrade, { post = true })
  remember(upgrade)
end

--- What notify is told. What is to be added may not be known before the migrations of phase pre
--- have made room for it.
local function announcement(upgrade, plan, empty)
  local ids = {}
  for i, status in ipairs(plan) do ids[i] = status.id end
  local known, changes = pcall(lacking, upgrade.db, not empty and upgrade.options.schema or nil)
  return { migrations = ids, changes = known and changes or {}, empty = empty }
end

--- Brings the database to what the program needs: the migrations of phase pre, the declared tables
--- and indexes, then main and post. An empty database gets the newest schema at once, and runs
--- only migrations with fresh = true; without a schema it runs all. Where nothing is to be done no
--- lock is taken and nobody is told. An error leaves what was committed before it, and the
--- database as it was before the migration that failed.
---@param db tuff.Database outside of any transaction
---@param options tuff.UpgradeOptions
---@return tuff.UpgradeReport
function M.run(db, options)
  errors.check_self(db, "tuff.connection", "upgrade")
  errors.check_open(db, "upgrade")
  options = options_of.given(options, allowed, "db:upgrade")
  if not options.schema and not options.migrations then
    errors.raise("misuse", "db:upgrade needs the option schema, migrations or both")
  end
  local began, report = core.now(), { changed = false, applied = {}, changes = {}, ms = 0 }
  local sources = options.migrations and source.load(options.migrations) or {}
  local read = ledger.read(db)
  local plan = plans.pending(sources, read, options)
  if #plan == 0 and is_current(db, options.schema) then
    report.ms = core.now() - began
    return report
  end
  runner.check_alone(db)
  local upgrade = {
    db = db, options = options, sources = sources, report = report,
    context = runner.context(db, options),
  }
  local empty = is_empty(db, read)
  if #plan == 0 and not empty and #lacking(db, options.schema) == 0 then
    remember(upgrade)
    report.ms = core.now() - began
    return report
  end
  runner.told(options, function() return announcement(upgrade, plan, empty) end,
    function() work(upgrade, plan, empty) end)
  report.changed, report.ms = true, core.now() - began
  return report
end

return M
