--- What changes of a schema are on PostgreSQL alone.
local s = require "tuff.schema"
local engines = require "spec.support.engine"
local errors = require "spec.support.errors"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local engine = engines[2]

local function images(...)
  return s.define { s.table("images", { s.id(), ... }) }
end

describe("a changed schema in PostgreSQL", function()
  if engine.missing then return pending("is left out: " .. engine.missing) end

  local path, db

  before_each(function()
    path = engine.empty()
    db = fixture.open(path)
  end)
  fixture.clean_up()

  --- Insists that the database has a schema.
  local function is_made(schema)
    local plan = db:diff(schema)
    assert.are.equal(0, #plan.changes, tostring(plan))
  end

  local function oid(name) return db:value("select to_regclass(?)::oid::bigint", name) end

  -- ---- in place --------------------------------------------------------------------------

  it("is changed in place: no table is made anew, and rows are written once", function()
    db:apply(images(s.text("a"), s.text("b")))
    db:run "insert into images(a, b) values ('1', '2')"
    local before = oid "images"
    local wanted = images(s.integer("a"):not_null():default(5), s.real("b"), s.text("c"))
    local plan = db:apply(wanted)
    assert.are.same({}, plan.rebuilt)
    assert.are.equal(before, oid "images")
    local _, count = plan:sql():gsub("ALTER TABLE", "")
    assert.are.equal(1, count)
    is_made(wanted)
    assert.are.same({ id = 1, a = 1, b = 2.0 }, db:row "select id, a, b from images")
    db:run "insert into images(b) values (1)"
    assert.are.equal(5, db:value "select a from images where id = 2")
  end)

  it("has all of it in the transaction of the script, and is rolled back with it", function()
    db:apply(images(s.text("a")))
    db:run "insert into images(a) values ('1')"
    pcall(db.transaction, db, function()
      db:apply(s.define { s.table("tags", { s.id() }) }, { allow_drop = { "images" } })
      assert.are.same({ "tags" }, db:tables())
      error "no"
    end)
    is_made(images(s.text("a")))
    assert.are.equal(1, db:value "select count(*) from images")
    db:transaction(function() db:apply(images(s.integer("a"))) end)
    is_made(images(s.integer("a")))
  end)

  it("looks at rows when a constraint is there, and names them before", function()
    db:apply(images(s.integer("n"), s.integer("of")))
    local plan = db:diff(images(s.integer("n"):check("n > 0"),
      s.integer("of"):references("images")))
    local text = plan:sql()
    assert.is_truthy(text:find('CHECK (n > 0) NOT VALID', 1, true))
    assert.is_truthy(text:find('VALIDATE CONSTRAINT "images_of_fkey"', 1, true))
    db:run "insert into images(n) values (0)"
    errors.mentions(errors.expect("migration", db.apply, db, plan), "images_n_check", "key 1")
  end)

  it("lets columns that refer to each other change their types together", function()
    local function schema(type)
      return s.define {
        s.table("folders", { s[type]("id"):primary_key() }),
        s.table("images", { s.id(), s[type]("folder_id"):references("folders") }),
      }
    end
    db:apply(schema "integer")
    db:run "insert into folders values (7)"
    db:run "insert into images(folder_id) values (7)"
    db:apply(schema "text")
    is_made(schema "text")
    assert.are.equal("7", db:value "select folder_id from images")
    db:apply(schema "integer")
    is_made(schema "integer")
  end)

  it("lets a key become another one that others refer to", function()
    local function schema(...)
      return s.define {
        s.table("folders", { s.integer("id"):not_null(), s.text("path"):not_null(), ... }),
        s.table("images", { s.integer("folder_id"):references("folders", { columns = "id" }) }),
      }
    end
    db:apply(schema(s.unique { "id" }))
    db:run "insert into folders values (1, 'a')"
    db:run "insert into images values (1)"
    local wanted = schema(s.primary_key { "id" }, s.unique { "path" })
    db:apply(wanted)
    is_made(wanted)
  end)

  it("computes again what is computed, and keeps the values of what no longer is", function()
    db:apply(images(s.text("a"), s.text("b"):generated("a || '1'"):index()))
    db:run "insert into images(a) values ('x')"
    local wanted = images(s.text("a"), s.text("b"):generated("a || '2'"):index():comment("B"))
    db:apply(wanted)
    is_made(wanted)
    assert.are.equal("x2", db:value "select b from images")
    wanted = images(s.integer("a"), s.text("b"))
    db:run "update images set a = '5'"
    db:apply(wanted)
    is_made(wanted)
    assert.are.same({ id = 1, a = 5, b = "52" }, db:row "select * from images")
    db:apply(images(s.text("a"), s.text("b"):generated("a || '3'")),
      { allow_drop = { "images.b" } })
    assert.are.equal("53", db:value "select b from images")
    db:apply(images(s.integer("a"), s.text("b"):generated("a::text || '3'")))
    assert.are.equal("53", db:value "select b from images")
  end)

  it("changes comments and search, and takes a limit away", function()
    db:apply(images(s.text("a", { max_length = 3 }):comment("A"), s.text("b"), s.search { "a" }))
    local wanted = images(s.text("a"), s.text("b"):comment("B"), s.search { "a", "b" })
    db:apply(wanted)
    is_made(wanted)
    db:run "insert into images(a) values ('long enough')"
  end)

  -- ---- values ----------------------------------------------------------------------------

  it("takes over values into any type that they are values of, and no others", function()
    local decimal = { precision = 10, scale = 2 }
    local function of(type, ...)
      local rest = table.pack(...)
      return function() return s[type]("v", table.unpack(rest)) end
    end
    local function other(declared) return function() return s.column("v", declared) end end
    local integer, real, text, price = of "integer", of "real", of "text", of("decimal", decimal)
    local at, day = "2026-11-21T10:00:00.000000Z", "2026-11-21"
    for _, case in ipairs {
      { integer, real, { 1, 1.0 }, bad = { (1 << 53) + 1 } },
      { integer, text, { 12, "12" } }, { integer, price, { 12, "12" }, bad = { math.maxinteger } },
      { integer, of "boolean", { 1, true, 0, false }, bad = { 2 } },
      { integer, of "blob", {}, bad = { 1 } },
      { integer, other "smallint", { 5, 5 }, bad = { 70000 } },
      { real, integer, { 2.0, 2 }, bad = { 2.5, 1e300 } }, { real, text, { 2.5, "2.5" } },
      { real, price, { 1.1, "1.10" }, bad = { 1.234, 1e17 } },
      { text, integer, { "12", 12, "-3", -3 }, bad = { "007", "1.0", "x", "", "1 ",
        "9999999999999999999" } },
      { text, real, { "1.5", 1.5, "2", 2.0 }, bad = { "1.50", "x", "1e999" } },
      { text, price, { "1.50", "1.50" }, bad = { "01.5", "x", "1.555" } },
      { text, of "blob", { "ab", "ab" } }, { text, of "boolean", {}, bad = { "1" } },
      { text, of "json", { "[1]", { 1 } }, bad = { "[" } },
      { text, of "uuid", {}, bad = { "x" } },
      { text, of "date", { day, day }, bad = { "2026-02-30", "21.11.2026" } },
      { text, of "timestamp", { at, at }, bad = { "2026-02-30T10:00:00.000000Z", day } },
      { text, other "varchar(3)", { "abc", "abc" }, bad = { "abcd" } },
      { text, of("enum", { "a" }), { "a", "a" }, bad = { "b" } },
      { price, integer, { "3.00", 3 }, bad = { "3.01" } }, { price, real, { "3.25", 3.25 } },
      { price, text, { "3.25", "3.25" } },
      { price, of("decimal", { precision = 10, scale = 1 }), { "3.1", "3.1" }, bad = { "3.25" } },
      { of "timestamp", text, { at, at } }, { of "date", text, { day, day } },
      { of "timestamp", of "date", { "2026-11-21T00:00:00.000000Z", day }, bad = { at } },
      { of "date", of "timestamp", { day, "2026-11-21T00:00:00.000000Z" } },
      { of "boolean", integer, { true, 1 } }, { of "boolean", text, {}, bad = { true } },
      { of "blob", text, {}, bad = { "ab" } }, { of "json", text, { { 1 }, "[1]" } },
      { other "numeric(10, 2)", other "integer", { "5.00", 5 }, bad = { "5.50" } },
      { other "varchar(9)", text, { "abc", "abc" } },
    } do
      local from, to, good, bad = case[1], case[2], case[3], case.bad or {}
      for _, value in ipairs(bad) do
        db:exec "drop table if exists images"
        db:apply(images(from()))
        db:insert("images", { v = value })
        local err = errors.expect("migration", db.apply, db, images(to()))
        errors.mentions(err, "column v", "key 1")
        if not err.message:find "not allowed there" then
          db:apply(images(to()), { allow_drop = { "images.v" } })
          is_made(images(to()))
        end
      end
      db:exec "drop table if exists images"
      db:apply(images(from()))
      for i = 1, #good, 2 do db:insert("images", { v = good[i] }) end
      db:insert("images", {})
      db:apply(images(to()))
      is_made(images(to()))
      local found = db:column "select v from images order by id"
      for i = 2, #good, 2 do assert.are.same(good[i], found[i // 2]) end
    end
  end)

  it("gives ids behind those that there are, whatever gave them before", function()
    local function t(key) return s.define { s.table("t", { key, s.text("a") }) } end
    local function next_after(given, wanted)
      db:exec "drop table if exists t"
      db:apply(given)
      for i = 1, 3 do db:run("insert into t(id, a) values (?, 'x')", i) end
      db:apply(wanted)
      is_made(wanted)
      return db:insert("t", { a = "y" })
    end
    assert.are.equal(4, next_after(t(s.integer("id"):primary_key()), t(s.id())))
    db:exec "drop table t"
    db:apply(t(s.column("id", "bigserial"):primary_key()))
    for _ = 1, 3 do db:insert("t", { a = "x" }) end
    db:run "delete from t where id > 1"
    db:apply(t(s.id()))
    is_made(t(s.id()))
    assert.are.equal(4, db:insert("t", { a = "y" }))
    db:apply(t(s.integer("id"):primary_key()))
    is_made(t(s.integer("id"):primary_key()))
    db:apply(t(s.column("id", "bigserial"):primary_key()))
    is_made(t(s.column("id", "bigserial"):primary_key()))
    assert.are.equal(5, db:insert("t", { a = "y" }))
  end)

  it("changes the options of an identity, and goes on behind its ids", function()
    local function t(declared)
      return s.define { s.table("t", { s.id(), s.column("n", declared), s.text("a") }) }
    end
    local function next_after(options)
      local wanted = t("bigint generated " .. options)
      db:apply(wanted)
      is_made(wanted)
      db:run "insert into t(a) values ('x')"
      return db:value "select max(n) from t"
    end
    assert.are.equal(1, next_after "by default as identity")
    assert.are.equal(6, next_after "always as identity (start with 4 increment by 5)")
    assert.are.equal(16, next_after "always as identity (increment by 10 cycle)")
    assert.are.equal(17, next_after "by default as identity")
  end)

  it("takes an identity that is the key, however it is declared, for an id", function()
    local function t(key) return s.define { s.table("t", { key, s.text("a") }) } end
    local declared = s.column("id", "bigint generated by default as identity"):primary_key()
    db:apply(t(declared))
    is_made(t(declared))
    is_made(t(s.id()))
  end)

  -- ---- names -----------------------------------------------------------------------------

  it("renames what has a name that was derived: nothing is made anew", function()
    local function schema(of, name)
      return s.define {
        s.table(of, {
          s.id(), s.text(name, { max_length = 9 }):unique():index(),
          s.integer("parent"):references(of), s.check(name .. " <> ''"), s.search { name },
          s.index { s.expr(("lower(%s)"):format(name)) },
        }),
        s.view("v", ("select %s as p from %s"):format(name, of)),
        s.trigger("touch", { after = "insert", on = of, when = ("new.%s = 'a'"):format(name),
          run = "select 1" }),
      }
    end
    db:apply(schema("pictures", "name"))
    db:insert("pictures", { name = "a" })
    local plan = db:apply(schema("images", "path"),
      { renames = { pictures = "images", ["pictures.name"] = "images.path" } })
    for _, change in ipairs(plan.changes) do
      assert.is_truthy(change.kind:find("^rename") or change.kind == "change_view", change.kind)
    end
    is_made(schema("images", "path"))
    assert.are.same({ "images_path_length" }, db:column
      "select conname::text from pg_constraint where conname like '%_length'")
    db:insert("images", { path = "b" })
  end)

  it("gives names in a circle to constraints and indexes, too", function()
    local function of(name, column)
      return s.table(name, { s.id(), s.text(column, { max_length = 5 }):unique():index() })
    end
    local schema = s.define { of("a", "x"), of("b", "y") }
    db:apply(schema)
    db:insert("a", { x = "was a" })
    db:apply(schema, { renames = { a = "b", b = "a", ["a.x"] = "b.y", ["b.y"] = "a.x" } })
    is_made(schema)
    assert.are.equal("was a", db:value "select y from b")
  end)

  -- ---- views and triggers ----------------------------------------------------------------

  it("makes views again that stand on a column that changes, and tells them", function()
    local function schema(type)
      return s.define {
        s.table("images", { s.id(), s[type]("n") }),
        s.view("x", "select id, n from images"), s.view("y", "select n from x"),
        s.view("z", "select id from images"),
        s.trigger("on_x", { instead_of = "insert", on = "x",
          run = "insert into images(n) values (new.n)" }),
      }
    end
    db:apply(schema "integer")
    local before = oid "z"
    local plan = db:apply(schema "text")
    assert.are.equal("changes column n of images: type\nremakes view x\nremakes view y",
      tostring(plan))
    is_made(schema "text")
    assert.are.equal(before, oid "z")
    db:run "insert into x(n) values ('5')"
    assert.are.equal("5", db:value "select n from y")
  end)

  it("puts a view in the place of one with the same columns, and leaves what is on it", function()
    local function schema(...)
      return s.define {
        s.table("images", { s.id(), s.text("a"), s.text("b") }),
        s.view("x", ...), s.view("y", "select c from x"),
      }
    end
    db:apply(schema "select a as c from images")
    local x, y = oid "x", oid "y"
    local wanted = schema "select b as c, a as d from images"
    db:apply(wanted)
    is_made(wanted)
    assert.are.same({ x, y }, { oid "x", oid "y" })
    db:apply(schema "select id as c from images")
    is_made(schema "select id as c from images")
    assert.are_not.equal(y, oid "y")
  end)

  it("names what nobody declares and a change would take away", function()
    db:apply(images(s.text("a")))
    db:exec "create materialized view kept as select a from images"
    local err = errors.expect("migration", db.apply, db, images(s.integer("a")))
    errors.mentions(err, "table images", "kept")
    is_made(images(s.text("a")))
  end)

  it("changes what a trigger does, and when", function()
    local function schema(line, ...)
      return s.define {
        s.table("log", { s.text("line") }), s.table("images", { s.id(), s.text("a"), ... }),
        s.trigger("watch", { after = "update", of = "a", on = "images",
          run = ("insert into log values ('%s')"):format(line) }),
      }
    end
    db:apply(schema("one"))
    db:apply(schema("two", s.text("b")))
    is_made(schema("two", s.text("b")))
    db:insert("images", { a = "x" })
    db:run "update images set a = 'y'"
    assert.are.same({ "two" }, db:column "select line from log")
    db:apply(s.define { s.table("log", { s.text("line") }),
      s.table("images", { s.id(), s.text("a"), s.text("b") }) })
    assert.are.equal(0, db:value "select count(*) from pg_proc where proname like 'images%trigger'")
  end)

  -- ---- others ----------------------------------------------------------------------------

  it("is busy where somebody keeps a table, and has changed nothing", function()
    db:apply(images(s.text("a")))
    local other = fixture.open(path, { busy_timeout = 20 })
    local plan = other:diff(s.define {
      s.table("tags", { s.id() }), s.table("images", { s.id(), s.integer("a") }),
    })
    db:transaction(function()
      db:value "select count(*) from images"
      errors.expect("busy", other.apply, other, plan)
    end)
    is_made(images(s.text("a")))
    other:apply(plan)
    assert.are.same({ "images", "tags" }, db:tables())
  end)

  it("waits its turn behind somebody who changes the schema", function()
    local other = fixture.open(path, { busy_timeout = 20 })
    db:transaction(function()
      db:apply(images(s.text("a")))
      errors.expect("busy", other.apply, other, images(s.text("a")))
    end)
    assert.are.same({}, other:apply(images(s.text("a"))).changes)
  end)

  it("goes on when somebody who changes the schema has come to an end", function()
    local changing = process.start { chunk = [[
      local tuff, change = require "tuff", require "tuff.migrate.change"
      local db <close> = tuff.open(...)
      change.run(db, nil, function()
        db:run "create table folders(id int)"
        print "changes"
        io.read()
      end)]], arguments = { path } }
    changing:expect "changes"
    local waiting = process.start { chunk = [[
      local tuff, s = require "tuff", require "tuff.schema"
      local db <close> = tuff.open((...), { busy_timeout = 60000 })
      db:apply(s.define { s.table("images", { s.id(), s.text("a") }) })
      print "done"]], arguments = { path } }
    eventually("the other one waits", function()
      return db:exists [[select from pg_stat_activity where query like '%pg_sleep%'
        and datname = current_database() and pid <> pg_backend_pid()]]
    end)
    changing:send()
    waiting:expect "done"
    is_made(images(s.text("a")))
  end)

  -- ---- indexes while others write --------------------------------------------------------

  it("makes indexes behind the rest, while others write", function()
    db:apply(images(s.text("a"), s.text("b")))
    local wanted = images(s.text("a"):index(), s.text("b"), s.text("c"), s.search { "a" })
    local plan = db:diff(wanted, { concurrently = true })
    assert.is_truthy(plan:sql():find('CREATE INDEX CONCURRENTLY "images_a_idx"', 1, true))
    db:apply(wanted, { concurrently = true, allow_drop = { "images.b" } })
    wanted = images(s.text("a"):index(), s.text("b"), s.text("c"), s.search { "a" })
    is_made(wanted)
    db:transaction(function()
      local err = errors.expect("misuse", db.apply, db, images(s.text("a")),
        { concurrently = true, allow_drop = { "images.b", "images.c" } })
      errors.mentions(err, "in a transaction")
    end)
  end)

  it("gives up where somebody writes on and on, and is done another time", function()
    local impatient = fixture.open(path, { busy_timeout = 50 })
    db:apply(images(s.text("a")))
    local wanted = images(s.text("a"):index())
    db:transaction(function()
      db:insert("images", { a = "x" })
      errors.expect("busy", impatient.apply, impatient, wanted, { concurrently = true })
    end)
    impatient:apply(wanted, { concurrently = true })
    is_made(wanted)
    assert.is_false(db:exists "select from pg_index where not indisvalid")
  end)

  it("leaves no index behind that could not be made, and clears one that somebody left", function()
    db:apply(images(s.text("a")))
    db:run "insert into images(a) values ('x'), ('x')"
    local wanted = images(s.text("a"), s.index { "a", unique = true, name = "by_a" })
    assert.is_false((pcall(db.run, db, "create unique index concurrently by_a on images(a)")))
    assert.is_true(db:exists "select from pg_index where not indisvalid")
    errors.expect("migration", db.apply, db, wanted, { concurrently = true })
    assert.are.equal("x", db:value "select min(a) from images")
    db:run "update images set a = 'y' where id = 2"
    db:apply(wanted, { concurrently = true })
    is_made(wanted)
    assert.is_false(db:exists "select from pg_index where not indisvalid")
  end)
end)
