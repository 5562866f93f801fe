--- `tuff status`, `plan`, `verify` and `test`: what there is, and what would be.
local arguments = require "tuff.cli.arguments"
local output = require "tuff.cli.output"

local colours = {
  applied = "green", pending = "yellow", again = "yellow", running = "yellow", failed = "red",
  changed = "red", missing = "red",
}

--- A time as the ledger has it, for people.
local function shown_time(time)
  return time and (time:gsub("^(%d+-%d+-%d+)T(%d+:%d+:%d+).*$", "%1 %2")) or ""
end

--- What is told of a migration.
local function facts_of(status)
  return {
    id = status.id, phase = status.phase, kind = status.kind, state = status.state,
    out_of_order = status.out_of_order, applied = status.applied, ms = status.ms,
    done = status.done, total = status.total, error = status.error,
    path = status.source and status.source.path,
  }
end

local function note_of(status)
  if status.out_of_order then return "older than others that were applied" end
  if status.state == "running" and status.total then
    return ("%d of %d rows"):format(status.done or 0, status.total)
  end
  return status.state == "failed" and status.error or ""
end

--- Says a list of migrations as a table.
local function say_table(out, list)
  local rows = {}
  for i, status in ipairs(list) do
    rows[i] = {
      status.id, status.phase, status.state, shown_time(status.applied),
      status.ms and tostring(status.ms) or "", note_of(status),
    }
  end
  out:table({
    { title = "migration" }, { title = "phase" },
    { title = "state", colour = function(state) return colours[state] end },
    { title = "applied (UTC)" }, { title = "ms", right = true }, { title = "" },
  }, rows)
end

-- ---- commands ----------------------------------------------------------------------------

--- "2 applied, 1 pending", in this order.
local function summary(list)
  local counts, parts = {}, {}
  for _, status in ipairs(list) do counts[status.state] = (counts[status.state] or 0) + 1 end
  for _, state in ipairs { "applied", "pending", "again", "running", "failed", "changed",
    "missing" } do
    if counts[state] then parts[#parts + 1] = counts[state] .. " " .. state end
  end
  return table.concat(parts, ", ")
end

---@param session tuff.cli.Session
local function status(session, facts)
  local out = session.out
  local list = session:migrations({ readonly = true }):status()
  facts.database, facts.migrations = session.db.path, {}
  for i, each in ipairs(list) do facts.migrations[i] = facts_of(each) end
  if #list == 0 then
    out:line(("there are no migrations in %s yet"):format(session:directory()))
    out:line('"tuff new TITLE" writes the first one')
    return
  end
  say_table(out, list)
  out:line()
  out:line(summary(list))
end

---@param session tuff.cli.Session
local function plan(session, facts)
  local options, out = session.options, session.out
  local list = session:migrations({ readonly = true }):plan {
    to = options.to, allow_out_of_order = options.allow_out_of_order,
    allow_changed = options.allow_changed,
  }
  facts.database, facts.plan = session.db.path, {}
  for i, each in ipairs(list) do facts.plan[i] = facts_of(each) end
  if #list == 0 then return out:line("nothing is pending") end
  say_table(out, list)
  out:line()
  out:line(output.count_are(#list, "migration") .. " to be run, in this order")
end

---@param session tuff.cli.Session
local function verify(session, facts)
  local out = session.out
  local report = session:migrations({ readonly = true }):verify()
  facts.database, facts.problems = session.db.path, report.problems
  if report.ok then
    out:line("the database is what its ledger says")
    return 0
  end
  for _, problem in ipairs(report.problems) do
    out:line(out:colour("red", problem.what .. ": ") .. output.plain(problem.message))
  end
  return 1
end

---@param session tuff.cli.Session
local function test(session, facts)
  local out, status_of_all = session.out, 0
  out:show("trying all migrations up, down and up again")
  local trials = session:migrations():test()
  facts.database, facts.trials = session.db.path, trials
  for _, trial in ipairs(trials) do
    if trial.ok then
      out:line(("on %s: %s, up, down and up again"):format(trial.on, out:colour("green", "good")))
    else
      status_of_all = 1
      out:line(("on %s: %s: %s"):format(trial.on, out:colour("red", "failed"),
        output.plain(trial.message)))
    end
    for _, id in ipairs(trial.irreversible) do
      out:line(("  %s has no down: it and all before it were not taken back"):format(id))
    end
  end
  return status_of_all
end

-- ---- how they are called -----------------------------------------------------------------

local function define(more)
  return function(parser)
    arguments.database(parser)
    arguments.migrations(parser)
    if more then more(parser) end
    arguments.json(parser)
  end
end

return {
  { name = "status", summary = "Show each migration, and where it stands.", run = status,
    details = [[
The states
  pending   it was not run yet
  applied   it was
  failed    it was, and undone; `up` runs it again
  running   begun and not ended, or another program is at it
  changed   its file is another one than was applied
  again     so it is, and it is repeatable; `up` runs it again
  missing   it was applied, and has no file]],
    define = define() },
  { name = "plan", summary = "Show what `up` would run, in its order.", run = plan,
    define = define(function(parser)
      parser:option("--to", "The last one, by its name or the beginning of it."):argname("ID")
      arguments.leave(parser)
    end) },
  { name = "verify", summary = "Look whether the database is what its ledger says.", run = verify,
    details = [[
Finds files that were changed or are missing, migrations that failed or did not end, and
tables that were changed by something else. Problems make the exit status 1.]],
    define = define() },
  { name = "test", summary = "Try all migrations: up, down and up again.", run = test,
    details = [[
On an empty database and on a copy of this one; the schemas are compared. The database
itself stays as it is.]],
    define = define() },
}
