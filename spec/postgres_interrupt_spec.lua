local daemon = require "spec.support.daemon"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

--- Runs `work` and says how it ended. Whoever notices the signal first raises the error: the
-- statement, or Lua itself at its next step.
local outcome_of = [[
  local tuff = require "tuff"
  local function outcome_of(work)
    local outcome
    local _, err = pcall(function()
      local done, failure = pcall(work)
      outcome = done and "no error" or tuff.is_error(failure) and failure.code or failure
    end)
    outcome = tostring(outcome or err)
    return outcome:match("interrupted") or outcome
  end
]]

--- Says also that the connection still works. The deadline is there so that a statement which
-- nobody interrupts fails the test.
local frame = outcome_of .. [[
  local db <close> = tuff.open((...), { busy_timeout = 60000, timeout = 60000 })
  db:on_warning(function() end)
  print(db:value("select pg_backend_pid()"))
  print(outcome_of(function() %s end), db:in_transaction(), db:value("select count(*) from t"))
]]

fixture.on_server("Ctrl-C on PostgreSQL", {}, function(server)
  local db

  setup(function() server:sql "create table t(x int)" end)

  before_each(function()
    server:sql "truncate t; insert into t values (1)"
    db = fixture.open(server:url())
  end)

  local function active(pid)
    return db:exists("select 1 from pg_stat_activity where pid = ? and state = 'active'", pid)
  end

  --- Interrupts a process while its statement runs, and says how it ended.
  local function interrupted(work)
    local child = process.start { chunk = frame:format(work), arguments = { server:url() } }
    local pid = math.tointeger(child:read())
    child:expect("working")
    eventually("the statement runs", function() return active(pid) end)
    daemon.signal("INT", child.pid)
    eventually("the statement ends", function() return not active(pid) end)
    return child:finish()
  end

  it("ends a statement, here and on the server", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:value("select pg_sleep(60)")
    ]])
  end)

  it("ends a statement that writes, and undoes it", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:run("insert into t select 1 from pg_sleep(60)")
    ]])
  end)

  it("ends a loop that waits for its next row", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [=[
      for row in db:rows [[select n, repeat('x', 10000) as filling,
          case when n > 100 then pg_sleep(60) end from generate_series(1, 200) n]] do
        if row.n == 1 then print("working") end
      end
    ]=])
  end)

  it("ends a transaction, and undoes all of it", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      db:transaction(function()
        db:run("insert into t values (2)")
        print("working")
        db:value("select pg_sleep(60)")
      end)
    ]])
  end)

  it("ends a script, and undoes all of it", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:exec("insert into t values (2); select pg_sleep(60)")
    ]])
  end)

  it("ends the wait for a lock", function()
    local holder = fixture.open(server:url())
    local tx <close> = holder:begin()
    holder:run "lock table t in exclusive mode"
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:run("insert into t values (2)")
    ]])
    tx:rollback()
  end)

  it("ends the wait for a server that does not answer, by an error that can be caught", function()
    server:freeze()
    finally(function() server:thaw() end)
    local child = process.start { arguments = { server:url() }, chunk = [[
      local tuff = require "tuff"
      print("working")
      local _, err = pcall(tuff.open, (...), { connect_timeout = 60000 })
      print(err.code)
    ]] }
    child:expect("working")
    eventually("it is connecting", function()
      return process.capture(("ls -l /proc/%d/fd | grep -c socket"):format(child.pid)) ~= "0"
    end)
    daemon.signal("INT", child.pid)
    assert.are.equal("interrupted", child:finish())
  end)
end)
