local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

--- The three places where the vocabulary of statements is spoken; each is given as a function
-- (db, verb, sql, ...) that makes the call.
local speakers = {
  ["a connection"] = function(db, verb, sql, ...)
    return db[verb](db, sql, ...)
  end,
  ["a prepared statement"] = function(db, verb, sql, ...)
    local stmt = db:prepare(sql)
    return stmt[verb](stmt, ...)
  end,
  ["options for one call"] = function(db, verb, sql, ...)
    local using = db:using({ timeout = 60000 })
    return using[verb](using, sql, ...)
  end,
}

local images = [[
  create table images(id {key}, name text, score {real});
  insert into images(name, score) values ('a.png', 1.5), ('b.png', null), ('c.png', 3.0);
]]

local rows = {
  { id = 1, name = "a.png", score = 1.5 }, { id = 2, name = "b.png" },
  { id = 3, name = "c.png", score = 3.0 },
}

fixture.each_engine("statements", function(engine)
  local db

  before_each(function()
    db = engine.database(images)
  end)

  for name, speaker in pairs(speakers) do
    describe("on " .. name, function()
      local function say(verb, sql, ...)
        return speaker(db, verb, sql, ...)
      end

      it("run returns how many rows changed", function()
        assert.are.equal(1, say("run", "insert into images(name) values (?)", "d.png"))
        assert.are.equal(4, say("run", "update images set score = ?", 2.0))
        assert.are.equal(0, say("run", "update images set score = 1 where id = ?", 99))
        assert.are.equal(2, say("run", "delete from images where id > ?", 2))
        assert.are.equal("integer", math.type(say("run", "delete from images")))
      end)

      it("run returns 0 for a statement that is no change of rows", function()
        say("run", "update images set score = 1")
        assert.are.equal(0, say("run", "create table other(x integer)"))
      end)

      it("rows gives one table for each row, and ends", function()
        local seen = {}
        for row in say("rows", "select * from images order by id") do seen[#seen + 1] = row end
        assert.are.same(rows, seen)
      end)

      it("rows gives a fresh table each time", function()
        local seen = {}
        for row in say("rows", "select id from images") do seen[row] = true end
        local count = 0
        for _ in pairs(seen) do count = count + 1 end
        assert.are.equal(3, count)
      end)

      it("tuples gives a count and the values", function()
        local seen = {}
        local sql = "select * from images where id >= ? order by id"
        for n, id, text, score in say("tuples", sql, 2) do
          assert.are.equal("integer", math.type(n))
          seen[n] = { id, text, score }
        end
        assert.are.same({ { 2, "b.png", nil }, { 3, "c.png", 3.0 } }, seen)
      end)

      it("all returns an array of rows, empty when there are none", function()
        assert.are.same(rows, say("all", "select * from images order by id"))
        assert.are.same({}, say("all", "select * from images where id = ?", 99))
      end)

      it("row returns the first row, or nil", function()
        assert.are.same(rows[2], say("row", "select * from images where id > ? order by id", 1))
        assert.is_nil(say("row", "select * from images where id = ?", 99))
      end)

      it("value returns the first column of the first row, or nil", function()
        assert.are.equal("a.png", say("value", "select name, id from images order by id"))
        assert.is_nil(say("value", "select name from images where id = ?", 99))
      end)

      it("column returns the first column of every row", function()
        assert.are.same({ 3, 2, 1 }, say("column", "select id, name from images order by id desc"))
        assert.are.same({ 1.5, tuff.null, 3.0 },
          say("column", "select score from images order by id"))
        assert.are.same({}, say("column", "select id from images where id = ?", 99))
      end)

      it("arrays returns one array for each column, and their length", function()
        assert.are.same({ n = 3, id = { 1, 2, 3 }, score = { 1.5, tuff.null, 3.0 } },
          say("arrays", "select id, score from images order by id"))
        assert.are.same({ n = 0, id = {} },
          say("arrays", "select id from images where id = ?", 99))
      end)

      it("exists tells whether there is a row", function()
        assert.is_true(say("exists", "select 1 from images where id = ?", 1))
        assert.is_true(say("exists", "select null"))
        assert.is_false(say("exists", "select 1 from images where id = ?", 99))
      end)

      it("takes named parameters in one table", function()
        assert.are.same({ 2, 3 },
          say("column", "select id from images where id >= :low order by id", { low = 2 }))
      end)

      it("takes a list for in ?", function()
        assert.are.same({ 1, 3 },
          say("column", "select id from images where id in ? order by id", { 3, 1 }))
      end)

      it("carries out the whole of a statement with returning, whichever verb is used", function()
        local sql = "insert into images(name) values ('x'), ('y') returning id, name"
        assert.are.equal(4, say("value", sql))
        assert.are.same({ id = 6, name = "x" }, say("row", sql))
        assert.is_true(say("exists", sql))
        assert.are.same({ 10, 11 }, say("column", sql))
        for row in say("rows", sql) do
          if row.name == "x" then break end
        end
        assert.are.equal(13, db:value("select count(*) from images"))
      end)

      it("raises an error of the statement, and works afterwards", function()
        errors.expect("constraint", say, "run", "insert into images(id) values (?)", 1)
        errors.expect("misuse", say, "all", "select ?")
        assert.are.equal(3, say("value", "select count(*) from images"))
      end)

      it("is not confused by a loop that was left", function()
        for row in say("rows", "select id from images order by id") do
          if row.id == 2 then break end
        end
        for n in say("tuples", "select id from images order by id") do
          if n == 1 then break end
        end
        assert.are.same({ 1, 2, 3 }, say("column", "select id from images order by id"))
        assert.are.equal(3, say("run", "update images set score = 0"))
      end)
    end)
  end

  describe("the text", function()
    it("may begin and end with blanks, comments and a semicolon", function()
      assert.are.equal(1, db:value("  -- one\n/* two */ select 1 ; -- three\n /* four */ "))
      assert.are.equal(2, db:value("\n\tselect 2;;\n"))
    end)

    it("may be a common table expression, values, or explain", function()
      assert.are.same({ 1, 2, 3 }, db:column("with recursive c(n) as"
        .. " (select 1 union all select n + 1 from c where n < 3) select n from c"))
      assert.are.same({ 5, 6 }, db:column("values (5), (6)"))
      assert.is_true(db:exists("explain select * from images"))
    end)

    it("may be long", function()
      local parts = {}
      for n = 1, 5000 do parts[n] = "(" .. n .. ")" end
      assert.are.equal(5000, #db:column("values " .. table.concat(parts, ", ")))
    end)

    it("is refused when there are several statements, with a hint at exec", function()
      for _, verb in ipairs { "run", "all", "rows", "row", "value", "prepare" } do
        local err = errors.expect("misuse", db[verb], db, "select 1; delete from images")
        errors.mentions(err, "exec")
      end
      assert.are.equal(3, db:value("select count(*) from images"))
    end)

    it("is refused with a NUL byte in it, and nothing of it runs", function()
      for _, sql in ipairs { "delete from images\0", "delete from images\0 where id = 1",
        "\0delete from images", "delete from images -- \0" } do
        errors.expect(nil, db.run, db, sql)
        errors.expect(nil, db.prepare, db, sql)
      end
      assert.are.equal(3, db:value("select count(*) from images"))
    end)

    it("is refused when there is no statement in it", function()
      for _, empty in ipairs { "", "  ", "-- nothing", ";" } do
        errors.expect(nil, db.all, db, empty)
        errors.expect(nil, db.prepare, db, empty)
      end
    end)

    it("is refused when it is not a string", function()
      for _, wrong in ipairs { {}, true, print, 1 } do
        errors.expect("misuse", db.all, db, wrong)
      end
      errors.expect("misuse", db.all, db)
      errors.expect("misuse", db.prepare, db)
    end)
  end)

  describe("preparing", function()
    it("says the names of the columns", function()
      local stmt <close> = db:prepare("select id, name as title, 1 + 1 as sum from images")
      assert.are.same({ "id", "title", "sum" }, stmt:names())
      local none <close> = db:prepare("delete from images")
      assert.are.same({}, none:names())
    end)

    it("finds an error before anything runs", function()
      errors.expect("not_found", db.prepare, db, "select * from nowhere")
      errors.expect("syntax", db.prepare, db, "selct 1")
    end)

    it("refuses a closed statement, which may be closed twice", function()
      local stmt = db:prepare("select 1")
      stmt:close()
      stmt:close()
      for _, verb in ipairs { "run", "rows", "tuples", "all", "row", "value", "column", "arrays",
        "exists", "names" } do
        errors.expect("closed", stmt[verb], stmt)
      end
      assert.are.equal(1, db:value("select 1"))
    end)

    it("allows the same text to be prepared twice, and run nested in itself", function()
      local sql = "select id from images order by id"
      local one <close> = db:prepare(sql)
      local two <close> = db:prepare(sql)
      local seen = {}
      for outer in one:rows() do
        for inner in two:rows() do
          for own in one:rows() do seen[#seen + 1] = outer.id * 100 + inner.id * 10 + own.id end
        end
      end
      assert.are.equal(27, #seen)
      assert.are.equal(111, seen[1])
      assert.are.equal(333, seen[27])
    end)

    it("keeps no value from one call to the next", function()
      local stmt <close> = db:prepare("select :a as a, :b as b")
      assert.are.same({ a = 1, b = 2 }, stmt:row({ a = 1, b = 2 }))
      errors.expect("misuse", stmt.row, stmt, { a = 1 })
      assert.are.same({ a = 3 }, stmt:row({ a = 3, b = tuff.null }))
    end)

    it("sees columns that another connection renamed and added", function()
      local one = engine.database(
        "create table t(a integer, b text); insert into t values (1, 'x')")
      local two = engine.open()
      local stmt <close> = one:prepare("select * from t")
      assert.are.same({ a = 1, b = "x" }, stmt:row())
      assert.are.same({ a = 1, b = "x" }, one:row("select * from t"))
      two:exec("alter table t rename column a to c; alter table t add column d integer default 9")
      assert.are.same({ c = 1, b = "x", d = 9 }, stmt:row())
      assert.are.same({ { c = 1, b = "x", d = 9 } }, one:all("select * from t"))
      assert.are.same({ c = { 1 }, b = { "x" }, d = { 9 }, n = 1 }, stmt:arrays())
      for row in stmt:rows() do assert.are.same({ c = 1, b = "x", d = 9 }, row) end
      assert.are.same({ "c", "b", "d" }, stmt:names())
      two:exec("alter table t drop column b")
      for n, c, d in stmt:tuples() do assert.are.same({ 1, 1, 9 }, { n, c, d }) end
    end)

    it("sees a type that another connection declared anew", function()
      local one = engine.database("create table t(flag integer); insert into t values (1)")
      local two = engine.open()
      assert.are.same({ flag = 1 }, one:row("select * from t"))
      two:exec("drop table t; create table t(flag boolean); insert into t values (true)")
      assert.are.same({ flag = true }, one:row("select * from t"))
    end)
  end)

  describe("many statements", function()
    it("are more than the cache holds, also while loops are open", function()
      for row in db:rows("select id from images order by id") do
        for n = 1, 300 do
          assert.are.equal(n + row.id, db:value(("select %d + ?"):format(n), row.id))
        end
      end
      local steps = {}
      for n = 1, 200 do
        local step, state, first = db:rows(("select %d as n from images"):format(n))
        steps[n] = { step, state, first }
      end
      for n, loop in ipairs(steps) do
        assert.are.equal(n, loop[1](loop[2], loop[3]).n)
      end
    end)

    it("are counted by stats, and a text given again is found in the cache", function()
      local before = db:stats()
      for n = 1, 10 do db:value("select id from images where id = ?", n % 3 + 1) end
      db:run("update images set score = 0")
      db:transaction(function() db:run("delete from images where id = 1") end)
      local after = db:stats()
      assert.is_true(after.statements - before.statements >= 12)
      assert.are.equal(10, after.rows - before.rows)
      assert.are.equal(4, after.changes - before.changes)
      assert.are.equal(1, after.transactions - before.transactions)
      assert.is_true(after.cache_hits - before.cache_hits >= 9)
      assert.are.equal(before.waits, after.waits)
      assert.is_number(after.time)
    end)
  end)

  it("are supported as far as the engine goes", function()
    assert.is_true(db:supports("returning"))
    assert.is_false(db:supports("miracles"))
    errors.expect("misuse", db.supports, db)
  end)

  it("call a column n differently where n is the count", function()
    assert.are.same({ n = 1, n_3 = { 1 }, n_2 = { 2 } }, db:arrays("select 1 as n, 2 as n_2"))
  end)

  describe("options for one call", function()
    it("end a statement that takes too long, and only that one", function()
      local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
        .. "select count(*) from c"
      local using = db:using({ timeout = 30 })
      errors.mentions(errors.expect("timeout", using.value, using, endless), "of 30 ms")
      using = db:using({ timeout = 0.25 })
      errors.mentions(errors.expect("timeout", using.value, using, endless), "of 0.25 ms")
      local ok = pcall(function()
        for _ in using:rows(endless) do error("a row") end
      end)
      assert.is_false(ok)
      assert.are.equal(3, db:value("select count(*) from images"))
      assert.are.equal(3, using:value("select count(*) from images"))
    end)

    it("undo what a timed out write had done", function()
      local using = db:using({ timeout = 30 })
      errors.expect("timeout", using.run, using, "insert into images(score) "
        .. "with recursive c(n) as (select 1 union all select n + 1 from c) select n from c")
      assert.are.equal(3, db:value("select count(*) from images"))
      assert.is_false(db:in_transaction())
    end)

    it("are checked like those of open", function()
      errors.mentions(errors.expect("misuse", db.using, db, { timeuot = 1 }), "timeout")
      errors.expect("misuse", db.using, db, { timeout = "soon" })
      errors.expect("misuse", db.using, db, 5)
    end)

    it("come from open for every statement", function()
      local quick = engine.open { timeout = 30 }
      errors.expect("timeout", quick.value, quick,
        "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c")
      assert.are.equal(1, quick:value("select 1"))
    end)
  end)
end)
