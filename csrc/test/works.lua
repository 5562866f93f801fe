-- Works that test_lua_allocation.c tries while memory fails: each is done whole or not at all, in a
-- database that holds three rows in t(id, name, price, data, bytes) and none in u(x) at first.

local tuff = require "tuff"
require "tuff.json"

local Works = {}
Works.__index = Works

--- How many rows of a table fulfil a condition, or how many there are.
function Works.count(db, of, where)
  return db:value("select count(*) from " .. of .. (where and " where " .. where or ""))
end

--- Whether no work has been done in it.
function Works.nothing_new(db)
  return Works.count(db, "t") == 3 and Works.count(db, "u") == 0
end

--- A list of works. `open(place)` opens a database in which no work has been done yet.
--- `probe(db)` looks whether all is well with it.
function Works.new(open, probe)
  return setmetatable({ names = {}, list = {}, open = open, probe = probe }, Works)
end

--- `run(db, called)` works; `done` says that all of it is there, `undone` that nothing is.
--- `called` is a table for functions that wait for the end of a transaction.
function Works:add(name, run, done, undone)
  self.names[#self.names + 1] = name
  self.list[#self.list + 1] = { run = run, done = done or Works.nothing_new,
    undone = undone or Works.nothing_new }
end

-- ---- many rows ----

Works.ROWS = 40

function Works.rows()
  local rows = {}
  for i = 1, Works.ROWS do
    rows[i] = { name = "row " .. i, price = "1.50", data = { i, { deep = true } },
      bytes = tuff.blob("\xff\0") }
  end
  return rows
end

--- Inserts them by an iterator, and gives what was returned.
function Works.insert_returning(db)
  local rows, n = Works.rows(), 0
  local written = db:insert_many("t", function()
    n = n + 1
    return rows[n]
  end, { on_conflict = "update", key = { "id" }, returning = { "id", "data" } })
  assert(#written == Works.ROWS and written[2].data[1] == 2)
  return written
end

--- What says that all of them are there, and fulfil a condition.
function Works.all_inserted(where)
  return function(db)
    return Works.count(db, "t", where) == Works.ROWS and Works.count(db, "t") == 3 + Works.ROWS
  end
end

-- ---- one trial ----

local db, work, called -- of this trial

--- Opens a database for the work with this number; the work itself.
function Works:prepare(place, number)
  work, called = self.list[number], {}
  db = self.open(place)
  return function() return work.run(db, called) end
end

--- Lets only this error pass, and every want of memory: what fails otherwise is raised.
function Works.expect_code(code, fn, ...)
  local good, err = pcall(fn, ...)
  assert(not good, "no error")
  if not tuff.is_error(err) or err.code ~= code then error(err, 0) end
  assert(tostring(err):find(code, 1, true))
end

local function is_memory(err)
  if tuff.is_error(err) then return err.code == "memory" or is_memory(err.cause) end
  return err == "not enough memory"
end

--- Looks at what the work left behind: how it ended, whether memory failed in it.
function Works:check(good, err, failed)
  if not good and not (failed and is_memory(err)) then error(err, 0) end
  assert(not db:in_transaction(), "a transaction is open")
  local whole = good and work.done(db, called)
    or not good and (work.undone(db, called) or work.done(db, called))
  assert(whole, "half is there")
  for key in pairs(called) do called[key] = nil end
  self.probe(db)
  assert(next(called) == nil, "called by a later transaction")
end

return Works
