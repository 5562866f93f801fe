local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local many = 500

--- A process that commits one change each time it is told to, and says when it is done.
local committer = [[
  local tuff = require "tuff"
  local db <close> = tuff.open((...))
  for line in io.lines() do
    if line == "end" then break end
    db:exec(line)
    print("done")
  end
]]

fixture.each_engine("a loop over rows", function(engine)
  local db

  before_each(function()
    db = engine.database(
      "create table t(id {key}, n {integer}, text text); create index tn on t(n)")
    db:run("insert into t(n, text) with recursive c(i) as (select 1 union all select i + 1 from c "
      .. "where i < " .. many .. ") select i, 'text ' || i from c")
  end)

  local function each_once(seen)
    assert.are.equal(many, #seen)
    for n = 1, many do assert.are.equal(n, seen[n]) end
  end

  describe("sees the rows as they were when it began", function()
    local function walk(body)
      local seen = {}
      for row in db:rows("select id, n from t order by n") do
        seen[#seen + 1] = row.n
        body(row)
      end
      each_once(seen)
    end

    it("when the body inserts", function()
      walk(function(row) db:run("insert into t(n) values (?)", row.n + many) end)
      assert.are.equal(2 * many, db:value("select count(*) from t"))
    end)

    it("when the body updates the column by which it is ordered", function()
      walk(function(row) db:run("update t set n = n + 10000 where id = ?", row.id) end)
      assert.are.equal(10001, db:value("select min(n) from t"))
      assert.are.equal(10000 + many, db:value("select max(n) from t"))
    end)

    it("when the body deletes rows ahead of it", function()
      walk(function(row) db:run("delete from t where id > ?", row.id) end)
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("when a row is wide", function()
      local columns = {}
      for n = 1, 300 do columns[n] = ("id + %d as c%d"):format(n, n) end
      local seen = {}
      for row in db:rows("select " .. table.concat(columns, ", ") .. " from t order by id") do
        seen[#seen + 1] = row.c300 - 300
        assert.are.equal(row.c1 + 298, row.c299)
      end
      each_once(seen)
    end)

    it("when the body drops the table", function()
      walk(function(row) if row.n == 3 then db:exec("drop table t") end end)
      errors.expect("not_found", db.value, db, "select count(*) from t")
    end)

    it("when the body changes the table, and keeps the names that it began with", function()
      local count = 0
      for row in db:rows("select * from t order by id") do
        count = count + 1
        if count == 2 then
          db:exec("alter table t rename column n to m; "
            .. "alter table t add column extra integer default 1; "
            .. "create index more on t(text); drop index tn")
        end
        assert.are.same({ id = count, n = count, text = "text " .. count }, row)
      end
      assert.are.equal(many, count)
      assert.are.same({ id = 1, m = 1, text = "text 1", extra = 1 },
        db:row("select * from t order by id"))
    end)

    it("when the body begins transactions, and rolls some back", function()
      walk(function(row)
        if row.n > 20 then return end
        pcall(db.transaction, db, function()
          db:run("update t set n = -n where id = ?", row.id)
          if row.id % 2 == 0 then error("even") end
        end)
        local tx <close> = db:begin()
        db:run("insert into t(n) values (0)")
        if row.id == 1 then tx:commit() end
      end)
      assert.are.equal(10, db:value("select count(*) from t where n < 0"))
      assert.are.equal(1, db:value("select count(*) from t where n = 0"))
    end)

    it("when the body writes by each of the other ways", function()
      local stmt <close> = db:prepare("delete from t where id = ?")
      walk(function(row)
        if row.n == 1 then
          db:insert("t", { n = many + 1 })
        elseif row.n == 2 then
          db:insert_many("t", { { n = many + 2 }, { n = many + 3 } })
        elseif row.n == 3 then
          stmt:run(many)
        elseif row.n == 4 then
          db:value("insert into t(n) values (?) returning id", many + 4)
        elseif row.n == 5 then
          db:exec("update t set n = n + 1000; delete from t where id = 7")
        end
      end)
      assert.are.equal(many + 2, db:value("select count(*) from t"))
    end)

    it("by tuples, with a count that goes on", function()
      local seen = {}
      for n, id, value in db:tuples("select id, n from t order by id") do
        assert.are.equal(id, n)
        seen[n] = value
        if n % 100 == 1 then db:run("update t set n = 0") end
      end
      each_once(seen)
    end)

    it("on a prepared statement", function()
      local stmt <close> = db:prepare("select n from t where n >= ? order by n")
      local seen = {}
      for row in stmt:rows(1) do
        seen[#seen + 1] = row.n
        if row.n % 100 == 0 then db:run("delete from t where n < ?", row.n) end
      end
      each_once(seen)
    end)

    it("over a view, a join and a temporary table", function()
      db:exec("create view v as select a.n as n from t a join t b on a.id = b.id;"
        .. "create temp table copy as select n from t")
      for _, source in ipairs { "v", "copy" } do
        local seen = {}
        for row in db:rows(("select n from %s order by n"):format(source)) do
          seen[#seen + 1] = row.n
          if row.n == 2 then
            db:exec("delete from copy where n > 400; delete from t where id > 400")
          end
        end
        assert.are.equal(source == "v" and many or 400, #seen)
      end
    end)
  end)

  describe("keeps its values when they are read ahead", function()
    it("of every type, byte for byte", function()
      db:exec(engine.sql [[create table v(i {integer}, r {real}, s text, b {blob}, z text,
        f {boolean}, j {json})]])
      local long, bytes = ("x"):rep(70000) .. "ü", ("\0\xff"):rep(3000)
      for i = 1, 20 do
        db:insert("v", { i = math.maxinteger - i, r = i + 0.5, s = long .. i, b = bytes,
          f = i % 2 == 0, j = { i } })
      end
      local expected = db:all("select * from v")
      local n = 0
      for row in db:rows("select * from v") do
        n = n + 1
        assert.are.same(expected[n], row)
        assert.is_nil(row.z)
        assert.are.equal("float", math.type(row.r))
        if n == 1 then db:run("delete from v") end
      end
      assert.are.equal(20, n)
    end)

    it("of tuples too, with nil in between", function()
      local seen = {}
      for n, a, b, c in db:tuples("select id, null, text from t order by id limit 5") do
        if n == 1 then db:run("delete from t") end
        assert.is_nil(b)
        seen[n] = a .. c
      end
      assert.are.same({ "1text 1", "2text 2", "3text 3", "4text 4", "5text 5" }, seen)
    end)
  end)

  describe("with another process that commits meanwhile", function()
    --- Such a process: what lets it commit a statement, and what ends it.
    local function another()
      local child = process.start({ chunk = committer, arguments = { engine.path() } })
      local function commit(sql)
        child:send(sql)
        child:expect("done")
      end
      local function stop()
        child:send("end")
        child:finish()
      end
      return commit, stop
    end

    it("writes without a conflict, and sees no row twice", function()
      local commit, stop = another()
      local seen = {}
      for row in db:rows("select id, n from t order by n") do
        seen[#seen + 1] = row.n
        if row.n % 50 == 1 then
          commit("update t set n = n + 100000 where id = " .. row.n + 1)
          db:run("update t set n = n + 200000 where id = ?", row.id)
        end
      end
      each_once(seen)
      stop()
      assert.are.equal(10, db:value("select count(*) from t where n > 200000"))
      assert.are.equal(10, db:value("select count(*) from t where n between 100000 and 200000"))
    end)

    it("begins a transaction without a conflict", function()
      local commit, stop = another()
      local seen = {}
      for row in db:rows("select n from t order by n") do
        seen[#seen + 1] = row.n
        if row.n % 100 == 1 then
          commit("insert into t(n) values (-1)")
          db:transaction(function() db:run("insert into t(n) values (-2)") end)
        end
      end
      each_once(seen)
      stop()
      assert.are.equal(10, db:value("select count(*) from t where n < 0"))
    end)

    it("goes on when the other one changes the table", function()
      local commit, stop = another()
      local count = 0
      for row in db:rows("select * from t order by id") do
        count = count + 1
        if count == 2 then
          commit("alter table t rename column n to m")
          db:run("update t set m = 0")
        end
        assert.are.same({ id = count, n = count, text = "text " .. count }, row)
      end
      assert.are.equal(many, count)
      stop()
    end)

    it("nested, with writes at each level", function()
      local commit, stop = another()
      local count = 0
      for outer in db:rows("select id from t where id <= 10 order by id") do
        for inner in db:rows("select id from t where id <= 10 order by id") do
          count = count + 1
          if inner.id == outer.id then
            commit("insert into t(n) values (0)")
            db:run("insert into t(n) values (0)")
          end
        end
        db:run("update t set n = n + 1 where id = ?", outer.id)
      end
      assert.are.equal(100, count)
      stop()
      assert.are.equal(many + 20, db:value("select count(*) from t"))
    end)
  end)

  describe("nested in another", function()
    it("over the same text, at any depth", function()
      local count = 0
      local function nest(depth)
        for row in db:rows("select id from t where id <= 3 order by id") do
          if depth == 1 then count = count + row.id else nest(depth - 1) end
        end
      end
      nest(5)
      assert.are.equal(81 * 6, count)
    end)

    it("is read ahead together with the outer one", function()
      local seen = {}
      for outer in db:rows("select id from t where id <= 3 order by id") do
        for _, inner in db:tuples("select id from t where id <= 3 order by id") do
          seen[#seen + 1] = outer.id * 10 + inner
          if outer.id == 1 and inner == 2 then db:run("delete from t where id <> 2") end
        end
      end
      assert.are.same({ 11, 12, 13, 22, 32 }, seen)
    end)
  end)

  describe("that is left", function()
    it("by break does not stand in the way of a write, here or elsewhere", function()
      for round = 1, 20 do
        for row in db:rows("select id from t order by id") do
          if row.id == round then break end
        end
      end
      db:run("insert into t(n) values (1)")
      local other <close> = engine.open { busy_timeout = 20 }
      other:run("insert into t(n) values (2)")
      db:run("insert into t(n) values (3)")
      assert.are.equal(many + 3, db:value("select count(*) from t"))
    end)

    it("by break keeps the locals of the function, also when a closure holds one", function()
      local function find(wanted)
        local before, kept = "before", nil
        for row in db:rows("select id, text from t order by id") do
          local text = row.text
          kept = function() return text end
          if row.id == wanted then break end
        end
        local after = "after"
        return before, kept(), after
      end
      for wanted = 1, 50 do
        assert.are.same({ "before", "text " .. wanted, "after" }, { find(wanted) })
      end
    end)

    it("by return, goto or an error leaves the connection usable", function()
      local function first()
        for row in db:rows("select id from t order by id") do
          if row.id then return row.id end
        end
      end
      assert.are.equal(1, first())
      for row in db:rows("select id from t order by id") do
        if row.id == 2 then goto out end
      end
      ::out::
      local mine = {}
      local ok, err = pcall(function()
        for _ in db:rows("select id from t") do error(mine) end
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(mine, err))
      assert.are.equal(many, db:run("update t set n = 0"))
    end)

    it("is closed when it is collected", function()
      for _ = 1, 4 do collectgarbage() end
      local before = tuff.instances()
      for _ = 1, 10 do
        local step, state, first = db:rows("select id from t")
        step(state, first)
      end
      for _ = 1, 4 do collectgarbage() end
      assert.are.equal(before, tuff.instances())
    end)
  end)

  describe("in trouble", function()
    it("goes on when a transaction ends that began in its body", function()
      local seen = {}
      for row in db:rows("select n from t order by n") do
        seen[#seen + 1] = row.n
        if row.n % 100 == 0 then
          local tx = db:begin()
          db:run("delete from t")
          tx:rollback()
        end
      end
      each_once(seen)
    end)

    it("raises the error of a row, once, and then is over", function()
      local sql = "select abs(-9223372036854775804 - id) from t order by id" -- too large in row 4
      local seen = 0
      errors.expect("range", function()
        for _ in db:rows(sql) do seen = seen + 1 end
      end)
      assert.are.equal(3, seen)
      assert.are.equal(many, db:value("select count(*) from t"))
    end)
  end)
end)
