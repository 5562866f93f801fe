local tuff = require "tuff"
local disk = require "spec.support.disk"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local states = migrations.states

local function running(sql)
  return function(db) db:exec(sql) end
end

describe("migrations of a file", function()
  local path, db
  before_each(function() path, db = fixture.database "create table log(what text)" end)
  fixture.clean_up()

  local function refused(up, ...)
    local m = db:migrations { { id = "a", up = up } }
    local err = errors.expect(nil, m.up, m)
    errors.mentions(err, ...)
    assert.are.same({ a = "failed" }, states(m))
    return err
  end

  it("attach nothing, and detach nothing", function()
    local other = temporary.directory() .. "/other.db"
    refused(running(("attach '%s' as other"):format(other)), "attach")
    refused(function(inner) inner:attach(other, "other") end, "attach")
    db:attach(other, "other")
    refused(running "detach other", "etach")
  end)

  it("change no setting on which their safety stands", function()
    for _, pragma in ipairs { "writable_schema = on", "journal_mode = delete", "foreign_keys = on",
      "foreign_keys(1)", "foreign_keys = off", "synchronous = off",
      "ignore_check_constraints = on", "locking_mode = exclusive",
      "trusted_schema = on", "schema_version = 7", "main.journal_mode = memory" } do
      refused(running("pragma " .. pragma), "pragma")
    end
  end)

  it("may read settings", function()
    db:migrations({ { id = "a", up = function(inner)
      assert.are.equal("wal", inner:value "pragma journal_mode")
      assert.are.equal("what", inner:row("pragma table_info(log)").name)
      assert.are.equal("ok", inner:value "pragma integrity_check")
      assert.is_number(inner:value "pragma user_version")
    end } }):up()
  end)

  it("may set the number that a program has for its own", function()
    db:migrations({ { id = "a", up = running "pragma user_version = 7" } }):up()
    assert.are.equal(7, db:value "pragma user_version")
  end)

  it("make no trigger that writes to the ledger", function()
    refused(running [[create trigger mine after insert on log begin
      delete from tuff_migrations; end; insert into log values ('x')]], "tuff_")
    refused(running [[create trigger mine after insert on tuff_migrations begin
      delete from log; end]], "tuff_")
  end)

  it("leave the connection with its own settings, whatever happens", function()
    local function settings()
      return { db:value "pragma foreign_keys", db:value "pragma legacy_alter_table",
        db:value "pragma journal_mode", db:value "pragma recursive_triggers" }
    end
    local before = settings()
    refused(running "insert into nowhere values (1)")
    assert.are.same(before, settings())
    db:migrations({ { id = "a", up = function() end } }):up()
    assert.are.same(before, settings())
    db:run "create table p(id integer primary key)"
    db:run "create table c(p integer references p(id))"
    errors.expect("constraint", db.run, db, "insert into c values (1)")
  end)

  for _, action in ipairs { "cascade", "set null", "restrict", "no action" } do
    it("rebuild a parent and keep its children: on delete " .. action, function()
      db:exec(([[create table parent(id integer primary key, name text);
        create table child(id integer primary key,
          parent_id integer references parent(id) on delete %s);
        insert into parent values (1, 'a'), (2, 'b');
        insert into child values (1, 1), (2, 1), (3, 2)]]):format(action))
      db:migrations({ { id = "a", up = running [[
        create table new(id integer primary key, name text not null);
        insert into new select id, name from parent;
        drop table parent;
        alter table new rename to parent]] } }):up()
      assert.are.same({ 1, 1, 2 }, db:column "select parent_id from child order by id")
      assert.are.equal("parent", db:row("pragma foreign_key_list(child)").table)
      errors.expect("constraint", db.run, db, "insert into child values (4, 9)")
    end)
  end

  it("that orphan rows are undone, and the rows listed", function()
    db:exec [[create table parent(id integer primary key);
      create table child(id integer primary key, parent_id integer references parent(id));
      insert into parent values (1), (2); insert into child values (10, 1), (11, 2)]]
    local err = refused(running "delete from parent where id = 2", "child", "parent")
    errors.mentions(err, "11")
    assert.are.equal(2, db:value "select count(*) from parent")
  end)

  it("may leave orphans that were there before", function()
    db:exec [[create table parent(id integer primary key);
      create table child(id integer primary key, parent_id integer /*references parent(id)*/);
      insert into child values (1, 7)]]
    db:close()
    -- As a program without foreign keys would leave it.
    local bytes = temporary.read(path)
    temporary.write(path, (bytes:gsub("/%*(references parent%(id%))%*/", "  %1  ")))
    db = fixture.open(path)
    assert.are.equal(1, #db:all "pragma foreign_key_check")
    db:migrations({ { id = "a", up = running "insert into parent values (1)" } }):up()
  end)

  it("go on where a view is broken already, and may mend it", function()
    db:exec "create view broken as select x from nowhere"
    db:migrations({ { id = "a", up = running "insert into log values ('x')" } }):up()
    db:migrations({ { id = "b", up = running "drop view broken" } }):up()
    assert.is_false(db:has_table "broken")
  end)

  it("name the view that is broken where it hinders them", function()
    db:exec "create view broken as select x from nowhere"
    refused(running "alter table log rename column what to why", "broken")
  end)

  it("name the collation that is missing", function()
    db:define_collation("ours", function(a, b) return a < b and -1 or a > b and 1 or 0 end)
    db:exec "create table t(x text collate ours); create index i on t(x); insert into t values (1)"
    db = fixture.open(path)
    refused(running "update t set x = 'y'", "ours")
  end)

  it("run with the functions and collations of the connection", function()
    db:define("twice", function(x) return 2 * x end, { deterministic = true, schema = true })
    db:migrations({ { id = "a",
      up = running "create table n(x); insert into n values (twice(4))" } }):up()
    assert.are.equal(8, db:value "select x from n")
  end)

  it("run in no journal mode in which a crash could lose the database", function()
    for _, mode in ipairs { "memory", "off" } do
      errors.expect("auth", db.run, db, "pragma journal_mode = " .. mode)
      errors.expect({ "misuse", "range" }, tuff.open, path, { journal = mode })
    end
  end)

  it("are preceded by a copy that was checked", function()
    local directory = temporary.directory()
    db:run "insert into log values ('before')"
    local m = db:migrations { { id = "a", up = running "insert into log values ('behind')" },
      { id = "b", up = running "insert into log values ('behind')" } }
    local report = m:up { backup = directory }
    assert.are.equal(1, #temporary.list(directory))
    tuff.verify(report.backup)
    assert.are.equal(3, db:value "select count(*) from log")
    assert.is_nil(m:up({ backup = directory }).backup)
    assert.are.equal(1, #temporary.list(directory))
    local copy = fixture.open(report.backup)
    assert.are.same({ "before" }, copy:column "select what from log")
    assert.is_string(db:migrations({ { id = "c", up = function() end } })
      :up({ backup = directory }).backup)
  end)

  it("are preceded by one each time, though they fail again and again", function()
    local directory = temporary.directory()
    local m = db:migrations { { id = "a", up = running "insert into nowhere values (1)" } }
    for _ = 1, 3 do
      errors.mentions(errors.expect("migration", m.up, m, { backup = directory }), "nowhere")
    end
    assert.are.equal(3, #temporary.list(directory))
  end)

  it("are preceded by one when they are taken back, too, or run again", function()
    local directory = temporary.directory()
    local m = db:migrations { { id = "a", up = running "insert into log values ('up')",
      down = running "delete from log" } }
    m:up()
    tuff.verify(m:redo({ backup = directory }).backup)
    tuff.verify(m:down({ backup = directory }).backup)
    assert.are.equal(2, #temporary.list(directory))
    assert.are.same({}, m:redo({ backup = directory }).applied)
    assert.are.equal(2, #temporary.list(directory))
  end)

  it("do not begin where no copy can be made", function()
    local file = temporary.directory() .. "/file"
    temporary.write(file, "no directory")
    local m = db:migrations { { id = "a", up = running "insert into log values ('x')" } }
    errors.expect(nil, m.up, m, { backup = file })
    assert.are.same({ a = "pending" }, states(m))
    assert.are.equal(0, db:value "select count(*) from log")
  end)

  it("are undone when the disk is full, though they caught the error", function()
    local place, reason = disk.small "1m"
    if not place then return pending(reason) end
    local child = process.start { wrap = place.wrap, arguments = { place.directory .. "/x.db" },
      chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open((...))
        db:exec "create table log(what text); insert into log values ('before')"
        local m = db:migrations { { id = "a", up = function(inner)
          inner:run "insert into log values ('small')"
          pcall(function()
            for _ = 1, 1000 do inner:run "insert into log values (zeroblob(100000))" end
          end)
          pcall(inner.run, inner, "insert into log values ('behind')")
        end } }
        local _, err = pcall(m.up, m)
        print(err.code, tostring(err):find("full", 1, true) ~= nil)
        print(table.concat(db:column "select what from log", " "))
        print(db:value "pragma integrity_check")
      ]] }
    local output = child:finish()
    assert.is_truthy(output:find("\ttrue\nbefore\nok$"), output)
  end)

  it("of a database in memory run as well", function()
    local memory = fixture.memory "create table log(what text)"
    local m = memory:migrations {
      { id = "a", up = running "insert into log values ('a')" },
      { id = "b", up = running "insert into log values ('b')", down = running "delete from log" },
    }
    assert.are.same({ "a", "b" }, m:up().applied)
    assert.are.same({ "b" }, m:down().applied)
    assert.are.equal(0, memory:value "select count(*) from log")
  end)
end)
