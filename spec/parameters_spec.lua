local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

local refused = { "misuse", "syntax" }

fixture.each_engine("parameters", function(engine)
  local db

  before_each(function()
    db = engine.database [[
      create table t(id {key}, name text, "odd ? name" text);
      insert into t(name, "odd ? name") values ('a', 'x'), ('b', 'y'), ('c', 'z');
    ]]
  end)

  local function ids(sql, ...)
    return db:column("select id from t where " .. sql .. " order by id", ...)
  end

  describe("by position", function()
    it("take the arguments in their order", function()
      assert.are.same({ a = 1, b = "two", c = 3.5 },
        db:row("select ? as a, ? as b, ? as c", 1, "two", 3.5))
    end)

    it("must be as many as the arguments, and the error says both numbers", function()
      errors.mentions(errors.expect("misuse", db.value, db, "select ?, ?", 1), "2", "1")
      errors.mentions(errors.expect("misuse", db.value, db, "select ?", 1, 2), "1", "2")
      errors.expect("misuse", db.value, db, "select ?")
      errors.expect("misuse", db.value, db, "select 1", 1)
      errors.expect("misuse", db.value, db, "select 1", nil)
    end)

    it("may be many", function()
      local marks, values = {}, {}
      for n = 1, 200 do marks[n], values[n] = "?", n end
      assert.are.equal(20100, db:value("select " .. table.concat(marks, "+"), table.unpack(values)))
    end)
  end)

  describe("by name", function()
    it("take one table, in which a name may serve several times", function()
      assert.are.same({ a = 1, b = 2, c = 1 },
        db:row("select :x as a, :y as b, :x as c", { x = 1, y = 2 }))
    end)

    it("name the one that is missing", function()
      local err = errors.expect("misuse", db.row, db, "select :low, :high", { low = 1 })
      errors.mentions(err, "high")
    end)

    it("name the one that is too much", function()
      local err = errors.expect("misuse", db.row, db, "select :low", { low = 1, lwo = 2 })
      errors.mentions(err, "lwo")
      errors.expect("misuse", db.row, db, "select :low", { low = 1, "first" })
    end)

    it("tell capitals from small letters", function()
      errors.expect("misuse", db.row, db, "select :Low", { low = 1 })
      assert.are.same({ a = 1, b = 2 }, db:row("select :x as a, :X as b", { x = 1, X = 2 }))
    end)

    it("are NULL by tuff.null, and false by false", function()
      db:exec(engine.sql "create table flags(a {boolean}, b {boolean})")
      db:run("insert into flags values (:a, :b)", { a = tuff.null, b = false })
      assert.are.same({ b = false }, db:row("select a, b from flags"))
    end)

    it("may hold digits and underscores", function()
      assert.are.equal(3, db:value("select :a_1 + :_b2", { a_1 = 1, _b2 = 2 }))
    end)

    it("want exactly one table", function()
      errors.expect("misuse", db.row, db, "select :a")
      errors.expect("misuse", db.row, db, "select :a", 1)
      errors.expect("misuse", db.row, db, "select :a", { a = 1 }, { a = 1 })
    end)

    it("do not mix with those by position", function()
      errors.expect(refused, db.row, db, "select :a, ?", { a = 1 }, 2)
      errors.expect(refused, db.row, db, "select ?, :a", 2, { a = 1 })
    end)
  end)

  describe("of other forms", function()
    it("are refused", function()
      for _, sql in ipairs { "select ?1", "select $1", "select @x", "select $x", "select ?1, ?2",
        "select 1 where 1 = ?123" } do
        errors.expect(refused, db.value, db, sql, 1)
        errors.expect(refused, db.value, db, sql, { x = 1 })
        errors.expect(refused, db.value, db, sql)
        errors.expect(refused, db.prepare, db, sql)
      end
    end)
  end)

  describe("are not seen", function()
    it("in strings and quoted names", function()
      assert.are.equal("?", db:value("select '?'"))
      assert.are.equal(":a", db:value("select ':a'"))
      assert.are.equal("it's ?", db:value("select 'it''s ?'"))
      assert.are.equal("??", db:value("select '??'"))
      assert.are.equal("in ?", db:value("select 'in ?'"))
      assert.are.equal("x", db:value('select "odd ? name" from t where id = ?', 1))
      assert.are.same({ ['a "?" :b'] = 1 }, db:row([[select ? as "a ""?"" :b"]], 1))
    end)

    it("in comments", function()
      assert.are.equal(5, db:value("select -- ? :a ' \" [\n ? /* ? :b ' \n * / ? */", 5))
      assert.are.equal(5, db:value("/* ' */ select ? -- '", 5))
      assert.are.equal(5, db:value("select ?--", 5))
      assert.are.equal(5, db:value("select/**/?/***/", 5))
    end)

    it("in operators that hold a minus, a slash or an arrow", function()
      assert.are.equal(3, db:value("select 10 - ? - -? / 2", 8, 3))
      local column = engine.sql("cast(%s as {json})"):format([['{"a": "x"}']])
      assert.are.equal("x", db:value(("select %s ->> 'a'"):format(column)))
      assert.are.equal("x", db:value(("select %s ->> ?"):format(column), "a"))
    end)
  end)

  describe("??", function()
    it("is no parameter", function()
      errors.expect(refused, db.value, db, "select ??", 1)
      errors.expect(nil, db.value, db, "select 1 ?? 2")
      assert.are.equal(1, db:value("select ?", 1))
    end)

    it("stays as it stands in a text", function()
      assert.are.equal("a ?? b", db:value("select 'a ?? b'"))
    end)
  end)

  describe("text that is cut", function()
    it("is an error, and leaves the connection usable", function()
      for _, sql in ipairs { "select 'a ?", 'select "a ?', "select ? +", "select x'3", "select :",
        "select ? '" } do
        errors.expect(nil, db.value, db, sql, 1)
        errors.expect(nil, db.value, db, sql)
      end
      assert.are.equal(1, db:value("select ?", 1))
    end)
  end)

  describe("in", function()
    it("takes a list of any length, also none", function()
      assert.are.same({ 1, 3 }, ids("id in ?", { 3, 1 }))
      assert.are.same({ 2 }, ids("id in ?", { 2 }))
      assert.are.same({}, ids("id in ?", {}))
      assert.are.same({ 1, 2, 3 }, ids("id not in ?", {}))
      assert.are.same({ 2 }, ids("id not in ?", { 1, 3 }))
      assert.are.same({ 1 }, ids("id in ?", { 1, 1, 1 }))
    end)

    it("takes more values than SQLite has variables", function()
      local list = {}
      for n = 1, 100000 do list[n] = n * 3 end
      assert.are.same({ 3 }, ids("id in ?", list))
    end)

    it("takes a named list, which may serve twice", function()
      assert.are.same({ 1, 2 }, ids("id in :ids", { ids = { 1, 2 } }))
      assert.are.same({ 1 },
        ids("id in :ids and id not in :others", { ids = { 1, 2 }, others = { 2 } }))
      assert.are.same({ 1, 2 }, ids("id in :ids or -id in :ids", { ids = { 1, 2 } }))
    end)

    it("stands among other parameters in its place", function()
      assert.are.same({ 2 }, ids("id > ? and id in ? and name = ? and id in ?",
        1, { 1, 2, 3 }, "b", { 2, 3 }))
    end)

    it("is known in any writing, and with anything blank after it", function()
      assert.are.same({ 1 }, ids("id IN ?", { 1 }))
      assert.are.same({ 1 }, ids("id In\n\t ?", { 1 }))
      assert.are.same({ 1 }, ids("id in /* list */ ?", { 1 }))
      assert.are.same({ 1 }, ids("id in -- list\n ?", { 1 }))
      assert.are.same({ 1 }, ids("id in?", { 1 }))
    end)

    it("with parentheses takes single values", function()
      assert.are.same({ 1, 2 }, ids("id in (?, ?)", 1, 2))
      assert.are.same({ 2 }, ids("id in (:a)", { a = 2 }))
    end)

    it("is not seen at the end of another word", function()
      assert.are.equal(1, db:value("select min(?) from t", 1))
      db:exec("create table u(admin integer, begin_in integer); insert into u values (1, 2)")
      assert.are.equal(1, db:value("select count(*) from u where admin = ? and begin_in = ?", 1, 2))
      assert.are.equal(7, db:value('select "in" + ? from (select 5 as "in") as t', 2))
    end)

    it("takes texts, floats, blobs, booleans and large integers as they are", function()
      assert.are.same({ 1, 3 }, ids("name in ?", { "c", "a", "it's", "?" }))
      assert.are.same({ 1, 2 }, ids("id in ?", { 1.0, 2.0, 2.5 }))
      assert.are.same({ 3 }, ids("id not in ?", { 1.0, 2.0, 1e300, math.huge }))
      assert.are.same({ 1, 2 }, ids("name in ?", { "b", "a", "a\\b", '"', "{}", "", "NULL" }))
      db:exec(engine.sql "create table kinds(i {integer}, r {real}, b {blob}, f {boolean}, t text)")
      local function finds(column, value, list)
        db:run("delete from kinds")
        db:insert("kinds", { [column] = value })
        return db:exists(("select 1 from kinds where %s in ?"):format(column), list)
      end
      assert.is_true(finds("i", 9007199254740993, { 9007199254740993 }))
      assert.is_false(finds("i", 9007199254740992, { 9007199254740993 }))
      assert.is_true(finds("r", 0.1 + 0.2, { 0.1 + 0.2 }))
      assert.is_false(finds("r", 0.3, { 0.1 + 0.2 }))
      assert.is_true(finds("r", -1e300, { 1e300, -1e300, 1 }))
      assert.is_true(finds("b", "\0\xff", { tuff.blob("\0\xff") }))
      assert.is_true(finds("b", "\0\xff\\", { "\0\xff\\" }))
      assert.is_true(finds("f", false, { false }))
      assert.is_false(finds("f", true, { false }))
      assert.is_true(finds("t", "größe", { 1, 2.5, "größe" }))
      assert.is_true(finds("t", "", { "" }))
    end)

    it("finds what = finds, whatever column and value", function()
      local types = { i = "{integer}", r = "{real}", t = "text", n = "numeric", b = "{blob}" }
      if engine.supports("flexible_types") then types.x, types.c = "", "text collate nocase" end
      local values = { 1, "1", 1.0, 1.5, "1.5", "1.0", 0.1 + 0.2, 9007199254740993, "A", "a",
        tuff.blob("1") }
      --- Its result, or the code of its error.
      local function outcome(...)
        local ok, result = pcall(db.value, db, ...)
        return ok and result or result.code
      end
      for column, type in pairs(types) do
        db:exec(engine.sql(("create table kinds(%s %s); create index kinds_i on kinds(%s)"):format(
          column, type, column)))
        for _, stored in ipairs(values) do
          db:exec("delete from kinds")
          if pcall(db.insert, db, "kinds", { [column] = stored }) then
            for _, value in ipairs(values) do
              local count = ("select count(*) from kinds where %s "):format(column)
              local what = ("%s holding %q"):format(column, tostring(stored))
              local equal = outcome(count .. "= ?", value)
              assert.are.equal(equal, outcome(count .. "in ?", { value }), what)
              assert.are.equal(math.type(equal) and 1 - equal or equal,
                outcome(count .. "not in ?", { value }), what)
            end
          end
        end
        db:exec("drop table kinds")
      end
    end)

    it("works in every kind of statement", function()
      assert.are.equal(2, db:run("update t set name = ? where id in ?", "new", { 1, 2 }))
      assert.are.equal(1, db:run("delete from t where id in ? and name = ?", { 1, 3 }, "c"))
      assert.are.equal(2, db:run("insert into t(name) select name from t where id in ?", { 1, 2 }))
      assert.are.same({ "new", "new", "new", "new" }, db:column("select name from t"))
      assert.are.equal(2,
        db:value("with x as (select * from t where id in :l) select count(*) from x",
          { l = { 1, 2 } }))
    end)

    it("serves again with another list", function()
      local stmt <close> = db:prepare("select count(*) from t where id in ?")
      assert.are.equal(2, stmt:value({ 1, 2 }))
      assert.are.equal(0, stmt:value({}))
      assert.are.equal(3, stmt:value({ 3, 2, 1, 0 }))
      local before = db:stats().cache_hits
      for n = 1, 5 do db:value("select count(*) from t where id in ? -- again", { n, n }) end
      assert.is_true(db:stats().cache_hits - before >= 4)
    end)

    it("keeps its list while a loop is open, also nested in itself", function()
      local sql = "select id from t where id in ? order by id"
      local seen = {}
      for outer in db:rows(sql, { 1, 2, 3 }) do
        collectgarbage()
        for inner in db:rows(sql, { outer.id, 3 }) do seen[#seen + 1] = outer.id .. inner.id end
      end
      assert.are.same({ "11", "13", "22", "23", "33" }, seen)
    end)

    it("refuses NULL in the list", function()
      errors.expect(nil, ids, "id in ?", { 1, tuff.null })
      errors.expect(nil, ids, "id in ?", { tuff.null })
    end)

    it("takes the values of a declared type as its column does", function()
      db:exec(engine.sql "create table p(id {key}, price {decimal}(10,2), data {blob})")
      db:insert_many("p", { { price = "1.50", data = tuff.blob("a") }, { price = 2, data = "b" } })
      local function found(column, list)
        return db:column(("select id from p where %s in ? order by id"):format(column), list)
      end
      assert.are.same({ 1, 2 }, found("price", { "1.5", 2, "3.00" }))
      assert.are.same({ 2 }, found("data", { "b", "c" }))
      errors.expect("type", found, "price", { "1.50", "cheap" })
    end)

    it("refuses a list in parentheses", function()
      errors.mentions(errors.expect("misuse", ids, "id in (?)", { 1, 2 }), "without parentheses")
      assert.are.same({ 2 }, ids("id in (?)", 2))
    end)

    it("refuses what is no array", function()
      for _, wrong in ipairs { 1, "a", true, { a = 1 }, { 1, a = 2 }, { [1] = 1, [3] = 3 },
        { [0] = 1 }, tuff.null } do
        errors.expect({ "misuse", "type" }, ids, "id in ?", wrong)
      end
      errors.expect({ "misuse", "type" }, ids, "id in ?", nil)
      errors.expect({ "misuse", "type" }, ids, "id in :l", { l = 1 })
    end)

    it("refuses what no value may be", function()
      errors.expect("type", ids, "name in ?", { "a\0b" })
      errors.expect("type", ids, "name in ?", { "a", "\xff" })
      errors.expect("range", ids, "id in ?", { 0 / 0 })
      errors.expect("type", ids, "id in ?", { print })
      errors.expect("type", ids, "id in ?", { { 1 } })
      assert.are.same({ 1 }, ids("id in ?", { 1 }))
    end)
  end)

  describe("values", function()
    it("are never read as SQL", function()
      local evil = "'; drop table t; --"
      assert.are.equal(evil, db:value("select ?", evil))
      db:run("insert into t(name) values (?)", evil)
      assert.are.same({ 4 }, ids("name = ?", evil))
      assert.are.same({ 4 }, ids("name in ?", { evil }))
    end)
  end)
end)

describe("parameters in the SQL of SQLite", function()
  local db

  before_each(function()
    db = fixture.memory [[
      create table t(id integer primary key, name text, [odd ? name] text);
      insert into t values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z');
    ]]
  end)
  fixture.clean_up()

  it("are not seen in names in brackets and backticks, and in blobs", function()
    assert.are.equal("x", db:value("select [odd ? name] from t where id = ?", 1))
    assert.are.equal("x", db:value("select `odd ? name` from t where id = ?", 1))
    assert.are.equal("?", db:value("select x'3f'"))
    for _, sql in ipairs { "select [a ?", "select `a ?", "select #1" } do
      errors.expect(nil, db.value, db, sql, 1)
      errors.expect(nil, db.value, db, sql)
    end
    assert.are.equal(1, db:value("select ?", 1))
  end)

  it("are seen beside a path of JSON", function()
    assert.are.equal(1, db:value([[select '{"a":1}' ->> '$.a']]))
    assert.are.equal(1, db:value([[select '{"a":1}' ->> ?]], "$.a"))
  end)

  it("have no type, unless a column gives them one", function()
    assert.are.same({ b = 0 }, db:row("select :a as a, :b as b", { a = tuff.null, b = false }))
    assert.are.equal(1, db:value("select 9007199254740993 in ?", { 9007199254740993 }))
    assert.are.equal(0, db:value("select 9007199254740992 in ?", { 9007199254740993 }))
    assert.are.equal(1, db:value("select 0.1 + 0.2 in ?", { 0.1 + 0.2 }))
    assert.are.equal(1, db:value("select x'00ff' in ?", { tuff.blob("\0\xff") }))
    assert.are.equal(1, db:value("select 0 in ?", { false }))
    assert.are.same({ 1, 2 }, db:column("select id from t where id in ? order by id",
      { 1.0, 2.0, 2.5 }))
  end)

  it("as a list are searched by the index of the column", function()
    db:exec("create index by_name on t(name)")
    for column, by in pairs { name = "by_name", id = "PRIMARY KEY" } do
      local found = false
      local steps = db:all(("explain query plan select * from t where %s in ?"):format(column),
        { 1, "a" })
      for _, step in ipairs(steps) do
        found = found or step.detail:find("SEARCH t", 1, true) and step.detail:find(by, 1, true)
      end
      assert.is_truthy(found, column)
    end
  end)
end)
