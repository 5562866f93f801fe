local tuff = require "tuff"
local s = require "tuff.schema"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local property = require "spec.support.property"
local random_schema = require "spec.support.random_schema"
local schemas = require "spec.support.schemas"

local soak = os.getenv("TUFF_SOAK") == "1"

fixture.each_engine("a schema that is made", function(engine)
  local function create(db, schema)
    require("tuff.schema." .. db.engine).create(db, schema)
  end

  --- A new database with a table t of these columns and constraints.
  local function made(...)
    local db = engine.database()
    create(db, s.define { s.table("t", { ... }) })
    return db
  end

  it("is made whole or not at all", function()
    local db = engine.database("create view w as select 1 as one")
    local schema = s.define { s.table("t", { s.id() }), s.view("w", "select 2 as two") }
    errors.expect({ "syntax", "not_found", "misuse", "constraint" }, create, db, schema)
    assert.are.same({}, db:tables())
  end)

  it("is made and read whatever the limits of the script are", function()
    engine.database()
    local db = engine.open { limits = { sql_bytes = 60, result_rows = 1 } }
    local schema = s.define {
      s.table("t", { s.id(), s.text("a"):not_null(), s.text("b"), s.text("c"):index() }),
      s.table("u", { s.id() }),
    }
    create(db, schema)
    assert.is_true(db:schema() == schema)
  end)

  it("may be an empty one", function()
    local db = engine.database()
    create(db, s.define {})
    assert.is_true(db:schema() == s.define {})
  end)

  it("may have tables that refer to each other, and to themselves", function()
    local db = engine.database()
    local schema = s.define {
      s.table("a", { s.id(), s.integer("b"):references("b"), s.integer("a"):references("a") }),
      s.table("b", { s.id(), s.integer("a"):references("a", { on_delete = "cascade" }) }),
    }
    create(db, schema)
    assert.is_true(db:schema() == schema)
  end)

  it("may have views that name each other in any order", function()
    local db = engine.database()
    create(db, s.define {
      s.view("c", 'select one from "B"'), s.view("B", "select one from a"),
      s.view("a", "select 1 as one"),
    })
    assert.are.equal(1, db:value("select one from c"))
    assert.are.equal(3, #db:schema().views)
  end)

  it("may have names that mean something in SQL", function()
    local db = engine.database()
    local items = { s.id("rowid"), s.search { "text", "select" } }
    for _, name in ipairs { "text", "select", "value", "name", "type" } do
      items[#items + 1] = s.text(name, { max_length = 9 }):unique():check('"' .. name .. "\" <> ''")
    end
    items[#items + 1] = s.json("key"):index()
    items[#items + 1] = s.enum("user", { "date" }):default("date")
    items[#items + 1] = s.decimal("date", { precision = 3 }):index { where = '"date" > 5' }
    items[#items + 1] = s.json_index("key.date[0]")
    local schema = s.define { s.table("order", items) }
    create(db, schema)
    local found = db:schema()
    assert.are.same({}, found.unmanaged)
    local plain, of = schemas.without_texts, found:table("order")
    assert.is_nil(schemas.first_difference(plain(schema), plain(found)))
    assert.are.same({ "text", "select" }, of.search.columns)
    local again, left_out = found:to_lua()
    assert.are.same({}, left_out)
    assert.is_nil(schemas.first_difference(found, schemas.loaded(again)))
  end)

  it("is that of the moment, also in a transaction that is not committed", function()
    local db = engine.database("create table t(a {integer})")
    db:transaction(function()
      create(db, s.define { s.table("u", { s.id() }) })
      assert.are.equal(2, #db:schema().tables)
      assert.are.same({ "t", "u" }, db:tables())
    end)
    db:read(function() assert.are.equal(2, #db:schema().tables) end)
    local other <close> = engine.open { readonly = true }
    assert.is_true(other:schema() == db:schema())
  end)

  it("never gives an id again", function()
    local db = made(s.id(), s.text("a"))
    assert.are.equal(1, db:insert("t", { a = "x" }))
    assert.are.equal(2, db:insert("t", { a = "x" }))
    db:run("delete from t")
    assert.are.equal(3, db:insert("t", { a = "x" }))
  end)

  it("lets every type read back as it went in", function()
    local db = made(s.id(), s.integer("integer"), s.real("real"), s.text("text"),
      s.boolean("boolean"), s.blob("blob"), s.json("json"), s.timestamp("timestamp"),
      s.date("date"), s.uuid("uuid"), s.enum("enum", { "a", "b" }),
      s.decimal("decimal", { precision = 18, scale = 4 }))
    local row = {
      integer = math.mininteger, real = 1.0, text = "ü", boolean = true, blob = "\0\xff",
      json = { a = { 1, 2.5 } }, timestamp = "2026-11-21T10:00:00.123456Z", date = "2024-02-29",
      uuid = "0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f", enum = "b", decimal = "-12345678901234.5678",
    }
    db:insert("t", row)
    local read = db:row("select * from t")
    row.id = 1
    assert.are.same(row, read)
    assert.are.equal("float", math.type(read.real))
  end)

  it("gives defaults of every type", function()
    local db = made(s.id(), s.integer("i"):default(math.mininteger), s.real("r"):default(0.1),
      s.text("t"):default("it's \"x\"\n\\"), s.boolean("b"):default(true),
      s.blob("o"):default("\0\xff"), s.json("j"):default({ a = {} }),
      s.timestamp("at"):default(s.now), s.date("d"):default(s.now),
      s.decimal("m", { precision = 4, scale = 3 }):default("-0.05"),
      s.text("e"):default(s.expr "1 + 1"), s.enum("n", { "x'" }):default("x'"),
      s.column("c", "double precision"):default(2.0))
    db:insert("t", {})
    local row = db:row("select * from t")
    assert.are.equal(math.mininteger, row.i)
    assert.are.equal(0.1, row.r)
    assert.are.equal("it's \"x\"\n\\", row.t)
    assert.is_true(row.b)
    assert.are.equal("\0\xff", row.o)
    assert.are.same({ a = {} }, row.j)
    assert.is_truthy(row.at:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$"), row.at)
    assert.are.equal(os.date("!%Y-%m"), row.d:sub(1, 7))
    assert.are.equal("-0.050", row.m)
    assert.are.equal("2", row.e)
    assert.are.equal("x'", row.n)
    assert.are.equal(2.0, row.c)
  end)

  --- Insists that SQL is refused by the check of this name.
  local function checked(name, db, ...)
    local err = errors.expect("constraint", db.run, db, ...)
    assert.are.equal("check", err.constraint)
    assert.are.equal(name, err.constraint_name)
  end

  it("refuses what is too long, also where SQL has made it", function()
    local db = made(s.id(), s.text("a", { max_length = 3 }), s.blob("b", { max_length = 2 }))
    db:insert("t", { a = "üüü", b = "\0\0" })
    checked("t_a_length", db, "insert into t(a) values (?)", "abcd")
    checked("t_a_length", db, "update t set a = a || 'x'")
    checked("t_b_length", db, "insert into t(b) values (?)", tuff.blob "\0\0\0")
    db:run("update t set a = null")
  end)

  it("refuses what an enum does not have, and more digits than a decimal has", function()
    local db = made(s.id(), s.enum("e", { "one", "two", "three", "four" }),
      s.decimal("d", { precision = 4, scale = 2 }))
    db:insert("t", { e = "three", d = "99.99" })
    checked("t_e_values", db, "update t set e = 'five'")
    checked("t_d_range", db, "update t set d = d * 2")
    for _, wrong in ipairs { "100", "-100", "0.001", "99.999" } do
      errors.expect({ "range", "constraint" }, db.insert, db, "t", { d = wrong })
    end
    assert.are.equal("99.99", db:value("select d from t"))
    db:run("update t set e = null, d = null")
  end)

  it("keeps references, and does what they say", function()
    local db = engine.database()
    create(db, s.define {
      s.table("parent", { s.id(), s.integer("a"), s.integer("b"), s.unique { "a", "b" } }),
      s.table("child", {
        s.id(),
        s.integer("p"):references("parent", { on_delete = "cascade" }),
        s.integer("q"):references("parent", { on_delete = "set null", deferrable = true }),
        s.integer("x"), s.integer("y"),
        s.foreign_key { "x", "y", references = "parent", columns = { "a", "b" },
          on_update = "cascade" },
      }),
    })
    db:insert_many("parent", { { a = 1, b = 2 }, { a = 3, b = 4 }, { a = 5, b = 6 } })
    db:insert("child", { p = 1, q = 2, x = 5, y = 6 })
    errors.expect("constraint", db.insert, db, "child", { x = 5, y = 5 })
    db:run("update parent set b = 7 where a = 5")
    assert.are.equal(7, db:value("select y from child"))
    db:run("delete from parent where id = 2")
    assert.is_nil(db:value("select q from child"))
    db:transaction(function()
      db:run("update child set q = 99")
      db:insert("parent", { id = 99 })
    end)
    db:run("delete from parent where id = 1")
    assert.are.equal(0, db:value("select count(*) from child"))
  end)

  it("runs the statements of its triggers", function()
    local db = engine.database()
    create(db, s.define {
      s.table("t", { s.id(), s.text("a"), s.integer("version"):not_null():default(1) }),
      s.table("log", { s.id(), s.text("text") }),
      s.view("v", "select id, a from t"),
      s.trigger("t_version", {
        after = "update", of = "a", on = "t", when = "new.a <> old.a",
        run = "update t set version = version + 1 where id = new.id; select 5;",
      }),
      s.trigger("t_before", {
        before = "delete", on = "t", run = "insert into log(text) values (old.a)",
      }),
      s.trigger("v_insert", {
        instead_of = "insert", on = "v", run = "insert into t(a) values (new.a || '!')",
      }),
    })
    db:run("insert into v(a) values ('one')")
    db:run("update t set a = 'one!'")
    db:run("update t set a = 'two'")
    assert.are.equal(2, db:value("select version from t"))
    db:run("delete from t")
    assert.are.equal("two", db:value("select text from log"))
    assert.are.equal(0, db:value("select count(*) from t"))
    assert.are.equal(3, #db:schema().triggers)
  end)

  it("is found again, and stays the same when it is declared and made again, whatever it is",
    function()
      schemas.usual_pace(finally)
      local difference = schemas.first_difference
      local function play(operations)
        local db <close> = engine.database()
        local here = require("tuff.schema." .. db.engine)
        local schema = random_schema.of(operations, db.engine ~= "sqlite")
        local as_read = here.materialise or function(_, each) return here.kept(each) end
        create(db, schema)
        local found = db:schema()
        if #found.unmanaged > 0 then return "unmanaged: " .. found.unmanaged[1].name end
        local script, left_out = found:to_lua()
        if #left_out > 0 then return "left out: " .. left_out[1].name end
        if not found:to_mermaid():find("^erDiagram\n") then return "not drawn" end
        local again = schemas.loaded(script)
        local plain = schemas.without_texts
        for what, reason in pairs {
          read = difference(as_read(db, schema), found) or false,
          kept = difference(plain(here.kept(schema)), plain(found)) or false,
          ["declared again"] = difference(found, again) or false,
          ["made again"] = difference(found, as_read(db, again)) or false,
          ["kept again"] = difference(found, here.kept(found)) or false,
        } do
          if reason then return what .. ": " .. reason end
        end
      end
      property.check {
        seeds = soak and 10 * engine.seeds or engine.seeds, count = 40,
        makers = random_schema.makers,
        run = function(operations)
          local good, reason = pcall(play, operations)
          return not good and tostring(reason) or reason
        end,
      }
    end)
end)
