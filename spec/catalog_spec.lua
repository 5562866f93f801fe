local core = require "tuff.core"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("the tables of a database", function(engine)
  it("are those that a script has made, sorted by their names", function()
    local db = engine.database [[
      create table zebra(id {key}); create table "Apple pie"(a {integer});
      create view v as select 1 as one; create temporary table t(a {integer});
      create index i on zebra(id)]]
    core.own(db)
    db:exec(engine.sql "create table tuff_own(a {integer})")
    assert.are.same({ "Apple pie", "zebra" }, db:tables())
  end)

  it("are known by name, in capitals or not", function()
    local db = engine.database [[
      create table zebra(id {key}); create table "Apple pie"(a {integer});
      create view v as select 1 as one]]
    core.own(db)
    db:exec(engine.sql "create table tuff_own(a {integer})")
    for _, name in ipairs { "zebra", "Zebra", "Apple pie" } do
      assert.is_true(db:has_table(name), name)
    end
    for _, name in ipairs {
      "zebras", "v", "tuff_own", "sqlite_schema", "pg_class", "%", "", "it's",
    } do
      assert.is_false(db:has_table(name), name)
    end
  end)

  it("are asked for on an open connection, by a name", function()
    local db = engine.database()
    errors.expect("misuse", db.has_table, db)
    errors.expect("misuse", db.has_table, db, 5)
    errors.expect("misuse", db.tables)
    db:close()
    errors.expect("closed", db.tables, db)
    errors.expect("closed", db.has_table, db, "t")
    errors.expect("closed", db.schema, db)
  end)

  it("have a schema", function()
    local db = engine.database "create table t(id {key})"
    assert.are.equal("t", db:schema().tables[1].name)
  end)
end)

fixture.each_engine("a table that is dropped", function(engine)
  local db
  before_each(function()
    db = engine.database [[
      create table folders(id {key}, parent {integer} references folders(id), name text);
      create table "Image Tags"(id {key}, folder {integer} references folders(id));
      create table plain(a {integer}); create index plain_a on plain(a);
      insert into plain values (1)]]
  end)

  local function drop(name)
    db:drop_table(name, { allow_drop = true })
  end

  it("is gone with its rows and its indexes", function()
    drop("Plain")
    assert.are.same({ "Image Tags", "folders" }, db:tables())
    drop("Image Tags")
    drop("folders")
    assert.are.same({}, db:tables())
    db:exec(engine.sql "create table plain(a {integer}); create index plain_a on plain(a)")
    assert.is_nil(db:value("select a from plain"))
  end)

  it("comes back with the transaction that is rolled back", function()
    local tx = db:begin()
    drop("plain")
    assert.is_false(db:has_table("plain"))
    tx:rollback()
    assert.are.equal(1, db:value("select a from plain"))
  end)

  it("is one that was allowed to be", function()
    for _, options in ipairs { {}, { allow_drop = false } } do
      local err = errors.expect("schema", db.drop_table, db, "plain", options)
      errors.mentions(err, "plain", "{ allow_drop = true }")
      assert.are.equal("plain", err.table)
    end
    errors.expect("schema", db.drop_table, db, "plain")
    errors.mentions(errors.expect("misuse", db.drop_table, db, "plain", { alow_drop = true }),
      'mean "allow_drop"?')
    errors.expect("misuse", db.drop_table, db, 5)
    errors.expect("misuse", db.drop_table, db)
    assert.is_true(db:has_table("plain"))
  end)

  it("is one that there is", function()
    errors.mentions(errors.expect("not_found", drop, "plian"), "plian", 'did you mean "plain"?')
    errors.expect("not_found", drop, "")
    errors.expect("not_found", drop, "plain; drop table folders")
    db:close()
    errors.expect("closed", drop, "plain")
  end)

  it("is one to which no other table refers", function()
    errors.mentions(errors.expect("schema", drop, "folders"), "foreign keys of Image Tags")
    assert.is_true(db:has_table("folders"))
    drop("Image Tags")
    drop("folders")
  end)

  it("is one that no view needs", function()
    db:exec "create view seen as select a from plain; create view other as select 1 as one"
    local err = errors.expect("schema", drop, "plain")
    errors.mentions(err, "view seen could not be used")
    assert.is_nil(tostring(err):find("other", 1, true))
    assert.are.equal(1, db:value("select a from seen"))
  end)

  it("is no view, and none of the engine or of tuff", function()
    db:exec "create view seen as select 1 as one"
    errors.mentions(errors.expect("schema", drop, "seen"), "it is a view")
    db.settings:set("a", 1)
    errors.mentions(errors.expect("schema", drop, "tuff_settings"), "of tuff itself")
    local own = db.engine == "sqlite" and "sqlite_schema" or "pg_class"
    errors.mentions(errors.expect("schema", drop, own), "itself")
    assert.are.equal(1, db.settings:get("a"))
  end)
end)

fixture.each_engine("the next id of a table", function(engine)
  local id = engine.name == "SQLite" and "integer primary key autoincrement"
    or "bigint generated by default as identity primary key"
  local db
  before_each(function()
    db = engine.database('create table "Things"(id ' .. id .. ", a {integer}); create table "
      .. "plain(a {integer}); create table named(name text primary key)")
  end)

  it("is that of the next insert, and asking does not change it", function()
    for wanted = 1, 3 do
      assert.are.equal(wanted, db:next_id("Things"))
      assert.are.equal(wanted, db:next_id("Things"))
      assert.are.equal(wanted, db:insert("Things", { a = 5 }))
    end
  end)

  it("is none that was given to a row that is gone", function()
    db:insert_many("Things", { { a = 1 }, { a = 2 } })
    db:run 'delete from "Things"'
    assert.are.equal(3, db:next_id("Things"))
  end)

  it("is nil where the table has no such column", function()
    assert.is_nil(db:next_id("plain"))
    assert.is_nil(db:next_id("named"))
  end)

  it("is that of a table that there is", function()
    errors.mentions(errors.expect("not_found", db.next_id, db, "Thing"), 'did you mean "Things"?')
    errors.expect("misuse", db.next_id, db)
    db:close()
    errors.expect("closed", db.next_id, db, "Things")
  end)
end)

fixture.each_engine("what tuff asks of a database", function(engine)
  it("is not under the limits of the script", function()
    engine.database "create table a(id {key}, n {integer}); create table b(id {key})"
    local db = engine.open { limits = { sql_bytes = 10, result_rows = 1 } }
    assert.are.same({ "a", "b" }, db:tables())
    assert.are.equal(1, db:insert("a", { n = 1 }))
    db:drop_table("b", { allow_drop = true })
    errors.expect("range", db.run, db, "select 1 as one")
  end)
end)

describe("the tables of SQLite", function()
  fixture.clean_up()

  it("are not those in which virtual tables and searches keep what they know", function()
    local db = fixture.memory [[
      create table t(id integer primary key autoincrement, a); insert into t(a) values (1); analyze;
      create virtual table find using fts5(x); create virtual table t_search using fts5(a)]]
    assert.are.same({ "find", "t" }, db:tables())
  end)

  it("are dropped with the search of their texts", function()
    local s = require "tuff.schema"
    local db = fixture.memory()
    require("tuff.schema.sqlite").create(db, s.define {
      s.table("notes", { s.id(), s.text("text"), s.search { "text" } }),
    })
    db:insert("notes", { text = "a" })
    db:drop_table("notes", { allow_drop = true })
    assert.are.equal(0, db:value("select count(*) from sqlite_schema where name like 'notes%'"))
  end)

  it("are not dropped while a trigger of another one speaks of them", function()
    local db = fixture.memory [[
      create table t(a); create table log(a);
      create trigger note after insert on t begin insert into log values (new.a); end]]
    errors.mentions(errors.expect("schema", db.drop_table, db, "log", { allow_drop = true }),
      "table t could not be used")
    db:drop_table("t", { allow_drop = true })
    db:drop_table("log", { allow_drop = true })
  end)

  it("of a virtual table are dropped with it alone", function()
    local db = fixture.memory "create virtual table find using fts5(x)"
    errors.mentions(errors.expect("schema", db.drop_table, db, "find_data", { allow_drop = true }),
      "a part of a virtual table")
    db:drop_table("find", { allow_drop = true })
    assert.are.equal(0, db:value("select count(*) from sqlite_schema"))
  end)

  it("give no id when there is none left, nor when it may be given again", function()
    local db = fixture.memory [[
      create table full(id integer primary key autoincrement);
      create table plain(id integer primary key, "autoincrement" text default 'autoincrement');
      insert into full values (9223372036854775807)]]
    assert.is_nil(db:next_id("full"))
    assert.is_nil(db:next_id("plain"))
  end)
end)
