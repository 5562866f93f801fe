local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
  .. "select count(*) from c"

describe("the isolation of a transaction", function()
  local db, other, path

  before_each(function() db, other, path = fixture.pair() end)
  fixture.clean_up()

  local function put(id) db:run("insert into t(id) values (?)", id) end

  --- What a connection that takes no part sees.
  local function committed() return other:column("select id from t order by id") end

  --- An error that is worth another try, as SQLite raises it for a snapshot that grew old.
  local function retryable_error()
    local one <close> = tuff.open(path)
    one:exec("create table if not exists conflict(x)")
    local two <close> = tuff.open(path)
    one:exec("begin")
    one:value("select count(*) from conflict")
    two:run("insert into conflict values (1)")
    local err = errors.expect("serialization", one.run, one, "insert into conflict values (2)")
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
      local holder <close> = other:begin()
      assert.is_truthy(holder)
      local ran = false
      errors.expect("timeout", db.transaction, db, { timeout = 30 }, function() ran = true end)
      assert.is_false(ran)
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
        errors.expect("readonly", db.exec, db, "create table u(x)")
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
