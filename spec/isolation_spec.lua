local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
  .. "select count(*) from c"

fixture.each_engine("the isolation of a transaction", function(engine)
  local db, other

  before_each(function() db, other = engine.pair() end)

  local function put(id) db:run("insert into t(id) values (?)", id) end

  --- What a connection that takes no part sees.
  local function committed() return other:column("select id from t order by id") end

  --- An error that is worth another try, as every engine raises it for a snapshot that grew old.
  local function retryable_error()
    local one <close> = engine.open()
    one:exec("create table if not exists conflict(x integer); insert into conflict values (0)")
    local two <close> = engine.open()
    -- By hand: SQLite would lock at once for a transaction of ours.
    one:run(engine.supports("isolation") and "begin isolation level serializable" or "begin")
    one:value("select count(*) from conflict")
    two:run("update conflict set x = 1")
    local err = errors.expect("serialization", one.run, one, "update conflict set x = 2")
    one:exec("rollback")
    assert.is_true(err.retryable)
    return err
  end

  describe("options", function()
    it("are the isolation by any of its names", function()
      for id, name in ipairs { "serializable", "repeatable read", "read committed" } do
        db:transaction({ isolation = name }, function() put(id) end)
        local tx <close> = db:begin { isolation = name }
        put(id + 10)
        tx:commit()
      end
      assert.are.equal(6, #committed())
    end)

    it("are refused when misspelt or of a wrong value, before anything runs", function()
      for _, wrong in ipairs { { isolation = "chaos" }, { isolation = 1 }, { isolatoin = "x" },
        { retry = -1 }, { retry = "often" }, { timeout = "soon" }, { timeout = -5 } } do
        errors.expect("misuse", db.transaction, db, wrong, function() put(1) end)
        errors.expect("misuse", db.begin, db, wrong)
      end
      errors.mentions(errors.expect("misuse", db.begin, db, { isolatoin = "x" }), "isolation")
      errors.mentions(errors.expect("misuse", db.begin, db, { isolation = "chaos" }),
        '"serializable", "repeatable read" or "read committed"')
      assert.is_false(db:in_transaction())
      assert.are.same({}, committed())
    end)

    it("try again on a retryable error, three times unless told otherwise", function()
      local again = retryable_error()
      for tries, options in pairs { [4] = {}, [1] = { retry = 0 }, [6] = { retry = 5 } } do
        local runs = 0
        local err = errors.expect("serialization", db.transaction, db, options, function()
          runs = runs + 1
          put(runs)
          error(again)
        end)
        assert.is_true(rawequal(again, err))
        assert.are.equal(tries, runs)
      end
      assert.are.same({}, committed())
    end)

    it("keep only the try that succeeded", function()
      local again, runs, hooks = retryable_error(), 0, {}
      local result = db:transaction(function()
        runs = runs + 1
        db:after_commit(function() hooks[#hooks + 1] = "commit" end)
        db:after_rollback(function() hooks[#hooks + 1] = "rollback" end)
        put(runs)
        if runs < 3 then error(again) end
        return "done"
      end)
      assert.are.equal("done", result)
      assert.are.same({ 3 }, committed())
      assert.are.same({ "rollback", "rollback", "commit" }, hooks)
    end)

    it("try again only at the outermost transaction", function()
      local again, outer, inner = retryable_error(), 0, 0
      errors.expect("serialization", db.transaction, db, { retry = 2 }, function()
        outer = outer + 1
        db:transaction({ retry = 5 }, function()
          inner = inner + 1
          error(again)
        end)
      end)
      assert.are.same({ 3, 3 }, { outer, inner })
    end)

    it("try nothing again after another error", function()
      local runs = 0
      errors.expect("constraint", db.transaction, db, function()
        runs = runs + 1
        put(1)
        put(1)
      end)
      assert.are.equal(1, runs)
    end)

    it("end a transaction that takes too long, wherever the time goes", function()
      errors.expect("timeout", db.transaction, db, { timeout = 30 }, function()
        put(1)
        db:value(endless)
      end)
      assert.is_false(db:in_transaction())
      assert.are.same({}, committed())
    end)

    it("end a transaction that waits too long for its turn", function()
      put(1)
      local holder <close> = other:begin()
      assert.is_truthy(holder)
      other:run("update t set name = 'held'")
      local wrote = false
      errors.expect("timeout", db.transaction, db, { timeout = 30 }, function()
        db:run("update t set name = 'late'")
        wrote = true
      end)
      assert.is_false(wrote)
      assert.is_false(db:in_transaction())
    end)

    it("for one call inside it never let half of it be committed", function()
      local quick = db:using({ timeout = 30 })
      local _, err = pcall(db.transaction, db, function()
        put(1)
        errors.expect("timeout", quick.run, quick, "insert into t(id) with recursive c(n) as "
          .. "(select 100 union all select n + 1 from c) select n from c")
        put(2)
      end)
      assert.is_false(db:in_transaction())
      if err == nil then
        assert.are.same({ 1, 2 }, committed())
      else
        local first = err.code == "transaction_aborted" and err.cause or err
        assert.are.equal("timeout", first.code)
        assert.are.same({}, committed())
      end
      put(3)
    end)
  end)

  describe("of a connection among others", function()
    before_each(function() db:exec(engine.sql "create table n(id {key}, n {integer})") end)

    --- Adds 1 to a number that was read before, with somebody else writing in between.
    local function increment(options)
      local runs, wrote = 0, false
      db:transaction(options, function()
        runs = runs + 1
        local n = db:value("select n from n where id = 1")
        if runs == 1 then wrote = pcall(other.run, other, "update n set n = n + 1") end
        db:run("update n set n = ? where id = 1", n + 1)
      end)
      return runs, wrote
    end

    it("loses no change that was made between its read and its write", function()
      db:insert("n", { id = 1, n = 0 })
      local runs, wrote = increment {}
      assert.are.equal(not engine.supports("single_writer"), wrote)
      assert.are.equal(wrote and 2 or 1, runs)
      assert.are.equal(runs, db:value("select n from n"))
    end)

    it("loses it where a weaker isolation was asked for, if the engine has one", function()
      db:insert("n", { id = 1, n = 0 })
      local runs = increment { isolation = "read committed" }
      assert.are.equal(1, runs)
      assert.are.equal(1, db:value("select n from n"))
    end)

    it("lets no two transactions each overlook what the other writes", function()
      db:insert_many("n", { { id = 1, n = 1 }, { id = 2, n = 1 } })
      local runs, refused = 0, nil
      --- Takes one of two away, if the other one is still there.
      local function take(connection, id, between)
        if connection:value("select count(*) from n where n = 1") == 2 then
          if between then between() end
          connection:run("update n set n = 0 where id = ?", id)
        end
      end
      db:transaction(function()
        runs = runs + 1
        take(db, 1, runs == 1 and function()
          local ok, err = pcall(other.transaction, other, function() take(other, 2) end)
          refused = not ok and err.code
        end)
      end)
      assert.are.equal(1, db:value("select count(*) from n where n = 1"))
      if engine.supports("single_writer") then
        assert.are.same({ 1, "busy" }, { runs, refused })
      else
        assert.are.same({ 2, false }, { runs, refused })
      end
    end)

    if not engine.supports("single_writer") then
      it("is run again where it and another wait for each other", function()
        db:insert_many("n", { { id = 1, n = 0 }, { id = 2, n = 0 } })
        local child = process.start { arguments = { engine.path() }, chunk = [[
          local db <close> = require "tuff".open((...))
          db:run("set deadlock_timeout = '10ms'")
          local runs = 0
          db:transaction(function()
            runs = runs + 1
            db:run("update n set n = n + 1 where id = ?", runs == 1 and 2 or 1)
            if runs == 1 then
              print("locked")
              io.read("l")
            end
            db:run("update n set n = n + 1 where id = ?", runs == 1 and 1 or 2)
          end)
        ]] }
        child:expect("locked")
        db:run("set deadlock_timeout = '10ms'")
        local runs = 0
        db:transaction(function()
          runs = runs + 1
          db:run("update n set n = n + 1 where id = 1")
          if runs == 1 then child:send() end
          local ok, err = pcall(db.run, db, "update n set n = n + 1 where id = 2")
          if ok then return end
          assert.is_true(err.code == "busy" or err.code == "serialization")
          assert.is_true(err.retryable)
          error(err)
        end)
        child:finish()
        assert.are.same({ 2, 2 }, db:column("select n from n"))
      end)
    end

    it("reads the same twice, if it was not asked for less", function()
      db:insert("n", { id = 1, n = 0 })
      for isolation, again in pairs { ["serializable"] = 0, ["repeatable read"] = 0,
        ["read committed"] = engine.supports("isolation") and 1 or 0 } do
        db:transaction({ isolation = isolation }, function()
          assert.are.equal(0, db:value("select n from n"))
          pcall(other.run, other, "update n set n = 1")
          assert.are.equal(again, db:value("select n from n"))
        end)
        db:run("update n set n = 0")
      end
    end)
  end)

  describe("for reading", function()
    it("sees one snapshot, whatever others commit", function()
      put(1)
      db:read(function(snapshot)
        assert.are.equal(1, snapshot:value("select count(*) from t"))
        other:run("insert into t(id) values (2)")
        assert.are.equal(1, snapshot:value("select count(*) from t"))
        assert.are.equal(1, #db:all("select * from t"))
      end)
      assert.are.equal(2, db:value("select count(*) from t"))
    end)

    it("returns what the function returns, and raises what it raises", function()
      assert.are.same({ 1, 2 }, { db:read(function() return 1, 2 end) })
      local mine = {}
      local ok, err = pcall(db.read, db, function() error(mine) end)
      assert.is_false(ok)
      assert.is_true(rawequal(mine, err))
      assert.is_false(db:in_transaction())
    end)

    it("answers every write with readonly, and writes work afterwards", function()
      db:read(function()
        errors.expect("readonly", put, 1)
        errors.expect("readonly", db.exec, db, "create table u(x integer)")
        errors.expect("readonly", db.insert, db, "t", { id = 1 })
        assert.are.equal(0, db:value("select count(*) from t"))
      end)
      put(1)
      assert.are.same({ 1 }, committed())
    end)

    it("lets others write", function()
      db:read(function()
        db:value("select count(*) from t")
        other:run("insert into t(id) values (1)")
      end)
      assert.are.same({ 1 }, committed())
    end)

    it("may be nested, also in a transaction that writes", function()
      db:read(function()
        assert.are.equal(0, db:read(function() return db:value("select count(*) from t") end))
      end)
      db:transaction(function()
        put(1)
        assert.are.equal(1, db:read(function() return db:value("select count(*) from t") end))
        put(2)
      end)
      assert.are.same({ 1, 2 }, committed())
    end)
  end)
end)
