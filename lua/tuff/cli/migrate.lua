--- `tuff up`, `down`, `redo` and `baseline`: what changes a database.
local arguments = require "tuff.cli.arguments"
local backups = require "tuff.migrate.backup"
local errors = require "tuff.error"
local follow = require "tuff.cli.follow"
local ledger = require "tuff.migrate.ledger"
local output = require "tuff.cli.output"
local plans = require "tuff.migrate.plan"

-- ---- the copy before ---------------------------------------------------------------------

--- Copies the database as it is, unless nothing is in it yet.
local function back_up(session, id, facts)
  local db, options, out = session.db, session.options, session.out
  if options.no_backup or #db:tables() == 0 then return end
  if not options.backup and not db:supports("backup") then
    return out:line("no backup: that of a server is made by its own tools")
  end
  out:show("copying the database")
  local directory = options.backup or db.path:match("^(.*)/[^/]*$") or "."
  facts.backup = backups.make(db, directory, id)
  if facts.backup then out:line("backup  " .. facts.backup) end
end

--- What is left of a run that has failed.
---@param facts table
---@param plan tuff.MigrationStatus[]
---@param current table? the migration that ran
local function note_failure(facts, plan, current)
  local notes = {}
  for _, status in ipairs(current and plan or {}) do
    if status.id == current.id then
      notes[1] = (status.kind == "batch" and not current.down
        and "what %s has committed in batches stays, and the next run goes on behind it"
        or "%s was undone"):format(status.id)
    end
  end
  for _, what in ipairs { "taken_back", "applied" } do
    local number = #(facts[what] or {})
    if number > 0 then
      notes[#notes + 1] = ("%s%s %s %s"):format(output.count(number, "migration"),
        current and " before it" or "", number == 1 and "was" or "were", (what:gsub("_", " ")))
    end
  end
  if facts.backup then notes[#notes + 1] = "the copy from before is " .. facts.backup end
  facts.notes = notes
end

--- Runs a method of the migrations, and tells how far it is. What was done before an error stands
--- in the facts.
local function followed(session, facts, method, plan, given)
  local told = follow.new(session.out, function(current)
    local what = current.down and "taken_back" or "applied"
    facts[what] = facts[what] or {}
    table.insert(facts[what], current.id)
  end)
  given.wait, given.progress = session.options.wait, function(event) told:event(event) end
  local migrations = session:migrations()
  local good, report = pcall(migrations[method], migrations, given)
  if not good then
    if errors.is_error(report) and report.committed then told:done() end
    note_failure(facts, plan, told:stop())
    error(report, 0)
  end
  told:done()
  facts.ms = report.ms
  return report
end

-- ---- up ----------------------------------------------------------------------------------

--- Says the SQL of a migration, its lines moved to the right.
local function say_sql(out, tried)
  for i, sql in ipairs(tried.sql) do
    local text = output.plain(sql):gsub("^%s+", ""):gsub("%s+$", ""):gsub("\n", "\n    ")
    local times = tried.times[i] > 1 and ("  -- %d times"):format(tried.times[i]) or ""
    out:line("    " .. text .. ";" .. times)
  end
end

local function rehearse(session, given, facts)
  local out = session.out
  facts.dry_run, given.dry_run = true, true
  given.progress = function(event) out:show("trying " .. follow.text(event)) end
  local report = session:migrations():up(given)
  facts.tried, facts.ms = report.tried or {}, report.ms
  for _, tried in ipairs(facts.tried) do
    out:line(("%s  %s, %s changed"):format(out:colour("bold", tried.id),
      output.duration(tried.ms), output.count(tried.rows, "row")))
    say_sql(out, tried)
    out:line()
  end
  if #facts.tried == 0 then return out:line("nothing is pending") end
  out:line(("%s tried in %s; the database is as it was"):format(
    output.count(#facts.tried, "migration"), output.duration(report.ms)))
end

---@param session tuff.cli.Session
local function up(session, facts)
  local options, out = session.options, session.out
  local migrations = session:migrations()
  local given = {
    to = options.to, allow_out_of_order = options.allow_out_of_order,
    allow_changed = options.allow_changed,
  }
  facts.database, facts.applied, facts.ms = session.db.path, {}, 0
  if options.dry_run then return rehearse(session, given, facts) end
  local plan = migrations:plan(given)
  if #plan == 0 then return out:line("nothing to do: no migration is pending") end
  out:line(("%s to be run on %s"):format(output.count_are(#plan, "migration"), session.db.path))
  back_up(session, plan[1].id, facts)
  local report = followed(session, facts, "up", plan, given)
  facts.applied = report.applied
  out:line(("%s applied in %s"):format(output.count(#report.applied, "migration"),
    output.duration(report.ms)))
end

-- ---- down and redo -----------------------------------------------------------------------

--- Those that would be taken back; raises where one cannot.
local function to_take_back(session, facts, given)
  local migrations = session:migrations()
  facts.database = session.db.path
  local plan = plans.applied(migrations.sources, ledger.read(session.db), given)
  session.out:line(#plan == 0 and "nothing to do: no migration is applied"
    or ("%s to be taken back on %s"):format(output.count_are(#plan, "migration"), session.db.path))
  return plan
end

---@param session tuff.cli.Session
local function down(session, facts)
  local options, out = session.options, session.out
  local given = { steps = options.steps, to = options.to }
  facts.taken_back, facts.ms = {}, 0
  local plan = to_take_back(session, facts, given)
  if #plan == 0 then return end
  back_up(session, plan[1].id, facts)
  local report = followed(session, facts, "down", plan, given)
  out:line(("%s taken back in %s"):format(output.count(#report.applied, "migration"),
    output.duration(report.ms)))
end

---@param session tuff.cli.Session
local function redo(session, facts)
  local options, out = session.options, session.out
  local given = { steps = options.steps, to = options.to }
  facts.taken_back, facts.applied, facts.ms = {}, {}, 0
  local plan = to_take_back(session, facts, given)
  if #plan == 0 then return end
  back_up(session, plan[1].id, facts)
  local report = followed(session, facts, "redo", plan, given)
  out:line(("%s taken back and applied again in %s"):format(
    output.count(#report.applied, "migration"), output.duration(report.ms)))
end

-- ---- baseline ----------------------------------------------------------------------------

---@param session tuff.cli.Session
local function baseline(session, facts)
  local options, out = session.options, session.out
  local id
  if not options.all then id = table.remove(options.words) end
  options.place = table.remove(options.words)
  if not options.all and not id or #options.words > 0 then
    errors.raise("misuse", "say up to which migration: its ID, or --all",
      { hint = '"tuff status" shows them' })
  end
  local migrations = session:migrations()
  facts.database = session.db.path
  facts.recorded = migrations:baseline(id)
  for _, each in ipairs(facts.recorded) do out:line("recorded  " .. each) end
  out:line(#facts.recorded == 0 and "nothing to do: these are in the ledger"
    or output.count_are(#facts.recorded, "migration") .. " recorded as applied, and none was run")
end

-- ---- how they are called -----------------------------------------------------------------

local function wait(parser)
  parser:option("--wait", "Seconds for another program that migrates. (600)"):argname("SECONDS")
    :convert(function(text)
      local seconds = tonumber(text)
      if seconds and seconds >= 0 and seconds < 1e9 then return seconds * 1000 end
      return nil, ("'%s' is no number of seconds"):format(text)
    end)
end

local function take_back_options(parser)
  arguments.database(parser)
  arguments.migrations(parser)
  parser:mutex(
    parser:option("--steps", "How many. (1)"):argname("NUMBER"):convert(arguments.positive),
    parser:option("--to", "All behind this one, which stays; by its name or the beginning of it.")
      :argname("ID"))
  arguments.backup(parser)
  wait(parser)
  arguments.json(parser)
end

return {
  { name = "up", summary = "Run what is pending, after a backup.", run = up,
    details = [[
Each migration is a transaction with its line of the ledger, and told when it is done. The
first that fails is undone and ends the run; those before it stay. The copy of a file is
checked, and put beside it. The exit status is 3 where something must be decided first.]],
    define = function(parser)
      arguments.database(parser)
      arguments.migrations(parser)
      parser:option("--to", "The last one to run, by its name or the beginning of it.")
        :argname("ID")
      parser:flag("--dry-run", "Only try it, where it is forgotten: print the SQL, the number of "
        .. "rows, and the time of each.")
      parser:flag("--create", "Make the database where it is missing.")
      arguments.leave(parser)
      arguments.backup(parser)
      wait(parser)
      arguments.json(parser)
    end },
  { name = "down", summary = "Take the last migration back, by its `down`.", run = down,
    details = "The last one first. Where one has no `down`, nothing is done.",
    define = take_back_options },
  { name = "redo", summary = "Take the last migration back, and run it again.", run = redo,
    details = "While a migration is being written, this is what it is tried with.",
    define = take_back_options },
  { name = "baseline", run = baseline,
    summary = "Record migrations as applied, without running them.",
    details = [[
For a database that has already what they do: all up to ID, by its name or the beginning of
it, or all that there are. None is run.]],
    define = function(parser)
      parser:argument("ID", "The last one that the database has already. The database may stand "
        .. "in front of it."):target("words"):args("0-2"):argname("ID")
      parser:flag("--all", "All that there are.")
      arguments.database_option(parser)
      arguments.migrations(parser)
      arguments.json(parser)
    end },
}
