--- Runs migrations, one after the other, each in its own transaction with its line of the ledger:
--- a crash leaves it done or not begun. Several runners take turns, and find what is done already.
local change = require "tuff.migrate.change"
local core = require "tuff.core"
local errors = require "tuff.error"
local ledger = require "tuff.migrate.ledger"
local steps = require "tuff.migrate.step"
local transaction = require "tuff.transaction"
local turns = require "tuff.migrate.turn"

local M = {}

--- How long to wait for another runner, in milliseconds.
local WAIT = 600000

--- How often a migration is run again by itself after a deadlock, or where a table is locked.
local RETRY = 3

---@class tuff.migrate.Context
---@field db tuff.Database
---@field wait number milliseconds
---@field inside boolean? in a transaction that is rolled back in the end, where all is tried
---@field progress fun(event: table)
---@field begun boolean? the function of the migration was called in its transaction
---@field committed boolean? so was its line of the ledger: only what waited for that may still fail

--- The context of a run. A progress that returns false ends it.
---@param db tuff.Database
---@param options { wait: number?, progress: (fun(event: table): boolean?)?, inside: boolean? }
---@return tuff.migrate.Context
function M.context(db, options)
  local progress = options.progress
  return {
    db = db, wait = options.wait or WAIT, inside = options.inside,
    progress = function(event)
      if not progress or progress(event) ~= false then return end
      errors.raise("interrupted", "the migration was stopped by its progress function")
    end,
  }
end

-- ---- taking turns ------------------------------------------------------------------------

--- Raises `misuse` where a transaction is open: in it nothing could be committed.
---@param db tuff.Database
function M.check_alone(db)
  if not db:in_transaction() then return end
  errors.raise("misuse", "migrations run in transactions of their own, and one is open already",
    { hint = "call it before the transaction begins; a migration that begins one has to end it" })
end

--- Calls fn while statements may take as long as they need: the timeout given at open is meant for
--- the daily work of a program.
local function unhurried(db, fn, ...)
  local timeout = core.timeout(db, 0)
  local _ <close> = setmetatable({}, { __close = function() pcall(core.timeout, db, timeout) end })
  return fn(...)
end

--- Runs fn in a transaction that has its turn. Where tables may be made anew, `frame` is the
--- frame of a change.
local function turn(context, frame, fn)
  local db = context.db
  if not context.inside then M.check_alone(db) end
  local function work()
    ledger.create(db)
    return fn(db)
  end
  if context.inside then return db:transaction({ retry = 0 }, work) end
  local options = { wait = context.wait, retry = RETRY }
  if frame then
    function options.progress(name) context.progress { id = context.id, verifying = name } end
    return change.run(db, options, work)
  end
  return turns.wait(db, options, function(attempt)
    return transaction.patient(db, context.wait, attempt)
  end, work)
end

--- Runs fn(db) in a transaction that has its turn.
---@param context tuff.migrate.Context
---@param frame boolean tables may be made anew in it
---@param fn fun(db: tuff.Database): any...
---@return any ... what fn returned
function M.turn(context, frame, fn)
  return unhurried(context.db, turn, context, frame, fn)
end

--- What a run lends to its step. `whole`: it is one transaction.
local function lend(context, source, whole)
  return {
    id = source.id, db = context.db, transaction = whole,
    progress = context.progress,
    turn = function(fn) return turn(context, false, fn) end,
  }
end

-- ---- one migration -----------------------------------------------------------------------

--- Somebody else may have done it since the plan was made.
local function is_done(source, entry)
  return entry ~= nil and entry.state == "applied"
    and (source.kind ~= "repeatable" or entry.checksum == source.checksum)
end

--- What an error says, as a ledger can keep it. A script may raise anything.
local function text_of(err)
  local text = errors.tell(errors.is_error(err) and err.message or err)
  if utf8.len(text) and not text:find("\0", 1, true) then return text end
  return (text:gsub("[\0\x80-\xff]", "?"))
end

--- Notes when the transaction is committed that is open now.
local function watch_commit(context)
  context.db:after_commit(function() context.committed = true end)
end

--- The line of a migration that is applied now.
local function record(context, source, entry, began)
  local db, now = context.db, ledger.now()
  local ms = math.floor(core.now() - began)
  ledger.write(db, source.id, {
    phase = source.phase, kind = source.kind, state = "applied",
    checksum = source.checksum or core.null, tokens = source.tokens or core.null,
    fingerprint = core.state(db).dialect.fingerprint(db),
    attempt = (entry and entry.attempt or 0) + 1,
    started = entry and entry.state == "running" and entry.started or now, finished = now, ms = ms,
    error = core.null,
  })
  ledger.note(db, source.id, "applied", { ms = ms })
  watch_commit(context)
end

--- What is no fault of the migration: somebody stopped it, or another one has its turn.
local function is_outside(context, err)
  if not errors.is_error(err) then return false end
  return err.code == "interrupted" or err.code == "busy" and not context.begun
end

--- Raises what went wrong in a migration.
local function fail(context, source, how, err)
  if is_outside(context, err) then error(err, 0) end
  errors.raise("migration", ("the migration %s %s: %s"):format(source.id, how, text_of(err)), {
    cause = err, migration = source.id, committed = context.committed or nil,
  })
end

--- A failure is kept, in a transaction of its own, for whoever looks for it.
local function record_failure(context, source, err)
  pcall(turn, context, false, function(db)
    local entry = ledger.entry(db, source.id)
    if is_done(source, entry) then return end
    ledger.write(db, source.id, {
      phase = source.phase, kind = source.kind, state = "failed", error = text_of(err),
      attempt = (entry and entry.attempt or 0) + 1,
      started = entry and entry.started or ledger.now(),
    })
    ledger.note(db, source.id, "failed", { error = text_of(err) })
  end)
end

--- In one transaction. Whether it was this runner that did it.
local function run_script(context, source, began)
  return turn(context, true, function(db)
    local entry = ledger.entry(db, source.id)
    if is_done(source, entry) then return false end
    context.begun = true
    source.up(db, steps.new(lend(context, source, true)))
    record(context, source, entry, began)
    return true
  end)
end

--- In batches, each in a transaction of its own. Where it was begun before, it may have come to its
--- end without its line of the ledger.
local function run_batches(context, source, began)
  local dialect = core.state(context.db).dialect
  local _ <close> = dialect.alone and not context.inside
    and dialect.alone(context.db, context.wait) or nil
  local begun = false
  local entry = turn(context, false, function(db)
    local found = ledger.entry(db, source.id)
    if is_done(source, found) then return nil end
    begun = found ~= nil
    ledger.write(db, source.id, {
      phase = source.phase, kind = source.kind, state = "running",
      attempt = found and found.attempt or 0, started = found and found.started or ledger.now(),
    })
    return ledger.entry(db, source.id)
  end)
  if not entry then return false end
  if not (begun and source.done and source.done(context.db)) then
    source.up(context.db, steps.new(lend(context, source, false)))
  end
  return turn(context, false, function(db)
    local now = ledger.entry(db, source.id)
    if is_done(source, now) then return false end
    if source.done and not source.done(db) then
      errors.raise("migration", "its function done says that it is not done")
    end
    record(context, source, now, began)
    return true
  end)
end

--- Runs one migration. An error tells which one it was.
---@param context tuff.migrate.Context
---@param source tuff.migrate.Source
---@return boolean ran not where another runner has done it meanwhile
function M.apply(context, source)
  local began = core.now()
  context.id, context.begun, context.committed = source.id, false, false
  context.progress { id = source.id, phase = source.phase }
  local work = source.transaction and run_script or run_batches
  local good, ran = pcall(unhurried, context.db, work, context, source, began)
  if good then return ran end
  if core.is_manual(context.db) then pcall(context.db.exec, context.db, "rollback") end
  if not context.inside and not is_outside(context, ran) then
    record_failure(context, source, ran)
  end
  local how = context.committed and "was applied, but what waited for that failed" or "failed"
  return fail(context, source, how, ran)
end

--- Takes one migration back.
---@param context tuff.migrate.Context
---@param source tuff.migrate.Source
function M.take_back(context, source)
  context.id, context.begun, context.committed = source.id, false, false
  context.progress { id = source.id, phase = source.phase, down = true }
  local good, err = pcall(M.turn, context, true, function(db)
    local entry = ledger.entry(db, source.id)
    if not entry or entry.state ~= "applied" then return end
    context.begun = true
    source.down(db, steps.new(lend(context, source, true)))
    ledger.remove(db, source.id)
    ledger.set_fingerprint(db, core.state(db).dialect.fingerprint(db))
    ledger.note(db, source.id, "rolled back")
    watch_commit(context)
  end)
  if good then return end
  if not context.inside and not context.committed and not is_outside(context, err) then
    pcall(turn, context, false, function(db)
      ledger.note(db, source.id, "not rolled back", { error = text_of(err) })
    end)
  end
  local how = context.committed and "was taken back, but what waited for that failed"
  fail(context, source, how or "could not be taken back", err)
end

--- Records migrations as applied that are not run.
---@param context tuff.migrate.Context
---@param sources tuff.migrate.Source[]
---@param event "baseline"|"applied"
function M.adopt(context, sources, event)
  turn(context, false, function(db) M.adopt_in(db, sources, event) end)
end

--- The same in a transaction that is open and has its turn.
---@param db tuff.Database
---@param sources tuff.migrate.Source[]
---@param event "baseline"|"applied"
function M.adopt_in(db, sources, event)
  local now, fingerprint = ledger.now(), core.state(db).dialect.fingerprint(db)
  for _, source in ipairs(sources) do
    local entry = ledger.entry(db, source.id)
    if not entry or entry.state ~= "applied" then
      ledger.write(db, source.id, {
        phase = source.phase, kind = event == "baseline" and event or source.kind,
        state = "applied", checksum = source.checksum or core.null,
        tokens = source.tokens or core.null, fingerprint = fingerprint, error = core.null,
        attempt = entry and entry.attempt or 0, started = now, finished = now, ms = 0,
      })
      ledger.note(db, source.id, event)
    end
  end
end

--- Calls work between notify and complete, which hears of a failure, too. That failure is the
--- error to be seen, whatever complete does.
---@generic T
---@param options { notify: function?, complete: function? }
---@param announcement fun(): any what notify is told
---@param work fun(): T
---@return T
function M.told(options, announcement, work)
  local handle = options.notify and options.notify(announcement())
  local good, result = pcall(work)
  if not good then
    if options.complete then pcall(options.complete, handle, result) end
    error(result, 0)
  end
  if options.complete then options.complete(handle) end
  return result
end

return M
