--- What functions of the script, finalisers and hooks do in the middle of a call must not pull
--- the ground from under it.
local errors = require "spec.support.errors"
local temporary = require "spec.support.temporary"
local tuff = require "tuff"

--- A text that Lua keeps once for each value.
local function long(number) return ("a long text, number %d "):format(number):rep(9) end

describe("in the middle of a call", function()
  local db

  before_each(function()
    db = tuff.open(":memory:")
    db:exec "create table t(id integer primary key, a text, b text)"
  end)

  after_each(function()
    db:close()
    temporary.remove_all()
  end)

  it("a value that has no form in JSON leaves the call around it running", function()
    local closed
    db:define("f", function()
      errors.expect("type", db.value, db, "select ?", { print })
      closed = errors.expect("misuse", db.close, db)
      return 7
    end)
    assert.are.equal(7, db:value("select f()"))
    assert.is_truthy(closed)
  end)

  describe("values", function()
    local values

    --- SQL that calls this finds the values of its caller gone.
    before_each(function()
      db:define("lose", function(x)
        for key, value in pairs(values) do
          if type(value) == "string" then values[key] = false end
        end
        collectgarbage()
        return x
      end, { schema = true })
    end)

    it("by name stay as they were", function()
      values = { a = long(1), b = long(2) }
      local row = db:row("select lose(1) as x, :a as a, :b as b", values)
      assert.are.same({ x = 1, a = long(1), b = long(2) }, row)
    end)

    it("of a list stay as they were", function()
      db:run("insert into t(a) values (?), (?)", long(1), long(3))
      values = { long(1), long(2), long(3) }
      assert.are.equal(2, db:value("select sum(lose(1)) from t where a in ?", values))
    end)

    it("of insert_many stay as they were", function()
      db:exec "create trigger before before insert on t begin select lose(1); end"
      values = { a = long(1), b = long(2) }
      db:insert_many("t", { values })
      assert.are.same({ id = 1, a = long(1), b = long(2) }, db:row("select * from t"))
    end)
  end)

  describe("a finaliser that runs while a row of a loop is read", function()
    local count, pause

    before_each(function()
      count = 0
      for number = 1, 50 do db:run("insert into t(a, b) values (?, ?)", long(number), "b") end
      pause = collectgarbage("setpause", 0)
    end)

    after_each(function() collectgarbage("setpause", pause) end)

    --- Loops, and lets the finaliser run anywhere in it; the rows that were given are whole.
    local function loop(open, finaliser)
      local rounds, inside = 0, false
      repeat -- until the collector has come by often enough
        rounds = rounds + 1
        pcall(db.transaction, db, function()
          inside = true
          for row in open() do
            assert(#row.a > 0 and row.b == "b")
            setmetatable({}, { __gc = function()
              -- What it wrote elsewhere would stay.
              if not inside or not db:in_transaction() then return end
              count = count + 1
              pcall(finaliser)
            end })
          end
          inside = false
          error("undo")
        end)
        inside = false
      until rounds >= 40 and count > 0 or rounds == 10000
      assert.is_true(count > 0)
      assert.are.equal(50, db:value("select count(*) from t"))
    end

    it("may end its transaction", function()
      loop(function() return db:rows("select * from t") end,
        function() db:run("insert or rollback into t(id) values (1)") end)
    end)

    it("may close its statement", function()
      local statement
      loop(function()
        statement = db:prepare("select * from t")
        return statement:rows()
      end, function() statement:close() end)
    end)

    it("may make it fail", function()
      db:define("fail", function(x) return x < 20 and x or error("failed") end)
      loop(function() return db:rows("select *, fail(id) from t") end,
        function() db:run("insert into t(id) values (1000)") end)
    end)
  end)

  it("a finaliser that closes the connection as a call begins gives `closed`", function()
    local pause = collectgarbage("setpause", 0)
    for _ = 1, 300 do
      local one = tuff.open(":memory:")
      setmetatable({}, { __gc = function() one:close() end })
      for _ = 1, 40 do
        local good, err = pcall(function()
          one:prepare("select 1"):close()
          one:begin():rollback()
        end)
        if not good then assert.are.equal("closed", err.code) end
      end
      one:close()
    end
    collectgarbage("setpause", pause)
  end)

  it("a progress function that stopped a call does not stop the next step of a loop", function()
    local slow = "with recursive c(n) as (select 1 union all select n + 1 from c limit 300000)"
      .. " select count(*) from c"
    db:define("id", function(x) return x end)
    for _, stop in ipairs { error, function() return false end } do
      local step = db:rows("select id(1) as x union all select (" .. slow .. ")")
      assert.are.equal(1, step().x)
      db:progress(stop, { every = 0.001 })
      assert.is_false(pcall(db.value, db, slow))
      db:progress(function() end, { every = 0.001 })
      assert.are.equal(300000, step().x)
      db:progress(nil)
    end
  end)

  it("the end of a loop is told of when its statement is closed", function()
    local told = {}
    local statement = db:prepare("select 1 union all select 2")
    db:trace(function(run) told[#told + 1] = run.sql end)
    statement:rows()()
    statement:close()
    assert.are.same({ "select 1 union all select 2" }, told)
  end)

  it("a trace function may step the loop that ends, and close its statement", function()
    local statement = db:prepare("select 1 as x")
    local step
    db:trace(function()
      pcall(step)
      statement:close()
    end)
    step = statement:rows()
    step()
    assert.is_nil(step())
    db:trace(nil)
    errors.expect("closed", statement.all, statement)
  end)

  it("a stream whose value was made shorter by another connection is closed", function()
    local path = temporary.directory() .. "/t.db"
    local one <close> = tuff.open(path)
    local two <close> = tuff.open(path)
    one:exec "create table f(id integer primary key, x blob); insert into f values (1, zeroblob(9))"
    local stream = one:blob("f", "x", 1)
    stream:seek("end")
    two:run("update f set x = zeroblob(2)")
    errors.expect("conflict", stream.write, stream, "")
    errors.expect("closed", stream.read, stream)
  end)

  it("a stream may be used and closed by a function that its first write calls", function()
    db:exec "create table f(id integer primary key, x blob); insert into f values (1, zeroblob(9))"
    local stream = db:blob("f", "x", 1)
    local codes = {}
    db:define("meddle", function(x)
      if x == 2 then
        codes[1] = select(2, pcall(stream.read, stream)).code
        stream:close()
      end
      return x
    end)
    local step = db:rows("select meddle(1) union all select meddle(2)")
    step()
    codes[2] = select(2, pcall(stream.write, stream, "x")).code
    assert.are.same({ "misuse", "closed" }, codes)
  end)

  it("a transaction around an open one is not rolled back by hand, nor by the collector", function()
    do
      local outer <close> = db:begin()
      db:transaction(function()
        errors.expect("misuse", outer.rollback, outer)
        db:run("insert into t(id) values (1)")
      end)
    end
    db:begin()
    db:transaction(function()
      collectgarbage()
      collectgarbage()
      db:run("insert into t(id) values (2)")
    end)
    collectgarbage()
    collectgarbage()
    assert.is_false(db:in_transaction())
    assert.are.equal(0, db:value("select count(*) from t"))
  end)

  it("the first row of an iterator ends no transaction around insert_many", function()
    local tx = db:begin()
    errors.expect("misuse", db.insert_many, db, "t", function() db:begin() return { a = "x" } end)
    pcall(tx.rollback, tx)
    assert.are.equal(0, db:value("select count(*) from t"))
  end)
end)
