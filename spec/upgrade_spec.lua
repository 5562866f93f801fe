--- db:upgrade: the call with which an application starts.
local s = require "tuff.schema"
local core = require "tuff.core"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local lfs = require "lfs"
local temporary = require "spec.support.temporary"

--- What the program needed in each of its versions.
local shapes = {
  s.define { s.table("images", { s.id(), s.text("name") }) },
  s.define { s.table("images", { s.id(), s.text("path"):index(), s.real("score") }) },
  s.define {
    s.table("folders", { s.id(), s.text("path"):not_null():unique() }),
    s.table("images", {
      s.id(), s.text("path"):index(), s.integer("score"),
      s.integer("folder_id"):references("folders"),
    }),
    s.view("good", "select path from images where score > 5"),
  },
}

--- How one version becomes the next one, and what is only for those that were there before.
local function migrations()
  return {
    { id = "0001_names_are_paths", phase = "pre", up = function(_, step)
      step.apply(shapes[2], { renames = { ["images.name"] = "images.path" } })
    end },
    { id = "0002_whole_scores", phase = "pre", up = function(db, step)
      db:run "update images set score = 0 where score is null"
      step.apply(s.define { s.table("images", {
        s.id(), s.text("path"):index(), s.integer("score"),
      }) })
    end },
    { id = "0003_first_folder", phase = "main", fresh = true, up = function(db)
      db:run "insert into folders(path) values ('/')"
    end },
  }
end

local newest = shapes[#shapes]

fixture.each_engine("an upgrade", function(engine)
  local db
  local on_sqlite = not engine.supports("server")

  before_each(function() db = engine.database() end)

  --- Insists that the database has a schema.
  local function is_made(schema, on)
    local plan = (on or db):diff(schema)
    assert.are.equal(0, #plan.changes, tostring(plan))
  end

  it("gives an empty database the newest schema at once, and what is for such a one", function()
    local report = db:upgrade { schema = newest, migrations = migrations() }
    assert.is_true(report.created)
    assert.is_true(report.changed)
    assert.are.same({ "0003_first_folder" }, report.applied)
    is_made(newest)
    assert.are.equal("/", db:value "select path from folders")
    assert.are.equal(3, #db:migrations(migrations()):status())
    assert.is_false(db:upgrade({ schema = newest, migrations = migrations() }).changed)
  end)

  for version = 1, #shapes do
    it(("makes of version %d what an empty database becomes"):format(version), function()
      local list, done = migrations(), {}
      db:apply(shapes[version])
      db:insert("images", { [version == 1 and "name" or "path"] = "a" })
      for i = 1, version - 1 do done[i] = list[i] end
      if #done > 0 then db:migrations(done):baseline() end
      db:upgrade { schema = newest, migrations = list }
      is_made(newest)
      assert.are.equal("a", db:value "select path from images")
      assert.are.equal(1, db:value "select count(*) from folders")
      assert.is_false(db:upgrade({ schema = newest, migrations = list }).changed)
    end)
  end

  it("adds what is missing, and takes nothing away", function()
    db:apply(shapes[1])
    local wanted = s.define {
      s.table("images", { s.id(), s.text("path"):index(), s.real("score"):default(1) }),
      s.table("tags", { s.id() }),
    }
    local report = db:upgrade { schema = wanted }
    assert.is_nil(report.created)
    assert.are.same({ "adds column path of images", "adds column score of images",
      "adds index images_path_idx of images", "adds table tags" }, report.changes)
    assert.are.same({}, (db:diff(wanted, { add_only = true })).changes)
    assert.is_true(#db:schema():table("images").columns == 4)
  end)

  it("shows migrations of phase pre the tables as they were, and main the new ones", function()
    db:apply(shapes[1])
    local seen = {}
    db:upgrade {
      schema = s.define { s.table("images", { s.id(), s.text("name"), s.text("more") }) },
      migrations = {
        { id = "0001_before", phase = "pre", up = function(_, step)
          seen.pre = step.has "images.more"
        end },
        { id = "0002_behind", up = function(_, step) seen.main = step.has "images.more" end },
      },
    }
    assert.are.same({ pre = false, main = true }, seen)
  end)

  it("tells before and behind, and only if there is something to do", function()
    local told = {}
    local options = {
      schema = newest, migrations = migrations(),
      notify = function(plan)
        told[#told + 1] = { plan.empty, #plan.migrations }
        return "handle"
      end,
      complete = function(handle, err) told[#told + 1] = { handle, err } end,
    }
    db:upgrade(options)
    assert.are.same({ { true, 3 }, { "handle" } }, told)
    db:upgrade(options)
    assert.are.equal(2, #told)
  end)

  it("tells of a failure, too, and the database is as it was before what failed", function()
    db:apply(shapes[1])
    db:insert("images", { name = "a" })
    local list, told = migrations(), nil
    list[2].up = function(on, step)
      step.apply(s.define { s.table("images", { s.id(), s.text("path") }) },
        { allow_drop = { "images.score" } })
      on:run "delete from images"
      error "on purpose"
    end
    local err = errors.expect("migration", db.upgrade, db, {
      schema = newest, migrations = list,
      complete = function(_, reason) told = reason end,
    })
    errors.mentions(err, "0002_whole_scores", "on purpose")
    assert.are.equal(err, told)
    is_made(shapes[2])
    assert.are.equal("a", db:value "select path from images")
    db:upgrade { schema = newest, migrations = migrations() }
    is_made(newest)
  end)

  it("takes no lock where nothing is to be done", function()
    db:upgrade { schema = newest, migrations = migrations() }
    local other = engine.open { busy_timeout = 20 }
    local take_turn = core.state(db).dialect.take_turn
    db:transaction(function()
      db:run "insert into images(path) values ('a')"
      if take_turn then take_turn(db, 0) end
      assert.is_false(other:upgrade({ schema = newest, migrations = migrations() }).changed)
    end)
  end)

  it("finds that another program was faster", function()
    local other, list, report = engine.open(), migrations(), nil
    db:apply(shapes[1])
    local done = false
    db:upgrade {
      schema = newest, migrations = list,
      notify = function()
        if done then return end
        done = true
        report = other:upgrade { schema = newest, migrations = migrations() }
      end,
    }
    assert.are.equal(3, #report.applied)
    is_made(newest)
    assert.are.equal(1, db:value "select count(*) from folders")
  end)

  it("finds that an older program was faster with an empty database", function()
    local other = engine.open()
    local report = db:upgrade {
      schema = newest, migrations = migrations(),
      notify = function() other:upgrade { schema = shapes[1] } end,
    }
    assert.is_nil(report.created)
    assert.are.equal(3, #report.applied)
    is_made(newest)
    assert.is_false(db:upgrade({ schema = newest, migrations = migrations() }).changed)
  end)

  it("copies the database before it changes anything", function()
    db:apply(shapes[1])
    local directory, warned = temporary.directory() .. "/copies", {}
    db:on_warning(function(text) warned[#warned + 1] = text end)
    local report = db:upgrade { schema = newest, migrations = migrations(), backup = directory }
    if on_sqlite then
      is_made(shapes[1], fixture.open(report.backup))
      assert.are.equal("directory", lfs.attributes(directory, "mode"))
    else
      assert.is_nil(report.backup)
      errors.mentions(warned[1], "no backup of a server")
    end
  end)

  it("remembers what a migration wants to be read anew", function()
    db:apply(shapes[1])
    db:upgrade { migrations = { { id = "0001_rescan", up = function(_, step) step.rescan() end } } }
    assert.is_true(db.settings:get "rescan")
  end)

  it("refuses a ledger that a newer version has written", function()
    db:upgrade { schema = newest, migrations = migrations() }
    require "tuff.settings".put(db, "tuff.ledger", 99)
    local err = errors.expect("migration", db.upgrade, db,
      { schema = newest, migrations = migrations() })
    errors.mentions(err, "format 99", "newer version")
  end)

  it("is refused in a transaction, and without anything to do", function()
    db:transaction(function()
      errors.expect("misuse", db.upgrade, db, { schema = newest })
    end)
    errors.expect("misuse", db.upgrade, db, {})
    errors.expect("misuse", db.upgrade, db, { schemas = newest })
  end)
end)
