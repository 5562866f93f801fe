--- Transactions: running a function again where that may help, and the functions that wait
--- for the end.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"

local M = {}

-- ---- functions that wait for the end -----------------------------------------------------

-- core.state(db).waiting is a list of { event, fn, level }: `event` is "commit" or "rollback",
-- `level` the number of the transaction it was given in; an inner one has a greater number than
-- those around it. When a level is undone, its commits are forgotten, and its rollbacks become
-- certain: they run at the end whatever the levels around it do. Where memory is wanting, the end
-- of a level may pass unnoticed here; its number never comes back, and what waits for it is lost.

--- Runs the functions whose time has come, every one; the first error is raised after the last.
local function run_all(waiting)
  local first
  for _, entry in ipairs(waiting) do
    if entry.level == 0 and entry.event ~= "rollback" then
      local good, err = pcall(entry.fn)
      if not good and first == nil then first = { err } end
    end
  end
  if first then error(first[1], 0) end
end

--- A level was kept: what waits there waits for the level around it now.
local function keep_level(waiting, level, around)
  for _, entry in ipairs(waiting) do
    if entry.level == level then entry.level = around end
  end
end

--- All levels inside this one were undone.
local function undo_levels(waiting, around)
  local left = 0
  for i, entry in ipairs(waiting) do
    waiting[i] = nil
    if entry.level <= around or entry.event ~= "commit" then
      if entry.level > around then entry.event, entry.level = "certain", 0 end
      left = left + 1
      waiting[left] = entry
    end
  end
end

--- To be called when a level has ended.
---@param db tuff.Database
---@param committed integer? its number, if it was kept
local function ended(db, committed)
  local state = core.state(db)
  -- What was learnt of tables may have been undone, and the version of the schema goes back.
  if not committed then state.schema_version = nil end
  local waiting, around = state.waiting, core.level(db)
  if not waiting then return end
  if around == 0 then state.waiting = nil end
  if committed then
    keep_level(waiting, committed, around)
  else
    undo_levels(waiting, around)
  end
  if around == 0 then run_all(waiting) end
end

local function wait_for(db, event, fn)
  local method = "after_" .. event
  errors.check_self(db, "tuff.connection", method)
  errors.check(fn, "function", "the function given to " .. method)
  local level = core.level(db)
  if core.is_manual(db) then
    errors.raise("misuse", "a transaction that was begun by hand does not tell when it ends",
      { hint = "begin it by db:transaction or db:begin" })
  end
  if level == 0 then
    if event == "commit" then fn() end
    return
  end
  local state = core.state(db)
  state.waiting = state.waiting or {}
  table.insert(state.waiting, { event = event, fn = fn, level = level })
end

--- Runs fn after the outermost transaction has committed and its lock is released, in the
--- order of the calls; at once outside of a transaction. A nested transaction that is
--- rolled back forgets what was given inside of it.
---@param db tuff.Database
---@param fn fun()
function M.after_commit(db, fn)
  wait_for(db, "commit", fn)
end

--- Runs fn when the transaction it was called in has been rolled back, after the lock is
--- released; never outside of a transaction.
---@param db tuff.Database
---@param fn fun()
function M.after_rollback(db, fn)
  wait_for(db, "rollback", fn)
end

--- Closes loops, statements and the database, in this order. May be called twice; any other
--- call raises `closed` afterwards. An open transaction is rolled back, and the first error of
--- the functions that waited for that is raised after the last.
---@param db tuff.Database
function M.close(db)
  errors.check_self(db, "tuff.connection", "close")
  if core.close(db) then ended(db) end
end

-- ---- the handle --------------------------------------------------------------------------

---@class tuff.Transaction
local Transaction = {}

--- Commits. It must be the innermost transaction that is open.
function Transaction:commit()
  errors.check_self(self, "tuff.transaction", "commit")
  local db = core.connection_of(self)
  local level = core.level(db)
  local good, err = pcall(core.commit, self)
  if good then return ended(db, level) end
  if core.level(db) < level then ended(db) end
  error(err, 0)
end

local function rollback(tx, all)
  local db = core.connection_of(tx)
  local good, err = pcall(core.rollback, tx, all)
  if good or not core.is_open(tx) then ended(db) end
  if not good then error(err, 0) end
end

--- Rolls back. It must be the innermost transaction that is open.
function Transaction:rollback()
  errors.check_self(self, "tuff.transaction", "rollback")
  rollback(self, false)
end

--- Whether it has neither been committed nor rolled back.
---@return boolean
function Transaction:is_open()
  errors.check_self(self, "tuff.transaction", "is_open")
  return core.is_open(self)
end

core.transaction.__index = Transaction

--- At the end of the scope: with all that is nested in it; nothing where it has ended.
function core.transaction:__close()
  if core.is_open(self) then rollback(self, true) end
end

--- A transaction that nobody can end any more. The collector may find it in the middle of a
--- call on its connection: then the next cycle ends it.
function core.transaction:__gc()
  if core.is_busy(self) then
    setmetatable({}, { __gc = function() core.transaction.__gc(self) end })
    return
  end
  local open, db = core.is_open(self), core.connection_of(self)
  core.collect(self)
  if open then ended(db) end
end

-- ---- beginning ---------------------------------------------------------------------------

local checks = options_of.checks

local allowed = {
  isolation = checks.one_of("serializable", "repeatable read", "read committed"),
  timeout = checks.duration,
  retry = checks.count,
}

---@class tuff.TransactionOptions
---@field isolation "serializable"|"repeatable read"|"read committed"|nil
---@field timeout number? milliseconds for all of it, waiting and running again included
---@field retry integer? how often it is run again after a retryable error (3)

--- Begins a transaction that is rolled back at the end of its scope unless it is committed.
---@param db tuff.Database
---@param options tuff.TransactionOptions?
---@return tuff.Transaction
function M.begin(db, options)
  errors.check_self(db, "tuff.connection", "begin")
  options = options_of.given(options, allowed, "db:begin")
  return core.begin(db, options.isolation, options.timeout)
end

-- ---- running a function ------------------------------------------------------------------

--- Tells what waits that a level was kept, or undone. An error out of it is the caller's: the
--- transaction is committed already.
local function settle(db, level, ...)
  ended(db, level or nil)
  return level, ...
end

local function run(db, mode, options, fn)
  local nested = db:in_transaction()
  local left = nested and 0 or options.retry or core.state(db).retry or 3
  local deadline = options.timeout and core.now() + options.timeout
  while true do
    local timeout = deadline and math.max(deadline - core.now(), 0.001)
    if options.wait then core.limit(db, nil, options.wait) end -- for the next call alone
    local results = table.pack(settle(db, core.attempt(db, mode, timeout, fn)))
    if results[1] then return table.unpack(results, 2, results.n) end
    local err = results[2]
    if left == 0 or not errors.is_error(err) or not err.retryable or err.outcome then
      error(err, 0)
    end
    left = left - 1
  end
end

local function arguments(db, options, fn, method)
  errors.check_self(db, "tuff.connection", method)
  if fn == nil then options, fn = nil, options end
  local what = "db:" .. method
  errors.check(fn, "function", "the function given to " .. what)
  return options_of.given(options, allowed, what), fn
end

--- Runs fn in a transaction: commits when it returns, rolls back when it raises, and raises
--- the same error. Nested, it is a part that can be rolled back alone.
---@generic T
---@param db tuff.Database
---@param options tuff.TransactionOptions|fun(db: tuff.Database): T...
---@param fn (fun(db: tuff.Database): T...)?
---@return T ... what fn returned
function M.transaction(db, options, fn)
  options, fn = arguments(db, options, fn, "transaction")
  return run(db, options.isolation, options, fn)
end

--- Runs fn in a transaction in which tables may be made anew: foreign keys are not enforced
--- in it. An error of memory, of the disk, a deadline or Ctrl-C ends it even where fn goes on.
---@generic T
---@param db tuff.Database outside of any transaction
---@param wait number? milliseconds for the lock of whoever writes (as the connection)
---@param fn fun(db: tuff.Database): T...
---@param retry integer? how often it is run again after a retryable error (0)
---@return T ... what fn returned
function M.change(db, wait, fn, retry)
  return run(db, "change", { retry = retry or 0, wait = wait }, fn)
end

--- Runs fn in a transaction as M.transaction does.
---@generic T
---@param db tuff.Database
---@param wait number milliseconds for the lock of whoever writes
---@param fn fun(db: tuff.Database): T...
---@return T ... what fn returned
function M.patient(db, wait, fn)
  return run(db, nil, { wait = wait }, fn)
end

--- Runs fn on one snapshot of the database, in which nothing can be written.
---@generic T
---@param db tuff.Database
---@param options tuff.TransactionOptions|fun(db: tuff.Database): T...
---@param fn (fun(db: tuff.Database): T...)?
---@return T ... what fn returned
function M.read(db, options, fn)
  options, fn = arguments(db, options, fn, "read")
  return run(db, "read", options, fn)
end

return M
