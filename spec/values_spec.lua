local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

--- Equality that tells 1 from 1.0.
local function exactly(expected, actual)
  assert.are.equal(type(expected), type(actual))
  assert.are.equal(math.type(expected), math.type(actual))
  if expected ~= actual then
    error(("expected %q, got %q"):format(expected, actual), 2)
  end
end

describe("values", function()
  local db

  before_each(function() db = fixture.memory() end)
  fixture.clean_up()

  local function back(value)
    return db:value("select ?", value)
  end

  local function kind(value)
    return db:value("select typeof(?)", value)
  end

  describe("numbers", function()
    it("keeps integers of 64 bits exact", function()
      for _, n in ipairs { 0, 1, -1, 127, 128, -129, 2147483647, 2147483648, 4294967297,
        9007199254740993, -9007199254740993, math.maxinteger, math.mininteger } do
        exactly(n, back(n))
        assert.are.equal("integer", kind(n))
        assert.are.equal(tostring(n), db:value("select cast(? as text)", n))
      end
    end)

    it("keeps floats exact, and a float a float", function()
      for _, x in ipairs { 1.0, 0.5, -3.0, 0.1 + 0.2, 1e300, 5e-324, 2.0 ^ 53, -1e15,
        math.pi, 1.7976931348623157e308 } do
        exactly(x, back(x))
        assert.are.equal("real", kind(x))
      end
    end)

    it("keeps a float a float where a statement returns what it stored", function()
      db:exec("create table t(id integer primary key, x real)")
      exactly(2.0, db:value("insert into t values (1, ?) returning x", 2.0))
      exactly(3.0, db:row("update t set x = ? returning x", 3.0).x)
      exactly(4.0, db:insert_many("t", { { x = 4.0 } }, { returning = { "x" } })[1].x)
      exactly(3.0, db:value("select x from t where id = 1"))
    end)

    it("stores infinity exactly", function()
      exactly(math.huge, back(math.huge))
      exactly(-math.huge, back(-math.huge))
    end)

    it("refuses NaN", function()
      db:exec("create table t(x real)")
      errors.expect("range", db.run, db, "insert into t values (?)", 0 / 0)
      errors.expect("range", db.insert, db, "t", { x = 0 / 0 })
      assert.are.equal(0, db:value("select count(*) from t"))
    end)

    it("finds an integer key by a float with an integral value", function()
      db:exec("create table t(id integer primary key, name text); insert into t values (3, 'c')")
      assert.are.equal("c", db:value("select name from t where id = ?", 3.0))
      assert.are.equal("c", db:value("select name from t where id in ?", { 3.0 }))
      assert.is_nil(db:value("select name from t where id = ?", 3.5))
    end)

    it("stores a float with an integral value as an integer key", function()
      db:exec("create table t(id integer primary key)")
      exactly(7, db:insert("t", { id = 7.0 }))
      exactly(7, db:value("select id from t"))
    end)

    it("refuses a float with a fraction as an integer key", function()
      db:exec("create table t(id integer primary key)")
      errors.expect("type", db.run, db, "insert into t values (?)", 1.5)
      errors.expect("type", db.insert, db, "t", { id = 1.5 })
      assert.are.equal(0, db:value("select count(*) from t"))
    end)
  end)

  describe("nothing", function()
    it("stores nil and tuff.null as NULL", function()
      assert.are.equal("null", kind(nil))
      assert.are.equal("null", kind(tuff.null))
    end)

    it("leaves a NULL column out of a named row", function()
      local row = db:row("select 1 as a, null as b")
      assert.are.same({ a = 1 }, row)
      assert.is_nil(rawget(row, "b"))
    end)

    it("gives NULL as nil where it is a single value or part of a tuple", function()
      assert.is_nil(db:value("select null"))
      for n, a, b, c in db:tuples("select 1, null, 3") do
        assert.are.equal(1, n)
        assert.are.same({ 1, nil, 3 }, { a, b, c })
      end
    end)

    it("gives NULL as tuff.null in arrays, so that their length holds", function()
      local sql = "select 1 as x union all select null union all select 3 union all select null"
      assert.are.same({ 1, tuff.null, 3, tuff.null }, db:column(sql))
      local arrays = db:arrays(sql)
      assert.are.equal(4, arrays.n)
      assert.are.equal(4, #arrays.x)
      assert.are.equal(tuff.null, arrays.x[4])
    end)

    it("keeps nil among positional arguments, also the last", function()
      assert.are.same({ b = 2 }, db:row("select ? as a, ? as b, ? as c", nil, 2, nil))
    end)
  end)

  describe("booleans", function()
    it("are 1 and 0 where no column says more", function()
      exactly(1, back(true))
      exactly(0, back(false))
    end)

    it("come back as booleans from a column declared BOOLEAN", function()
      db:exec("create table t(a boolean, b BOOLEAN INTEGER, c integer)")
      db:insert("t", { a = true, b = false, c = true })
      db:run("insert into t values (?, ?, ?)", false, true, false)
      assert.are.same({ { a = true, b = false, c = 1 }, { a = false, b = true, c = 0 } },
        db:all("select * from t order by rowid"))
      assert.are.same({ a = true, b = false, c = 1 }, db:row("select * from t order by rowid"))
      assert.are.equal(true, db:value("select a from t order by rowid"))
      assert.are.same({ true, false }, db:column("select a from t order by rowid"))
      assert.are.same({ false, true }, db:arrays("select b from t order by rowid").b)
      for n, a, b in db:tuples("select a, b from t order by rowid") do
        assert.are.equal(n == 1, a)
        assert.are.equal(n == 2, b)
      end
      for row in db:rows("select b as flag from t order by rowid limit 1") do
        assert.are.equal(false, row.flag)
      end
    end)

    it("are found by a boolean, alone and in a list", function()
      db:exec("create table t(id integer primary key, done boolean)")
      db:insert_many("t", { { done = true }, { done = false }, { done = true } })
      assert.are.same({ 1, 3 }, db:column("select id from t where done = ? order by id", true))
      assert.are.same({ 2 }, db:column("select id from t where done in ?", { false }))
    end)

    it("are all that a column declared BOOLEAN takes", function()
      db:exec("create table t(done BOOLEAN INTEGER)")
      errors.expect("type", db.insert, db, "t", { done = "yes" })
      assert.are.equal(0, db:value("select count(*) from t"))
    end)

    it("stay absent when NULL", function()
      db:exec("create table t(done boolean); insert into t values (null)")
      assert.are.same({}, db:row("select done from t"))
    end)
  end)

  describe("text", function()
    it("comes back byte for byte", function()
      for _, text in ipairs { "", "a", "größe", "画像", "😀", "it's \"quoted\"", "a\nb\r\n\t",
        "\u{FEFF}bom", "\u{10FFFF}", "1", "1e5", "007", ("long "):rep(200000) } do
        assert.is_true(text == back(text))
        assert.are.equal("text", kind(text))
      end
    end)

    it("is not NULL when it is empty", function()
      assert.is_false(db:value("select ? is null", "") == 1)
    end)

    it("is refused with a NUL byte, which only a blob may hold", function()
      db:exec("create table t(x text)")
      local err = errors.expect("type", db.run, db, "insert into t values (?)", "a\0b")
      errors.mentions(err, "blob")
      errors.expect("type", db.insert, db, "t", { x = "a\0b" })
      assert.are.equal(0, db:value("select count(*) from t"))
    end)

    it("is refused when it is no UTF-8", function()
      for _, bytes in ipairs { "\xff", "a\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
        "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", ("x"):rep(5000) .. "\xfe" } do
        errors.expect("type", back, bytes)
      end
    end)

    it("is read whole when another program stored a NUL in it", function()
      assert.are.equal("a\0b", db:value("select cast(x'610062' as text)"))
    end)
  end)

  describe("blobs", function()
    local every = {}
    for byte = 0, 255 do every[#every + 1] = string.char(byte) end
    every = table.concat(every)

    it("come back as strings, byte for byte", function()
      assert.are.equal("blob", kind(tuff.blob(every)))
      assert.is_true(every == back(tuff.blob(every)))
    end)

    it("are equal where their bytes are", function()
      assert.is_true(tuff.blob("a\0") == tuff.blob("a\0"))
      assert.is_false(tuff.blob("a") == tuff.blob("b"))
      assert.is_false(tuff.blob("a") == setmetatable({}, { __eq = rawequal }))
    end)

    it("are not NULL when they are empty", function()
      assert.are.equal("blob", kind(tuff.blob("")))
      assert.are.equal("", back(tuff.blob("")))
    end)

    it("are made from a string for a column declared BLOB", function()
      db:exec("create table t(id integer primary key, data blob)")
      db:insert("t", { data = every })
      db:insert_many("t", { { data = "plain" }, { data = tuff.blob("wrapped") } })
      assert.are.same({ "blob", "blob", "blob" },
        db:column("select typeof(data) from t order by id"))
      assert.is_true(every == db:value("select data from t where id = 1"))
      assert.are.equal("plain", db:value("select data from t where id = 2"))
    end)
  end)

  describe("declared types", function()
    it("keeps JSON as text that reads back as the same table", function()
      db:exec("create table t(id integer primary key, doc JSON TEXT)")
      local doc = { nodes = { { type = "vae", id = 9007199254740993 }, { type = "sampler" } },
        scale = 0.5, on = true, none = tuff.null, text = "a\"b\\c\n" }
      db:insert("t", { doc = doc })
      assert.are.equal("text", db:value("select typeof(doc) from t"))
      assert.are.same(doc, db:value("select doc from t"))
      exactly(9007199254740993, db:row("select doc from t").doc.nodes[1].id)
      assert.are.equal(9007199254740993,
        db:value("select json_extract(doc, '$.nodes[0].id') from t"))
    end)

    it("encodes numbers and booleans for a JSON column", function()
      db:exec("create table t(id integer primary key, doc JSON TEXT)")
      for id, value in ipairs { 5, 1.0, true, false } do
        db:insert("t", { doc = value })
        exactly(value, db:value("select doc from t where id = ?", id))
      end
      assert.are.same({ "5", "1.0", "true", "false" },
        db:column("select doc || '' from t order by id"))
    end)

    it("takes a string for a JSON column as JSON, and refuses one that is not", function()
      db:exec("create table t(doc JSON TEXT)")
      db:insert("t", { doc = '{"a": [1, 2.50, null]}' })
      assert.are.same({ a = { 1, 2.5, tuff.null } }, db:value("select doc from t"))
      assert.are.equal('{"a": [1, 2.50, null]}', db:value("select doc || '' from t"))
      for _, wrong in ipairs { "{", "plain", "{'a': 1}", "[1,]", "" } do
        errors.expect("type", db.insert, db, "t", { doc = wrong })
      end
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("keeps decimals as scaled integers, and gives them back as they were", function()
      db:exec("create table t(id integer primary key, price DECIMAL INTEGER(10,2))")
      for id, price in ipairs { "12.34", "0.05", "-0.05", "-12.30", "0.00", "99999999.99" } do
        db:insert("t", { price = price })
        exactly(price, db:value("select price from t where id = ?", id))
      end
      assert.are.same({ 1234, 5, -5, -1230, 0, 9999999999 },
        db:column("select price + 0 from t order by id"))
      db:insert("t", { price = "5" })
      exactly("5.00", db:value("select price from t where id = 7"))
    end)

    it("refuses a decimal with too many digits, and what is no decimal", function()
      db:exec("create table t(price DECIMAL INTEGER(10,2))")
      for _, price in ipairs { "1.234", "123456789.00", "999999999999999999999999" } do
        errors.expect("range", db.insert, db, "t", { price = price })
      end
      for _, price in ipairs { "abc", "", "1.2.3", "0x10", "1e2", "NaN", " 1" } do
        errors.expect("type", db.insert, db, "t", { price = price })
      end
      assert.are.equal(0, db:value("select count(*) from t"))
    end)

    it("keeps timestamps of 27 characters", function()
      db:exec("create table t(at TIMESTAMP TEXT)")
      db:insert("t", { at = "2026-11-21T10:00:00.000001Z" })
      exactly("2026-11-21T10:00:00.000001Z", db:value("select at from t"))
      for _, wrong in ipairs { "yesterday", "2026-13-01T10:00:00.000000Z",
        "2026-02-30T10:00:00.000000Z", "2026-11-21T25:00:00.000000Z", "" } do
        errors.expect("type", db.insert, db, "t", { at = wrong })
      end
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("keeps dates of ten characters", function()
      db:exec("create table t(day DATE TEXT)")
      db:insert("t", { day = "2024-02-29" })
      exactly("2024-02-29", db:value("select day from t"))
      for _, wrong in ipairs { "2026-02-29", "2026-2-1", "2026-11-21T10:00:00", "today", 5 } do
        errors.expect("type", db.insert, db, "t", { day = wrong })
      end
      exactly("2024-02-29", db:value("select day from t where day < ?", "tomorrow"))
    end)

    it("keeps a UUID in its one form, whatever it looks like", function()
      db:exec("create table t(u UUID TEXT)")
      local uuid = "00000000-0000-1e50-8000-00000000000a"
      db:insert("t", { u = uuid })
      exactly(uuid, db:value("select u from t"))
      for _, wrong in ipairs { uuid:upper(), uuid .. "0", uuid:gsub("-", ""), "{" .. uuid .. "}",
        "", 5 } do
        errors.expect("type", db.insert, db, "t", { u = wrong })
      end
    end)
  end)

  describe("columns of parameters", function()
    before_each(function()
      db:exec [[
        create table t(id integer primary key, price DECIMAL INTEGER(10,2), name text, n integer);
        create table u(id integer primary key, price DECIMAL INTEGER(10,2), amount integer);
        create table w(price integer);
      ]]
      db:run("insert into t values (1, '100', 'one', 7)")
    end)

    local function stores(expected, sql, ...)
      db:run("update t set price = 100")
      db:run(sql, ...)
      exactly(expected, db:value("select price from t order by id desc"))
      db:run("delete from t where id <> 1")
    end

    it("are seen through what only wraps a value", function()
      stores("12.34", "update t set price = (?)", "12.34")
      stores("12.34", "update t set price = ((+?))", "12.34")
      stores("12.00", "update t set price = coalesce(?, price)", "12")
      stores("1.00", "update t set price = coalesce(?, price)", nil)
      stores("12.00", "update t set price = coalesce(?, ?)", nil, 12)
      stores("12.00", "update t set price = ifnull(?, price)", "12")
      stores("12.00", "update t set price = nullif(?, price)", "12")
      stores("12.00", "update t set price = iif(name = ?, ?, ?)", "one", "12", "13")
      stores("12.00", "update t set price = max(price, ?)", "12")
      stores("0.50", "update t set price = min(price, ?, ?)", "0.5", "12")
      stores("12.00", "update t set price = case when name = ? then ? else ? end",
        "one", "12", "13")
      stores("13.00", "update t set price = case name when ? then ? else ? end",
        "two", "12", "13")
      stores("12.00", "update t set (price, name) = (coalesce(?, price), ?)", "12", "one")
      stores("12.00", "update t set price = (select ? from u union all select ?)", "11", "12")
      stores("12.00", "insert into t(price) values (coalesce(?, 1))", "12")
      stores("12.00", "insert into t values (2, (?), null, 1)", "12")
      stores("12.00", "insert into t(price) select coalesce(?, price) from t", "12")
      stores("12.00", "insert into t(id, price) values (1, ?) on conflict do update "
        .. "set price = coalesce(?, 0)", "11", "12")
    end)

    it("are seen through it in comparisons, too", function()
      for _, condition in ipairs { "price = (?)", "price = coalesce(?, price)",
        "price in ((?), 5)", "price between +? and 200", "(price, n) = (?, 7)",
        "(price, n) in (values (?, 7))", "case price when ? then 1 end" } do
        exactly(1, db:value("select id from t where " .. condition, "1.00"))
        assert.is_nil(db:value("select id from t where " .. condition, "1.01"))
      end
    end)

    it("lets numbers but no text into the arithmetic of decimals", function()
      stores("3.50", "update t set price = price + ?", 250)
      stores("0.50", "update t set price = price * ?", 0.5)
      for _, expression in ipairs { "price + ?", "? * 2", "-?", "abs(?)", "? || ''",
        "cast(? as integer)", "coalesce(?, 1) * 2", "price + coalesce(?, 0)" } do
        local err = errors.expect("type", db.run, db, "update t set price = " .. expression, "12")
        errors.mentions(err, "arithmetic")
        assert.is_truthy(err.hint:find("scaled", 1, true))
        errors.expect("type", db.run, db, "insert into t(price) select " .. expression
          .. " from t", "12")
      end
      assert.are.equal(1, db:value("select count(*) from t"))
      exactly("0.50", db:value("select price from t"))
      db:run("update t set name = name || ?, n = length(?)", "x", "abc")
      assert.are.same({ name = "onex", n = 3 }, db:row("select name, n from t"))
      stores("12.00", "update t set price = (select json_extract(doc, '$.x') from "
        .. "(select ? as doc))", '{"x": 1200}')
      stores("1.00", "update t set price = price * iif(? = 'x', 2, 1)", "y")
      stores("1.00", "update t set price = price * case when name = ? then 2 else 1 end", "y")
    end)

    it("are found by alias and among several tables", function()
      db:run("insert into u values (1, 250, 3)")
      exactly(1, db:value("select a.id from t a join u b using (id) where b.price = ?", "2.50"))
      exactly(1, db:value("select a.id from t as a, u as b where a.price = ?", "1.00"))
      exactly(1, db:value("select t.id from t, u where n = 7 and t.price = ? and U.price > ?",
        "1.00", "2.49"))
      exactly(1, db:value("select t.id from t join u b on b.id = t.id and amount = ?", 3))
      exactly(1, db:value("select id from t where id in (select id from u where price = ?)",
        "2.50"))
      exactly(1, db:value("with v as (select id from u where price = ?) "
        .. "select t.id from t, v where t.price = ?", "2.50", "1.00"))
      exactly(2, db:value("select count(*) from (select id from t where price = ? union all "
        .. "select id from u where price = ?)", "1.00", "2.50"))
    end)

    it("are not guessed where tables differ, or where it may be no column of a table", function()
      db:exec("insert into w values (100); create view v as select price / 100 as price from t")
      exactly(100, db:value("select w.price from w, t where w.price = ?", 100))
      exactly(1, db:value("select count(*) from w where exists (select 1 from t where n = 7 "
        .. "and w.price = ?)", 100))
      exactly(1, db:value("select x from (select price / 100 as x from t) where x = ?", 1))
      exactly(1, db:value("select price from (select price / 100 as price from t) "
        .. "where price = ?", 1))
      exactly(1, db:value("with t as (select 1 as price) select price from t where price = ?", 1))
      exactly(1, db:value("select v.price from v, t where v.price = ?", 1))
      exactly(1, db:value("select price from v where price = ? and exists (select 1 from t)", 1))
    end)

    it("may be several of one name, if they store the value alike", function()
      db:run("insert into t(id, price) values (:id, :price) on conflict do update "
        .. "set price = :price where price <> :price", { id = 1, price = "12.50" })
      exactly("12.50", db:value("select price from t"))
      db:run("update t set price = :x, n = :x", { x = tuff.null })
      assert.is_nil(db:value("select price from t"))
      db:run("update t set price = :x, n = :x", { x = 0 })
      exactly("0.00", db:value("select price from t"))
      exactly(1, db:value("select id from t where price in :x and n in :x", { x = { 0 } }))
      db:exec("create table times(at TIMESTAMP TEXT, note text)")
      local now = "2026-11-21T10:00:00.000000Z"
      db:run("insert into times values (:x, :x)", { x = now })
      assert.are.same({ at = now, note = now }, db:row("select * from times"))
      errors.expect("type", db.run, db, "insert into times values (:x, :x)", { x = "now" })
      exactly(now, db:value("select at from times where :x = note or length(:x) = 0", { x = now }))
    end)

    it("refuses one name for columns that store its value differently", function()
      db:exec("create table b(data blob, note text)")
      local function refused(sql, value)
        local err = errors.expect("misuse", db.run, db, sql, { x = value })
        errors.mentions(err, ":x")
        errors.mentions(err, "differently")
        assert.are.equal("use two names", err.hint)
      end
      refused("update t set price = :x, n = :x", 5)
      refused("update t set price = :x where n = :x", 5)
      refused("update t set price = coalesce(:x, price + :x)", 5)
      refused("select id from t where price in :x or n in :x", { 0, 5 })
      refused("insert into b values (:x, :x)", "text")
      refused("insert into b values (:x, coalesce(:x, 'a'))", "text")
      db:run("insert into b values (:x, :x)", { x = tuff.null })
      exactly("1.00", db:value("select price from t"))
      exactly(1, db:value("select count(*) from b"))
    end)

    it("follow the schema when it changes", function()
      local update = db:prepare("update w set price = coalesce(:x, price), rowid = :id")
      db:run("insert into w values (1)")
      update:run { x = 5, id = 1 }
      exactly(5, db:value("select price from w"))
      db:exec("drop table w; create table w(price DECIMAL INTEGER(10,2)); insert into w values (1)")
      update:run { x = 5, id = 1 }
      exactly("5.00", db:value("select price from w"))
    end)
  end)

  describe("names of columns", function()
    it("numbers the second column of one name", function()
      assert.are.same({ a = 1, a_2 = 2, a_3 = 3 }, db:row("select 1 as a, 2 as a, 3 as a"))
      assert.are.same({ "a", "a_2", "b" }, db:prepare("select 1 as a, 2 as a, 3 as b"):names())
    end)

    it("loses no column when a numbered name is taken already", function()
      local row = db:row("select 1 as a, 2 as a, 3 as a_2")
      local values = {}
      for _, value in pairs(row) do values[#values + 1] = value end
      table.sort(values)
      assert.are.same({ 1, 2, 3 }, values)
    end)

    it("takes a name as it stands in the statement", function()
      assert.are.same({ ["Größe"] = 1, ["a b"] = 2, ["1+1"] = 2 },
        db:row([[select 1 as "Größe", 2 as [a b], 1+1]]))
    end)
  end)

  describe("what no column can hold", function()
    it("refuses functions, coroutines and foreign userdata", function()
      local thread = coroutine.create(print)
      for _, wrong in ipairs { print, thread, io.stdout } do
        errors.expect("type", db.value, db, "select ?", wrong)
        errors.expect("type", db.value, db, "select :x", { x = wrong })
      end
      assert.are.equal(1, back(1))
    end)
  end)
end)
