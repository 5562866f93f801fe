--- The migrations of a program, and what a database has seen of them: db:migrations(…).
local backups = require "tuff.migrate.backup"
local core = require "tuff.core"
local draft = require "tuff.migrate.draft"
local errors = require "tuff.error"
local ledger = require "tuff.migrate.ledger"
local model = require "tuff.schema.model"
local options_of = require "tuff.options"
local plans = require "tuff.migrate.plan"
local runner = require "tuff.migrate.runner"
local source = require "tuff.migrate.source"
local template = require "tuff.migrate.template"

local M = {}

---@class tuff.Migrations
---@field db tuff.Database
---@field sources tuff.migrate.Source[]
---@field directory string?
local Migrations = { __name = "tuff.Migrations", __metatable = "tuff.migrations" }
Migrations.__index = Migrations

local checks = options_of.checks
local boolean, text, callback = checks.boolean, checks.text, checks.callback

local up_options = {
  to = text, dry_run = boolean, allow_out_of_order = boolean, allow_changed = boolean,
  backup = text, notify = callback, complete = callback, progress = callback,
  wait = checks.milliseconds,
}

---@class tuff.UpOptions
---@field to string? the last one to run, by its id or the beginning of it
---@field dry_run boolean? only try it, where it is forgotten, and report
---@field allow_out_of_order boolean? run what is older than others that were applied
---@field allow_changed boolean? go on though migrations were changed after they had been applied
---@field backup string? a directory for a copy of the database, made and checked before the first
---@field notify (fun(plan: tuff.MigrationStatus[]): any)? told before the first, if there is one
---@field complete (fun(handle: any, err: any))? given what notify returned, at the end, and the
---  error
---@field progress (fun(event: table))? { id, phase }, then { id, table, done, total, left_ms } of
---  batches, and { id, verifying } of a table that is looked at; returning false ends the run with
---  `interrupted`: what was committed stays
---@field wait number? milliseconds for another program that migrates (600000)

---@class tuff.MigrationReport
---@field applied string[] the ids, in their order
---@field ms number
---@field backup string? the path of the copy
---@field tried tuff.Rehearsed[]? what dry_run has seen

local function given(self, options, allowed, method)
  errors.check_self(self, "tuff.migrations", method)
  return options_of.given(options, allowed, "migrations:" .. method)
end

--- The same for what writes: it commits, one migration after the other.
local function given_alone(self, options, allowed, method)
  options = given(self, options, allowed, method)
  runner.check_alone(self.db)
  return options
end

--- Each migration and where it stands, in the order of their names; those that the database has
--- and the program has not are at the end.
---@return tuff.MigrationStatus[]
function Migrations:status()
  given(self, nil, {}, "status")
  return plans.status(self.sources, ledger.read(self.db))
end

local plan_options = { to = text, allow_out_of_order = boolean, allow_changed = boolean }

--- What `up` would run, in this order. Raises `migration` where something must be decided first.
---@param options tuff.PlanOptions?
---@return tuff.MigrationStatus[]
function Migrations:plan(options)
  options = given(self, options, plan_options, "plan")
  return plans.pending(self.sources, ledger.read(self.db), options)
end

local function each(context, plan, work)
  local report = { applied = {} }
  local began = core.now()
  for _, status in ipairs(plan) do
    if work(context, status.source) ~= false then table.insert(report.applied, status.id) end
  end
  report.ms = core.now() - began
  return report
end

--- Runs what is pending. Each migration is committed with its line of the ledger; the first that
--- fails is undone and ends the run, with an error that tells which one it was. Nothing pending
--- takes no lock.
---@param options tuff.UpOptions?
---@return tuff.MigrationReport
function Migrations:up(options)
  options = given_alone(self, options, up_options, "up")
  local plan = plans.pending(self.sources, ledger.read(self.db), options)
  if options.dry_run then
    return require("tuff.migrate.rehearsal").up(self, plan, options)
  end
  if #plan == 0 then return { applied = {}, ms = 0 } end
  local context = runner.context(self.db, options)
  return runner.told(options, function() return plan end, function()
    local copy = options.backup and backups.make(self.db, options.backup, plan[1].id)
    local report = each(context, plan, runner.apply)
    report.backup = copy
    return report
  end)
end

local down_options = {
  steps = checks.count, to = text, backup = text, progress = callback, wait = checks.milliseconds,
}

---@class tuff.DownOptions
---@field steps integer? how many (1)
---@field to string? take back all behind this one, which stays
---@field backup string? a directory for a copy of the database, made and checked before the first
---@field progress fun(event: table)?
---@field wait number? milliseconds for another program that migrates (600000)

--- Takes migrations back, the last one first, each by its down.
---@param options tuff.DownOptions?
---@return tuff.MigrationReport report `applied` are those that were taken back
function Migrations:down(options)
  options = given_alone(self, options, down_options, "down")
  local plan = plans.applied(self.sources, ledger.read(self.db), options)
  if #plan == 0 then return { applied = {}, ms = 0 } end
  local copy = options.backup and backups.make(self.db, options.backup, plan[1].id)
  local report = each(runner.context(self.db, options), plan, runner.take_back)
  report.backup = copy
  return report
end

--- Takes the last one back and runs it again.
---@param options tuff.DownOptions?
---@return tuff.MigrationReport
function Migrations:redo(options)
  options = given_alone(self, options, down_options, "redo")
  local plan = plans.applied(self.sources, ledger.read(self.db), options)
  if #plan == 0 then return { applied = {}, ms = 0 } end
  local copy = options.backup and backups.make(self.db, options.backup, plan[1].id)
  local context = runner.context(self.db, options)
  each(context, plan, runner.take_back)
  local again = {}
  for i, status in ipairs(plan) do again[#plan + 1 - i] = status end
  local report = each(context, again, runner.apply)
  report.backup = copy
  return report
end

---@class tuff.MigrationProblem
---@field id string?
---@field what "changed"|"missing"|"failed"|"unfinished"|"out of order"|"schema"
---@field message string

local problems = {
  changed = { "changed", "was changed after it had been applied" },
  missing = { "missing", "was applied, and is not among the migrations any more" },
  failed = { "failed", "has failed" },
  running = { "unfinished", "was begun, and has not come to its end" },
}

--- Looks whether the database is what its ledger says: changed and missing files, what failed, and
--- tables that were changed by something else since the last migration.
---@return { ok: boolean, problems: tuff.MigrationProblem[] }
function Migrations:verify()
  given(self, nil, {}, "verify")
  local read, found = ledger.read(self.db), {}
  for _, status in ipairs(plans.status(self.sources, read)) do
    local problem = problems[status.state]
    if status.out_of_order then
      problem = { "out of order", "was never applied, though newer ones were" }
    end
    if problem then
      found[#found + 1] = { id = status.id, what = problem[1],
        message = status.id .. " " .. problem[2] .. (status.error and ": " .. status.error or "") }
    end
  end
  local now = core.state(self.db).dialect.fingerprint(self.db)
  local upgraded = self.db.settings:get("tuff.schema")
  local left = ledger.fingerprint(read)
  if left and left ~= now and (upgraded or {}).found ~= now then
    found[#found + 1] = { what = "schema",
      message = "the tables were changed since the last migration, and not by one" }
  end
  return { ok = #found == 0, problems = found }
end

--- Records migrations as applied without running them, because the database has already what
--- they do: all of them, or those up to an id.
---@param to string?
---@return string[] ids those that were recorded
function Migrations:baseline(to)
  given_alone(self, nil, {}, "baseline")
  local read, list = ledger.read(self.db), {}
  for i = 1, to and plans.find(self.sources, to) or #self.sources do
    local entry = read.by_id[self.sources[i].id]
    if not entry or entry.state ~= "applied" then list[#list + 1] = self.sources[i] end
  end
  if #list > 0 then runner.adopt(runner.context(self.db, {}), list, "baseline") end
  local ids = {}
  for i, each_source in ipairs(list) do ids[i] = each_source.id end
  return ids
end

--- Tries all migrations: up, down and up again, on an empty database and on a copy of this one,
--- and compares the schemas. The database itself stays as it is.
---@return tuff.Trial[]
function Migrations:test()
  given(self, nil, {}, "test")
  return require("tuff.migrate.rehearsal").test(self)
end

local new_options = {
  from = function(value) return model.is_schema(value), "a schema, from s.define" end,
  phase = checks.one_of("pre", "main", "post"),
  allow_drop = function(value) return type(value) == "table", "a list of names" end,
  renames = function(value) return type(value) == "table", "a table of names" end,
}

---@class tuff.NewOptions
---@field from tuff.Schema? what the tables are to be: the migration makes them so
---@field phase "pre"|"main"|"post"|nil (main)
---@field allow_drop string[]? of db:apply, for `from`
---@field renames table<string, string|false>? of db:apply, for `from`

--- Writes the file of a new migration.
---@param title string "add score to images"
---@param options tuff.NewOptions?
---@return string path
function Migrations:new(title, options)
  options = given(self, options, new_options, "new")
  if not self.directory then
    errors.raise("misuse", "a new migration is a file, and these came from no directory")
  end
  local parts = {}
  if options.from then
    parts = draft.of(self.db, options.from, options)
    if not parts then
      errors.raise("migration", "the database has this schema already: there is nothing to migrate")
    end
  end
  parts.phase = options.phase
  return template.write(self.directory, title, parts)
end

---@param db tuff.Database
---@param from string|table a directory, or migrations as tables: see tuff.migrate.source
---@return tuff.Migrations
function M.new(db, from)
  errors.check_self(db, "tuff.connection", "migrations")
  errors.check_open(db, "migrations")
  return setmetatable({
    db = db, sources = source.load(from), directory = type(from) == "string" and from or nil,
  }, Migrations)
end

return M
