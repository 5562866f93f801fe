--- The frame of a change of the schema.
local change = require "tuff.migrate.change"
local errors = require "spec.support.errors"
local engines = require "spec.support.engine"
local fixture = require "spec.support.fixture"

local library = [[
  create table folders(id integer primary key autoincrement, name text);
  create table images(id integer primary key, path text,
    folder_id integer references folders(id) on delete cascade);
  insert into folders(name) values ('a'), ('b');
  insert into images(folder_id, path) values (1, 'x'), (2, 'y'), (2, 'z')]]

fixture.each_engine("a change of the schema", function(engine)
  local db

  before_each(function() db = engine.database "create table t(id {key}, x {integer})" end)

  it("gives what its function returned, and is committed", function()
    assert.are.same({ 1, nil, 3 }, { change.run(db, nil, function()
      assert.is_true(change.is_open(db))
      db:run("insert into t(x) values (1)")
      return 1, nil, 3
    end) })
    assert.is_false(change.is_open(db))
    assert.are.equal(1, db:value("select count(*) from t"))
  end)

  it("is undone by an error, tables too", function()
    local on_purpose = {}
    local good, err = pcall(change.run, db, nil, function()
      db:run("drop table t")
      error(on_purpose)
    end)
    assert.is_false(good)
    assert.are.equal(on_purpose, err)
    assert.is_true(db:has_table("t"))
    assert.is_false(change.is_open(db))
  end)

  it("cannot begin inside of a transaction", function()
    db:transaction(function()
      local err = errors.expect("misuse", change.run, db, nil, function() end)
      assert.matches("inside of a transaction", err.message)
      assert.is_false(change.is_open(db))
    end)
  end)

  it("cannot be committed or rolled back from inside", function()
    for _, sql in ipairs { "commit", "rollback", "begin", "end" } do
      errors.expect("misuse", change.run, db, nil, function()
        db:run("insert into t(x) values (1)")
        pcall(db.run, db, sql)
        db:run(sql)
      end)
    end
    assert.are.equal(0, db:value("select count(*) from t"))
  end)

  it("keeps parts that are rolled back alone", function()
    change.run(db, nil, function()
      db:run("insert into t(x) values (1)")
      pcall(db.transaction, db, function()
        db:run("insert into t(x) values (2)")
        error("on purpose")
      end)
    end)
    assert.are.same({ 1 }, db:column("select x from t"))
  end)

  it("is undone where its function goes on after a deadline", function()
    local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
      .. "select count(*) from c"
    errors.expect("timeout", change.run, db, nil, function()
      db:run("insert into t(x) values (1)")
      pcall(function() db:using { timeout = 20 }:value(endless) end)
    end)
    assert.are.equal(0, db:value("select count(*) from t"))
  end)

  it("leaves tables whose names begin with tuff_ to tuff", function()
    for _, sql in ipairs {
      "create table tuff_x(a {integer})", 'create table "TUFF_x"(a {integer})',
      "create index tuff_i on t(x)", "create view tuff_v as select 1 as one",
    } do
      local err = errors.expect("auth", db.run, db, engine.sql(sql))
      assert.matches("tuff's own", err.message)
    end
    assert.are.equal(1, db:value("select 1 as tuff_x"))
  end)
end)

fixture.unless(engines[2].missing, "a change of the schema in PostgreSQL", function()
  it("is refused where it has switched foreign keys off", function()
    local db = fixture.open(engines[2].empty())
    db:exec [[
      create table p(id bigint primary key); create table c(p_id bigint references p(id));
      insert into p values (1); insert into c values (1)]]
    local err = errors.expect("migration", change.run, db, nil, function()
      db:run "set session_replication_role = replica"
      db:run "delete from p"
    end)
    errors.mentions(err, "session_replication_role")
    assert.are.equal(1, db:value "select count(*) from p")
    assert.are.equal("origin", db:value "select current_setting('session_replication_role')")
  end)
end)

describe("a change of the schema in SQLite", function()
  local db

  for _, place in ipairs { "a file", "memory" } do
    describe("of " .. place, function()
      before_each(function()
        if place == "memory" then
          db = require "tuff".open(":memory:")
          db:exec(library)
        else
          local _
          _, db = fixture.database(library)
        end
      end)

      after_each(function() db:close() end)

      it("keeps the children of a table that is made anew", function()
        change.run(db, nil, function()
          db:exec [[
            create table anew(id integer primary key autoincrement, name text, note text);
            insert into anew(id, name) select id, name from folders;
            drop table folders;
            pragma legacy_alter_table = on;
            alter table anew rename to folders]]
        end)
        assert.are.equal(3, db:value("select count(*) from images"))
        assert.are.equal(1, db:value("pragma foreign_keys"))
        assert.are.equal(0, db:value("pragma legacy_alter_table"))
        db:run("delete from folders where id = 2")
        assert.are.equal(1, db:value("select count(*) from images"))
      end)

      it("refuses rows that have lost their parents, and names them", function()
        for _, sql in ipairs { "delete from folders where id = 2", "drop table folders" } do
          local err = errors.expect("migration", change.run, db, nil, function() db:run(sql) end)
          assert.matches("%d rows of images would refer to rows of folders", err.message)
          assert.matches("2, 3", err.hint)
          assert.are.equal(3, db:value("select count(*) from images"))
        end
      end)

      it("takes rows that had lost them before as they were", function()
        change.run(db, nil, function()
          db:run("delete from images where folder_id = 2")
          db:run("delete from folders where id = 2")
        end)
        db:exec "pragma defer_foreign_keys = on"
        local lost = [[
          begin; create temp table keep as select * from images; drop table images;
          create table images(id integer primary key, path text, folder_id integer);
          insert into images(folder_id) values (7);
          commit]]
        db:exec(lost)
        change.run(db, nil, function()
          db:run "alter table images rename to loose"
          db:exec [[create table images(id integer primary key, path text,
              folder_id integer references folders(id) on delete cascade)]]
        end)
        errors.expect("migration", change.run, db, nil, function()
          db:run "insert into images(folder_id) select folder_id from loose"
        end)
      end)

      it("refuses to break a view or a trigger, and says why", function()
        db:exec [[
          create view paths as select path from images;
          create trigger named after update of path on images begin
            update folders set name = new.path where id = new.folder_id;
          end]]
        local err = errors.expect("migration", change.run, db, nil, function()
          db:run "drop view paths"
          db:run "create view paths as select no_such_column from images"
        end)
        assert.matches("view paths could not be used", err.message)
        assert.matches("no_such_column", err.message)
        errors.expect("migration", change.run, db, nil, function()
          db:run "alter table folders drop column name"
        end)
      end)

      it("refuses a reference that nothing can be found by", function()
        local err = errors.expect("migration", change.run, db, nil, function()
          db:exec [[create table tags(path text references images(path));
            insert into tags values ('x')]]
        end)
        errors.mentions(err, "foreign key mismatch", "unique")
        assert.is_false(db:has_table "tags")
      end)

      it("refuses an index that has not what its table has any more", function()
        local more = 0
        db:define("plus", function(n) return n + more end, { deterministic = true, schema = true })
        db:exec "create table t(a integer); create index t_a on t(plus(a))"
        db:run "insert into t values (1)"
        more = 1
        local err = errors.expect("migration", change.run, db, nil, function()
          db:run "insert into t values (7)"
        end)
        errors.mentions(err, "t would not be sound", "t_a")
      end)

      it("refuses rows that their checks do not let through any more", function()
        local fits = true
        db:define("fits", function() return fits end, { deterministic = true, schema = true })
        db:exec "create table t(a integer check (fits(a))); insert into t values (1)"
        fits = false
        local err = errors.expect("migration", change.run, db, nil, function()
          db:run "create index t_a on t(a)"
        end)
        errors.mentions(err, "t would not be sound", "CHECK")
      end)

      it("leaves what was broken before as it was", function()
        db:exec "create view broken as select * from nowhere"
        change.run(db, nil, function() db:run "alter table images add column score real" end)
        assert.is_true(pcall(db.value, db, "select score from images"))
      end)

      it("tells what it looks at", function()
        local seen = {}
        change.run(db, { progress = function(name) seen[#seen + 1] = name end }, function()
          db:run "update images set path = 'w' where id = 1"
        end)
        assert.are.same({ "images" }, seen)
      end)
    end)
  end

  it("does not switch foreign keys off for good when the connection is closed inside", function()
    local path
    path, db = fixture.database(library)
    errors.expect("closed", change.run, db, nil, function()
      db:run "delete from folders"
      db:close()
      db:run "select 1"
    end)
    db = require "tuff".open(path)
    assert.are.equal(2, db:value("select count(*) from folders"))
    db:close()
  end)

  it("cannot begin where a crash would not be undone", function()
    local _, file = fixture.database(library)
    for _, mode in ipairs { "off", "memory" } do
      errors.expect("auth", file.run, file, "pragma journal_mode = " .. mode)
    end
    file:close()
  end)
end)
