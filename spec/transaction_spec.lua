local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("a transaction", function(engine)
  local db, other

  before_each(function() db, other = engine.pair() end)

  local function put(id) db:run("insert into t(id) values (?)", id) end

  --- What a connection that takes no part sees.
  local function committed() return other:column("select id from t order by id") end

  describe("by a function", function()
    it("commits at its end, and returns what the function returns", function()
      local function values(...) return select("#", ...), ... end
      local n, a, b, c = values(db:transaction(function()
        put(1)
        return "x", nil, nil
      end))
      assert.are.same({ 3, "x" }, { n, a, b, c })
      assert.are.same({ 1 }, committed())
      assert.are.equal(0, (values(db:transaction(function() end))))
    end)

    it("hands the function a connection", function()
      db:transaction(function(tx)
        tx:run("insert into t(id) values (1)")
        assert.are.equal(1, tx:value("select count(*) from t"))
      end)
      assert.are.same({ 1 }, committed())
    end)

    it("shows nobody anything before the commit", function()
      db:transaction(function()
        put(1)
        assert.are.same({}, committed())
      end)
      assert.are.same({ 1 }, committed())
    end)

    it("keeps others from writing what it has written, who wait as long as they may", function()
      put(1)
      db:transaction(function()
        db:run("update t set name = 'mine'")
        local err = errors.expect("busy", other.run, other, "update t set name = 'theirs'")
        errors.mentions(err, "busy_timeout")
        errors.expect("busy", other.transaction, other, function()
          other:run("delete from t")
        end)
        errors.expect("busy", function()
          other:using({ busy_timeout = 0 }):run("delete from t")
        end)
      end)
      assert.are.equal("mine", other:value("select name from t"))
    end)

    if engine.supports("single_writer") then
      it("lets nobody write anything between a read and the write that follows it", function()
        db:transaction(function()
          db:value("select count(*) from t")
          errors.expect("busy", other.run, other, "insert into t values (9, null)")
          put(1)
        end)
        assert.are.same({ 1 }, committed())
      end)
    else
      it("writes while others write elsewhere", function()
        db:transaction(function()
          put(1)
          other:run("insert into t(id) values (2)")
        end)
        assert.are.same({ 1, 2 }, committed())
      end)
    end

    it("rolls back on an error, and raises that same error", function()
      local mine = setmetatable({}, { __tostring = function() return "mine" end })
      for _, thrown in ipairs { mine, "text", 42, false } do
        local ok, err = pcall(db.transaction, db, function()
          put(1)
          error(thrown, 0)
        end)
        assert.is_false(ok)
        assert.is_true(rawequal(thrown, err))
      end
      local ok, err = pcall(db.transaction, db, function()
        put(1)
        error(nil)
      end)
      assert.are.same({ false }, { ok, err })
      assert.is_false(db:in_transaction())
      assert.are.same({}, committed())
    end)

    it("rolls back on an error of a statement, and raises that same error", function()
      local first
      local err = errors.expect("constraint", db.transaction, db, function()
        put(1)
        local _
        _, first = pcall(put, 1)
        error(first)
      end)
      assert.is_true(rawequal(first, err))
      assert.are.same({}, committed())
    end)

    it("goes on after a statement that could not be begun, and whose error was caught", function()
      db:transaction(function()
        put(1)
        errors.expect("not_found", db.run, db, "insert into nowhere values (1)")
        errors.expect("not_found", db.value, db, "select nowhat from t")
        errors.expect("syntax", db.run, db, "delete form t")
        errors.expect("misuse", db.run, db, "delete from t where id = ?")
        errors.expect("type", db.run, db, "insert into t(name) values (?)", "\0")
        errors.expect("range", db.run, db, "insert into t(name) values (?)", 0 / 0)
        put(2)
      end)
      assert.are.same({ 1, 2 }, committed())
    end)

    it("goes on after a statement that failed, where the engine can", function()
      local ok, err = pcall(db.transaction, db, function()
        put(1)
        errors.expect("constraint", put, 1)
        put(2)
      end)
      if engine.supports("continue_after_error") then
        assert.is_true(ok)
        assert.are.same({ 1, 2 }, committed())
      else
        assert.are.equal("transaction_aborted", err.code)
        assert.are.equal("constraint", err.cause.code)
        errors.mentions(err, "nest db:transaction")
        assert.are.same({}, committed())
      end
    end)

    it("goes on after a nested transaction that failed", function()
      db:transaction(function()
        put(1)
        errors.expect("constraint", db.transaction, db, function() put(1) end)
        errors.expect("constraint", db.insert_many, db, "t", { { id = 3 }, { id = 1 } })
        errors.expect("constraint", db.exec, db,
          "insert into t(id) values (4); insert into t(id) values (1)")
        put(2)
      end)
      assert.are.same({ 1, 2 }, committed())
    end)

    it("is told by in_transaction", function()
      assert.is_false(db:in_transaction())
      db:transaction(function() assert.is_true(db:in_transaction()) end)
      assert.is_false(db:in_transaction())
    end)

    it("wants a function", function()
      for _, wrong in ipairs { 1, "text", true } do
        errors.expect("misuse", db.transaction, db, wrong)
      end
      errors.expect("misuse", db.transaction, db)
      errors.expect("misuse", db.transaction, db, {})
      assert.is_false(db:in_transaction())
    end)

    it("is rolled back when the commit fails, as with a deferred foreign key", function()
      db:exec [[
        create table child(t integer references t(id) deferrable initially deferred)
      ]]
      local rolled = false
      errors.expect("constraint", db.transaction, db, function()
        db:after_rollback(function() rolled = true end)
        put(1)
        db:run("insert into child values (99)")
      end)
      assert.is_true(rolled)
      assert.is_false(db:in_transaction())
      assert.are.same({}, committed())
      db:transaction(function()
        db:run("insert into child values (5)")
        put(5)
      end)
      assert.are.same({ 5 }, committed())
    end)
  end)

  describe("inside another", function()
    it("rolls back alone and keeps the outer work", function()
      db:transaction(function()
        put(1)
        pcall(db.transaction, db, function()
          put(2)
          error("inner")
        end)
        assert.are.equal(1, db:value("select count(*) from t"))
        put(3)
      end)
      assert.are.same({ 1, 3 }, committed())
    end)

    it("is lost with the outer one", function()
      pcall(db.transaction, db, function()
        db:transaction(function() put(1) end)
        error("outer")
      end)
      assert.are.same({}, committed())
    end)

    it("commits only with the outermost", function()
      db:transaction(function()
        db:transaction(function() put(1) end)
        assert.are.same({}, committed())
      end)
      assert.are.same({ 1 }, committed())
    end)

    it("may be 100 deep", function()
      local function nest(depth)
        db:transaction(function()
          put(depth)
          if depth < 100 then nest(depth + 1) end
          if depth == 50 then error("half") end
        end)
      end
      assert.is_false((pcall(nest, 1)))
      assert.are.same({}, committed())
      local function hold(depth)
        db:transaction(function()
          put(depth)
          if depth < 100 then pcall(hold, depth + 1) end
          if depth == 50 then error("half") end
        end)
      end
      hold(1)
      assert.are.equal(49, #committed())
    end)
  end)

  describe("by hand", function()
    it("commits by commit, and rolls back by rollback", function()
      local tx = db:begin()
      put(1)
      tx:commit()
      tx = db:begin()
      put(2)
      tx:rollback()
      assert.are.same({ 1 }, committed())
    end)

    it("is rolled back at the end of its scope", function()
      do
        local tx <close> = db:begin()
        assert.is_truthy(tx)
        put(1)
      end
      assert.is_false(db:in_transaction())
      pcall(function()
        local tx <close> = db:begin()
        assert.is_truthy(tx)
        put(2)
        error("out")
      end)
      assert.are.same({}, committed())
    end)

    it("stays committed at the end of its scope", function()
      do
        local tx <close> = db:begin()
        put(1)
        tx:commit()
      end
      assert.are.same({ 1 }, committed())
    end)

    it("is rolled back when its handle is collected", function()
      (function()
        local tx = db:begin()
        assert.is_truthy(tx)
        put(1)
      end)()
      for _ = 1, 3 do collectgarbage() end
      assert.are.same({}, committed())
      other:run("insert into t(id) values (2)")
      put(3)
      assert.are.same({ 2, 3 }, committed())
    end)

    it("refuses a handle that is finished", function()
      local tx = db:begin()
      tx:commit()
      errors.expect("closed", tx.commit, tx)
      errors.expect("closed", tx.rollback, tx)
      local again = db:begin()
      again:rollback()
      errors.expect("closed", again.commit, again)
    end)

    it("nests, and refuses to commit the outer one first", function()
      local outer = db:begin()
      put(1)
      local inner = db:begin()
      put(2)
      errors.expect("misuse", outer.commit, outer)
      inner:rollback()
      inner = db:begin()
      put(3)
      inner:commit()
      outer:commit()
      assert.are.same({ 1, 3 }, committed())
    end)

    it("nests with functions", function()
      local tx <close> = db:begin()
      db:transaction(function() put(1) end)
      pcall(db.transaction, db, function()
        local inner <close> = db:begin()
        put(2)
        inner:commit()
        error("out")
      end)
      tx:commit()
      assert.are.same({ 1 }, committed())
    end)
  end)

  describe("in SQL", function()
    --- What only some engines know.
    local other_words = engine.supports("isolation") and { "start transaction", "abort" }
      or { "begin immediate" }

    it("is refused inside a transaction of ours, which goes on", function()
      for _, sql in ipairs { "begin", "BEGIN transaction", "commit", "end", "rollback",
        "savepoint s", "release s", "rollback to s", " -- c\n commit",
        table.unpack(other_words) } do
        db:transaction(function()
          errors.expect("misuse", db.run, db, sql)
          assert.is_true(db:in_transaction())
        end)
      end
      local tx <close> = db:begin()
      put(1)
      errors.expect("misuse", db.exec, db, "rollback")
      tx:commit()
      assert.are.same({ 1 }, committed())
    end)

    it("works outside, and our transactions nest in it", function()
      db:run("begin")
      assert.is_true(db:in_transaction())
      put(1)
      db:transaction(function() put(2) end)
      pcall(db.transaction, db, function()
        put(3)
        error("out")
      end)
      assert.are.same({}, committed())
      db:run("commit")
      assert.is_false(db:in_transaction())
      assert.are.same({ 1, 2 }, committed())
    end)
  end)

  describe("and its loops", function()
    it("end together", function()
      put(1)
      put(2)
      local step, state, first
      db:transaction(function()
        step, state, first = db:rows("select id from t order by id")
        assert.are.equal(1, step(state, first).id)
      end)
      errors.expect("closed", step, state, first)
    end)

    it("may be left by break, and by an error", function()
      put(1)
      put(2)
      db:transaction(function()
        for row in db:rows("select id from t") do
          if row.id == 1 then break end
        end
        pcall(function()
          for _ in db:rows("select id from t") do error("out") end
        end)
        put(3)
      end)
      assert.are.same({ 1, 2, 3 }, committed())
    end)
  end)

  describe("that the engine rolled back", function()
    local break_off = engine.supports("continue_after_error")
      and "insert or rollback into t(id) values (1)" or "insert into t(id) values (1)"

    it("runs nothing more, and raises the first error", function()
      put(1)
      local first, second
      local err = errors.expect("constraint", db.transaction, db, function()
        put(2)
        local _
        _, first = pcall(db.run, db, break_off)
        second = errors.expect("transaction_aborted", put, 3)
        errors.expect("transaction_aborted", db.value, db, "select 1")
        local third = errors.expect("transaction_aborted", db.transaction, db, function() end)
        assert.are.equal(second.message, third.message)
        assert.are.equal(second.hint, third.hint)
      end)
      assert.is_true(rawequal(first, err))
      assert.is_true(rawequal(first, second.cause))
      assert.is_false(db:in_transaction())
      assert.are.same({ 1 }, committed())
      put(4)
      assert.are.same({ 1, 4 }, committed())
    end)

    it("refuses to commit by hand, and is over after its rollback", function()
      put(1)
      local tx = db:begin()
      errors.expect("constraint", db.run, db, break_off)
      errors.expect({ "transaction_aborted", "constraint" }, tx.commit, tx)
      tx = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      put(2)
      assert.are.same({ 1, 2 }, committed())
    end)
  end)
end)
