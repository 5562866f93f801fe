local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"
local temporary = require "spec.support.temporary"

local url, reason = postgres.url()

fixture.unless(reason, "PostgreSQL", function()
  local db

  before_each(function()
    db = fixture.open(url)
    db:exec [[
      drop table if exists books;
      create table books(
        id bigint generated always as identity primary key, title text not null unique,
        price numeric(10,2), score double precision, read boolean, added timestamptz,
        details jsonb, cover bytea);
    ]]
  end)

  it("gives back every kind of value as it went in", function()
    local book = { title = "Ünïcödé", price = "12.30", score = 1.0, read = true,
      added = "2026-11-21T10:00:00.123456Z", cover = "\0\xff\0", details = { pages = { 1, 2.5 } } }
    local id = db:insert("books", book)
    local found = db:row("select * from books where id = ?", id)
    book.id = id
    assert.are.same(book, found)
    assert.are.equal("float", math.type(found.score))
    assert.are.equal(math.maxinteger, db:value("select ?::bigint", math.maxinteger))
    assert.are.equal(math.mininteger, db:value("select ?::bigint", math.mininteger))
    assert.are.equal("-0.05", db:value("select -0.05"))
    assert.are.equal("123456789012345678901234567890.000001",
      db:value("select ?::numeric", "123456789012345678901234567890.000001"))
    assert.is_nil(db:row("select null as nothing").nothing)
  end)

  it("gives a type that it does not know as its text", function()
    assert.are.equal("2026-01-02", db:value("select date '2026-01-02'"))
    local row = db:row("select 7::bigint as n, true as t, 1.5::float8 as f, '\\x00ff'::bytea as b, "
      .. "timestamptz '2026-01-02 03:04:05.6+00' as at, '{\"a\": [1]}'::jsonb as j, "
      .. "point(1, 2) as p")
    assert.are.same({ n = 7, t = true, f = 1.5, b = "\0\xff", at = "2026-01-02T03:04:05.600000Z",
      j = { a = { 1 } }, p = "(1,2)" }, row)
  end)

  it("gives numbers and times at their borders", function()
    local row = db:row([[select 'NaN'::numeric as nan, 'Infinity'::numeric as inf,
      '-Infinity'::numeric as low, 100000000::numeric as whole, 0.00001234::numeric as small,
      32767::int2 as two, -2147483648 as four, 42::oid as o, 1.5::float4 as f,
      timestamptz 'infinity' as never, timestamptz '-infinity' as ever,
      timestamptz '1969-07-20 20:17:40+00' as moon, timestamptz '2000-02-29 00:00:00.5+00' as leap,
      null::int as nothing]])
    assert.are.same({ nan = "NaN", inf = "Infinity", low = "-Infinity", whole = "100000000",
      small = "0.00001234", two = 32767, four = -2147483648, o = 42, f = 1.5, never = "infinity",
      ever = "-infinity", moon = "1969-07-20T20:17:40.000000Z",
      leap = "2000-02-29T00:00:00.500000Z" }, row)
    -- One type that is not known brings the whole row as text.
    row = db:row([[select point(0, 0) as p, 32767::int2 as two, false as no, -1.25::float8 as f,
      12.30::numeric as n, timestamptz '1969-07-20 20:17:40+00' as moon,
      timestamptz 'infinity' as never, '{"a": null}'::json as j, 5::bigint as five,
      '\xff00'::bytea as b, 'text' as t, pg_sleep(0) as nothing]])
    assert.are.same({ p = "(0,0)", two = 32767, no = false, f = -1.25, n = "12.30",
      moon = "1969-07-20T20:17:40.000000Z", never = "infinity", j = { a = tuff.null }, five = 5,
      b = "\xff\0", t = "text" }, row)
    assert.is_nil(db:value("select pg_sleep(0)"))
  end)

  it("takes a value for whatever type the server wants", function()
    for _, case in ipairs {
      { "?::text", true, "true" }, { "?::text", 5, "5" }, { "?::text", 0.1, "0.1" },
      { "?::text", 1 / 0, "Infinity" }, { "?::text", -1 / 0, "-Infinity" },
      { "?::numeric", 5, "5" }, { "?::numeric", 0.25, "0.25" }, { "?::boolean", false, false },
      { "?::int2", 7.0, 7 }, { "?::int", "12", 12 }, { "?::float8", 3, 3.0 },
      { "?::float8", "1.5", 1.5 }, { "?::bytea", "text", "text" }, { "?::date", "2026-01-02",
        "2026-01-02" }, { "?::text", tuff.blob("\1\255"), "\\x01ff" },
      { "?::jsonb", { list = { 1 } }, { list = { 1 } } },
    } do
      assert.are.same(case[3], db:value("select " .. case[1], case[2]))
    end
    assert.is_true(db:value("select true = any(?::boolean[])", "{true}"))
    errors.expect("range", db.value, db, "select ?::int2", 40000)
    errors.expect("type", db.value, db, "select ?::int", 1.5)
    local n = 0
    for _ in db:tuples("select 1 where ?::text is null", nil) do n = n + 1 end
    assert.are.equal(1, n)
  end)

  it("takes ?, :name, in ? and ?? as SQLite does", function()
    db:insert_many("books", { { title = "a" }, { title = 'b"\\,{}' }, { title = "c" } })
    assert.are.equal(2, db:value("select count(*) from books where title in ?", { "a", 'b"\\,{}' }))
    assert.are.equal(1, db:value("select count(*) from books where title not in :list",
      { list = { "a", 'b"\\,{}' } }))
    assert.are.equal(0, db:value("select count(*) from books where id in ?", {}))
    assert.is_true(db:value("select ?::jsonb ?? 'key'", { key = 1 }))
    assert.are.equal("$$?$$", db:value("select '$$?$$'"))
  end)

  it("refuses what it would change", function()
    errors.expect("type", db.run, db, "insert into books(title) values (?)", "a\0b")
    errors.expect("type", db.run, db, "insert into books(title) values (?)", "\xff")
    errors.expect("range", db.value, db, "select ?::int", 1 << 40)
    errors.expect("range", db.value, db, "select ?::float8", (1 << 53) + 1)
    errors.expect("range", db.value, db, "select ?::float8", 0 / 0)
    assert.are.equal(0, db:value("select count(*) from books"))
  end)

  it("names the mistake as SQLite does", function()
    db:insert("books", { title = "a" })
    local err = errors.expect("constraint", db.insert, db, "books", { title = "a" })
    assert.are.equal("unique", err.constraint)
    assert.are.equal("books", err.table)
    assert.are.same({ "title" }, err.columns)
    assert.are.equal("23505", err.native)
    assert.are.equal("not_null",
      errors.expect("constraint", db.insert, db, "books", { read = true }).constraint)
    local syntax = errors.expect("syntax", db.run, db, "select\n  from from")
    assert.are.equal(2, syntax.sql_line)
    errors.expect("not_found", db.value, db, "select nothing from books")
    errors.expect("not_found", db.value, db, "select 1 from nothing")
    errors.expect("type", db.run, db, "insert into books(price) values (?)", "no number")
    errors.expect("range", db.value, db, "select 1 / 0")
  end)

  it("shows no value of a parameter in an error", function()
    local err = errors.expect("type", db.value, db, "select ?::int", "secret text")
    assert.is_nil(tostring(err):find("secret", 1, true))
  end)

  it("keeps the outer transaction when a nested one fails", function()
    db:transaction(function()
      db:insert("books", { title = "a" })
      errors.expect("constraint", db.transaction, db, function()
        db:insert("books", { title = "b" })
        db:insert("books", { title = "a" })
      end)
      db:insert("books", { title = "c" })
    end)
    assert.are.same({ "a", "c" }, db:column("select title from books order by title"))
  end)

  it("runs nothing in a transaction that has failed, and tells why", function()
    local err = errors.expect("transaction_aborted", db.transaction, db, function()
      pcall(db.insert, db, "books", { title = nil })
      db:insert("books", { title = "later" })
    end)
    assert.are.equal("constraint", err.cause.code)
    assert.are.equal(0, db:value("select count(*) from books"))
    db:insert("books", { title = "after" })
  end)

  it("writes and reads inside of open loops, which go on as they began", function()
    db:insert_many("books", { { title = "a" }, { title = "b" }, { title = "c" } })
    local seen = {}
    for row in db:rows("select id, title from books order by id") do
      seen[#seen + 1] = row.title
      db:insert("books", { title = row.title .. row.title })
      assert.are.equal(3 + #seen, db:value("select count(*) from books"))
    end
    assert.are.same({ "a", "b", "c" }, seen)
    for row in db:rows("select generate_series(1, 100000) as n") do
      if row.n == 3 then break end
    end
    assert.are.equal(6, db:value("select count(*) from books"))
  end)

  it("ends a statement at its deadline, and stays usable", function()
    errors.expect("timeout", function() db:using({ timeout = 50 }):value("select pg_sleep(60)") end)
    assert.are.equal(1, db:value("select 1"))
  end)

  it("sees a column that was added meanwhile", function()
    db:insert("books", { title = "a" })
    local other <close> = tuff.open(url)
    other:run("alter table books add column pages int")
    db:insert("books", { title = "b", pages = 3 })
    assert.are.equal(3, db:value("select pages from books where title = 'b'"))
    assert.are.equal(3, db:row("select * from books where title = 'b'").pages)
  end)

  it("isolates as it is told to", function()
    local function isolation() return db:value("show transaction_isolation") end
    assert.are.equal("serializable", db:transaction(isolation))
    assert.are.equal("read committed", db:transaction({ isolation = "read committed" }, isolation))
    assert.are.equal("repeatable read",
      db:transaction({ isolation = "repeatable read" }, isolation))
    assert.are.equal("repeatable read", db:read(isolation))
    errors.expect("readonly", db.read, db, function() db:insert("books", { title = "a" }) end)
    local tx = db:begin()
    db:insert("books", { title = "a" })
    tx:rollback()
    assert.are.equal(0, db:value("select count(*) from books"))
  end)

  it("suggests the table and the column that were meant", function()
    errors.mentions(errors.expect("not_found", db.insert, db, "boks", { title = "a" }), "books")
    errors.mentions(errors.expect("not_found", db.insert, db, "books", { titel = "a" }), "title")
  end)

  it("that takes no more connections says so", function()
    local many, err = {}, nil
    repeat
      local good, opened = pcall(tuff.open, url)
      if good then many[#many + 1] = opened else err = opened end
    until err or #many == 40
    for _, one in ipairs(many) do one:close() end
    repeat -- the server takes its time to forget them
      local free = pcall(function()
        local last <close> = tuff.open(url)
        assert(last:value("select count(*) from pg_stat_activity "
          .. "where backend_type = 'client backend'") < 5)
      end)
    until free
    assert.are.equal("connection", err.code)
    errors.mentions(err, "connection")
  end)

  it("whose driver is no driver is refused with its name", function()
    local directory = temporary.directory()
    assert(lfs.mkdir(directory .. "/tuff"))
    temporary.write(directory .. "/tuff/postgres.so", "no library")
    local cpath = package.cpath
    package.cpath = directory .. "/?.so"
    local good, err = pcall(tuff.open, url)
    package.cpath = cpath
    temporary.remove_all()
    assert.is_false(good)
    assert.are.equal("unsupported", err.code)
    errors.mentions(err, directory)
  end)

  it("that cannot be reached says so, and keeps the password to itself", function()
    local err = errors.expect("connection", tuff.open,
      "postgres://tester:secret@/postgres?host=/nowhere")
    assert.is_nil(tostring(err):find("secret", 1, true))
    err = errors.expect("not_found", tuff.open, (url:gsub("/postgres%?", "/nothing?")))
    errors.mentions(err, "nothing")
  end)

  it("gives rows without columns, which are rows", function()
    local nothing = "select from generate_series(1, 3)"
    assert.are.same({ {}, {}, {} }, db:all(nothing))
    assert.are.same({ tuff.null, tuff.null, tuff.null }, db:column(nothing))
    assert.is_nil(db:value(nothing))
    assert.is_true(db:exists(nothing))
    for _, loop in ipairs { "rows", "tuples" } do
      local count = 0
      for _ in db[loop](db, nothing) do
        count = count + 1
        db:run("insert into books(title) values (?)", loop .. count) -- reads the rest ahead
      end
      assert.are.equal(3, count)
    end
  end)

  it("refuses COPY by hand, and goes on", function()
    local copies = { "copy books from stdin", "copy (select generate_series(1, 9999)) to stdout" }
    for i = 1, 50 do
      for _, sql in ipairs(copies) do
        errors.expect("unsupported", db.run, db, sql)
        assert.are.equal(i, db:value("select ?", i)) -- not an answer to something else
        errors.expect("unsupported", db.transaction, db, function() db:run(sql) end)
        assert.are.equal(i, db:value("select ?", i))
      end
    end
  end)

  it("says what it cannot do", function()
    assert.is_false(db:supports("functions"))
    errors.expect("unsupported", db.define, db, "f", print)
    errors.expect("unsupported", db.blob, db, "books", "cover", 1)
    errors.expect("unsupported", db.attach, db, "a.db", "a")
    local err = errors.expect("unsupported", db.backup, db, "copy.db", { file = true })
    errors.mentions(err, "postgres", "server")
  end)
end)
