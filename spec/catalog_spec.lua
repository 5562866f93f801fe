local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("the tables of a database", function(engine)
  it("are those that a script has made, sorted by their names", function()
    local db = engine.database [[
      create table zebra(id {key}); create table "Apple pie"(a {integer});
      create view v as select 1 as one; create table tuff_own(a {integer});
      create temporary table t(a {integer}); create index i on zebra(id)]]
    assert.are.same({ "Apple pie", "zebra" }, db:tables())
  end)

  it("are known by name, in capitals or not", function()
    local db = engine.database [[
      create table zebra(id {key}); create table "Apple pie"(a {integer});
      create view v as select 1 as one; create table tuff_own(a {integer})]]
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

describe("the tables of SQLite", function()
  fixture.clean_up()

  it("are not those in which virtual tables and searches keep what they know", function()
    local db = fixture.memory [[
      create table t(id integer primary key autoincrement, a); insert into t(a) values (1); analyze;
      create virtual table find using fts5(x); create virtual table t_search using fts5(a)]]
    assert.are.same({ "find", "t" }, db:tables())
  end)
end)
