local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("the end of a transaction", function(engine)
  local db, other

  before_each(function() db, other = engine.pair() end)

  local function put(id) db:run("insert into t(id) values (?)", id) end

  --- What a connection that takes no part sees.
  local function committed() return other:column("select id from t order by id") end

  describe("afterwards", function()
    it("calls what was asked for in order, when the lock is released", function()
      local order = {}
      db:transaction(function()
        db:after_commit(function()
          order[#order + 1] = 1
          other:run("insert into t(id) values (2)")
          assert.is_false(db:in_transaction())
        end)
        db:after_commit(function()
          order[#order + 1] = 2
          put(3)
        end)
        db:after_rollback(function() order[#order + 1] = "never" end)
        put(1)
        assert.are.same({}, order)
      end)
      assert.are.same({ 1, 2 }, order)
      assert.are.same({ 1, 2, 3 }, committed())
    end)

    it("calls what was asked for a rollback, and nothing for the commit", function()
      local order = {}
      local mine = {}
      local _, err = pcall(db.transaction, db, function()
        db:after_commit(function() order[#order + 1] = "never" end)
        db:after_rollback(function() order[#order + 1] = 1 end)
        db:after_rollback(function()
          order[#order + 1] = 2
          other:run("insert into t(id) values (2)")
        end)
        error(mine)
      end)
      assert.is_true(rawequal(mine, err))
      assert.are.same({ 1, 2 }, order)
    end)

    it("does the same for transactions by hand", function()
      local order = {}
      local function note(text) return function() order[#order + 1] = text end end
      local tx = db:begin()
      db:after_commit(note("commit"))
      db:after_rollback(note("rollback"))
      tx:commit()
      tx = db:begin()
      db:after_commit(note("commit 2"))
      db:after_rollback(note("rollback 2"))
      tx:rollback()
      assert.are.same({ "commit", "rollback 2" }, order)
    end)

    it("waits for the outermost, and forgets what an inner rollback undid", function()
      local order = {}
      local function note(text) return function() order[#order + 1] = text end end
      db:transaction(function()
        db:after_commit(note("outer"))
        db:transaction(function() db:after_commit(note("inner")) end)
        pcall(db.transaction, db, function()
          db:after_commit(note("never"))
          db:after_rollback(note("undone"))
          error("out")
        end)
        for _, text in ipairs(order) do assert.are.equal("undone", text) end
        db:after_commit(note("last"))
      end)
      local commits = {}
      for _, text in ipairs(order) do
        if text ~= "undone" then commits[#commits + 1] = text end
      end
      assert.are.same({ "outer", "inner", "last" }, commits)
      assert.are.equal(4, #order)
    end)

    it("calls at once what is asked for outside a transaction", function()
      local called = 0
      db:after_commit(function() called = called + 1 end)
      assert.are.equal(1, called)
    end)

    it("calls each function once", function()
      local called = 0
      db:transaction(function() db:after_commit(function() called = called + 1 end) end)
      db:transaction(function() put(1) end)
      assert.are.equal(1, called)
    end)

    it("calls what waits for a rollback when the connection is closed, and closes it", function()
      for _, close in ipairs {
        function(closed) closed:close() end,
        function(closed)
          local ending <close> = closed -- luacheck: ignore 211
        end,
      } do
        local order = {}
        local closed = engine.open()
        local tx = closed:begin()
        closed:after_commit(function() order[#order + 1] = "never" end)
        closed:after_rollback(function()
          order[#order + 1] = "outer"
          put(1)
          error("first", 0)
        end)
        local inner = closed:begin()
        closed:after_rollback(function()
          order[#order + 1] = "inner"
          error("second", 0)
        end)
        local good, err = pcall(close, closed)
        assert.are.same({ false, "first" }, { good, err })
        assert.are.same({ "outer", "inner" }, order)
        assert.are.same({ 1 }, committed())
        db:run("delete from t")
        closed:close()
        errors.expect("closed", closed.in_transaction, closed)
        assert.is_false(tx:is_open() or inner:is_open())
        assert.are.equal(2, #order)
      end
    end)

    it("calls what waits for a rollback once when the function closes the connection", function()
      local called = 0
      local closed = engine.open()
      errors.expect("closed", closed.transaction, closed, function()
        closed:after_rollback(function() called = called + 1 end)
        closed:close()
      end)
      assert.are.equal(1, called)
    end)

    it("keeps what was committed when a function called afterwards fails", function()
      pcall(db.transaction, db, function()
        put(1)
        db:after_commit(function() error("too late") end)
      end)
      assert.is_false(db:in_transaction())
      assert.are.same({ 1 }, committed())
      put(2)
      assert.are.same({ 1, 2 }, committed())
    end)

    it("is not told in a transaction that was begun by hand", function()
      db:exec("begin")
      errors.mentions(errors.expect("misuse", db.after_commit, db, print), "db:begin")
      db:exec("rollback")
    end)

    it("wants a function", function()
      errors.expect("misuse", db.after_commit, db)
      errors.expect("misuse", db.after_commit, db, "text")
      errors.expect("misuse", db.after_rollback, db, 5)
    end)
  end)
end)
