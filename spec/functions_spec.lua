local tuff = require "tuff"
local errors = require "spec.support.errors"
local instances = require "spec.support.instances"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "

-- luacheck: ignore 512 (loops that are left in their first round are what is tested)

local function collect()
  for _ = 1, 4 do collectgarbage() end
end

--- What a call raises, which may be of any type.
local function raised(...)
  local ok, err = pcall(...)
  assert.is_false(ok)
  return err
end

describe("functions of Lua in SQL", function()
  local path, db

  before_each(function()
    path = temporary.directory() .. "/library.db"
    db = tuff.open(path, { durability = "normal" })
    db:exec("create table t(id integer primary key, n integer, s text)")
    for i = 1, 5 do db:run("insert into t values (?, ?, ?)", i, i * 10, "text " .. i) end
  end)
  after_each(function()
    db:close()
    process.stop_all()
    temporary.remove_all()
  end)
  teardown(instances.none_left)

  local function count(where)
    return db:value("select count(*) from t where " .. (where or "1"))
  end

  local function sound(expected)
    assert.are.equal("ok", db:value("pragma integrity_check"))
    if expected then assert.are.equal(expected, count()) end
  end

  describe("take arguments and give results", function()
    it("of 64 bits, and every other kind of number", function()
      db:define("same", function(x) return x end)
      for _, value in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, 2 ^ 53 | 0, 0.5, -1e308,
        5e-324, math.huge, -math.huge, 1e15, 3.0 } do
        local result = db:value("select same(?)", value)
        assert.are.equal(value, result)
        assert.are.equal(math.type(value), math.type(result))
      end
      assert.are.equal("-inf", tostring(db:value("select same(?)", -math.huge)))
      assert.are.equal(math.maxinteger, db:value("select same(9223372036854775807)"))
      assert.are.equal("integer", db:value("select typeof(same(1))"))
      assert.are.equal("real", db:value("select typeof(same(1.0))"))
    end)

    it("of text, blobs and NULL", function()
      local got
      db:define("same", function(x)
        got = x
        return x
      end)
      db:define("bytes", function(x) return tuff.blob(x) end)
      for _, text in ipairs { "", "ü€😀", ("x"):rep(1000000), "a'b\"c\n" } do
        assert.are.equal(text, db:value("select same(?)", text))
      end
      assert.is_nil(db:value("select same(null)"))
      assert.is_nil(got)
      assert.are.equal("\0\xff", db:value("select bytes(?)", tuff.blob("\0\xff")))
      assert.are.equal("blob", db:value("select typeof(bytes(x''))"))
      assert.are.equal("", db:value("select bytes(x'')"))
      assert.are.equal("blob", db:value("select typeof(bytes('x'))"))
    end)

    it("of booleans, tuff.null and nothing", function()
      local result
      db:define("f", function() return result end)
      db:define("no_value", function() end)
      result = true
      assert.are.equal(1, db:value("select f()"))
      result = false
      assert.are.equal(0, db:value("select f()"))
      result = tuff.null
      assert.is_nil(db:value("select f()"))
      assert.is_nil(db:value("select no_value()"))
    end)

    it("of tables, which are JSON to the JSON functions too", function()
      db:define("f", function() return { a = { 1, 2, "x" } } end)
      assert.are.equal('{"a":[1,2,"x"]}', db:value("select f()"))
      assert.are.equal("x", db:value("select f() ->> '$.a[2]'"))
      assert.are.equal('[{"a":[1,2,"x"]}]', db:value("select json_array(f())"))
      assert.are.equal("text", db:value("select typeof(f())"))
    end)

    it("and see no more of a blob or text than it holds", function()
      db:define("bytes_of", function(s) return #s end)
      assert.are.equal(0, db:value("select bytes_of(x'')"))
      assert.are.equal(0, db:value("select bytes_of('')"))
      assert.are.equal(3, db:value("select bytes_of(x'000000')"))
      assert.are.equal(10000000, db:value("select bytes_of(zeroblob(10000000))"))
    end)

    it("and refuse what cannot be stored, with a hint", function()
      local result
      db:define("f", function() return result end)
      for _, case in ipairs {
        { "range", 0 / 0 }, { "type", "a\0b" }, { "type", "\xff" }, { "type", print },
        { "type", coroutine.create(print) }, { "type", io.stdout },
      } do
        result = case[2]
        local err = errors.expect(case[1], db.value, db, "select f()")
        assert.is_truthy(err.hint)
      end
      result = { print }
      errors.expect(nil, db.value, db, "select f()")
      local loop = {}
      loop[1] = loop
      result = loop
      errors.expect(nil, db.value, db, "select f()")
      result = 1
      assert.are.equal(1, db:value("select f()"))
    end)

    it("up to 127 of them, or none", function()
      db:define("how_many", function(...) return select("#", ...) end)
      db:define("last", function(...) return (select(select("#", ...), ...)) end)
      local marks = ("?,"):rep(126) .. "?"
      local values = {}
      for i = 1, 127 do values[i] = i end
      assert.are.equal(0, db:value("select how_many()"))
      assert.are.equal(2, db:value("select how_many(null, null)"))
      assert.are.equal(127, db:value("select how_many(" .. marks .. ")", table.unpack(values)))
      assert.are.equal(127, db:value("select last(" .. marks .. ")", table.unpack(values)))
      errors.expect(nil, db.prepare, db, "select last(" .. marks .. ", 1)")
      errors.expect(nil, db.value, db, "select last(" .. ("1,"):rep(999) .. "1)")
    end)

    it("by names of any case and any letters, also of functions that SQLite has", function()
      db:define("Größe-1 \"x\"", function() return 1 end)
      assert.are.equal(1, db:value("select \"Größe-1 \"\"x\"\"\"()"))
      db:define("Twice", function(x) return 2 * x end)
      assert.are.equal(6, db:value("select TWICE(3)"))
      db:define("abs", function() return "mine" end)
      assert.are.equal("mine", db:value("select abs(-1)"))
      db:define_aggregate("sum", { start = 0, step = function() end })
      assert.are.equal(0, db:value("select sum(n) from t"))
    end)
  end)

  it("are told of mistakes in their definition", function()
    local f = function() end
    errors.expect("misuse", db.define, db)
    errors.expect("misuse", db.define, db, "f")
    errors.expect("misuse", db.define, db, "f", "f")
    errors.expect("misuse", db.define, db, 1, f)
    errors.expect("misuse", db.define, db, "", f)
    errors.expect("misuse", db.define, db, ("x"):rep(256), f)
    errors.expect("misuse", db.define, db, "a\0b", f)
    errors.expect("misuse", db.define, db, "\xff", f)
    errors.expect("misuse", db.define, db, "f", f, true)
    errors.expect("misuse", db.define, db, "f", f, { determinstic = true })
    errors.expect("misuse", db.define, db, "f", f, { schema = 1 })
    errors.expect("misuse", db.define, nil, "f", f)
    errors.expect("misuse", db.define_aggregate, db, "f")
    errors.expect("misuse", db.define_aggregate, db, "f", f)
    errors.expect("misuse", db.define_aggregate, db, "f", {})
    errors.expect("misuse", db.define_aggregate, db, "f", { final = f })
    errors.expect("misuse", db.define_aggregate, db, "f", { step = 1 })
    errors.expect("misuse", db.define_aggregate, db, "f", { step = f, finish = f })
    errors.expect("misuse", db.define_aggregate, db, "f", { step = f, start = {} })
    errors.expect("misuse", db.define_collation, db, "f")
    errors.expect("misuse", db.define_collation, db, "f", "f")
    errors.expect("misuse", db.define_collation, db, "", f)
    db:define(("x"):rep(255), f)
    errors.expect("not_found", db.value, db, "select f()")
  end)

  describe("raise an error", function()
    local thrown

    before_each(function()
      db:define("fail", function(x)
        if x == nil or x >= 30 then error(thrown, 0) end
        return x
      end)
    end)

    it("of any type, which comes out as the same object", function()
      local stmt <close> = db:prepare("select fail(n) from t")
      local mine = setmetatable({}, { __tostring = error, __index = error })
      for _, object in ipairs { { code = 1 }, mine, "text", "", 42, 1.5, true, print,
        coroutine.create(print), io.stdout, tuff.null } do
        thrown = object
        assert.is_true(rawequal(object, raised(db.value, db, "select fail()")))
        assert.is_true(rawequal(object, raised(db.all, db, "select fail(n) from t")))
        assert.is_true(rawequal(object, raised(stmt.all, stmt)))
        assert.is_true(rawequal(object, raised(db.exec, db, "select fail(30)")))
        assert.are.equal(10, stmt:value())
      end
    end)

    it("of nothing, or of false", function()
      thrown = nil
      assert.is_nil(raised(db.value, db, "select fail()"))
      thrown = false
      assert.is_false(raised(db.value, db, "select fail()"))
      thrown = "again"
      assert.are.equal("again", raised(db.value, db, "select fail()"))
      assert.are.equal(1, db:value("select 1"))
    end)

    it("of tuff, with all its fields and the place where it came from", function()
      db:define("look", function() return db:value("select * from nowhere") end)
      local err = errors.expect("not_found", db.value, db, "select look()")
      assert.are.equal("select * from nowhere", err.sql)
      errors.mentions(err, "nowhere")
    end)

    it("in the middle of each kind of query", function()
      thrown = {}
      local function same(...) assert.is_true(rawequal(thrown, raised(...))) end
      for _, method in ipairs { "all", "column", "arrays", "run", "exec" } do
        same(db[method], db, "select fail(n) from t order by id")
      end
      for _, method in ipairs { "row", "value", "exists" } do
        same(db[method], db, "select fail(n) from t order by id desc")
      end
      for _, method in ipairs { "rows", "tuples" } do
        local seen = 0
        same(function()
          for _ in db[method](db, "select fail(n) from t order by id") do seen = seen + 1 end
        end)
        assert.are.equal(2, seen)
      end
      assert.are.equal(5, count())
    end)

    it("while a loop is read ahead, and that loop is over then", function()
      thrown = {}
      local seen = 0
      local err = raised(function()
        for _ in db:rows("select fail(n) from t order by id") do
          seen = seen + 1
          db:run("insert into t(n) values (0)")
        end
      end)
      assert.is_true(rawequal(thrown, err))
      assert.are.equal(1, seen)
      sound(5)
    end)

    it("while rows are written: the statement leaves nothing behind", function()
      thrown = {}
      local function same(...) assert.is_true(rawequal(thrown, raised(...))) end
      same(db.run, db, "update t set n = fail(n)")
      same(db.run, db, "update t set n = n + 1 where fail(n) > 0")
      same(db.run, db, "insert into t(n) select fail(n) from t order by id")
      same(db.run, db, "insert or replace into t(id, n) select id, fail(n) from t order by id")
      same(db.run, db, "insert or fail into t(n) select fail(n) from t order by id")
      same(db.all, db, "update t set n = n + 1 returning fail(n + 10)")
      same(db.all, db, "insert into t(n) values (1), (30) returning fail(n)")
      same(db.exec, db, "insert into t(n) values (7); delete from t where fail(n) = 0")
      assert.are.same({ 10, 20, 30, 40, 50 }, db:column("select n from t order by id"))
      sound(5)
    end)

    it("in a trigger of insert_many: no row stays", function()
      db:define("guard", function(n) if n >= 30 then error(thrown) end end, { schema = true })
      db:exec("create trigger g after insert on t begin select guard(new.n); end")
      thrown = {}
      local err = raised(db.insert_many, db, "t", { { n = 1 }, { n = 2 }, { n = 30 } })
      assert.is_true(rawequal(thrown, err))
      sound(5)
      assert.are.equal(2, db:insert_many("t", { { n = 1 }, { n = 2 } }))
    end)

    it("out of a transaction, which is rolled back", function()
      thrown = {}
      assert.is_true(rawequal(thrown, raised(db.transaction, db, function()
        db:run("insert into t(n) values (1)")
        db:run("update t set n = fail(n)")
      end)))
      assert.is_false(db:in_transaction())
      sound(5)
    end)

    it("which, caught in a transaction, undoes its statement and no more", function()
      thrown = {}
      db:transaction(function()
        db:run("insert into t(n) values (1)")
        assert.is_true(rawequal(thrown, raised(db.run, db, "update t set n = fail(n)")))
        assert.is_true(rawequal(thrown, raised(db.run, db, "insert into t(n) values (fail(99))")))
        assert.is_true(rawequal(thrown, raised(db.value, db, "select fail(99)")))
        db:run("insert into t(n) values (2)")
      end)
      assert.are.same({ 10, 20, 30, 40, 50, 1, 2 }, db:column("select n from t order by id"))
    end)

    it("which, caught inside of BEGIN by hand, leaves that open", function()
      thrown = {}
      db:run("begin")
      db:run("insert into t(n) values (1)")
      assert.is_true(rawequal(thrown, raised(db.run, db, "update t set n = fail(n)")))
      assert.is_true(db:in_transaction())
      db:run("commit")
      sound(6)
    end)

    it("that an inner query raised, through several levels", function()
      thrown = {}
      db:define("down", function(depth)
        if depth == 0 then error(thrown) end
        return db:value("select down(?)", depth - 1)
      end)
      assert.is_true(rawequal(thrown, raised(db.value, db, "select down(10)")))
    end)

    it("that is caught inside of the function is none", function()
      thrown = {}
      db:define("try", function(x)
        local ok, result = pcall(db.value, db, "select fail(?)", x)
        return ok and result or -1
      end)
      assert.are.same({ 10, 20, -1, -1, -1 }, db:column("select try(n) from t order by id"))
    end)

    it("after which no other function of the statement is called", function()
      local calls = 0
      thrown = {}
      db:define("later", function()
        calls = calls + 1
        return 0
      end)
      raised(db.all, db, "select fail(99), later() from t")
      raised(db.all, db, "select n from t where fail(99) or later()")
      assert.are.equal(0, calls)
    end)

    it("where assert and coroutines in them work as ever", function()
      db:define("f", function(x)
        local generator = coroutine.wrap(function()
          for i = 1, x do coroutine.yield(i) end
        end)
        return generator() + generator()
      end)
      assert.are.equal(3, db:value("select f(2)"))
      assert.is_truthy(tostring(raised(db.value, db, "select f('x')")):find("'for' limit"))
    end)
  end)

  describe("use their own connection", function()
    it("for reading, also by the very same text", function()
      db:define("total", function(depth)
        if depth == 0 then return db:value("select sum(n) from t") end
        return db:value("select total(?) + 1", depth - 1)
      end)
      assert.are.equal(155, db:value("select total(?) + 1", 4))
      local stmt
      db:define("self", function(n) return n > 0 and stmt:value(n - 1) + 1 or 0 end)
      stmt = db:prepare("select self(?)")
      assert.are.equal(7, stmt:value(7))
      stmt:close()
      db:define("all_of", function()
        local n = 0
        for row in db:rows("select n from t") do n = n + row.n end
        for _, more in db:tuples("select n from t") do n = n + more end
        return n + #db:all("select * from t")
      end)
      assert.are.same({ 305, 305, 305, 305, 305 }, db:column("select all_of() from t"))
    end)

    it("for reading in a loop that is left", function()
      db:define("first", function(n)
        for row in db:rows("select id from t where n >= ? order by id", n) do return row.id end
      end)
      assert.are.same({ 1, 2, 3, 4, 5 }, db:column("select first(n) from t order by id"))
      db:run("delete from t")
    end)

    it("never for writing, however it is tried", function()
      local stmt <close> = db:prepare("delete from t")
      local ways = {
        function() db:run("insert into t(n) values (1)") end,
        function() db:exec("insert into t(n) values (1)") end,
        function() db:exec("create table u(x); drop table t") end,
        function() db:value("insert into t(n) values (1) returning id") end,
        function() for _ in db:rows("delete from t returning id") do break end end,
        function() stmt:run() end,
        function() db:insert("t", { n = 1 }) end,
        function() db:insert_many("t", { { n = 1 }, { n = 2 } }) end,
        function() db:run("begin") end,
        function() db:run("commit") end,
        function() db:run("rollback") end,
        function() db:exec("rollback") end,
        function() db:exec("begin; commit") end,
        function() db:run("savepoint x") end,
        function() db:run("vacuum") end,
        function() db:run("pragma user_version = 3") end,
        function() db:begin() end,
        function() db:transaction(function() end) end,
        function() db:read(function() end) end,
        function() db:close() end,
        function() db:define("f", function() end) end,
        function() db:define("other", function() end) end,
        function() db:define_aggregate("other", { step = function() end }) end,
        function() db:define_collation("other", function() return 0 end) end,
        function() db:load_extension("/nowhere.so") end,
        function() db:load_extension("/nowhere.so", { optional = true }) end,
      }
      local way
      db:define("f", function() way() end)
      local function try(call)
        for i, each in ipairs(ways) do
          way = each
          local ok, err = pcall(call)
          assert(not ok, "way " .. i .. " was not refused")
          assert(tuff.is_error(err) and err.code == "misuse", "way " .. i .. ": " .. tostring(err))
        end
      end
      try(function() db:value("select f()") end)
      try(function() db:run("update t set n = f()") end)
      try(function() for _ in db:rows("select f() from t") do break end end)
      db:transaction(function()
        db:run("insert into t(n) values (1)")
        try(function() db:value("select f()") end)
        try(function() db:run("update t set n = f()") end)
      end)
      assert.is_false(db:in_transaction())
      sound(6)
      assert.are.equal(0, db:value("pragma user_version"))
    end)

    it("never for ending the transaction around the query", function()
      local tx
      db:define("f", function(how) tx[how](tx) end)
      for _, how in ipairs { "commit", "rollback" } do
        tx = db:begin()
        db:run("insert into t(n) values (1)")
        errors.expect("misuse", db.value, db, "select f(?)", how)
        assert.is_true(tx:is_open())
        tx:rollback()
      end
      sound(5)
    end)

    it("but may write on another one", function()
      local other <close> = tuff.open(path, { busy_timeout = 20 })
      db:define("log", function(n) other:run("insert into t(n) values (?)", n) end)
      assert.are.equal(5, #db:all("select log(n) from t"))
      sound(10)
      errors.expect("busy", db.run, db, "update t set n = log(n)")
      sound(10)
    end)

    it("never for closing the statement or the loop that calls them", function()
      local stmt
      db:define("close", function() stmt:close() end)
      stmt = db:prepare("select close() from t")
      errors.expect("misuse", stmt.value, stmt)
      errors.expect("misuse", stmt.all, stmt)
      errors.expect("misuse", function() for _ in stmt:rows() do break end end)
      stmt:close()
      local step, state, first, loop
      db:define("late", function(n)
        if n > 10 and loop then
          local closed <close> = loop
          return closed and n
        end
        return n
      end)
      step, state, first, loop = db:rows("select late(n) from t order by id")
      step(state, first)
      if loop then
        errors.expect("misuse", step, state, first)
        loop = nil
      end
      assert.are.equal(5, count())
    end)

    it("never for going on with the loop that calls them", function()
      local step, state, first
      local nested
      db:define("again", function(n)
        if n == 20 then nested = table.pack(pcall(step, state, first)) end
        return n
      end)
      step, state, first = db:rows("select again(n) as n from t order by id")
      assert.are.equal(10, step(state, first).n)
      assert.are.equal(20, step(state, first).n)
      assert.is_false(nested[1])
      assert.are.equal("misuse", nested[2].code)
      assert.are.equal(30, step(state, first).n)
      -- read ahead, because something is written
      step, state, first = db:rows("select again(n) as n from t order by id")
      assert.are.equal(10, step(state, first).n)
      db:run("insert into t(n) values (60)")
      assert.is_false(nested[1])
      assert.are.equal(20, step(state, first).n)
      db:run("delete from t")
    end)

    it("while the collector takes a loop that is being read ahead", function()
      db:define("collect", function(n)
        collect()
        return n
      end)
      for _ = 1, 3 do
        (function()
          local step, state, first = db:rows("select collect(n) from t")
          step(state, first)
        end)()
        db:run("update t set n = n + 1")
        local stmt = db:prepare("select collect(n) from t")
        local step, state, first = stmt:rows()
        step(state, first)
        stmt, step, state, first = nil, nil, nil, nil -- luacheck: ignore 311
        db:run("update t set n = n + 1")
      end
      assert.are.equal(16, db:value("select n from t"))
      collect()
      assert.are.equal(1, tuff.instances())
    end)

    it("within the time of the whole query", function()
      db:define("look", function() return db:value("select 1") end)
      errors.expect("timeout", function()
        db:using { timeout = 100 }:value(endless .. "select count(*) from c where look() = 0")
      end)
      db:define("slow", function()
        return (db:using { timeout = 50 }:value(endless .. "select count(*) from c"))
      end)
      errors.expect("timeout", db.value, db, "select slow()")
      assert.are.equal(5, count())
    end)

    it("as deep as Lua goes, and not deeper", function()
      db:define("deeper", function() return db:value("select deeper()") end)
      assert.is_truthy(tostring(raised(db.value, db, "select deeper()")):find("overflow"))
      local function down() return down() + 1 end
      db:define("down", down)
      assert.is_truthy(tostring(raised(db.value, db, "select down()")):find("overflow"))
      db:define("nest", function() return db:transaction(function() end) end)
      errors.expect("misuse", db.value, db, "select nest()")
      db:define_aggregate("deep", {
        step = function() return db:value("select deep(1)") end,
      })
      assert.is_truthy(tostring(raised(db.value, db, "select deep(1)")):find("overflow"))
      sound(5)
    end)
  end)

  describe("are defined", function()
    it("anew, and every statement calls the new one", function()
      db:define("f", print)
      local stmt <close> = db:prepare("select f(1)")
      for i = 1, 5 do
        db:define("f", function(x) return x + i end)
        assert.are.equal(1 + i, db:value("select f(1)"))
        assert.are.equal(1 + i, stmt:value())
      end
      db:define_aggregate("f", { step = function() return "aggregate" end })
      assert.are.equal("aggregate", db:value("select f(1)"))
      assert.are.equal("aggregate", stmt:value())
    end)

    it("before the statement that needs them is prepared, also after a failure", function()
      errors.expect("not_found", db.value, db, "select f(1)")
      db:define("f", function() return 1 end)
      assert.are.equal(1, db:value("select f(1)"))
    end)

    it("in the body of a loop, which goes on as it began", function()
      db:define("f", function(n) return n end)
      local seen = {}
      for n, value in db:tuples("select f(n) from t order by id") do
        seen[n] = value
        db:define("f", function() return "new" end)
        db:define("f" .. n, function() return n end)
      end
      assert.are.same({ 10, 20, 30, 40, 50 }, seen)
      assert.are.equal("new5", db:value("select f(1) || f5()"))
    end)

    it("in a transaction, and stay when it is rolled back", function()
      pcall(db.transaction, db, function()
        db:define("f", function() return 1 end)
        db:run("update t set n = f()")
        error("out")
      end)
      assert.are.equal(1, db:value("select f()"))
      assert.are.equal(10, db:value("select n from t"))
    end)

    it("while a stream is open, but not in the place of another one", function()
      db:exec("create table b(x blob); insert into b values (x'010203')")
      db:define("f", function() return 1 end)
      db:define_collation("c", function() return 0 end)
      local stream <close> = db:blob("b", "x", 1)
      assert.are.equal("\1", stream:read(1))
      db:define("g", function() return 2 end)
      errors.mentions(errors.expect("misuse", db.define, db, "f", print), "stream")
      errors.expect("misuse", db.define_aggregate, db, "f", { step = print })
      errors.expect("misuse", db.define_collation, db, "c", print)
      assert.are.equal(3, db:value("select f() + g()"))
      assert.are.equal("\2\3", stream:read())
      stream:close()
      db:define("f", function() return 3 end)
      assert.are.equal(3, db:value("select f()"))
    end)

    it("on one connection only", function()
      local other <close> = tuff.open(path)
      db:define("f", function() return 1 end)
      errors.expect("not_found", other.value, other, "select f()")
    end)

    it("many times over without a leak, and let the old ones go", function()
      local last = setmetatable({}, { __mode = "v" })
      local function define(i)
        local fn = function() return i end
        last[1] = fn
        db:define("f", fn)
        db:define_aggregate("a", { step = function() return i, fn end })
        db:define_collation("c", function() return i, fn end)
      end
      for i = 1, 100 do define(i) end
      collect()
      local before = collectgarbage("count")
      for i = 1, 2000 do define(i) end
      collect()
      -- A closure of each kind for each definition would be 200 KB and more.
      assert.is_true(collectgarbage("count") - before < 50)
      local old = setmetatable({ last[1] }, { __mode = "v" })
      for _, name in ipairs { "f", "a" } do db:define(name, function() return 2000 end) end
      db:define_collation("c", function() return 0 end)
      collect()
      assert.is_nil(old[1])
      assert.are.equal(2000, db:value("select f()"))
    end)

    it("without keeping their connection alive", function()
      for _ = 1, 3 do
        local own = tuff.open(path)
        own:define("f", function() return own:value("select 1") end)
        own:define_aggregate("a", { step = function() return own end })
        own:define_collation("c", function() return own and 0 end)
        assert.are.equal(1, own:value("select f()"))
      end
      collect()
      assert.are.equal(1, tuff.instances())
    end)
  end)

  describe("and coroutines", function()
    it("refuse a yield clearly, and the coroutine goes on", function()
      db:define("f", function() return coroutine.yield(1) end)
      local thread = coroutine.wrap(function()
        local err = errors.expect("misuse", db.value, db, "select f()")
        errors.mentions(err, "yield")
        errors.expect("misuse", db.all, db, "select f() from t")
        errors.expect("misuse", function()
          for _ in db:rows("select f() from t") do break end
        end)
        return coroutine.yield("alive")
      end)
      assert.are.equal("alive", thread())
      thread()
      assert.is_truthy(tostring(raised(db.value, db, "select f()")):find("yield"))
    end)

    it("serve any of them, also when the one that defined them is gone", function()
      local thread = coroutine.create(function()
        local upvalue = "alive"
        db:define("f", function() return upvalue end)
        db:define_aggregate("a", { step = function() return upvalue end })
        db:define_collation("c", function(x, y) return upvalue and (x < y and 1 or -1) end)
        coroutine.yield()
      end)
      coroutine.resume(thread)
      thread = nil -- luacheck: ignore 311
      collect()
      assert.are.equal("alive", db:value("select f()"))
      assert.are.equal("alive", coroutine.wrap(function()
        return db:value("select a(n) from t")
      end)())
      assert.are.equal("text 5", coroutine.wrap(function()
        return db:value("select s from t order by s collate c")
      end)())
    end)

    it("suspended in a loop are resumed by another", function()
      db:define("f", function(n) return n + 1 end)
      db:define_aggregate("a", { start = 0, step = function(s, n) return s + n end,
        inverse = function(s, n) return s - n end })
      local walk = coroutine.wrap(function()
        for _, x, y in db:tuples("select f(n), a(n) over (order by id) from t order by id") do
          coroutine.yield(x, y)
        end
      end)
      assert.are.same({ 11, 10 }, { walk() })
      assert.are.same({ 21, 30 }, { coroutine.wrap(walk)() })
      collect()
      assert.are.same({ 31, 60 }, { walk() })
    end)

    it("dropped in the middle of an aggregate loop leave nothing", function()
      db:define_aggregate("a", { start = function() return {} end,
        step = function(s, n) s[#s + 1] = n end, final = function(s) return #s end })
      for _ = 1, 50 do
        local walk = coroutine.wrap(function()
          for _ in db:rows("select a(n) over (order by id) from t") do coroutine.yield() end
        end)
        pcall(walk)
      end
      collect()
      assert.are.equal(1, tuff.instances())
      assert.are.equal(5, db:value("select a(n) from t"))
    end)
  end)

  describe("in a schema", function()
    local uses = {
      "create trigger g after update on t begin select f(new.n); end; update t set n = 1",
      "create view v as select f(n) from t; select * from v",
      "create table c(x check (f(x) > 0)); insert into c values (1)",
      "create table g(x, y as (f(x))); select * from g",
      "create index i on t(f(n))",
      "create index i on t(n) where f(n) > 3",
      "create table d(x default (f(1)), y); insert into d(y) values (1)",
    }

    it("need schema = true, and the error says so", function()
      db:define("f", function(n) return n end, { deterministic = true })
      for i, use in ipairs(uses) do
        local err = errors.expect(nil, db.exec, db, use)
        assert(tostring(err):find("schema = true", 1, true)
          or (err.hint or ""):find("schema = true", 1, true), "use " .. i .. ": " .. tostring(err))
      end
      db:define("f", function(n) return n end, { deterministic = true, schema = true })
      for _, use in ipairs(uses) do
        local ok, err = pcall(db.exec, db, use)
        assert(ok or tostring(err):find("already exists"), tostring(err))
      end
    end)

    it("need deterministic = true where SQL relies on it, and the error says so", function()
      db:define("f", function(n) return n end, { schema = true })
      for _, use in ipairs { uses[4], uses[5], uses[6] } do
        local err = errors.expect(nil, db.exec, db, use)
        errors.mentions(err, "deterministic = true")
      end
      db:exec(uses[1])
      db:exec(uses[2])
    end)

    it("serve an index over an expression", function()
      db:define("half", function(n) return n // 2 end, { deterministic = true, schema = true })
      db:exec("create index halves on t(half(n))")
      assert.are.equal(3, db:value("select id from t where half(n) = 15"))
      assert.is_truthy(db:row("explain query plan select id from t where half(n) = 15").detail
        :find("halves"))
      db:run("insert into t(n) values (100)")
      assert.are.equal(6, db:value("select id from t where half(n) = 50"))
      sound(6)
    end)

    it("are missed by a connection that has not defined them", function()
      db:define("f", function(n) return n end, { schema = true })
      db:exec("create trigger g after update on t begin select f(new.n); end")
      local other <close> = tuff.open(path)
      errors.mentions(errors.expect("not_found", other.run, other, "update t set n = 1"), "f")
      assert.are.equal(5, other:value("select count(*) from t"))
    end)

    it("raise the same object from there too", function()
      local thrown = {}
      db:define("f", function() error(thrown) end, { schema = true, deterministic = true })
      db:exec("create trigger g before delete on t begin select f(); end")
      assert.is_true(rawequal(thrown, raised(db.run, db, "delete from t")))
      assert.is_true(rawequal(thrown, raised(db.exec, db, "create index i on t(f(n))")))
      sound(5)
    end)
  end)

  describe("that aggregate", function()
    local average = {
      start = function() return { sum = 0, count = 0 } end,
      step = function(state, n) state.sum, state.count = state.sum + n, state.count + 1 end,
      inverse = function(state, n) state.sum, state.count = state.sum - n, state.count - 1 end,
      final = function(state) return state.count > 0 and state.sum / state.count or nil end,
    }

    it("begin each group with a value or with what a function makes", function()
      db:define_aggregate("total", { start = 100, step = function(state, n) return state + n end })
      db:define_aggregate("average", average)
      db:define_aggregate("longest", { step = function(state, s)
        return (not state or #s > #state) and s or nil
      end })
      assert.are.equal(250, db:value("select total(n) from t"))
      assert.are.equal(30.0, db:value("select average(n) from t"))
      assert.are.equal("text 1", db:value("select longest(s) from t"))
      assert.are.equal(100, db:value("select total(n) from t where 0"))
      assert.is_nil(db:value("select average(n) from t where 0"))
      assert.is_nil(db:value("select longest(s) from t where 0"))
      assert.are.same({ 110, 120, 130, 140, 150 },
        db:column("select total(n) from t group by id order by id"))
    end)

    it("keep false as a state, and NULL apart", function()
      db:define_aggregate("all_true", { start = true,
        step = function(state, n) return state and n ~= nil end })
      assert.are.equal(1, db:value("select all_true(n) from t"))
      db:run("insert into t(n) values (null)")
      assert.are.equal(0, db:value("select all_true(n) from t"))
    end)

    it("several at once, over many groups, with DISTINCT, FILTER and HAVING", function()
      db:define_aggregate("total", { start = 0, step = function(state, n) return state + n end })
      local rows = db:all([[with recursive c(i) as (select 0 union all select i + 1 from c
        where i < 19999) select i % 5000 as k, total(i) as a, total(distinct i % 2) as b,
        total(i) filter (where i < 5000) as c from c group by k having total(1) = 4 order by k]])
      assert.are.equal(5000, #rows)
      for k, row in ipairs(rows) do
        assert.are.same({ k = k - 1, a = 4 * (k - 1) + 30000, b = (k - 1) % 2, c = k - 1 }, row)
      end
    end)

    it("free the states of groups as they end", function()
      db:define_aggregate("keep", { start = function() return {} end,
        step = function(state, n) state[1] = ("x"):rep(1000) .. n end,
        final = function(state) return #state[1] end })
      db:define_aggregate("running", average)
      collect()
      local before, most = collectgarbage("count"), 0
      db:define("look", function(n)
        if n % 1000 == 0 then
          collectgarbage()
          most = math.max(most, collectgarbage("count") - before)
        end
        return n
      end)
      for _ in db:rows("select running(n) over (order by id) from t") do
        db:value([[with recursive c(i) as (select 1 union all select i + 1 from c where i < 5000)
          select sum(look(i)) from (select i, keep(i) from c group by i)]])
      end
      assert.is_true(most < 1000, most .. " KB")
    end)

    it("raise errors from each of their parts, the same object, and leave nothing", function()
      for _, part in ipairs { "start", "step", "final", "inverse", "value" } do
        local thrown, definition = {}, {}
        for name, fn in pairs(average) do definition[name] = fn end
        local old = definition[part] or definition.final
        local calls = 0
        definition[part] = function(...)
          calls = calls + 1
          if calls == (part == "start" and 1 or 2) then error(thrown) end
          return old(...)
        end
        db:define_aggregate("bad", definition)
        local sql = part == "step" and "select bad(n) from t"
          or part == "final" and "select bad(n) from t group by id"
          or "select bad(n) over (order by id rows 1 preceding) from t"
        assert.is_true(rawequal(thrown, raised(db.all, db, sql)), part)
        calls = 10
        assert.are.equal(30.0, db:value("select bad(n) from t"))
      end
    end)

    it("refuse a result that cannot be stored", function()
      db:define_aggregate("bad", { step = function() return 0 / 0 end })
      errors.expect("range", db.value, db, "select bad(n) from t")
      db:define_aggregate("bad", { step = function() end, final = function() return print end })
      errors.expect("type", db.value, db, "select bad(n) from t")
    end)

    it("may query, and aggregate in there", function()
      db:define_aggregate("total", { start = 0, step = function(s, n)
        return s + db:value("select inner_total(n) from t where n <= ?", n)
      end })
      db:define_aggregate("inner_total", { start = function() return { n = 0 } end,
        step = function(s, n) s.n = s.n + n end, final = function(s) return s.n end })
      assert.are.equal(10 + 30 + 60 + 100 + 150, db:value("select total(n) from t"))
    end)

    it("run over windows with frames", function()
      db:define_aggregate("average", average)
      local function over(frame)
        return db:column("select average(n) over (" .. frame .. ") from t order by id")
      end
      assert.are.same({ 10.0, 15.0, 20.0, 25.0, 30.0 }, over "order by id")
      assert.are.same({ 10.0, 15.0, 25.0, 35.0, 45.0 }, over "order by id rows 1 preceding")
      assert.are.same({ 15.0, 20.0, 30.0, 40.0, 45.0 },
        over "order by id rows between 1 preceding and 1 following")
      assert.are.same({ 10.0, 20.0, 20.0, 30.0, 30.0 }, over "partition by id % 2 order by id")
      assert.are.same({ 35.0, 40.0, 45.0, 50.0, tuff.null },
        over "order by id rows between 1 following and unbounded following")
      assert.are.same({ 35.0, 32.5, 30.0, 27.5, 25.0 },
        over("order by id rows between unbounded preceding and unbounded following "
          .. "exclude current row"))
    end)

    it("are no window functions without an inverse", function()
      db:define_aggregate("total", { start = 0, step = function(s, n) return s + n end })
      local err = errors.expect(nil, db.all, db, "select total(n) over (order by id) from t")
      errors.mentions(err, "total")
    end)

    it("may be left in the middle", function()
      local finals = 0
      db:define_aggregate("average", {
        start = average.start, step = average.step, inverse = average.inverse,
        value = average.final,
        final = function(state)
          finals = finals + 1
          return average.final(state)
        end,
      })
      for _ = 1, 30 do
        for _, value in db:tuples("select average(n) over (order by id) from t") do
          if value > 10 then break end
        end
        for _ in db:rows("select average(n) from t group by id") do break end
      end
      collect()
      db:run("insert into t(n) values (60)")
      assert.are.equal(35.0, db:value("select average(n) from t"))
      assert.are.equal(1, tuff.instances())
    end)

    it("in loops side by side, each with groups of its own", function()
      db:define_aggregate("average", average)
      local seen = {}
      for _, outer in db:tuples("select average(n) over (order by id) from t") do
        for _, inner in db:tuples("select average(n) over (order by id desc) from t") do
          seen[#seen + 1] = outer + inner
          if inner == 45 then break end
        end
      end
      assert.are.same({ 60, 55, 65, 60, 70, 65, 75, 70, 80, 75 }, seen)
    end)
  end)

  describe("that order text", function()
    local function backwards(a, b)
      return a < b and 1 or a > b and -1 or 0
    end
    local function by_length(a, b) return #a - #b end

    before_each(function()
      db:define_collation("backwards", backwards)
      db:define_collation("by_length", by_length)
    end)

    it("in ORDER BY, comparisons, GROUP BY and max", function()
      assert.are.same({ 5, 4, 3, 2, 1 }, db:column("select id from t order by s collate backwards"))
      assert.are.equal(4, db:value("select count(*) from t where s < 'text 1' collate backwards"))
      assert.are.equal(5, db:value("select count(*) from t where s = 'TEXT x' collate by_length"))
      assert.are.equal(1, #db:all("select count(*) from t group by s collate by_length"))
      assert.are.equal("text 1", db:value("select max(s collate backwards) from t"))
    end)

    it("in an index and a unique column", function()
      db:exec("create table u(s text collate by_length unique);"
        .. "create index back on t(s collate backwards)")
      db:insert("u", { s = "a" })
      errors.expect("constraint", db.insert, db, "u", { s = "b" })
      db:insert("u", { s = "bb" })
      assert.are.equal("bb", db:value("select s from u where s = 'xx'"))
      assert.are.same({ 5, 4 }, db:column("select id from t where s < 'text 3' collate backwards "
        .. "order by s collate backwards"))
      sound(5)
    end)

    it("by any number, fractions and infinity too", function()
      db:define_collation("c", function(a, b)
        return a < b and 0.25 or a > b and -math.huge or 0
      end)
      assert.are.same({ 5, 4, 3, 2, 1 }, db:column("select id from t order by s collate c"))
    end)

    it("and must return a number", function()
      for _, result in ipairs { "1", true, {} } do
        db:define_collation("c", function() return result end)
        local err = errors.expect("misuse", db.all, db, "select id from t order by s collate c")
        errors.mentions(err, "collation")
      end
      db:define_collation("c", function() end)
      errors.expect("misuse", db.all, db, "select id from t order by s collate c")
      db:define_collation("c", function() return 0 / 0 end)
      errors.expect("misuse", db.all, db, "select id from t order by s collate c")
    end)

    it("see text as it is, also empty and long", function()
      local longest = 0
      db:define_collation("c", function(a, b)
        longest = math.max(longest, #a, #b)
        return backwards(a, b)
      end)
      db:run("insert into t(s) values (''), (?)", ("ü"):rep(100000))
      assert.are.equal(7, #db:all("select * from t order by s collate c"))
      assert.are.equal(200000, longest)
    end)

    describe("and raise an error", function()
      local thrown, armed

      before_each(function()
        thrown, armed = {}, false
        db:define_collation("moody", function(a, b)
          if armed and (a == "text 4" or b == "text 4") then error(thrown) end
          return -backwards(a, b)
        end)
        db:exec("create table m(s text collate moody, n integer); create index mi on m(s);"
          .. "create table mu(s text collate moody unique, n integer unique)")
        armed = true
      end)

      local function same(...) assert.is_true(rawequal(thrown, raised(...))) end

      local function fill(source, verb)
        return (verb or "insert") .. " into " .. source .. " select s, id from t order by id desc"
      end

      local function settled(left)
        armed = false
        assert.are.equal("ok", db:value("pragma integrity_check"))
        assert.are.equal(left or 0, db:value("select (select count(*) from m) + "
          .. "(select count(*) from mu)"))
        armed = true
      end

      it("in ORDER BY, comparisons and loops", function()
        same(db.all, db, "select id from t order by s collate moody")
        same(db.value, db, "select count(*) from t where s = 'text 4' collate moody")
        same(db.value, db, "select max(s collate moody) from t")
        same(function()
          for _ in db:rows("select distinct s collate moody from t") do assert.is_true(armed) end
        end)
        assert.are.equal(5, count())
      end)

      it("in CREATE INDEX, which leaves none", function()
        same(db.exec, db, "create index x on t(s collate moody)")
        assert.is_false(db:exists("select * from sqlite_schema where name = 'x'"))
        same(db.exec, db, "create table z(a); create index x on t(s collate moody)")
        assert.is_false(db:exists("select * from sqlite_schema where name in ('x', 'z')"))
        settled()
      end)

      it("in a write outside of a transaction, which leaves nothing", function()
        for _, source in ipairs { "m", "mu" } do
          for _, verb in ipairs { "insert", "insert or ignore", "replace", "insert or fail",
            "insert or rollback" } do
            same(db.run, db, fill(source, verb))
            settled()
            same(db.exec, db, fill(source, verb))
            settled()
          end
          same(db.all, db, fill(source) .. " returning s")
          settled()
        end
        same(db.insert_many, db, "m", { { s = "text 1" }, { s = "text 4" }, { s = "text 2" } })
        settled()
      end)

      it("in a write inside of a transaction, of which nothing stays", function()
        for _, source in ipairs { "m", "mu" } do
          for _, verb in ipairs { "insert", "insert or ignore", "replace", "insert or fail" } do
            same(db.transaction, db, function()
              db:run("insert into m values ('before', 1)")
              db:run(fill(source, verb))
            end)
            assert.is_false(db:in_transaction())
            settled()
          end
        end
      end)

      it("that, caught, ends the transaction for what follows", function()
        for _, source in ipairs { "m", "mu" } do
          for _, verb in ipairs { "insert", "insert or ignore", "insert or fail" } do
            pcall(db.transaction, db, function()
              db:run("insert into m values ('before', 1)")
              same(db.run, db, fill(source, verb))
              local good = pcall(db.run, db, "insert into m values ('after', 1)")
              assert.is_false(good)
            end)
            assert.is_false(db:in_transaction())
            settled()
          end
        end
      end)

      it("inside of a nested transaction and of BEGIN by hand", function()
        pcall(db.transaction, db, function()
          db:run("insert into m values ('before', 1)")
          same(db.transaction, db, function() db:run(fill("m")) end)
          db:run("insert into m values ('after', 1)")
        end)
        settled()
        db:run("begin")
        db:run("insert into m values ('before', 1)")
        same(db.run, db, fill("m"))
        pcall(db.run, db, "rollback")
        assert.is_false(db:in_transaction())
        settled()
      end)

      it("and work again afterwards", function()
        same(db.run, db, fill("m"))
        armed = false
        assert.are.equal(5, db:run(fill("m")))
        armed = true
        settled(5)
      end)
    end)

    it("are missed by a connection that has not defined them", function()
      db:exec("create index back on t(s collate backwards)")
      local other <close> = tuff.open(path)
      errors.mentions(errors.expect("not_found", other.run, other, "insert into t(s) values ('x')"),
        "backwards")
      sound(5)
    end)
  end)

  describe("end by Ctrl-C", function()
    it("in the middle of a function, and of a query that calls one", function()
      for _, work in ipairs {
        'db:define("f", function() print("ready") while true do end end) db:value("select f()")',
        [[local told
        db:define("f", function() if not told then told = true print("ready") end return 0 end)
        db:value("with recursive c(n) as (select 1 union all select n + 1 from c) "
          .. "select count(*) from c where f() = 1")]],
      } do
        local child = process.start { arguments = { path }, chunk = ([[
          local tuff = require "tuff"
          local db <close> = tuff.open((...), { timeout = 60000, durability = "normal" })
          local ok, err = pcall(function() %s end)
          print(ok, tostring(err):match("interrupted"), db:value("select count(*) from t"))
        ]]):format(work) }
        child:expect("ready")
        os.execute("kill -INT " .. child.pid)
        child:expect("false\tinterrupted\t5")
        child:finish()
      end
    end)
  end)

  describe("from a library", function()
    local compiler = process.succeeds("cc --version")
    local probe = "#include <sqlite3ext.h>\n"

    local source = probe .. [[
      SQLITE_EXTENSION_INIT1
      static void twice(sqlite3_context *context, int count, sqlite3_value **values) {
        (void)count;
        sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
      }
      #ifdef BAD
      int NAME(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
        SQLITE_EXTENSION_INIT2(api);
        (void)db;
        *error = sqlite3_mprintf("it does not feel well");
        return SQLITE_ERROR;
      }
      #else
      int NAME(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
        SQLITE_EXTENSION_INIT2(api);
        (void)error;
        return sqlite3_create_function(db, "c_twice", 1, SQLITE_UTF8, 0, twice, 0, 0);
      }
      #endif
    ]]

    local function build(name, flags)
      local directory = temporary.directory()
      temporary.write(directory .. "/x.c", source)
      local library = directory .. "/" .. name .. ".so"
      if not process.succeeds(("cc -shared -fPIC %s -o %s %s/x.c"):format(
        flags, process.quote(library), directory)) then
        return nil
      end
      return library
    end

    it("is loaded, and its functions can be called", function()
      local library = compiler and build("twice", "-DNAME=sqlite3_twice_init")
      if not library then return pending("no C compiler with sqlite3ext.h") end
      assert.is_true(db:load_extension(library))
      assert.are.equal(42, db:value("select c_twice(21)"))
      local other <close> = tuff.open(path)
      assert.is_true(other:load_extension(library:gsub("%.so$", "") .. "", { optional = true }))
      assert.are.equal(42, other:value("select c_twice(21)"))
    end)

    it("begins where entry says", function()
      local library = compiler and build("entry", "-DNAME=my_start")
      if not library then return pending("no C compiler with sqlite3ext.h") end
      local err = errors.expect("unsupported", db.load_extension, db, library)
      errors.mentions(err, library)
      assert.is_true(db:load_extension(library, { entry = "my_start" }))
      assert.are.equal(4, db:value("select c_twice(2)"))
    end)

    it("that fails to begin says why", function()
      local library = compiler and build("bad", "-DBAD -DNAME=sqlite3_bad_init")
      if not library then return pending("no C compiler with sqlite3ext.h") end
      errors.mentions(errors.expect(nil, db.load_extension, db, library), "does not feel well")
      errors.expect("not_found", db.value, db, "select c_twice(2)")
    end)

    it("that is missing is an error that names it", function()
      local missing = temporary.directory() .. "/nowhere.so"
      errors.mentions(errors.expect("not_found", db.load_extension, db, missing), missing)
      errors.expect("unsupported", db.load_extension, db, path) -- a file, but no library
      errors.expect("misuse", db.load_extension, db)
      errors.expect("misuse", db.load_extension, db, "")
      errors.expect("misuse", db.load_extension, db, missing .. "\0.so")
      errors.expect("misuse", db.load_extension, db, missing, { entry = "a\0b" })
      errors.expect("misuse", db.load_extension, db, missing, { optonal = true })
      errors.expect("misuse", db.load_extension, db, missing, { optional = 1 })
    end)

    it("that is missing and optional is a warning, and gives false", function()
      local missing, warned = temporary.directory() .. "/nowhere.so", nil
      db:on_warning(function(warning) warned = warning end)
      assert.is_false(db:load_extension(missing, { optional = true }))
      errors.mentions(warned, missing)
    end)

    it("is never loaded by plain SQL, also after one was loaded", function()
      pcall(db.load_extension, db, "/nowhere.so")
      for _, sql in ipairs { "select load_extension('/nowhere.so')",
        "select load_extension('/nowhere.so', 'x')" } do
        local err = errors.expect(nil, db.value, db, sql)
        assert.is_nil(tostring(err):find("cannot open shared", 1, true))
      end
    end)

    it("may be loaded in the body of a loop, which goes on", function()
      local library = compiler and build("twice", "-DNAME=sqlite3_twice_init")
      if not library then return pending("no C compiler with sqlite3ext.h") end
      local seen = 0
      for _ in db:rows("select * from t") do
        seen = seen + 1
        db:load_extension(library)
      end
      assert.are.equal(5, seen)
    end)
  end)

  it("on a closed connection are refused", function()
    local own = tuff.open(path)
    own:close()
    errors.expect("closed", own.define, own, "f", print)
    errors.expect("closed", own.define_aggregate, own, "f", { step = print })
    errors.expect("closed", own.define_collation, own, "f", print)
    errors.expect("closed", own.load_extension, own, "/nowhere.so")
  end)
end)
