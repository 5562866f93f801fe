local tuff = require "tuff"
local json = require "tuff.json"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local function collect()
  for _ = 1, 4 do collectgarbage() end
end

fixture.each_engine("lifetimes", function(engine)
  local path, db

  before_each(function()
    db = engine.database(
      "create table t(id integer primary key); insert into t values (1), (2), (3)")
    path = engine.path()
  end)

  local function ids(connection)
    return (connection or db):column("select id from t order by id")
  end

  describe("of what is still needed", function()
    it("last as long as a loop over a statement that nobody else holds", function()
      local seen = {}
      for row in db:prepare("select id from t order by id"):rows() do
        collect()
        seen[#seen + 1] = row.id
      end
      for _, id in db:prepare("select id from t order by id"):tuples() do
        collect()
        seen[#seen + 1] = id
      end
      assert.are.same({ 1, 2, 3, 1, 2, 3 }, seen)
    end)

    it("last as long as a loop over a connection that nobody else holds", function()
      local seen = {}
      for row in tuff.open(path):rows("select id from t order by id") do
        collect()
        seen[#seen + 1] = row.id
      end
      for row in tuff.open(path):prepare("select id from t order by id"):rows() do
        collect()
        seen[#seen + 1] = row.id
      end
      for row in db:using({ timeout = 60000 }):rows("select id from t order by id") do
        collect()
        seen[#seen + 1] = row.id
      end
      assert.are.same({ 1, 2, 3, 1, 2, 3, 1, 2, 3 }, seen)
    end)

    it("last as long as a statement, an option or a reader needs its connection", function()
      local stmt = tuff.open(path):prepare("select count(*) from t")
      local using = tuff.open(path):using({ timeout = 60000 })
      collect()
      assert.are.equal(3, stmt:value())
      assert.are.equal(3, using:value("select count(*) from t"))
    end)

    it("last as long as a transaction by hand whose connection nobody else holds", function()
      local tx = tuff.open(path):begin()
      collect()
      tx:commit()
      assert.are.same({ 1, 2, 3 }, ids())
    end)

    it("last until a loop that is resumed after a collection", function()
      local step, state, control = db:rows("select id from t order by id")
      collect()
      assert.are.equal(1, step(state, control).id)
      collect()
      db:run("insert into t values (4)")
      collect()
      assert.are.equal(2, step(state, control).id)
      assert.are.equal(3, step(state, control).id)
      assert.is_nil(step(state, control))
    end)

    it("cover a list that only the loop still needs", function()
      local seen = {}
      for row in db:rows("select id from t where id in ? order by id", { 1, 3 }) do
        collect()
        seen[#seen + 1] = row.id
      end
      assert.are.same({ 1, 3 }, seen)
    end)
  end)

  describe("of what nobody needs", function()
    it("end although connection, statement and transaction hold each other in a circle", function()
      do
        local box = { db = tuff.open(path) }
        box.stmt = box.db:prepare("select id from t")
        box.step, box.state = box.stmt:rows()
        box.step(box.state)
        box.tx = box.db:begin()
        box.db:after_commit(function() return box end)
        box.self = box
      end
      collect()
      assert.are.equal(1, tuff.instances())
      db:run("insert into t values (4)")
    end)

    it("end nothing in the middle of a call, and may read", function()
      local own <close> = tuff.open(":memory:")
      own:exec("create table t(data json text); insert into t values ('[1]'), ('[2]')")
      local sql = "select data from t"
      local statement = own:prepare(sql)

      --- What fn returned or raised in the middle of `call`: where a finaliser might call it.
      local function meanwhile(fn, call)
        local decode, results = json.decode_column, nil
        json.decode_column = function(text)
          results = results or table.pack(pcall(fn))
          return decode(text)
        end
        assert.are.equal(2, call())
        json.decode_column = decode
        return table.unpack(results, 1, results.n)
      end

      for _, call in ipairs {
        function() return #own:all(sql) end,
        function() return #statement:all() end,
        function()
          local rows = 0
          for _ in own:rows(sql) do rows = rows + 1 end
          return rows
        end,
      } do
        for _, fn in ipairs {
          function() own:close() end,
          function() own:begin() end,
          function() own:transaction(function() end) end,
        } do
          local good, err = meanwhile(fn, call)
          assert.is_false(good)
          errors.mentions(err, "middle of another call")
        end
        local good, answer = meanwhile(function() return own:value("select 42") end, call)
        assert.is_true(good)
        assert.are.equal(42, answer)
      end
      own:transaction(function() own:run("delete from t") end)
    end)

    it("end in any order, and a finaliser that comes late gets an error, not a crash", function()
      local results = {}
      do
        local own = tuff.open(path)
        local stmt = own:prepare("select id from t")
        setmetatable({}, { __gc = function()
          local ok, err = pcall(own.value, own, "select 1")
          results[1] = ok or tuff.is_error(err)
          ok, err = pcall(stmt.all, stmt)
          results[2] = ok or tuff.is_error(err)
          own:close()
          stmt:close()
        end })
      end
      collect()
      assert.are.same({ true, true }, results)
      assert.are.equal(1, tuff.instances())
    end)
  end)

  describe("of closed objects", function()
    it("may end in any order", function()
      for order = 1, 24 do
        local own = tuff.open(path)
        local stmt = own:prepare("select id from t")
        local step, state = stmt:rows()
        step(state)
        local tx = own:begin()
        local closers = {
          function() own:close() end,
          function() stmt:close() end,
          function() pcall(tx.rollback, tx) end,
          function() pcall(step, state) end,
        }
        local rest = order - 1
        for size = 4, 1, -1 do
          table.remove(closers, rest % size + 1)()
          rest = rest // size
        end
        assert.are.equal(1, tuff.instances())
      end
    end)

    it("may be closed inside a transaction, which is then rolled back", function()
      local own = tuff.open(path)
      local ok = pcall(own.transaction, own, function()
        own:run("insert into t values (4)")
        own:close()
      end)
      assert.is_false(ok)
      own:close()
      assert.are.same({ 1, 2, 3 }, ids())
      db:run("insert into t values (5)")
    end)

    it("may be closed by an iterator of insert_many, which is an error and no crash", function()
      local own = tuff.open(path)
      local n = 3
      errors.expect(nil, own.insert_many, own, "t", function()
        n = n + 1
        if n == 6 then own:close() end
        return n < 10 and { id = n } or nil
      end)
      own:close()
      assert.are.same({ 1, 2, 3 }, ids())
    end)

    it("may be closed by what is called after a commit or a rollback", function()
      local own = tuff.open(path)
      own:transaction(function()
        own:run("insert into t values (4)")
        own:after_commit(function() own:close() end)
      end)
      errors.expect("closed", own.value, own, "select 1")
      own = tuff.open(path)
      pcall(own.transaction, own, function()
        own:after_rollback(function() own:close() end)
        error("out")
      end)
      errors.expect("closed", own.value, own, "select 1")
      assert.are.same({ 1, 2, 3, 4 }, ids())
    end)
  end)

  describe("of the ground under a loop", function()
    it("end when the connection is closed in its body, which raises closed", function()
      local own = tuff.open(path)
      local count = 0
      errors.expect("closed", function()
        for _ in own:rows("select id from t") do
          count = count + 1
          own:close()
        end
      end)
      assert.are.equal(1, count)
    end)

    it("may end with its statement, which raises closed, or last for every row", function()
      local stmt = db:prepare("select id from t")
      local seen = 0
      local ok, err = pcall(function()
        for _ in stmt:rows() do
          seen = seen + 1
          stmt:close()
        end
      end)
      assert.is_true(ok and seen == 3 or not ok and err.code == "closed")
      errors.expect("closed", stmt.all, stmt)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("end with the transaction in which it began, which raises closed", function()
      errors.expect("closed", function()
        local tx = db:begin()
        for _ in db:rows("select id from t") do tx:rollback() end
      end)
      assert.is_false(db:in_transaction())
    end)
  end)

  describe("of the program", function()
    local everything = [[
      local tuff = require "tuff"
      db = tuff.open((...))
      stmt = db:prepare("select id from t")
      step, state = stmt:rows()
      step(state)
      other, otherstate = db:tuples("select id from t")
      other(otherstate)
      tx = db:begin()
      db:run("insert into t values (4)")
      inner = db:begin()
      reader = db:reader()
      blob = tuff.blob("x")
      thread = coroutine.create(function(path)
        local own <close> = tuff.open(path)
        own:read(function()
          for row in own:rows("select id from t") do coroutine.yield(row) end
        end)
      end)
      assert(coroutine.resume(thread, ...))
    ]]

    it("may end with everything open, and nothing uncommitted stays", function()
      for _, ending in ipairs { "", "os.exit(0, true)", "os.exit(0, false)", "collectgarbage()",
        "stmt, tx = nil collectgarbage() db = nil collectgarbage()",
        "db:close()", "reader:close() stmt:close()" } do
        assert.are.equal("", process.run(everything .. ending, path))
        assert.are.same({ 1, 2, 3 }, ids())
        db:run("update t set id = id")
      end
    end)

    it("may end by an error with everything open", function()
      local result = process.start({ chunk = everything .. "error('the end')",
        arguments = { path } }):wait()
      assert.are.equal("exit", result.how)
      assert.are.equal(1, result.code)
      assert.is_truthy(result.errors:find("the end", 1, true))
      assert.are.same({ 1, 2, 3 }, ids())
    end)
  end)
end)
