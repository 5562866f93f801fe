local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.on_server("a value of PostgreSQL", {}, function(server)
  local db

  setup(function()
    server:sql [[
      create type mood as enum ('sad', 'so so', 'happy');
      create type pair as (n int, words text);
      create domain positive as int check (value > 0);
      create domain word as text check (value <> '');
      create table kept(t text, n2 int2, n4 int4, n8 int8, m mood, p pair, w word, v varchar(3));
    ]]
    server:sql "create database latin encoding 'LATIN1' locale 'C' template template0"
    server:sql "create database bytes encoding 'SQL_ASCII' locale 'C' template template0"
  end)

  before_each(function()
    server:sql "truncate kept"
    db = fixture.open(server:url(), { timeout = 60000 })
  end)

  local function count() return db:value("select count(*) from kept") end

  --- The value of a column of this type, whether it comes alone or beside others.
  local function read(expression)
    local alone = db:value("select " .. expression)
    local row = db:row("select 7 as seven, point(1, 2) as p, " .. expression .. " as it, "
      .. "true as t, 'x'::text as x, 1.5::float8 as f")
    assert.are.same({ 7, "(1,2)", true, "x", 1.5 }, { row.seven, row.p, row.t, row.x, row.f })
    assert.are.same(alone, row.it)
    return alone
  end

  describe("of a type that is not known comes as its text:", function()
    local texts = {
      ["point(1.5, -2)"] = "(1.5,-2)",
      ["interval '1 year 2 months 3 days 04:05:06.7'"] = "P1Y2M3DT4H5M6.7S",
      ["'so so'::mood"] = "so so",
      ["row(1, 'a \"b\", (c)')::pair"] = [[(1,"a ""b"", (c)")]],
      ["array[1, 2, null]"] = "{1,2,NULL}",
      ["array['a', 'b c', null]"] = '{a,"b c",NULL}',
      ["array['happy', 'sad']::mood[]"] = "{happy,sad}",
      ["int4range(1, 5)"] = "[1,5)",
      ["inet '10.0.0.1/8'"] = "10.0.0.1/8",
      ["macaddr '08:00:2b:01:02:03'"] = "08:00:2b:01:02:03",
      ["varbit '101'"] = "101",
      ["time '04:05:06.789'"] = "04:05:06.789",
      ["xmlparse(content '<a/>')"] = "<a/>",
      ["to_tsvector('simple', 'b a')"] = "'a':2 'b':1",
      ["'public.kept'::regclass"] = "kept",
      ["pg_lsn '16/B374D848'"] = "16/B374D848",
    }
    for expression, text in pairs(texts) do
      it(expression, function() assert.are.equal(text, read(expression)) end)
    end

    it("and may be given as such a text", function()
      for expression, text in pairs(texts) do
        local type = db:value(("select pg_typeof(%s)::text"):format(expression))
        assert.are.equal(text, db:value(("select (?::%s)::text"):format(type), text))
      end
    end)

    it("a NULL of it is a NULL", function()
      assert.is_nil(read "null::mood")
      assert.is_nil(read "null::point")
      assert.are.same({ tuff.null, "(1,1)" },
        db:column("select p from (values (null), (point(1, 1))) as t(p)"))
    end)
  end)

  describe("beside one of a type that is not known is what it is alone:", function()
    -- Such a row comes as text, in whose form the session has a say.
    local function alike(expression)
      assert.are.same(db:value("select " .. expression),
        db:row("select point(0, 0) as p, " .. expression .. " as it").it)
    end

    it("a float", function()
      for _, float in ipairs { "0.1", "1e-40", "3.4e38", "'-0'", "'Infinity'" } do
        alike(float .. "::float4")
        alike(float .. "::float8")
      end
    end)

    it("a time in any zone", function()
      for _, zone in ipairs { "UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York",
        "Africa/Monrovia" } do
        db:run(("set timezone = '%s'"):format(zone))
        for _, time in ipairs {
          "2026-11-21 10:00:00+00", "2026-07-21 23:59:59.999999+00", "2000-02-29 00:00:00.5+00",
          "1900-01-01 00:00:00.000001+00", "0001-01-01 00:00:00+00", "0044-03-15 12:00:00+00 BC",
          "12026-11-21 10:00:00+00", "infinity", "-infinity",
        } do
          alike(("timestamptz '%s'"):format(time))
          alike(("timestamp '%s'"):format(time))
          alike(("date '%s'"):format(time))
        end
      end
    end)

    it("bytes in any form", function()
      local all = {}
      for byte = 0, 255 do all[#all + 1] = string.char(byte) end
      local bytes = tuff.blob(table.concat(all) .. "\\\\x41\\")
      for _, form in ipairs { "hex", "escape" } do
        db:run(("set bytea_output = '%s'"):format(form))
        local row = db:row("select point(0, 0) as p, ?::bytea as it", bytes)
        assert.are.equal(tostring(bytes), row.it)
        alike "''::bytea"
        alike "'\\x5c78'::bytea"
      end
    end)

    it("a date in another form is refused", function()
      for _, style in ipairs { "German", "SQL", "Postgres" } do
        db:run(("set datestyle = '%s'"):format(style))
        for _, expression in ipairs { "now()", "current_date", "localtimestamp" } do
          errors.mentions(errors.expect("unsupported", db.row, db,
            "select point(0, 0) as p, " .. expression .. " as it"), "datestyle")
          errors.expect("unsupported", function()
            for _ in db:rows("select point(0, 0) as p, " .. expression
              .. " as it from generate_series(1, 1000)") do end
          end)
          assert.are.equal("string", type(db:value("select " .. expression)))
        end
      end
    end)
  end)

  it("of a domain is one of the type below", function()
    assert.are.equal(5, read "5::positive")
    assert.are.equal("integer", math.type(read "5::positive"))
    assert.are.equal("a", read "'a'::word")
    local err = errors.expect("constraint", db.value, db, "select ?::positive", -5)
    assert.are.equal("check", err.constraint)
    err = errors.expect("constraint", db.insert, db, "kept", { w = "" })
    assert.are.equal("check", err.constraint)
  end)

  it("of an enum is written and compared as text", function()
    db:insert("kept", { m = "happy" })
    assert.are.equal("happy", db:value("select m from kept where m = ?", "happy"))
    assert.is_true(db:exists("select 1 from kept where m in ?", { "sad", "happy" }))
    db:insert_many("kept", { { m = "sad" }, { m = "so so" } })
    assert.are.same({ "sad", "so so", "happy" }, db:column("select m from kept order by m"))
    local err = errors.expect({ "type", "range" }, db.insert, db, "kept", { m = "glad" })
    errors.conceals(err, "glad")
    errors.expect({ "type", "range" }, db.insert_many, db, "kept",
      { { m = "sad" }, { m = "glad" } })
    assert.are.equal(3, count())
  end)

  it("of a composite type is written as text", function()
    db:insert("kept", { p = '(5,"a b")' })
    assert.are.equal("a b", db:value("select (p).words from kept"))
    assert.are.equal('(5,"a b")', db:value("select p from kept"))
  end)

  describe("that is refused leaves nothing behind and the connection as it was:", function()
    local function refused(code, row)
      for _, write in ipairs {
        function() db:insert("kept", row) end,
        function() db:insert_many("kept", { { t = "good" }, row }) end,
        function() db:insert_many("kept", { { t = "good" }, row }, { on_conflict = "ignore" }) end,
        function()
          db:transaction(function()
            db:insert("kept", { t = "good" })
            db:insert("kept", row)
          end)
        end,
        function()
          local name, value = next(row)
          db:run(("insert into kept(%s) values (?)"):format(name), value)
        end,
        function()
          local name, value = next(row)
          db:run(("insert into kept(%s) values (:it)"):format(name), { it = value })
        end,
      } do
        errors.expect(code, write)
        assert.are.equal(0, count())
        assert.is_false(db:in_transaction())
      end
    end

    it("text with a NUL byte", function()
      refused("type", { t = "a\0b" })
      refused("type", { t = "\0" })
      refused("type", { w = "a\0b" })
    end)

    it("text that is no UTF-8", function()
      for _, bytes in ipairs { "\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80" } do
        refused("type", { t = bytes })
      end
      refused("type", { m = "\xff" })
    end)

    it("an integer that is out of range", function()
      for name, limit in pairs { n2 = 1 << 15, n4 = 1 << 31 } do
        refused("range", { [name] = limit })
        refused("range", { [name] = -limit - 1 })
        refused("range", { [name] = math.maxinteger })
        refused("range", { [name] = 2.0 ^ 62 })
        refused("range", { [name] = tostring(limit) })
      end
      refused("range", { n8 = "9223372036854775808" })
      refused({ "range", "type" }, { n8 = 2.0 ^ 63 })
    end)

    it("what is no integer", function()
      refused("type", { n4 = 1.5 })
      refused("type", { n4 = "one" })
      refused({ "type", "range" }, { n4 = 1 / 0 })
      refused({ "type", "range" }, { n4 = 0 / 0 })
    end)

    it("a text that is too long", function()
      refused("range", { v = "long" })
    end)
  end)

  it("at the border of its type goes in and comes back", function()
    for name, limit in pairs { n2 = 1 << 15, n4 = 1 << 31 } do
      for _, value in ipairs { limit - 1, -limit, 0 } do
        assert.are.equal(value, db:value(
          ("insert into kept(%s) values (?) returning %s"):format(name, name), value))
        db:insert_many("kept", { { [name] = value } })
      end
      assert.are.equal(2, db:value(("select count(*) from kept where %s = ?"):format(name), -limit))
    end
    for _, value in ipairs { math.maxinteger, math.mininteger } do
      db:insert_many("kept", { { n8 = value } })
      assert.are.equal(value, db:value("select n8 from kept where n8 = ?", value))
    end
    -- The server infers the type of what is compared with: beyond it, nothing can be equal.
    local good, found = pcall(db.value, db, "select count(*) from kept where n2 = ?", 1 << 40)
    assert.is_true(good and found == 0 or not good and found.code == "range", tostring(found))
  end)

  describe("from a database of another encoding", function()
    it("is converted where it can be", function()
      local latin = fixture.open(server:url { database = "latin" })
      assert.are.equal("é", latin:value("select chr(233)"))
      assert.are.equal("é", latin:value("select ?::text", "é"))
      errors.expect({ "type", "range" }, latin.value, latin, "select ?::text", "€")
      assert.are.equal(1, latin:value("select 1"))
    end)

    it("that has none is refused where it is no UTF-8", function()
      local bytes = fixture.open(server:url { database = "bytes" })
      errors.expect("type", bytes.value, bytes, "select chr(233)")
      assert.are.equal("é", bytes:value("select ?::text", "é"))
    end)
  end)
end)
