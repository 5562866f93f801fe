package.path = "examples/?.lua;" .. package.path

local lfs = require "lfs"
local model = require "tuff.schema.model"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local schemas = require "spec.support.schemas"
local shapes = require "spec.support.library_shapes"
local temporary = require "spec.support.temporary"
local fixtures = require "image_library.fixtures"
local schema = require "image_library.schema"
local Catalogue = require "image_library.catalogue"

local MIGRATIONS = "examples/image_library/migrations"

--- A directory with the same migrations, to which others can be added.
local function copied_migrations()
  local directory = temporary.directory()
  for name in lfs.dir(MIGRATIONS) do
    if name:find("%.lua$") then
      fixtures.write(directory .. "/" .. name, temporary.read(MIGRATIONS .. "/" .. name))
    end
  end
  return directory
end

local ORDER = {
  Folders = "id", Images = "id", Tags = "id", ImageTags = "image_id, tag_id", Albums = "id",
  AlbumImages = "album_id, image_id", Nodes = "id", NodeProperties = "node_id, name",
  Queries = "id",
}

--- The order of columns is that in which they came.
local function same(a, b)
  return model.equal(a, b, { order = false })
end

--- The rows of all tables, by table, without absent values.
local function rows_of(db)
  local all = {}
  for name, order in pairs(ORDER) do
    all[name] = db:all(("select * from %s order by %s"):format(name, order))
  end
  return all
end

fixture.each_engine("A library of an older shape", function(engine)
  local db, newest

  local function upgrade(options)
    local given = { schema = schema, migrations = MIGRATIONS }
    for name, value in pairs(options or {}) do given[name] = value end
    return db:upgrade(given)
  end

  before_each(function()
    local empty = engine.database()
    Catalogue.open(engine.path()):close()
    newest = empty:schema()
    empty:close()
    db = engine.database()
  end)

  it("is what is declared, if it is born today", function()
    local report = upgrade()
    assert.is_true(report.created)
    assert.are.same({ "20231201090000_save_first_queries" }, report.applied)
    assert.is_true(same(newest, db:schema()))
    assert.are.equal(3, db:value "select count(*) from Queries")
    assert.is_nil(db.settings:get("rescan"))
    assert.is_false(upgrade().changed)
  end)

  local function ends_as_the_newest()
    upgrade()
    assert(same(newest, db:schema()), schemas.first_difference(newest, db:schema()))
    assert.are.same(shapes.library, rows_of(db))
    assert.is_true(db.settings:get("rescan"))
    assert.is_true(db:migrations(MIGRATIONS):verify().ok)
    assert.is_false(upgrade().changed)
  end

  for version = 0, #shapes.versions do
    local after = version == 0 and "the first one" or shapes.versions[version].migration
    it("becomes the newest: " .. after, function()
      shapes.of_version(db, version, MIGRATIONS)
      ends_as_the_newest()
    end)
  end

  it("becomes the newest: the one that was made by hand", function()
    shapes.handmade(db)
    ends_as_the_newest()
  end)

  it("loses none of 100 000 images, nor what they were put into", function()
    local images = 100000
    shapes.many(db, images)
    local files = db:column "select distinct path from Images order by path"
    local entries = db:column [[
      select distinct album_id || ' ' || i.path from AlbumImages e
      join Images i on i.id = e.image_id join Albums a on a.id = e.album_id order by 1]]
    assert.are.equal(images, #files)
    local done
    upgrade { progress = function(event) done = event.done or done end }
    assert(same(newest, db:schema()), schemas.first_difference(newest, db:schema()))
    assert.is_true(table.concat(files, "\n") == table.concat(db:column [[
      select f.path || '/' || i.name as path
      from Images i join Folders f on f.id = i.folder_id order by path]], "\n"))
    assert.is_true(table.concat(entries, "\n") == table.concat(db:column [[
      select album_id || ' ' || f.path || '/' || i.name from AlbumImages e
      join Images i on i.id = e.image_id join Folders f on f.id = i.folder_id order by 1]], "\n"))
    assert.are.equal(images * (images + 1) // 2,
      db:value "select cast(sum(bytes) as bigint) from Images")
    assert.are.equal(images, db:value "select count(*) from ImageTags")
    assert.are.equal(images // 5, db:value "select count(*) from NodeProperties")
    assert.are.equal(1000, done)
  end)

  it("is not asked again what it did under an older name", function()
    shapes.of_version(db, 2, MIGRATIONS)
    local report = upgrade()
    for _, id in ipairs(report.applied) do
      assert.is_nil(id:find("orphan", 1, true) or id:find("Orphan", 1, true))
    end
    local known = {}
    for _, status in ipairs(db:migrations(MIGRATIONS):status()) do
      known[status.id] = status.state
    end
    assert.are.equal("applied", known.RupertAvery20231224_0001_CleanupOrphanedAlbumImageEntries)
  end)

  it("keeps what people have made in it beside the library", function()
    shapes.handmade(db)
    db:exec [[
      create table Notes (image_id bigint, note text);
      insert into Notes values (1, 'mine');
      create view Best as select i.name from Images i join Notes n on n.image_id = i.id]]
    upgrade()
    assert.are.same({ "1.png" }, db:column "select name from Best")
  end)

  it("is upgraded by the program that opens it, once there is a copy of it", function()
    shapes.handmade(db)
    local told = {}
    local library <close> = Catalogue.open(engine.path(), {
      notify = function(plan)
        told.plan = plan
        return "the handle"
      end,
      progress = function() told.steps = (told.steps or 0) + 1 end,
      complete = function(handle, err) told.handle, told.err = handle, err end,
    })
    assert.are.equal("the handle", told.handle)
    assert.is_nil(told.err)
    assert.are.equal(#library.db:migrations(MIGRATIONS):status(), #told.plan.migrations)
    assert.is_true(told.steps >= #told.plan.migrations)

    assert.is_nil(library.db.settings:get("rescan"))
    assert.is_false(library.db:exists "select 1 from Images where not stale")
    if not library.db:supports("backup") then return end
    local copies = {}
    for name in lfs.dir(engine.path() .. ".backups") do
      if name:find("%.db$") then copies[#copies + 1] = engine.path() .. ".backups/" .. name end
    end
    assert.are.equal(1, #copies)
    local copy = fixture.open(copies[1], { readonly = true })
    assert.is_true(copy:exists "select 1 from Images where problem like 'file cannot be read%'")
    assert.is_false(copy:has_table("tuff_migrations"))
  end)

  it("is as it was before a migration that fails, which is told", function()
    local directory = copied_migrations()
    local clumsy = directory .. "/20261122090000_clumsy.lua"
    fixtures.write(clumsy, [[
      return { up = function(db)
        db:exec "delete from Images; drop table AlbumImages"
        error "out of luck"
      end }]])
    shapes.of_version(db, 0, MIGRATIONS)
    local told, before
    local options = {
      migrations = directory,
      notify = function(plan) return #plan.migrations end,
      complete = function(handle, err) told = { handle = handle, err = err } end,
      progress = function(event)
        if event.id == "20261122090000_clumsy" and event.phase then
          before = { schema = db:schema(), rows = rows_of(db) }
        end
      end,
    }
    local err = errors.expect("migration", upgrade, options)
    errors.mentions(err, "20261122090000_clumsy", "out of luck")
    assert.are.equal(#db:migrations(directory):status(), told.handle)
    assert.are.equal(err, told.err)
    assert.is_true(before.schema == db:schema())
    assert.are.same(before.rows, rows_of(db))
    os.remove(clumsy)
    upgrade { migrations = directory }
    assert.are.same(shapes.library, rows_of(db))
  end)
end)
