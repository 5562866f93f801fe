local tuff = require "tuff"
local json = require "tuff.json"
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

fixture.each_engine("values", function(engine)
  local db

  before_each(function() db = engine.database() end)

  local function back(value)
    return db:value("select ?", value)
  end

  --- A table t(id, x) whose x is declared as this.
  local function column(declaration)
    db:exec(engine.sql(("create table t(id {key}, x %s)"):format(declaration)))
  end

  --- What a value is when it was stored in t and read again, by every way to do so.
  local function stored(value)
    local id = db:insert("t", { x = value })
    local read = db:value("select x from t where id = ?", id)
    assert.are.same({ x = read }, db:row("select x from t where id = ?", id))
    assert.are.same({ read == nil and tuff.null or read },
      db:column("select x from t where id = ?", id))
    db:run("update t set x = ? where id = ?", value, id)
    assert.are.same(read, db:value("select x from t where id = ?", id))
    -- Many rows may go to the engine in another form; with returning, in yet another one.
    local many = {}
    for i = 1, 10 do many[i] = { x = value } end
    db:insert_many("t", many)
    db:insert_many("t", many, { returning = { "id" } })
    for _, other in ipairs(db:all("select x from t order by id desc limit 20")) do
      assert.are.same(read, other.x)
      assert.are.equal(math.type(read), math.type(other.x))
    end
    db:run("delete from t where id > ?", id)
    return read
  end

  local function keeps(values)
    for _, value in ipairs(values) do exactly(value, stored(value)) end
  end

  local function refuses(code, values)
    local before = db:value("select count(*) from t")
    for _, value in ipairs(values) do
      errors.expect(code, db.insert, db, "t", { x = value })
      errors.expect(code, db.run, db, "insert into t(x) values (?)", value)
      errors.expect(code, db.run, db, "update t set x = :x", { x = value })
      errors.expect(code, db.insert_many, db, "t", { {}, { x = value } })
      local many = {} -- which an engine may take by other ways than a few
      for i = 1, 9 do many[i] = { x = tuff.null } end
      many[10] = { x = value }
      errors.expect(code, db.insert_many, db, "t", many)
      errors.expect(code, db.insert_many, db, "t", many, { returning = { "id" } })
    end
    assert.are.equal(before, db:value("select count(*) from t"))
  end

  local integers = { 0, 1, -1, 127, 128, -129, 2147483647, 2147483648, 4294967297,
    9007199254740993, -9007199254740993, math.maxinteger, math.mininteger }

  local floats = { 1.0, 0.5, -3.0, 0.1 + 0.2, 1e300, 5e-324, 2.0 ^ 53, -1e15, math.pi,
    1.7976931348623157e308, math.huge, -math.huge }

  describe("numbers", function()
    it("keeps integers of 64 bits exact", function()
      column "{integer}"
      keeps(integers)
      for _, n in ipairs(integers) do
        assert.are.equal(tostring(n), db:value("select cast(? as text)", n))
      end
    end)

    it("keeps floats exact, and a float a float", function()
      column "{real}"
      keeps(floats)
    end)

    it("keeps both where no column says what they are", function()
      for _, n in ipairs(integers) do exactly(n, back(n)) end
      for _, x in ipairs(floats) do exactly(x, back(x)) end
    end)

    it("keeps the sign of a float that is zero, unless it is packed as an integer", function()
      column "{real}"
      assert.are.equal(math.huge, 1 / stored(0.0))
      assert.are.equal(-math.huge, 1 / back(-0.0))
      assert.are.equal(engine.supports("negative_zero") and -math.huge or math.huge,
        1 / stored(-0.0))
    end)

    it("makes a float of an integer in a column of floats, unless it had to round it", function()
      column "{real}"
      exactly(3.0, stored(3))
      exactly(-9007199254740992.0, stored(-9007199254740992))
      refuses("range", { 9007199254740993, -9007199254740993, math.maxinteger })
    end)

    it("makes a text of a number in a column of texts, which reads as the same number", function()
      column "text"
      exactly("7", stored(7))
      for _, x in ipairs { 1.0, 0.1 + 0.2, 1e300, -1e15, 5e-324 } do
        local text = stored(x)
        assert.are.equal("string", type(text))
        exactly(x, tonumber(text))
      end
    end)

    it("keeps a float a float where a statement returns what it stored", function()
      column "{real}"
      exactly(2.0, db:value("insert into t(x) values (?) returning x", 2.0))
      exactly(3.0, db:row("update t set x = ? returning x", 3.0).x)
      exactly(4.0, db:insert_many("t", { { x = 4.0 } }, { returning = { "x" } })[1].x)
      exactly(3.0, db:value("select x from t where id = 1"))
    end)

    it("refuses NaN", function()
      column "{real}"
      refuses("range", { 0 / 0, -(0 / 0) })
      errors.expect("range", back, 0 / 0)
    end)

    it("finds an integer key by a float with an integral value", function()
      column "text"
      local key = db:insert("t", { x = "c" })
      assert.are.equal("c", db:value("select x from t where id = ?", key + 0.0))
      assert.are.equal("c", db:value("select x from t where id in ?", { key + 0.0 }))
    end)

    it("compares a column of integers with any number", function()
      for _, type in ipairs { "{integer}", "integer", "smallint" } do
        db:exec(engine.sql(("drop table if exists n; create table n(n %s)"):format(type)))
        db:insert_many("n", { { n = 1 }, { n = 2 }, { n = 3 } })
        local stmt <close> = db:prepare("select count(*) from n where n < ?")
        for _, case in ipairs { { 0, 1 }, { 1, 1.5 }, { 1, 2.0 }, { 2, 2.5 }, { 3, 40000 },
          { 3, 5000000000 }, { 0, -5000000000 }, { 3, 1e300 }, { 0, -math.huge }, { 1, 2 } } do
          assert.are.equal(case[1], stmt:value(case[2]))
          assert.are.equal(case[1], db:value("select count(*) from n where not n >= :x",
            { x = case[2] }))
        end
        assert.is_nil(db:value("select n from n where n = ?", 1.5))
        assert.is_nil(db:value("select n from n where n = ?", 1 << 40))
        assert.are.same({ 1, 2 }, db:column("select n from n where n between ? and ? order by n",
          0.5, 2.5))
        assert.are.same({ 3 }, db:column("select n from n where n in ?", { 1.5, 3, 1 << 40 }))
      end
    end)

    it("sums integers, exactly", function()
      column "{integer}"
      db:insert_many("t", { { x = 4611686018427387904 }, { x = 4611686018427387903 } })
      local sum = db:value("select sum(x) from t")
      if engine.supports("decimal_sums") then
        exactly("9223372036854775807", sum)
      else
        exactly(math.maxinteger, sum)
      end
      exactly(math.maxinteger, db:value("select cast(sum(x) as bigint) from t"))
      exactly(2, db:value("select count(*) from t"))
    end)

    it("stores a float with an integral value as an integer key", function()
      db:exec(engine.sql "create table t(id {key}, x text)")
      exactly(7, db:insert("t", { id = 7.0 }))
      exactly(7, db:value("select id from t"))
    end)

    it("refuses a float with a fraction as an integer key", function()
      db:exec(engine.sql "create table t(id {key}, x text)")
      for _, wrong in ipairs { 1.5, 1e300, -2.0 ^ 64, math.huge } do
        errors.expect("type", db.run, db, "insert into t(id) values (?)", wrong)
        errors.expect("type", db.insert, db, "t", { id = wrong })
      end
      assert.are.equal(0, db:value("select count(*) from t"))
    end)
  end)

  describe("nothing", function()
    for _, declaration in ipairs { "{integer}", "{real}", "text", "{blob}", "{boolean}", "{json}",
      "{decimal}(10,2)", "{timestamp}", "{uuid}" } do
      it("stores nil and tuff.null as NULL in a column declared " .. declaration, function()
        column(declaration)
        db:run("insert into t(x) values (?)", nil)
        db:insert("t", { x = tuff.null })
        assert.are.equal(2, db:value("select count(*) from t where x is null"))
        assert.are.same({ {}, {} }, db:all("select x from t"))
        assert.are.same({ tuff.null, tuff.null }, db:column("select x from t"))
      end)
    end

    it("is found by is null where no column says what it is", function()
      assert.are.equal(1, db:value("select 1 where ? is null", nil))
      assert.is_nil(db:value("select 1 where ? is null", 5))
      assert.is_nil(db:value("select 1 where ? is null", ""))
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
    it("come back as booleans from a column declared BOOLEAN", function()
      db:exec(engine.sql "create table t(id {key}, a boolean, b {boolean}, c {integer})")
      db:insert("t", { a = true, b = false, c = true })
      db:run("insert into t(a, b, c) values (?, ?, ?)", false, true, false)
      assert.are.same({ { a = true, b = false, c = 1 }, { a = false, b = true, c = 0 } },
        db:all("select a, b, c from t order by id"))
      assert.are.same({ a = true, b = false, c = 1 }, db:row("select a, b, c from t order by id"))
      assert.are.equal(true, db:value("select a from t order by id"))
      assert.are.same({ true, false }, db:column("select a from t order by id"))
      assert.are.same({ false, true }, db:arrays("select b from t order by id").b)
      for n, a, b in db:tuples("select a, b from t order by id") do
        assert.are.equal(n == 1, a)
        assert.are.equal(n == 2, b)
      end
      for row in db:rows("select b as flag from t order by id limit 1") do
        assert.are.equal(false, row.flag)
      end
    end)

    it("are found by a boolean, alone and in a list", function()
      column "{boolean}"
      db:insert_many("t", { { x = true }, { x = false }, { x = true } })
      assert.are.same({ 1, 3 }, db:column("select id from t where x = ? order by id", true))
      assert.are.same({ 1, 3 }, db:column("select id from t where x order by id"))
      assert.are.same({ 2 }, db:column("select id from t where x in ?", { false }))
    end)

    it("are all that a column declared BOOLEAN takes, beside 1 and 0", function()
      column "{boolean}"
      refuses("type", { "yes", "true", 2, 0.5, tuff.blob("t"), { 1 } })
      exactly(true, stored(1))
      exactly(false, stored(0))
    end)

    it("are 1 and 0 in a column of numbers", function()
      column "{integer}"
      exactly(1, stored(true))
      exactly(0, stored(false))
    end)

    it("are of a type of their own in SQL, or 1 and 0", function()
      local yes, no = true, false
      if not engine.supports("boolean_type") then yes, no = 1, 0 end
      exactly(yes, back(true))
      exactly(no, back(false))
      exactly(yes, db:value("select 1 = 1"))
      exactly(no, db:value("select 1 in ?", { 2 }))
    end)

    it("stay absent when NULL", function()
      db:exec("create table t(done boolean); insert into t values (null)")
      assert.are.same({}, db:row("select done from t"))
    end)
  end)

  describe("text", function()
    local texts = { "", "a", "größe", "画像", "😀", "it's \"quoted\"", "a\nb\r\n\t",
      "\u{FEFF}bom", "\u{10FFFF}", "1", "1e5", "007", " blanks ", "\\x00", "NULL",
      ("long "):rep(200000) }

    it("comes back byte for byte", function()
      column "text"
      for _, text in ipairs(texts) do
        assert.is_true(text == stored(text))
        assert.is_true(text == back(text))
      end
    end)

    it("is not NULL when it is empty", function()
      column "text"
      assert.are.equal("", stored(""))
      assert.is_false(db:exists("select 1 from t where x is null"))
    end)

    it("is refused with a NUL byte, which only a blob may hold", function()
      column "text"
      local err = errors.expect("type", db.run, db, "insert into t(x) values (?)", "a\0b")
      errors.mentions(err, "blob")
      refuses("type", { "a\0b", "\0" })
    end)

    it("is refused when it is no UTF-8", function()
      column "text"
      for _, bytes in ipairs { "\xff", "a\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
        "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", ("x"):rep(5000) .. "\xfe" } do
        errors.expect("type", back, bytes)
        refuses("type", { bytes })
      end
    end)
  end)

  describe("blobs", function()
    local every = {}
    for byte = 0, 255 do every[#every + 1] = string.char(byte) end
    every = table.concat(every)

    it("come back as strings, byte for byte", function()
      column "{blob}"
      for _, bytes in ipairs { every, "", "\0", "\\x00", "größe", every:rep(4000) } do
        assert.is_true(bytes == stored(tuff.blob(bytes)))
        assert.is_true(bytes == back(tuff.blob(bytes)))
      end
    end)

    it("are equal where their bytes are", function()
      assert.is_true(tuff.blob("a\0") == tuff.blob("a\0"))
      assert.is_false(tuff.blob("a") == tuff.blob("b"))
      assert.is_false(tuff.blob("a") == setmetatable({}, { __eq = rawequal }))
    end)

    it("are not NULL when they are empty", function()
      column "{blob}"
      assert.are.equal("", stored(tuff.blob("")))
      assert.is_false(db:exists("select 1 from t where x is null"))
    end)

    it("are made from a string for a column declared BLOB", function()
      column "{blob}"
      assert.is_true(every == stored(every))
      db:insert_many("t", { { x = "plain" }, { x = tuff.blob("wrapped") }, { x = every } })
      assert.are.same({ every, "plain", "wrapped", every },
        db:column("select x from t order by id"))
      assert.are.equal("plain", db:value("select x from t where x = ?", "plain"))
      assert.are.equal("wrapped", db:value("select x from t where x = ?", tuff.blob("wrapped")))
    end)

    it("that are text may be in a column of texts", function()
      column "text"
      assert.are.equal("größe", stored(tuff.blob("größe")))
      if not engine.supports("flexible_types") then
        refuses("type", { tuff.blob("\xff"), tuff.blob("a\0b") })
      end
    end)
  end)

  describe("JSON", function()
    before_each(function() column "{json}" end)

    it("reads back as the same table", function()
      local doc = { nodes = { { type = "vae", id = 9007199254740993 }, { type = "sampler" } },
        scale = 0.5, on = true, none = tuff.null, text = "a\"b\\c\n", list = { { 1, { 2 } }, "x" } }
      assert.are.same(doc, stored(doc))
      exactly(9007199254740993, db:row("select x from t").x.nodes[1].id)
    end)

    it("keeps numbers what they are, wherever they stand", function()
      for _, n in ipairs(integers) do
        exactly(n, stored(n))
        exactly(n, stored({ a = { n } }).a[1])
      end
      for _, x in ipairs(floats) do
        if math.abs(x) < math.huge then
          exactly(x, stored(x))
          exactly(x, stored({ a = { -x, x } }).a[2])
          exactly(-x, stored({ a = { -x, x } }).a[1])
        end
      end
    end)

    it("is a number or a boolean alone, but no number that is infinite, and no blob", function()
      keeps { 5, 1.0, true, false }
      refuses("type", { math.huge, -math.huge, tuff.blob("1") })
    end)

    it("keeps an empty array, an empty object and null apart", function()
      for _, text in ipairs { "[]", "{}", '{"a": []}', '{"a": {}}', "[null]", '{"a": null}' } do
        local value = stored(text)
        assert.are.equal((text:gsub(" ", "")), (json.encode(value):gsub(" ", "")))
        assert.are.equal((text:gsub(" ", "")), (json.encode(stored(value)):gsub(" ", "")))
      end
      assert.are.equal(tuff.null, stored("null"))
      assert.is_false(db:exists("select 1 from t where x is null"))
    end)

    it("takes a string as JSON, and refuses one that is not", function()
      assert.are.same({ a = { 1, 2.5, tuff.null } }, stored('{"a": [1, 2.50, null]}'))
      assert.are.equal("x", stored('"x"'))
      refuses("type", { "{", "plain", "{'a': 1}", "[1,]", "", "NaN", "1 2" })
    end)

    it("may be large", function()
      local list = {}
      for n = 1, 20000 do list[n] = { n = n, text = ("x"):rep(n % 50) } end
      assert.are.same(list, stored(list))
    end)
  end)

  describe("decimals", function()
    it("come back as they were, with all their digits", function()
      column "{decimal}(10,2)"
      keeps { "12.34", "0.05", "-0.05", "-12.30", "0.00", "99999999.99", "-99999999.99" }
      exactly("5.00", stored("5"))
      exactly("5.00", stored(5))
      exactly("5.10", stored("+05.1"))
      exactly("5.10", stored("5.1000"))
      exactly("-7.00", stored(-7))
    end)

    it("may be without a fraction", function()
      column "{decimal}(18,0)"
      keeps { "999999999999999999", "-999999999999999999", "0" }
    end)

    it("may be nothing but a fraction", function()
      column "{decimal}(4,4)"
      keeps { "0.1234", "-0.0001" }
    end)

    it("are refused with too many digits, and what is no decimal", function()
      column "{decimal}(10,2)"
      refuses("range", { "123456789.00", "999999999999999999999999", 100000000 })
      refuses("type", { "abc", "", "1.2.3", "0x10", "1e2", "NaN", "Infinity", " 1", "1.", ".5", "-",
        0.5, 12.0, true, tuff.blob("1"), { 1 } })
    end)

    it("fit the column as it is, not as it was when the statement ran before", function()
      for _, scale in ipairs { 0, 4 } do
        db:exec("drop table if exists u")
        db:exec(engine.sql("create table u(x {decimal}(8," .. scale .. "))"))
        db:insert("u", { x = scale == 0 and "1" or "0.1234" })
      end
      assert.are.equal("0.1234", db:value("select x from u"))
    end)

    it("are refused with a finer fraction than their column has, or rounded", function()
      column "{decimal}(10,2)"
      if engine.supports("exact_decimals") then
        refuses("range", { "1.234", "0.001" })
      else
        exactly("1.23", stored("1.234"))
      end
    end)

    it("are found, alone and in a list", function()
      column "{decimal}(10,2)"
      db:insert_many("t", { { x = "1.50" }, { x = "-2" }, { x = "10" } })
      assert.are.equal(1, db:value("select id from t where x = ?", "1.5"))
      assert.are.same({ 2, 1, 3 }, db:column("select id from t order by x"))
      assert.are.same({ 1, 3 }, db:column("select id from t where x > ? order by id", "0"))
      assert.are.same({ 1, 2 }, db:column("select id from t where x in ? order by id",
        { "1.500", -2, "7" }))
    end)
  end)

  describe("timestamps", function()
    it("come back as they were, in 27 characters", function()
      column "{timestamp}"
      keeps { "2026-11-21T10:00:00.000001Z", "2026-11-21T10:00:00.000000Z",
        "1969-07-20T20:17:40.999999Z", "0001-01-01T00:00:00.000000Z", "2000-02-29T23:59:59.500000Z",
        "9999-12-31T23:59:59.999999Z" }
    end)

    it("are refused in any other form, and where there is no such day", function()
      column "{timestamp}"
      refuses("type", { "yesterday", "now", "", "2026-11-21", "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.5Z", "2026-11-21T12:00:00.000000+02:00", "2026-11-21T10:00:00.000000",
        "2026-11-21 10:00:00.000000Z", "2026-11-21T10:00:00.0000000Z",
        "2026-13-01T10:00:00.000000Z", "2026-00-01T10:00:00.000000Z",
        "2026-02-30T10:00:00.000000Z", "2026-11-21T25:00:00.000000Z",
        "2026-11-21T10:60:00.000000Z", 5, 1.5, true, tuff.blob("2026-11-21T10:00:00.000000Z") })
    end)

    it("are found and put in order", function()
      column "{timestamp}"
      local times = { "2026-11-21T10:00:00.000001Z", "2026-11-21T10:00:00.000000Z",
        "2025-01-01T00:00:00.000000Z" }
      for _, time in ipairs(times) do db:insert("t", { x = time }) end
      assert.are.same({ 3, 2, 1 }, db:column("select id from t order by x"))
      assert.are.same({ 1 }, db:column("select id from t where x > ?", times[2]))
      assert.are.same({ 1, 3 }, db:column("select id from t where x in ? order by id",
        { times[1], times[3] }))
    end)
  end)

  describe("UUIDs", function()
    it("come back as they were", function()
      column "{uuid}"
      keeps { "00000000-0000-1e50-8000-000000000000", "123e4567-e89b-12d3-a456-426614174000" }
      assert.are.equal(1, db:value("select count(*) from t where x = ?",
        "123e4567-e89b-12d3-a456-426614174000"))
    end)

    it("are refused in another form, which would not come back", function()
      column "{uuid}"
      refuses("type", { "123E4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000",
        "{123e4567-e89b-12d3-a456-426614174000}", "", 7 })
    end)
  end)

  describe("dates", function()
    it("come back as they were", function()
      column "{date}"
      keeps { "2026-11-21", "0001-01-01", "9999-12-31", "2024-02-29" }
    end)

    it("are refused in another form, with a time, and where there is no such day", function()
      column "{date}"
      refuses("type",
        { "2026-11-21T10:00:00", "2026-2-1", "21.11.2026", "yesterday", "", 20261121 })
      local ok, err = pcall(db.insert, db, "t", { x = "2026-02-30" })
      assert.is_false(ok)
      assert.is_truthy(err.code == "type" or err.code == "range")
    end)
  end)

  if engine.supports("rich_types") then
    describe("of types that only this engine has", function()
      it("come as their text, and go in as their text", function()
        db:exec [[
          create type mood as enum ('sad', 'happy');
          create domain size as int check (value > 0);
          create table t(id int primary key, d date, t time, i interval, n int[], w text[], m mood,
            p point, s size, b bit(4), r int4range, ip inet, l timestamp, a timestamptz[]);
        ]]
        local row = { id = 1, d = "2026-01-02", t = "03:04:05.5", i = "P1DT2H", n = "{1,NULL,-3}",
          w = '{a,"b c","{}"}', m = "happy", p = "(1,2.5)", s = 7, b = "1010", r = "[1,5)",
          ip = "10.0.0.1/8", l = "2026-01-02 03:04:05",
          a = '{"2026-01-02 03:04:05+00"}' }
        db:insert("t", row)
        assert.are.same(row, db:row("select * from t"))
        assert.are.same(row, db:row("select * from t where d = ? and m = ?", "2026-01-02", "happy"))
        assert.are.equal("2026-01-02", db:value("select d from t where d in ?", { "2026-01-02" }))
      end)

      it("change nothing of what stands beside them", function()
        local sql = [[select 7::bigint as n, true as t, false as f, 0.1::float8 as x,
          0.1::real as small, 'Infinity'::float8 as inf, 12.30::numeric as price,
          '\xff00'::bytea as b, ''::bytea as no, 'a' as text, '{"a": [1, 1.0]}'::jsonb as j,
          timestamptz '2026-06-01 10:00:00.5+00' as at, timestamptz 'infinity' as never,
          '123e4567-e89b-12d3-a456-426614174000'::uuid as u, null::int as nothing]]
        local alone = db:row(sql)
        assert.are.equal("2026-06-01T10:00:00.500000Z", alone.at)
        local mixed = db:row(sql .. ", point(1, 2) as p")
        assert.are.equal("(1,2)", mixed.p)
        mixed.p = nil
        assert.are.same(alone, mixed)
        for name, value in pairs(alone) do
          assert.are.equal(math.type(value), math.type(mixed[name]))
        end
      end)

      it("leave timestamps in UTC, whatever zone the script has set", function()
        for _, zone in ipairs { "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "-13:30" } do
          db:run(("set timezone = '%s'"):format(zone))
          for text, wanted in pairs {
            ["2026-06-01 10:00:00.5+00"] = "2026-06-01T10:00:00.500000Z",
            ["2026-12-31 23:59:59.999999+00"] = "2026-12-31T23:59:59.999999Z",
            ["1890-06-15 12:34:56+00"] = "1890-06-15T12:34:56.000000Z", -- zones had seconds then
            ["0001-01-01 00:00:00+00"] = "0001-01-01T00:00:00.000000Z",
            ["0044-03-15 12:00:00+00 BC"] = "0044-03-15T12:00:00.000000Z BC",
            ["12026-01-01 00:00:00+00"] = "12026-01-01T00:00:00.000000Z",
            infinity = "infinity",
          } do
            local sql = ("select timestamptz '%s' as at"):format(text)
            assert.are.equal(wanted, db:value(sql))
            assert.are.equal(wanted, db:row(sql .. ", point(1, 2) as p").at)
          end
        end
      end)

      it("are refused by the server where they are wrong", function()
        db:exec "create type mood as enum ('sad'); create table t(d date, n int[], m mood)"
        for name, wrong in pairs { d = "tomorow", n = "1,2", m = "hungry" } do
          local err = errors.expect("type", db.insert, db, "t", { [name] = wrong })
          errors.conceals(err, wrong)
        end
      end)
    end)
  end

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
      assert.are.same({ ["Größe"] = 1, ["a b"] = 2, ['"'] = 3, x = 4 },
        db:row([[select 1 as "Größe", 2 as "a b", 3 as """", 4 as x]]))
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

describe("values in SQLite", function()
  local db

  before_each(function() db = fixture.memory() end)
  fixture.clean_up()

  local function kind(value)
    return db:value("select typeof(?)", value)
  end

  it("are of one of its five kinds", function()
    assert.are.equal("integer", kind(math.maxinteger))
    assert.are.equal("integer", kind(true))
    assert.are.equal("real", kind(1.0))
    assert.are.equal("text", kind("1"))
    assert.are.equal("text", kind(""))
    assert.are.equal("blob", kind(tuff.blob("")))
    assert.are.equal("null", kind(nil))
    assert.are.equal("null", kind(tuff.null))
  end)

  it("are stored as their columns declare", function()
    db:exec("create table t(b blob, j JSON TEXT, d DECIMAL INTEGER(10,2), u UUID TEXT)")
    local uuid = "00000000-0000-1e50-8000-000000000000"
    db:insert("t", { b = "text", j = { id = 9007199254740993 }, d = "12.30", u = uuid })
    assert.are.same({ b = "blob", j = "text", d = "integer", u = "text" },
      db:row("select typeof(b) as b, typeof(j) as j, typeof(d) as d, typeof(u) as u from t"))
    assert.are.equal(1230, db:value("select d + 0 from t"))
    assert.are.equal(uuid, db:value("select u from t"))
    assert.are.equal(9007199254740993, db:value("select json_extract(j, '$.id') from t"))
  end)

  it("that are JSON keep their text", function()
    db:exec("create table t(id integer primary key, doc JSON TEXT)")
    for _, value in ipairs { 5, 1.0, true, false, '{"a": [1, 2.50, null]}' } do
      db:insert("t", { doc = value })
    end
    assert.are.same({ "5", "1.0", "true", "false", '{"a": [1, 2.50, null]}' },
      db:column("select doc || '' from t order by id"))
  end)

  it("are read whole when another program stored a NUL in a text", function()
    assert.are.equal("a\0b", db:value("select cast(x'610062' as text)"))
  end)

  it("have the name of their expression, or one in brackets", function()
    assert.are.same({ ["a b"] = 2, ["1+1"] = 2 }, db:row("select 2 as [a b], 1+1"))
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
end)
