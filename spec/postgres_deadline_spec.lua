local system = require "system"
local daemon = require "spec.support.daemon"
local errors = require "spec.support.errors"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local schema = [[
  create table t(id int primary key, x int, name text);
  create function dawdle() returns trigger language plpgsql as $$
  begin if new.x < 0 then perform pg_sleep(60); end if; return new; end $$;
  create trigger dawdles before insert on t for each row execute function dawdle();
]]

-- Rows that come soon, and then one that does not.
local sleepy = [[select n, repeat('x', 10000) as filling,
  case when n > 100 then pg_sleep(60) end from generate_series(1, 200) n]]

fixture.on_server("on PostgreSQL,", {}, function(server)
  local db, other

  setup(function() server:sql(schema) end)

  before_each(function()
    server:sql "truncate t; insert into t values (1, 0), (2, 0)"
    db = fixture.open(server:url(), { busy_timeout = 60000, timeout = 60000 })
    other = fixture.open(server:url(), { busy_timeout = 20 })
    db:on_warning(function() end)
  end)

  --- What was stopped has done nothing, and the connection is the one that it was.
  local function keeps_usable(work)
    local pid = db:value("select pg_backend_pid()")
    work()
    assert.is_false(db:in_transaction())
    assert.are.equal(pid, db:value("select pg_backend_pid()"))
    assert.are.equal(2, db:value("select count(*) from t"))
    assert.are.equal(1, db:value("select count(*) from pg_stat_activity where state <> 'idle' "
      .. "and application_name = 'tuff'"))
    db:transaction(function() db:run("update t set name = 'usable'") end)
    assert.are.equal(2, other:value("select count(*) from t where name = 'usable'"))
  end

  local function timed_out(fn, ...)
    local err = errors.expect("timeout", fn, ...)
    assert.is_false(err.retryable)
    assert.is_nil(err.outcome)
    return err
  end

  describe("a deadline", function()
    local short = { timeout = 50 }

    it("ends one call, and the next has none", function()
      keeps_usable(function()
        for _, method in ipairs { "value", "row", "all", "column", "arrays", "exists", "run" } do
          timed_out(function() db:using(short)[method](db:using(short), "select pg_sleep(60)") end)
        end
        db:value("select pg_sleep(0.1)")
      end)
    end)

    it("ends a loop in the middle of its rows", function()
      keeps_usable(function()
        local seen = 0
        timed_out(function()
          for row in db:using(short):rows(sleepy) do seen = row.n end
        end)
        assert.is_true(seen <= 100)
      end)
    end)

    it("ends the reading of all rows in the middle", function()
      keeps_usable(function()
        timed_out(function() db:using(short):all(sleepy) end)
        timed_out(function() db:using(short):column(sleepy) end)
      end)
    end)

    it("ends a statement that writes, and undoes it", function()
      keeps_usable(function()
        timed_out(function() db:using(short):run("insert into t values (3, -1)") end)
        timed_out(function() db:using(short):run("insert into t values (3, 1), (4, -1)") end)
      end)
    end)

    it("ends a script, and undoes all of it", function()
      keeps_usable(function()
        timed_out(function()
          db:using(short):exec "insert into t values (3, 1); insert into t values (4, -1)"
        end)
      end)
    end)

    it("of the connection ends every statement", function()
      local hasty = fixture.open(server:url(), short)
      local statement <close> = hasty:prepare("select pg_sleep(?::float8)")
      for _ = 1, 3 do timed_out(statement.value, statement, 60) end
      timed_out(hasty.insert, hasty, "t", { id = 3, x = -1 })
      timed_out(hasty.insert_many, hasty, "t", { { id = 3, x = 1 }, { id = 4, x = -1 } })
      timed_out(hasty.insert_many, hasty, "t", { { id = 3, x = 1 }, { id = 4, x = -1 } },
        { on_conflict = "ignore" })
      assert.are.equal(2, hasty:value("select count(*) from t"))
      assert.are.equal(2, hasty:insert_many("t", { { id = 3, x = 1 }, { id = 4, x = 1 } }))
    end)

    it("is over for rows that were not asked for yet", function()
      local hasty = fixture.open(server:url(), short)
      local n = 0
      for row in hasty:rows("select generate_series(1, 20) as n") do
        n = row.n
        system.sleep(0.005)
      end
      assert.are.equal(20, n)
    end)

    it("ends the wait for a lock", function()
      keeps_usable(function()
        local tx <close> = other:begin()
        other:run "update t set x = 1 where id = 1"
        timed_out(function() db:using(short):run("update t set x = 2 where id = 1") end)
        tx:rollback()
      end)
    end)

    it("of a transaction ends it, whatever it does, once", function()
      keeps_usable(function()
        local tx <close> = other:begin()
        other:run "update t set x = 1 where id = 1"
        local attempts = 0
        for _, work in ipairs {
          function() db:value("select pg_sleep(60)") end,
          function() db:exec "select 1; select pg_sleep(60)" end,
          function() for _ in db:rows(sleepy) do end end,
          function() db:insert_many("t", { { id = 3, x = 1 }, { id = 4, x = -1 } }) end,
          function() db:run("update t set x = 2 where id = 1") end,
          function() db:transaction(function() db:value("select pg_sleep(60)") end) end,
          function()
            system.sleep(0.2)
            db:value("select 1")
          end,
        } do
          timed_out(db.transaction, db, { timeout = 100 }, function()
            attempts = attempts + 1
            db:run("insert into t values (?, 0)", 10 + attempts)
            work()
          end)
          assert.is_false(db:in_transaction())
        end
        assert.are.equal(7, attempts)
        tx:rollback()
      end)
    end)

    it("of a statement in a transaction leaves nothing to go on with but a rollback", function()
      keeps_usable(function()
        local tx <close> = db:begin()
        db:run "update t set x = 1"
        timed_out(function() db:using(short):value("select pg_sleep(60)") end)
        errors.expect("transaction_aborted", db.value, db, "select 1")
        errors.expect(nil, tx.commit, tx)
      end)
      assert.are.equal(0, db:value("select sum(x) from t"))
    end)

    it("of a statement in a nested transaction leaves the outer one as it was", function()
      keeps_usable(function()
        db:transaction(function()
          db:run "update t set x = 1"
          timed_out(db.transaction, db, function()
            db:run "update t set x = 2"
            db:using(short):value("select pg_sleep(60)")
          end)
          db:run "update t set x = x + 1 where id = 1"
        end)
      end)
      assert.are.equal(3, db:value("select sum(x) from t"))
    end)

    it("that strikes as the statement ends stops nothing else", function()
      keeps_usable(function()
        for _ = 1, 50 do
          pcall(function() db:using({ timeout = 5 }):value("select pg_sleep(0.005)") end)
          assert.are.equal(7, db:value("select 7"))
        end
      end)
    end)

    it("is kept when the server has stopped, and the connection is made anew", function()
      local hasty = fixture.open(server:url(), { timeout = 100, connect_timeout = 100 })
      hasty:on_warning(function() end)
      hasty:value "select 1"
      server:freeze()
      finally(function() server:thaw() end)
      errors.expect("timeout", hasty.value, hasty, "select 1")
      errors.expect({ "timeout", "connection" }, hasty.value, hasty, "select 1")
      server:thaw()
      eventually("the server answers", function() return pcall(hasty.value, hasty, "select 1") end)
      assert.are.equal(1, hasty:value("select 1"))
    end)

    it("may be as far away as one likes", function()
      for _, ms in ipairs { 2 ^ 31 - 1000, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 52 } do
        local far = { timeout = ms, busy_timeout = ms, connect_timeout = ms }
        local patient = fixture.open(server:url(), far)
        local function is_far(setting)
          local limit = patient:value("select setting::bigint from pg_settings where name = ?",
            setting)
          return limit == 0 or limit > 2000000000
        end
        assert.is_true(is_far "lock_timeout")
        patient:transaction({ timeout = ms }, function()
          assert.is_true(is_far "statement_timeout")
          far.connect_timeout, far.busy_timeout = nil, ms - 1
          assert.are.equal(1, patient:using(far):value("select 1"))
        end)
      end
    end)

    it("that the server keeps is one too", function()
      db:run "set statement_timeout = 50"
      keeps_usable(function() timed_out(db.value, db, "select pg_sleep(60)") end)
    end)
  end)

  describe("a lock that is held", function()
    local function held(work)
      local tx <close> = other:begin()
      other:run "update t set x = 1 where id = 1"
      work()
      tx:rollback()
    end

    local function busy(fn, ...)
      local err = errors.expect("busy", fn, ...)
      assert.is_nil(err.outcome)
      return err
    end

    it("is waited for as long as busy_timeout says", function()
      for _, ms in ipairs { 0, 1, 50 } do
        local impatient = fixture.open(server:url(), { busy_timeout = ms, timeout = 60000 })
        held(function()
          busy(impatient.run, impatient, "update t set x = 2 where id = 1")
          busy(impatient.transaction, impatient, { retry = 0 }, function()
            impatient:run "update t set x = 2 where id = 1"
          end)
          busy(impatient.exec, impatient, "lock table t; select 1")
        end)
        impatient:run "update t set x = 2 where id = 1"
      end
    end)

    it("is waited for as one call says, and the next as before", function()
      local before = db:value("show lock_timeout")
      keeps_usable(function()
        held(function()
          for _, ms in ipairs { 0, 20 } do
            busy(function()
              db:using({ busy_timeout = ms }):run("update t set x = 2 where id = 1")
            end)
            busy(db.transaction, db, { retry = 0 }, function()
              db:using({ busy_timeout = ms }):run("update t set x = 2 where id = 1")
            end)
          end
        end)
      end)
      assert.are.equal(before, db:value("show lock_timeout"))
    end)

    it("of a whole table is waited for no longer when a statement is prepared", function()
      keeps_usable(function()
        local tx <close> = other:begin()
        other:run "lock table t"
        for n, ms in ipairs { 0, 20 } do
          -- Texts of their own: each is new to the connection.
          busy(function()
            db:using({ busy_timeout = ms }):value(("select count(*) from t where x > %d"):format(n))
          end)
          busy(db.transaction, db, { retry = 0 }, function()
            db:using({ busy_timeout = ms }):run(("update t set x = %d"):format(n))
          end)
          timed_out(function()
            db:using({ timeout = 50 }):value(("select sum(x) from t where x > %d"):format(n))
          end)
        end
        tx:rollback()
      end)
    end)

    it("is got when it is released in time", function()
      local holder, waiter = other:value("select pg_backend_pid()"),
        db:value("select pg_backend_pid()")
      local tx = other:begin()
      other:run "update t set x = 1 where id = 1"
      local watcher = server:when(("pid = %d and exists (select from pg_stat_activity where "
        .. "pid = %d and wait_event_type = 'Lock')"):format(holder, waiter), "terminate")
      assert.are.equal(1, db:run("update t set x = 2 where id = 1"))
      watcher:wait()
      pcall(tx.rollback, tx)
    end)

    it("is refused at once where the statement says nowait", function()
      held(function() busy(db.row, db, "select * from t where id = 1 for update nowait") end)
    end)
  end)

  describe("a transaction is run again, and nothing is done twice,", function()
    it("where another one has changed what it has read", function()
      local attempts = 0
      db:transaction(function()
        attempts = attempts + 1
        local x = db:value("select x from t where id = 1")
        if attempts == 1 then other:run("update t set x = x + 10 where id = 1") end
        db:run("update t set x = ? where id = 1", x + 1)
      end)
      assert.are.same({ 2, 11 }, { attempts, db:value("select x from t where id = 1") })
    end)

    it("where only the commit finds that out", function()
      local attempts, committed = 0, 0
      db:transaction(function()
        attempts = attempts + 1
        db:after_commit(function() committed = committed + 1 end)
        local x = db:value("select sum(x) from t")
        if attempts == 1 then
          other:transaction(function()
            other:run("update t set x = ? where id = 2", other:value("select sum(x) from t") + 1)
          end)
        end
        db:run("update t set x = ? where id = 1", x + 1)
      end)
      assert.are.same({ 2, 1 }, { attempts, committed })
      assert.are.same({ 2, 1 }, db:column("select x from t order by id"))
    end)

    it("where two wait for each other", function()
      -- The other one never looks for a deadlock, so that this one is the victim.
      local child = process.start { arguments = { server:url() }, chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open((...), { busy_timeout = 60000 })
        db:run "set deadlock_timeout = '10min'"
        print(db:value("select pg_backend_pid()"))
        db:transaction({ isolation = "read committed" }, function()
          db:run "update t set x = x + 10 where id = 2"
          print("held")
          io.read("l")
          db:run "update t set x = x + 10 where id = 1"
        end)
        print("done")
      ]] }
      local pid = math.tointeger(child:read())
      child:expect("held")
      db:run "set deadlock_timeout = '10ms'"
      local attempts, raised = 0, {}
      db:transaction({ isolation = "read committed", retry = 100 }, function()
        attempts = attempts + 1
        db:run "update t set x = x + 1 where id = 1"
        if attempts == 1 then
          child:send()
          eventually("the other one waits", function()
            return other:exists("select 1 from pg_stat_activity where pid = ? "
              .. "and wait_event_type = 'Lock'", pid)
          end)
        end
        local good, err = pcall(db.run, db, "update t set x = x + 1 where id = 2")
        raised[attempts] = err
        if not good then error(err, 0) end
      end)
      child:expect("done")
      child:finish()
      assert.is_true(attempts >= 2) -- it may be the faster one once more
      assert.are.equal("busy", raised[1].code)
      assert.is_true(raised[1].retryable)
      assert.are.equal("40P01", raised[1].native)
      assert.are.same({ 11, 11 }, db:column("select x from t order by id"))
    end)
  end)

  describe("a statement that somebody else stops", function()
    it("is interrupted, and the connection goes on", function()
      keeps_usable(function()
        local err = errors.expect("interrupted", db.value, db,
          "select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)")
        assert.is_false(err.retryable)
        local attempts = 0
        errors.expect("interrupted", db.transaction, db, function()
          attempts = attempts + 1
          db:run "delete from t"
          db:run("select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)")
        end)
        assert.are.equal(1, attempts)
      end)
    end)

    it("is interrupted in the middle of a loop", function()
      keeps_usable(function()
        local watcher = server:when("query like 'select n, repeat%' and wait_event = 'PgSleep'",
          "cancel")
        errors.expect("interrupted", function() for _ in db:rows(sleepy) do end end)
        watcher:wait()
      end)
    end)
  end)

  it("a transaction that is idle for longer than the server allows is undone", function()
    local pid = db:value("select pg_backend_pid()")
    local attempts = 0
    local good, err = pcall(db.transaction, db, { retry = 1 }, function()
      attempts = attempts + 1
      db:run "delete from t"
      if attempts > 1 then return end
      db:run "set local idle_in_transaction_session_timeout = 50"
      eventually("the session ends", function() return not daemon.is_running(pid) end)
      db:run "delete from t where x is null"
    end)
    if good then
      assert.are.equal(2, attempts) -- a new session had no such limit
    else
      assert.are.equal("timeout", err.code)
      errors.mentions(err, "idle")
      assert.are.equal(2, db:value("select count(*) from t"))
    end
    assert.is_false(db:in_transaction())
  end)
end)
