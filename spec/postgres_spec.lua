local tuff = require "tuff"
local errors = require "spec.support.errors"
local postgres = require "spec.support.postgres"

local url, reason = postgres.url(tuff)

describe("PostgreSQL", function()
  if not url then
    pending("is left out: " .. reason)
    return
  end

  local db

  before_each(function()
    db = tuff.open(url)
    db:exec [[
      drop table if exists books;
      create table books(
        id bigint generated always as identity primary key, title text not null unique,
        price numeric(10,2), score double precision, read boolean, added timestamptz,
        details jsonb, cover bytea);
    ]]
  end)

  after_each(function()
    db:close()
    assert.are.equal(0, tuff.instances())
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

  it("that cannot be reached says so, and keeps the password to itself", function()
    local err = errors.expect("connection", tuff.open,
      "postgres://tester:secret@/postgres?host=/nowhere")
    assert.is_nil(tostring(err):find("secret", 1, true))
    err = errors.expect("connection", tuff.open, (url:gsub("/postgres%?", "/nothing?")))
    errors.mentions(err, "nothing")
  end)

  it("says what it cannot do", function()
    assert.is_false(db:supports("functions"))
    errors.expect("unsupported", db.define, db, "f", print)
    errors.expect("unsupported", db.blob, db, "books", "cover", 1)
    errors.expect("unsupported", db.attach, db, "a.db", "a")
  end)
end)
