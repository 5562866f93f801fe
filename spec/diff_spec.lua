local s = require "tuff.schema"
local core = require "tuff.core"
local diff = require "tuff.schema.diff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local model = require "tuff.schema.model"

local function images(...)
  return s.define { s.table("images", { s.id(), ... }) }
end

--- The kinds of changes with what they are about.
local function told(plan)
  local list = {}
  for i, change in ipairs(plan.changes) do
    list[i] = ("%s %s %s"):format(change.kind, change.table or "-", change.name or "-")
  end
  return list
end

fixture.each_engine("a plan", function(engine)
  local db
  before_each(function() db = engine.database() end)

  local on_sqlite = not engine.supports("server")

  --- Insists that the database has a schema.
  local function is_made(schema)
    assert.are.same({}, db:diff(schema).changes)
    if on_sqlite then assert.is_true(db:schema() == schema) end
  end

  --- Gives the database a schema, and then tells the plan for another one.
  local function from_to(old, new, options)
    db:apply(old)
    return db:diff(new, options)
  end

  it("says nothing where nothing differs", function()
    local schema = images(s.text("path"):unique(), s.search { "path" })
    local plan = from_to(schema, schema)
    assert.are.same({}, plan.changes)
    assert.are.same({}, plan.unmanaged)
    assert.are.equal("", plan:sql())
    assert.are.equal("nothing to change", tostring(plan))
    assert.is_false(plan.destructive)
  end)

  it("takes no notice of the order of columns", function()
    local plan = from_to(images(s.text("a"), s.text("b")), images(s.text("b"), s.text("a")))
    assert.are.same({}, plan.changes)
  end)

  it("tells every change of a table", function()
    local plan = from_to(
      s.define { s.table("t", {
        s.id(), s.text("a"), s.integer("b"):index(), s.text("c"):unique(), s.check "b > 1",
        s.integer("d"):references("t"), s.search { "a" },
      }) },
      s.define { s.table("t", {
        s.id(), s.text("a", { max_length = 5 }):not_null(), s.integer("b"), s.text("c"):index(),
        s.check "b > 2", s.integer("d"):references("t", { on_delete = "cascade" }), s.real("e"),
        comment = "Things",
      }) })
    assert.are.same({
      "change_table t -", "change_column t a", "add_column t e", "drop_unique t t_c_key",
      "change_foreign_key t t_d_fkey", "change_check t t_check", "drop_index t t_b_idx",
      "add_index t t_c_idx", "drop_search t -",
    }, told(plan))
    assert.are.same({ "max_length", "not_null" }, plan.changes[2].what)
    assert.is_true(plan.changes[2].lossy)
  end)

  it("reads well", function()
    local old = s.define {
      s.table("folders", { s.id() }),
      s.table("images", {
        s.id(), s.text("name"), s.text("score"), s.integer("folder_id"), s.text("gone"),
      }),
      s.view("all_images", "select * from images"),
    }
    local new = s.define {
      s.table("folders", { s.id(), s.text("path") }),
      s.table("images", {
        s.id(), s.text("path"):index(), s.integer("score"),
        s.integer("folder_id"):references("folders"),
      }),
    }
    db:exec(engine.sql "create table other(a {integer})")
    local plan = from_to(old, new, {
      renames = { ["images.name"] = "images.path" }, allow_drop = { "images.gone" },
    })
    local of_images = on_sqlite and [[
rebuilds images: type of score, without column gone and its values, foreign key of folder_id]] or [[
changes column score of images: type
drops column gone of images, with all that it holds
adds foreign key images_folder_id_fkey of images]]
    assert.are.equal([[
renames column name of images to path
adds column path of folders
]] .. of_images .. [[

adds index images_path_idx of images
drops view all_images
leaves table other alone: not declared]], tostring(plan))
    assert.is_true(plan.destructive)
    assert.are.same(on_sqlite and { "images" } or {}, plan.rebuilt)
    assert.are.equal("other", plan.unmanaged[1].name)
    assert.is_truthy(plan:sql():find('"folders" ADD COLUMN "path" ', 1, true))
  end)

  it("leaves alone what could not be understood, but where its name is wanted", function()
    local have = model.copy(images(s.text("a")))
    have.unmanaged = {
      { kind = "table", name = "odd", sql = "create table odd(", reason = "expected a name" },
      { kind = "index", name = "by_a", table = "images", sql = "create index", reason = "?" },
    }
    table.insert(have.views, { name = "odds", select = "select 1 from odd" })
    local found = diff.of(have, images(s.text("a")))
    assert.are.same({}, found.changes)
    assert.are.same({ "odd", "by_a", "odds" },
      { found.unmanaged[1].name, found.unmanaged[2].name, found.unmanaged[3].name })
    found = diff.of(have, s.define { s.table("odd", { s.id() }) })
    errors.mentions(found.refused[1].message, "table odd", "expected a name")
  end)

  it("refuses to drop what holds data, unless that is allowed by its name", function()
    local old = s.define {
      s.table("images", { s.id(), s.text("a"), s.real("score"), s.text("b"):generated("a") }),
      s.table("tags", { s.id() }),
    }
    local plan = from_to(old, images(s.text("a")))
    assert.are.equal(1, #plan.refused)
    assert.are.equal("images.score", plan.refused[1].name)
    local err = errors.expect("migration", db.apply, db, plan)
    errors.mentions(err, "images.score", "allow_drop")
    is_made(old)
    plan = db:diff(images(s.text("a")), { allow_drop = { "images.score", "tags" } })
    assert.are.same({}, plan.refused)
    assert.are.same({
      "drop_column images score", "drop_column images b", "drop_table tags -",
    }, told(plan))
    db:apply(plan)
    is_made(images(s.text("a")))
  end)

  it("never guesses a rename", function()
    local plan = from_to(images(s.text("name")), images(s.text("path")))
    assert.are.same({ "drop_column images name", "add_column images path" }, told(plan))
    local err = errors.expect("migration", db.apply, db, plan)
    errors.mentions(err, 'renames = { ["images.name"] = "images.path" }')
  end)

  it("refuses to make a table that has the columns of one that nobody declares", function()
    db:apply(images(s.text("path")))
    local pictures = s.define { s.table("pictures", { s.id(), s.text("path") }) }
    local err = errors.expect("migration", db.apply, db, pictures)
    errors.mentions(err, 'renames = { ["images"] = "pictures" }',
      'renames = { ["images"] = false }')
    db:apply(pictures, { renames = { images = false } })
    assert.are.same({ "images", "pictures" }, db:tables())
  end)

  it("takes no notice of hints whose time is over", function()
    local new, hints = images(s.text("path")), { renames = { ["images.name"] = "images.path" } }
    db:apply(images(s.text("name")))
    db:run "insert into images(name) values ('a')"
    db:apply(new, hints)
    assert.are.equal("a", db:value "select path from images")
    assert.are.same({}, db:apply(new, hints).changes)
    local again = images(s.text("path"), s.text("name"))
    assert.are.same({ "add_column images name" }, told(db:apply(again, hints)))
    assert.are.same({}, db:apply(again, hints).changes)
    db = engine.database()
    db:apply(new, hints)
    is_made(new)
  end)

  it("follows a name through several renames", function()
    db:apply(images(s.text("name")))
    db:run "insert into images(name) values ('a')"
    db:apply(s.define { s.table("pictures", { s.id(), s.text("file") }) }, { renames = {
      images = "photos", photos = "pictures", ["images.name"] = "images.path",
      ["images.path"] = "pictures.file",
    } })
    assert.are.equal("a", db:value "select file from pictures")
  end)

  it("refuses hints that name nothing declared, and names that are taken", function()
    db:apply(images(s.text("a"), s.text("b")))
    local err = errors.expect("misuse", db.diff, db, images(s.text("path"), s.text("b")),
      { renames = { ["images.a"] = "images.pth" } })
    errors.mentions(err, "images.pth", 'did you mean "images.path"?')
    err = errors.expect("migration", db.diff, db, images(s.text("b")),
      { renames = { ["images.a"] = "images.b" } })
    errors.mentions(err, "b, which there is already")
    for _, wrong in ipairs { { renames = { 1 } }, { renames = "a" }, { allow_drop = { a = true } },
      { allow_drop = true }, { rename = {} } } do
      errors.expect("misuse", db.diff, db, images(), wrong)
    end
    errors.expect("misuse", db.diff, db, {})
    errors.expect("misuse", db.apply, db, "images")
    errors.expect("misuse", db.apply, db, db:diff(images(s.text("a"), s.text("b"))), {})
  end)

  it("says at once what the engine would not make of a schema", function()
    local err = errors.expect("migration", db.diff, db, images(s.text("a"):check("lower(a, 1, 2)")))
    errors.mentions(err, "table images cannot be made", "lower")
  end)
end)

describe("a plan in SQLite", function()
  fixture.clean_up()

  local db
  before_each(function() db = fixture.memory() end)

  --- Gives the database a schema, and then tells the plan for another one.
  local function from_to(old, new, options)
    db:apply(old)
    return db:diff(new, options)
  end

  it("makes a whole schema in an empty database", function()
    local schema = s.define {
      s.table("folders", { s.id() }),
      s.table("images", {
        s.id(), s.text("path"):index(), s.integer("folder_id"):references("folders"),
      }),
      s.view("paths", "select path from images"),
      s.trigger("touch", { after = "insert", on = "images", run = "select 1" }),
      s.virtual_table("boxes", "rtree", "id, low, high"),
    }
    local plan = db:diff(schema)
    assert.are.same({
      "add_table folders -", "add_table images -", "add_virtual_table - boxes", "add_view - paths",
      "add_trigger images touch",
    }, told(plan))
    assert.are.same({}, db:tables())
    db:apply(plan)
    assert.is_true(db:schema() == schema)
  end)

  it("leaves alone what was not understood, and tables that nobody declares", function()
    db:exec [[create table other(a); create index by_a on other(a);
      create view others as select a from other;
      create trigger watch after insert on other begin select 1; end;
      create virtual table boxes using rtree(id, low, high);
      create view mine as select 1;]]
    local schema = images()
    db:apply(schema)
    local plan = db:diff(schema)
    assert.are.same({}, plan.changes)
    local names = {}
    for i, object in ipairs(plan.unmanaged) do names[i] = object.kind .. " " .. object.name end
    assert.are.same({ "table other", "virtual table boxes", "view others", "trigger watch" }, names)
    assert.is_true(db:has_table "other")
    assert.are.equal(0, db:value "select count(*) from sqlite_schema where name = 'mine'")
  end)

  it("asks before a virtual table is made anew", function()
    local function schema(arguments)
      return s.define { s.virtual_table("boxes", "rtree", arguments) }
    end
    local plan = from_to(schema "id, low, high", schema "id, lowest, highest")
    assert.are.same({ "change_virtual_table - boxes" }, told(plan))
    errors.mentions(errors.expect("migration", db.apply, db, plan), "virtual table boxes")
    db:apply(schema "id, lowest, highest", { allow_drop = { "boxes" } })
    assert.is_true(db:schema() == schema "id, lowest, highest")
    db:apply(s.define {}, { allow_drop = { "boxes" } })
    assert.are.same({}, db:tables())
  end)

  it("takes no notice of what is tuff's own", function()
    db:apply(images(s.text("a")))
    core.own(db)
    db:exec "create trigger tuff_watch after insert on images begin select 1; end"
    assert.are.same({}, db:diff(images(s.text("a"))).changes)
    db:apply(images(s.integer("a")))
    assert.are.equal(1, db:value "select count(*) from sqlite_schema where name = 'tuff_watch'")
  end)

  it("names functions, collations and modules that are missing", function()
    local err = errors.expect("migration", db.diff, db, images(s.text("a"):collate("natural")))
    errors.mentions(err, "table images", "natural", "define_collation")
    err = errors.expect("migration", db.diff, db, images(s.text("a"):check("is_nice(a)")))
    errors.mentions(err, "is_nice", "db:define")
    err = errors.expect("migration", db.diff, db,
      s.define { s.virtual_table("v", "nothing_such") })
    errors.mentions(err, "nothing_such")
    db:define_collation("natural", function(a, b) return a < b and -1 or a > b and 1 or 0 end)
    db:define("is_nice", function() return true end, { deterministic = true, schema = true })
    local schema = images(s.text("a"):collate("natural"):check("is_nice(a)"))
    db:apply(schema)
    assert.is_true(db:schema() == schema)
  end)

  it("sees what other tools have made in other words", function()
    db:exec [[create table images(id integer primary key autoincrement, "path" text not null,
      folder_id int references folders, constraint both unique (path, folder_id));
      create table folders(id integer primary key)]]
    local schema = s.define {
      s.table("folders", { s.integer("id"):primary_key() }),
      s.table("images", {
        s.id(), s.text("path"):not_null(), s.column("folder_id", "INT"):references("folders"),
        s.unique { "path", "folder_id", name = "both" },
      }),
    }
    assert.are.same({}, db:diff(schema).changes)
  end)
end)
