local s = require "tuff.schema"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"
local temporary = require "spec.support.temporary"

local states = migrations.states

local function running(sql)
  return function(db) db:exec(sql) end
end

fixture.each_engine("trying migrations", function(engine)
  local db

  before_each(function()
    db = engine.database [[create table stuff_items(id {key}, name text);
      insert into stuff_items(name) values ('a'), ('b'), ('c')]]
  end)

  --- All that stands in the database, tuff's own tables too.
  local function contents()
    local found = { rows = db:all "select * from stuff_items order by id", tables = db:tables() }
    found.ledger = #db:migrations({}):status()
    found.states = states(db:migrations {
      { id = "a", up = function() end }, { id = "b", up = function() end } })
    found.rescan = db.settings:get "rescan"
    if engine.name == "SQLite" then
      found.schema = db:all "select type, name, sql from sqlite_schema order by name"
    end
    return found
  end

  describe("by dry_run", function()
    local list = {
      { id = "a", up = running [[alter table stuff_items add column size integer;
        update stuff_items set size = 7 where id > 1]] },
      { id = "b", up = function(inner, step)
        assert(step.has "stuff_items.size")
        inner:run("insert into stuff_items(name, size) values (?, ?)", "secret", 1)
        step.rescan()
      end },
    }

    it("reports what each would do: its SQL, its rows and its time", function()
      local report = db:migrations(list):up { dry_run = true }
      assert.are.same({}, report.applied)
      assert.are.same({ "a", "b" }, migrations.ids(report.tried))
      local a, b = report.tried[1], report.tried[2]
      assert.are.same({ "alter table stuff_items add column size integer",
        "update stuff_items set size = 7 where id > 1" }, a.sql)
      assert.are.same({ "insert into stuff_items(name, size) values (?, ?)" }, b.sql)
      assert.are.same({ 2, 1 }, { a.rows, b.rows })
      assert.is_true(a.ms >= 0 and b.ms >= 0 and report.ms >= a.ms)
    end)

    it("leaves nothing behind", function()
      local before = contents()
      db:migrations(list):up { dry_run = true }
      assert.are.same(before, contents())
      assert.is_false(db:in_transaction())
      assert.are.same({ "a", "b" }, db:migrations(list):up().applied)
    end)

    it("leaves nothing behind where one fails, and says which", function()
      local before = contents()
      local m = db:migrations { list[1],
        { id = "b", up = running "insert into nowhere values (1)" } }
      errors.mentions(errors.expect("migration", m.up, m, { dry_run = true }), "b", "nowhere")
      assert.are.same(before, contents())
      assert.is_false(db:in_transaction())
    end)

    it("tries batches, too", function()
      local before = contents()
      local report = db:migrations({ { id = "a", transaction = false, up = function(_, step)
        step.batch { table = "stuff_items", set = "name = name || '!'" }
        step.batch { table = "stuff_items", each = function(inner, rows)
          assert.are.equal("a!", rows[1].name)
          inner:run "update stuff_items set name = name || '!'"
        end }
      end } }):up { dry_run = true }
      assert.are.equal(6, report.tried[1].rows)
      assert.are.same(before, contents())
    end)

    it("runs only what is pending, and obeys to", function()
      local m = db:migrations(list)
      m:up { to = "a" }
      assert.are.same({ "b" }, migrations.ids(m:up({ dry_run = true }).tried))
      assert.are.same({}, m:up({ dry_run = true, to = "a" }).tried)
      m:up()
      assert.are.same({}, m:up({ dry_run = true }).tried)
    end)

    it("tells neither notify nor complete, and makes no backup", function()
      local told = 0
      local function count() told = told + 1 end
      local directory = temporary.directory()
      local report = db:migrations(list):up {
        dry_run = true, notify = count, complete = count, backup = directory,
      }
      assert.are.equal(0, told)
      assert.is_nil(report.backup)
      assert.are.same({}, temporary.list(directory))
    end)

    it("leaves the trace function that was there", function()
      local heard = 0
      db:trace(function() heard = heard + 1 end)
      db:migrations(list):up { dry_run = true }
      heard = 0
      db:value "select 1"
      assert.are.equal(1, heard)
    end)
  end)

  describe("by test", function()
    local good = {
      { id = "a", up = running "create table made(x integer)",
        down = running "drop table made" },
      { id = "b", up = running "create index made_x on made(x)",
        down = running "drop index made_x" },
    }

    --- The trials by where they were made.
    local function tried(list)
      local trials = {}
      for _, each in ipairs(db:migrations(list):test()) do trials[each.on] = each end
      return trials["an empty database"], trials["a copy"]
    end

    it("runs all up, down and up again, on an empty database and on a copy", function()
      local before = contents()
      for _, trial in ipairs { tried(good) } do
        assert.is_true(trial.ok, trial.message)
        assert.are.same({ "a", "b", "a", "b" }, trial.ran)
        assert.are.same({}, trial.irreversible)
      end
      assert.are.same(before, contents())
      assert.is_false(db:in_transaction())
    end)

    it("finds the one that only works with rows, or only without", function()
      local empty, copy = tried { { id = "a",
        up = running "alter table stuff_items add column size integer" } }
      assert.is_false(empty.ok)
      assert.is_truthy(empty.message:find("stuff_items", 1, true))
      assert.is_true(copy.ok, copy.message)
      empty, copy = tried { { id = "a", up = function(inner)
        if inner:has_table "stuff_items" then inner:exec "insert into nowhere values (1)" end
      end } }
      assert.is_true(empty.ok, empty.message)
      assert.is_false(copy.ok)
      assert.is_truthy(copy.message:find("a", 1, true))
    end)

    it("finds a down that does not take back what up has done", function()
      for _, trial in ipairs { tried { { id = "a", up = running "create table made(x integer)",
        down = function() end } } } do
        assert.is_false(trial.ok)
      end
      for _, trial in ipairs { tried { good[1], { id = "b",
        up = function(inner)
          inner:exec(inner:has_table "left" and "create table more(x integer)"
            or "create table left(x integer)")
        end, down = function() end } } } do
        assert.is_false(trial.ok)
      end
    end)

    it("finds a down that leaves something which up takes as it is", function()
      for _, trial in ipairs { tried { { id = "a",
        up = running "create table if not exists made(x integer)", down = function() end } } } do
        assert.is_false(trial.ok)
        assert.is_truthy(trial.message:find("down", 1, true))
      end
    end)

    it("names those that cannot be taken back, and goes on with the others", function()
      for _, trial in ipairs { tried { good[1], { id = "aa", up = function() end }, good[2] } } do
        assert.is_true(trial.ok, trial.message)
        assert.are.same({ "aa" }, trial.irreversible)
        assert.are.same({ "a", "aa", "b", "b" }, trial.ran)
      end
    end)

    it("has none of them applied in the end", function()
      tried(good)
      assert.are.same({ a = "pending", b = "pending" }, states(db:migrations(good)))
    end)

    it("also tries what was applied already", function()
      db:migrations(good):up()
      local empty, copy = tried(good)
      assert.are.same({ "a", "b", "a", "b" }, empty.ran)
      assert.is_true(copy.ok, copy.message)
      assert.are.same({ "a", "b" }, copy.ran)
      assert.are.same({ a = "applied", b = "applied" }, states(db:migrations(good)))
      assert.is_true(db:has_table "made")
    end)

    it("works on rows in batches", function()
      for _, trial in ipairs { tried { good[1], { id = "b", transaction = false,
        up = function(inner, step)
          inner:run "insert into made values (1)"
          step.batch { table = "made", key = { "x" }, each = running "update made set x = 2" }
        end } } } do
        assert.is_true(trial.ok, trial.message)
      end
    end)
  end)
end)

describe("trying migrations of a file", function()
  local path, db
  before_each(function()
    path, db = fixture.database "create table t(x integer); insert into t values (1)"
  end)
  fixture.clean_up()

  local list = {
    { id = "a", up = running "update t set x = 2", down = running "update t set x = 1" },
  }

  local function beside()
    local names = {}
    for _, name in ipairs(temporary.list((path:match("^(.*)/")))) do
      if not name:find("^library%.db") or name:find("rehearsal", 1, true) then
        names[#names + 1] = name
      end
    end
    return names
  end

  it("leaves no copy beside it", function()
    db:migrations(list):up { dry_run = true }
    db:migrations(list):test()
    local m = db:migrations { { id = "a", up = running "insert into nowhere values (1)" } }
    errors.expect("migration", m.up, m, { dry_run = true })
    assert.are.same({}, beside())
  end)

  it("works while another one tries, too", function()
    local inner
    db:migrations({ { id = "a", up = function()
      inner = fixture.open(path):migrations(list):up { dry_run = true }
    end } }):up { dry_run = true }
    assert.are.equal(1, inner.tried[1].rows)
    assert.are.same({}, beside())
  end)

  it("takes no lock that would keep others from writing", function()
    local other = fixture.open(path, { busy_timeout = 20 })
    db:migrations({ { id = "a", up = function() other:run "update t set x = 3" end } })
      :up { dry_run = true }
    assert.are.equal(3, db:value "select x from t")
  end)

  it("knows the functions of the connection", function()
    db:define("twice", function(x) return 2 * x end, { deterministic = true, schema = true })
    local calling = { { id = "a", up = running "update t set x = twice(x)" } }
    assert.are.equal(1, db:migrations(calling):up({ dry_run = true }).tried[1].rows)
    assert.are.equal(1, db:value "select x from t")
  end)

  it("makes tables anew in memory, and keeps what refers to them", function()
    local memory = fixture.open(":memory:")
    memory:exec [[create table folders(id integer primary key autoincrement, size text);
      create table images(folder_id integer references folders(id) on delete cascade);
      insert into folders(size) values ('5'); insert into images(folder_id) values (1)]]
    local m = memory:migrations { { id = "a", up = function(inner, step)
      step.apply(s.define {
        s.table("folders", { s.id(), s.integer("size") }),
        s.table("images", {
          s.integer("folder_id"):references("folders", { on_delete = "cascade" }),
        }),
      })
      assert(inner:value "select count(*) from images" == 1)
    end } }
    m:up { dry_run = true }
    assert.are.equal("5", memory:value "select size from folders")
    assert.is_true(m:test()[2].ok)
    m:up()
    assert.are.equal(5, memory:value "select size from folders")
  end)

  it("works in memory", function()
    local memory = fixture.memory "create table t(x integer); insert into t values (1)"
    local m = memory:migrations(list)
    assert.are.equal(1, m:up({ dry_run = true }).tried[1].rows)
    assert.are.equal(1, memory:value "select x from t")
    for _, trial in ipairs(m:test()) do
      assert.are.equal(trial.on == "a copy", trial.ok, trial.message)
    end
    assert.are.equal(1, memory:value "select x from t")
  end)
end)
