local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

local function resume(thread, ...)
  local ok, value = coroutine.resume(thread, ...)
  if not ok then error(value, 0) end
  return value
end

fixture.each_engine("coroutines", function(engine)
  local path, db

  before_each(function()
    db = engine.database(
      "create table t(id integer primary key); insert into t values (1), (2), (3)")
    path = engine.path()
  end)

  local function ids(connection)
    return (connection or db):column("select id from t order by id")
  end

  local function put(id)
    db:run("insert into t values (?)", id)
  end

  --- A coroutine that sleeps in the middle of a transaction, when row 4 is in.
  local function asleep(wake)
    local thread = coroutine.create(function()
      db:transaction(function()
        put(4)
        coroutine.yield()
        if wake then wake() end
      end)
    end)
    resume(thread)
    return thread
  end

  --- Statements that another coroutine may not run while the transaction sleeps.
  local function refused()
    errors.expect("misuse", put, 99)
    errors.expect("misuse", db.value, db, "select 1")
    errors.expect("misuse", db.exec, db, "select 1")
    errors.expect("misuse", db.begin, db)
    errors.expect("misuse", db.transaction, db, function() end)
    errors.expect("misuse", db.read, db, function() end)
    errors.expect("misuse", db.insert, db, "t", { id = 99 })
    errors.expect("misuse", db.insert_many, db, "t", { { id = 99 } })
  end

  describe("and a transaction that is suspended", function()
    it("refuse the connection to another coroutine, and to the main program", function()
      local thread = coroutine.create(function()
        db:transaction(function()
          put(4)
          coroutine.yield("asleep")
          put(5)
        end)
        return "done"
      end)
      assert.are.equal("asleep", resume(thread))
      refused()
      resume(coroutine.create(refused))
      assert.are.equal("done", resume(thread))
      assert.are.same({ 1, 2, 3, 4, 5 }, ids())
    end)

    it("refuse it in the same way for a transaction by hand", function()
      local thread = coroutine.create(function()
        local tx <close> = db:begin()
        put(4)
        coroutine.yield()
        tx:commit()
      end)
      resume(thread)
      refused()
      resume(thread)
      assert.are.same({ 1, 2, 3, 4 }, ids())
    end)

    it("refuse a prepared statement and an open loop, and let them go on afterwards", function()
      local stmt <close> = db:prepare("select id from t order by id")
      local step, state, first = stmt:rows()
      assert.are.equal(1, step(state, first).id)
      local thread = asleep()
      errors.expect("misuse", stmt.all, stmt)
      resume(thread)
      assert.are.equal(2, step(state, first).id)
      assert.are.equal(4, #stmt:all())
    end)

    it("lose nothing when the misuse is caught", function()
      local thread = asleep()
      errors.expect("misuse", put, 5)
      assert.are.equal("suspended", coroutine.status(thread))
      resume(thread)
      put(5)
      assert.are.same({ 1, 2, 3, 4, 5 }, ids())
    end)

    it("roll it back when the coroutine is collected", function()
      asleep()
      for _ = 1, 4 do collectgarbage() end
      assert.are.same({ 1, 2, 3 }, ids())
      local other <close> = tuff.open(path, { busy_timeout = 20 })
      other:run("insert into t values (5)")
      put(6)
      assert.are.same({ 1, 2, 3, 5, 6 }, ids())
    end)

    it("roll back one by hand when the coroutine is collected", function()
      (function()
        local thread = coroutine.create(function()
          local tx <close> = db:begin()
          assert.is_truthy(tx)
          put(4)
          coroutine.yield()
        end)
        resume(thread)
      end)()
      for _ = 1, 4 do collectgarbage() end
      put(5)
      assert.are.same({ 1, 2, 3, 5 }, ids())
    end)

    it("roll it back when the coroutine is closed", function()
      local thread = asleep()
      coroutine.close(thread)
      thread = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.is_false(db:in_transaction())
      put(5)
      assert.are.same({ 1, 2, 3, 5 }, ids())
    end)

    it("roll it back when the coroutine dies of an error", function()
      local thread = asleep(function() error("dead") end)
      assert.is_false((coroutine.resume(thread)))
      assert.is_false(db:in_transaction())
      assert.are.same({ 1, 2, 3 }, ids())
    end)

    it("let another connection read and wait as ever", function()
      local other <close> = tuff.open(path, { busy_timeout = 20 })
      local thread = asleep()
      assert.are.same({ 1, 2, 3 }, ids(other))
      errors.expect("busy", other.run, other, "insert into t values (4)")
      resume(thread)
      assert.are.same({ 1, 2, 3, 4 }, ids(other))
    end)

    it("refuse it the same way inside a read", function()
      local thread = coroutine.create(function()
        db:read(function()
          db:value("select count(*) from t")
          coroutine.yield()
        end)
      end)
      resume(thread)
      errors.expect("misuse", put, 4)
      resume(thread)
      put(4)
    end)
  end)

  describe("as generators", function()
    it("serve the transaction that resumes them", function()
      db:transaction(function()
        local generator = coroutine.wrap(function()
          for row in db:rows("select id from t order by id") do coroutine.yield(row.id) end
        end)
        local seen = {}
        for id in generator do
          seen[#seen + 1] = id
          put(id + 10)
        end
        assert.are.same({ 1, 2, 3 }, seen)
      end)
      assert.are.same({ 1, 2, 3, 11, 12, 13 }, ids())
    end)

    it("may write into the transaction that resumes them", function()
      db:transaction(function()
        local writer = coroutine.wrap(function()
          for id = 4, 6 do
            put(id)
            coroutine.yield()
          end
        end)
        for _ = 1, 3 do writer() end
      end)
      assert.are.same({ 1, 2, 3, 4, 5, 6 }, ids())
    end)

    it("give their rows to insert_many", function()
      local rows = coroutine.wrap(function()
        for id = 4, 6 do coroutine.yield { id = id } end
      end)
      assert.are.equal(3, db:insert_many("t", rows))
      assert.are.same({ 1, 2, 3, 4, 5, 6 }, ids())
    end)

    it("run several at once over one connection, outside a transaction", function()
      local function walk(order)
        return coroutine.wrap(function()
          for row in db:rows("select id from t order by id " .. order) do
            coroutine.yield(row.id)
          end
        end)
      end
      local up, down, same = walk("asc"), walk("desc"), walk("asc")
      local seen = {}
      for _ = 1, 3 do seen[#seen + 1] = up() * 100 + down() * 10 + same() end
      assert.are.same({ 131, 222, 313 }, seen)
    end)

    it("may be dropped half way, with their loops", function()
      for _ = 1, 50 do
        local walk = coroutine.wrap(function()
          for row in db:rows("select id from t") do coroutine.yield(row.id) end
        end)
        walk()
      end
      put(4)
      for _ = 1, 4 do collectgarbage() end
      assert.are.equal(1, tuff.instances())
      assert.are.same({ 1, 2, 3, 4 }, ids())
    end)
  end)

  describe("in their own right", function()
    it("may open a connection that outlives them", function()
      local opened
      do
        local thread = coroutine.create(function()
          opened = tuff.open(path)
          opened:value("select 1")
        end)
        resume(thread)
      end
      for _ = 1, 4 do collectgarbage() end
      assert.are.same({ 1, 2, 3 }, ids(opened))
      opened:run("insert into t values (4)")
      opened:close()
      assert.are.same({ 1, 2, 3, 4 }, ids())
    end)

    it("may end a transaction that yields between its statements, and get its results", function()
      local thread = coroutine.wrap(function()
        return db:transaction(function()
          for id = 4, 6 do
            put(id)
            coroutine.yield(id)
          end
          return "a", "b"
        end)
      end)
      assert.are.same({ 4, 5, 6 }, { thread(), thread(), thread() })
      assert.are.same({ "a", "b" }, { thread() })
    end)

    it("nest a transaction in that of the coroutine that resumed them", function()
      db:transaction(function()
        put(4)
        local inner = coroutine.wrap(function()
          pcall(db.transaction, db, function()
            put(5)
            error("out")
          end)
          db:transaction(function() put(6) end)
        end)
        inner()
      end)
      assert.are.same({ 1, 2, 3, 4, 6 }, ids())
    end)

    it("call what was asked for after the commit", function()
      local called
      local thread = coroutine.wrap(function()
        db:transaction(function()
          db:after_commit(function() called = true end)
          coroutine.yield()
        end)
      end)
      thread()
      assert.is_nil(called)
      thread()
      assert.is_true(called)
    end)

    it("work side by side, each with a connection of its own", function()
      local function worker(first)
        return coroutine.wrap(function()
          local own <close> = tuff.open(path, { busy_timeout = 20 })
          for id = first, first + 2 do
            own:transaction(function() own:run("insert into t values (?)", id) end)
            coroutine.yield(true)
          end
        end)
      end
      local one, two = worker(10), worker(20)
      for _ = 1, 4 do
        one()
        two()
      end
      assert.are.same({ 1, 2, 3, 10, 11, 12, 20, 21, 22 }, ids())
    end)
  end)
end)
