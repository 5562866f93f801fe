local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"

describe("the tables of a database", function()
  fixture.clean_up()

  it("are those that a script has made, sorted by their names", function()
    local db = fixture.memory [[
      create table zebra(id integer primary key autoincrement); create table "Apple pie"(a);
      create view v as select 1; create virtual table find using fts5(x); create temp table t(a);
      create table tuff_own(a); insert into zebra values (1)]]
    assert.are.same({ "Apple pie", "find", "zebra" }, db:tables())
  end)

  it("are known by name, whatever the capitals", function()
    local db = fixture.memory [[
      create table Zebra(a); create view v as select 1; create table tuff_x(a)]]
    assert.is_true(db:has_table("Zebra"))
    assert.is_true(db:has_table("zebra"))
    assert.is_false(db:has_table("zebras"))
    assert.is_false(db:has_table("v"))
    assert.is_false(db:has_table("tuff_x"))
    assert.is_false(db:has_table("sqlite_schema"))
    assert.is_false(db:has_table("%"))
    assert.is_false(db:has_table(""))
  end)

  it("are asked for on an open connection, by a name", function()
    local db = fixture.memory()
    errors.expect("misuse", db.has_table, db)
    errors.expect("misuse", db.has_table, db, 5)
    errors.expect("misuse", db.tables)
    db:close()
    errors.expect("closed", db.tables, db)
    errors.expect("closed", db.has_table, db, "t")
    errors.expect("closed", db.schema, db)
  end)
end)

describe("the tables of PostgreSQL", function()
  local url, reason = postgres.url(tuff)
  if not url then
    pending("are left out: " .. reason)
    return
  end

  fixture.clean_up()

  it("are those that a script has made, and known by name", function()
    local db = fixture.open(url)
    db:exec [[
      drop schema if exists catalog cascade; create schema catalog; set search_path = catalog;
      create table zebra(id bigint generated always as identity primary key);
      create table "Apple pie"(a int); create view v as select 1; create table tuff_own(a int)]]
    assert.are.same({ "Apple pie", "zebra" }, db:tables())
    assert.is_true(db:has_table("Apple pie"))
    assert.is_false(db:has_table("apple pie"))
    assert.is_false(db:has_table("v"))
    assert.is_false(db:has_table("tuff_own"))
    db:exec "drop schema catalog cascade"
  end)

  it("have no schema that can be read yet", function()
    errors.expect("unsupported", function() fixture.open(url):schema() end)
  end)
end)
