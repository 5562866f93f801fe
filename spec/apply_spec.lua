local tuff = require "tuff"
local s = require "tuff.schema"
local change = require "tuff.migrate.change"
local core = require "tuff.core"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local model = require "tuff.schema.model"
local odd_schemas = require "spec.support.odd_schemas"

local function images(...)
  return s.define { s.table("images", { s.id(), ... }) }
end

local function column_names(of)
  local names = {}
  for i, column in ipairs(of.columns) do names[i] = column.name end
  return names
end

--- The rows of a query, each as one text.
local function rows(db, query)
  local list = {}
  for _, row in ipairs(db:all(query)) do
    local names, values = {}, {}
    for name in pairs(row) do names[#names + 1] = name end
    table.sort(names)
    for i, name in ipairs(names) do values[i] = name .. "=" .. tostring(row[name]) end
    list[#list + 1] = table.concat(values, " ")
  end
  return list
end

fixture.each_engine("a changed schema", function(engine)
  local db
  before_each(function() db = engine.database() end)

  local on_sqlite = not engine.supports("server")

  --- What rows are called in a message.
  local function key(text) return (on_sqlite and "rowid " or "key ") .. text end
  local function keys(text) return (on_sqlite and "rowids " or "keys ") .. text end

  --- Insists that the database has a schema.
  local function is_made(schema)
    assert.are.same({}, db:diff(schema).changes)
    if on_sqlite then assert.is_true(db:schema() == schema) end
  end

  --- Insists that a change is refused with these words, and changes nothing.
  local function refused(schema, ...)
    local before, data = db:schema(), {}
    for _, name in ipairs(db:tables()) do data[name] = db:all('select * from "' .. name .. '"') end
    local err = errors.expect("migration", db.apply, db, schema)
    errors.mentions(err, ...)
    assert.is_true(db:schema() == before)
    for name, all in pairs(data) do
      assert.are.same(all, db:all('select * from "' .. name .. '"'))
    end
    assert.is_false(db:in_transaction())
    return err
  end

  -- ---- what refers to a table ------------------------------------------------------------

  for _, action in ipairs { "cascade", "set null", "set default", "restrict", "no action" } do
    it("keeps the rows that refer to it, on delete " .. action, function()
      local function schema(type)
        return s.define {
          s.table("folders", { s.id(), s[type]("path") }),
          s.table("images", {
            s.id(), s.integer("folder_id"):references("folders", { on_delete = action }),
          }),
        }
      end
      db:apply(schema "text")
      db:run "insert into folders(path) values ('1'), ('2')"
      db:run "insert into images(folder_id) values (1), (2), (2)"
      db:apply(schema "integer")
      assert.are.same({ 1, 2, 2 }, db:column "select folder_id from images order by id")
      assert.are.same({ 1, 2 }, db:column "select path from folders order by id")
      errors.expect("constraint", db.run, db, "insert into images(folder_id) values (9)")
      is_made(schema "integer")
    end)
  end

  it("keeps rows that refer to their own table", function()
    local function schema(type)
      return s.define { s.table("folders", {
        s.id(), s[type]("path"),
        s.integer("parent_id"):references("folders", { on_delete = "cascade" }),
      }) }
    end
    db:apply(schema "text")
    db:run "insert into folders(path, parent_id) values ('1', null), ('2', 1), ('3', 2)"
    db:apply(schema "integer")
    assert.are.same({ tuff.null, 1, 2 }, db:column "select parent_id from folders order by id")
    db:run "delete from folders where id = 1"
    assert.are.equal(0, db:value "select count(*) from folders")
  end)

  -- ---- rows that do not fit --------------------------------------------------------------

  it("refuses a key that two rows have in common", function()
    db:apply(images(s.text("path")))
    db:run "insert into images(path) values ('a'), (null), ('b'), ('a'), (null), ('a')"
    refused(images(s.text("path"):unique()), "table images", "2 rows have the same path",
      keys "4, 6")
    refused(images(s.text("path"), s.index { s.expr "lower(path)", unique = true, name = "low" }),
      "2 rows have the same values in index low")
    db:run "delete from images where id > 4"
    refused(images(s.text("path"):unique()), "1 row has the same path", key "4")
    db:run "update images set path = 'A' where id = 4"
    if on_sqlite then
      refused(images(s.text("path"):collate("nocase"):unique()), "rowid 4")
      refused(images(s.text("path"):collate("nocase"), s.index { "path", unique = true }),
        "rowid 4")
    end
    db:apply(images(s.text("path"):unique()))
  end)

  it("refuses a type that values would not be the same in", function()
    db:apply(images(s.text("a"), s.real("b"), s.integer("c")))
    db:run [[insert into images(a, b, c)
      values ('7', 1, 1), ('007', 1.5, 9007199254740993), ('x', 2, 3)]]
    refused(images(s.integer("a"), s.real("b"), s.integer("c")),
      "2 rows would lose their value in column a, which becomes integer", keys "2, 3")
    refused(images(s.text("a"), s.integer("b"), s.integer("c")), "column b", key "2")
    refused(images(s.text("a"), s.real("b"), s.real("c")), "column c", key "2")
    refused(images(s.text("a"), s.real("b"), s.blob("c")), "column c", keys "1, 2, 3")
    refused(images(s.uuid("a"), s.real("b"), s.integer("c")),
      "3 rows have a value in column a that is no uuid")
    refused(images(s.text("a", { max_length = 2 }), s.real("b"), s.integer("c")),
      "1 row has a value in column a that is not allowed there", key "2")
    refused(images(s.enum("a", { "7", "x" }), s.real("b"), s.integer("c")), key "2")
    db:run "delete from images where id > 1"
    db:apply(images(s.integer("a"), s.integer("b"), s.text("c")))
    assert.are.same({ id = 1, a = 7, b = 1, c = "1" }, db:row "select * from images")
    assert.are.equal("integer", math.type(db:value "select a from images"))
  end)

  it("says no value of a row, but its key", function()
    db:apply(s.define { s.table("t", {
      s.text("code"):primary_key(), s.text("secret"), without_rowid = true,
    }) })
    db:run "insert into t values ('k1', 'sesame'), ('k2', '1')"
    local err = refused(s.define { s.table("t", {
      s.text("code"):primary_key(), s.integer("secret"), without_rowid = true,
    }) }, "key k1")
    errors.conceals(err, "sesame")
  end)

  it("loses values of a column that was given up", function()
    db:apply(images(s.text("a")))
    db:run "insert into images(a) values ('7'), ('007')"
    db:apply(images(s.integer("a")), { allow_drop = { "images.a" } })
    assert.are.same({ 7, 7 }, db:column "select a from images")
  end)

  it("refuses what rows have no value for", function()
    db:apply(images(s.text("a")))
    db:apply(images(s.text("a"), s.text("b"):not_null()))
    db:run "insert into images(a, b) values (null, ''), ('x', '')"
    refused(images(s.text("a"):not_null(), s.text("b"):not_null()),
      "1 row has no value in column a", key "1")
    refused(images(s.text("a"), s.text("b"):not_null(), s.text("c"):not_null()),
      "2 rows would have no value in the new column c, which has no default")
    db:apply(images(s.text("a"), s.text("b"):not_null(), s.text("c"):not_null():default("d")))
    assert.are.same({ "d", "d" }, db:column "select c from images")
  end)

  it("refuses a check and a reference that rows break", function()
    db:apply(images(s.real("score"), s.integer("folder_id")))
    db:run "insert into images(score, folder_id) values (1, 1), (11, null), (null, 7)"
    refused(images(s.real("score"):check("score < 10"), s.integer("folder_id")),
      "1 row breaks the check images_score_check", key "2")
    refused(images(s.real("score"), s.integer("folder_id"):references("images")),
      "1 row has a value in folder_id that table images does not have", key "3")
  end)

  it("refuses all at once", function()
    db:apply(images(s.text("a"), s.text("b")))
    db:run "insert into images(a, b) values (null, 'x')"
    refused(images(s.text("a"):not_null(), s.integer("b")), "2 reasons", "column a", "column b")
  end)

  -- ---- names -----------------------------------------------------------------------------

  it("swaps the names of columns", function()
    db:apply(images(s.text("a"), s.text("b"), s.index { "a" }))
    db:run "insert into images(a, b) values ('1', '2')"
    local renames = { ["images.a"] = "images.b", ["images.b"] = "images.a" }
    db:apply(images(s.text("a"), s.text("b"), s.index { "b" }), { renames = renames })
    assert.are.same({ id = 1, a = "2", b = "1" }, db:row "select * from images")
  end)

  it("renames in a circle, tables as well as columns", function()
    local function of(name, column) return s.table(name, { s.id(), s.text(column) }) end
    db:apply(s.define { of("a", "x"), of("b", "x"), of("c", "x") })
    for _, name in ipairs { "a", "b", "c" } do db:insert(name, { x = "was " .. name }) end
    local new = s.define { of("a", "y"), of("b", "x"), of("c", "x") }
    db:apply(new, { renames = { a = "b", b = "c", c = "a", ["c.x"] = "a.y" } })
    assert.are.equal("was c", db:value "select y from a")
    assert.are.equal("was a", db:value "select x from b")
    assert.are.equal("was b", db:value "select x from c")
    is_made(new)
  end)

  it("renames what differs in its capitals only", function()
    db:apply(s.define {
      s.table("Images", { s.id(), s.text("Path"):unique() }),
      s.table("tags", { s.integer("image_id"):references("Images") }),
    })
    db:insert("Images", { Path = "a" })
    local new = s.define {
      s.table("images", { s.id(), s.text("path"):unique() }),
      s.table("tags", { s.integer("image_id"):references("images") }),
    }
    local plan = db:apply(new)
    assert.are.equal("renames table Images to images\nrenames column Path of images to path",
      (tostring(plan):gsub("\nrebuilds.*", "")))
    assert.are.same({ id = 1, path = "a" }, db:row "select * from images")
    is_made(new)
  end)

  it("renames a table with all that speaks of it", function()
    db:apply(s.define {
      s.table("pictures", { s.id(), s.text("name"):index(), s.search { "name" } }),
      s.table("tags", { s.integer("picture_id"):references("pictures") }),
    })
    db:run "insert into pictures(name) values ('sunset')"
    db:run "insert into tags values (1)"
    local new = s.define {
      s.table("images", { s.id(), s.text("path"):index(), s.search { "path" } }),
      s.table("tags", { s.integer("image_id"):references("images") }),
    }
    db:apply(new, { renames = {
      pictures = "images", ["pictures.name"] = "images.path", ["tags.picture_id"] = "tags.image_id",
    } })
    is_made(new)
    if on_sqlite then
      assert.are.equal(1, db:value "select rowid from images_search('sunset')")
    end
    assert.are.equal(1, db:value "select image_id from tags")
  end)

  -- ---- transactions ----------------------------------------------------------------------

  it("refuses a plan that is out of date", function()
    db:apply(images(s.text("a")))
    local plan = db:diff(images(s.integer("a")))
    db:exec "alter table images add column b text"
    local err = errors.expect("migration", db.apply, db, plan)
    errors.mentions(err, "was changed since", "db:diff")
    assert.are.same({ "id", "a", "b" }, column_names(db:schema():table("images")))
  end)

  it("plans again where somebody was quicker", function()
    local one = engine.database "create table t(a {integer})"
    local other, done = engine.open(), false
    one:trace(function()
      if not done then other:apply(images()) end
      done = true
    end)
    local plan = one:apply(images(s.text("a")))
    one:trace(nil)
    assert.is_true(done)
    assert.is_truthy(tostring(plan):find("adds column a of images", 1, true))
    assert.are.same({ "images", "t" }, one:tables())
  end)

  it("is whole or not at all", function()
    db:apply(s.define { s.table("a", { s.text("x") }), s.table("b", { s.text("x") }) })
    db:run "insert into b values ('z')"
    refused(s.define {
      s.table("a", { s.integer("x") }), s.table("b", { s.integer("x") }), s.table("c", { s.id() }),
    }, "table b: 1 row")
  end)

  it("is made within a change that is open", function()
    db:apply(images(s.text("a")))
    db:run "insert into images(a) values ('5'), ('x')"
    change.run(db, { touched = { "images" } }, function()
      errors.expect("migration", db.apply, db, images(s.integer("a")))
      db:run "delete from images where a = 'x'"
      db:apply(images(s.integer("a")))
    end)
    assert.are.equal(5, db:value "select a from images")
  end)

  it("can be used at once by what was prepared before", function()
    db:apply(images(s.text("a")))
    db:insert("images", { a = "1" })
    local statement <close> = db:prepare "select * from images"
    assert.are.same({ { id = 1, a = "1" } }, statement:all())
    db:apply(images(s.integer("a"), s.text("b"):default("x")))
    assert.are.same({ { id = 1, a = 1, b = "x" } }, statement:all())
    db:insert("images", { a = 2, b = "y" })
    assert.are.equal("y", db:value "select b from images where id = 2")
  end)
end)

describe("a changed schema in SQLite", function()
  fixture.clean_up()

  local db
  before_each(function() db = fixture.memory() end)

  --- Insists that a change is refused with these words, and changes nothing.
  local function refused(schema, ...)
    local before, data = db:schema(), {}
    for _, name in ipairs(db:tables()) do data[name] = db:all('select * from "' .. name .. '"') end
    local err = errors.expect("migration", db.apply, db, schema)
    errors.mentions(err, ...)
    assert.is_true(db:schema() == before)
    for name, all in pairs(data) do
      assert.are.same(all, db:all('select * from "' .. name .. '"'))
    end
    assert.is_false(db:in_transaction())
    assert.are.equal(1, db:value "pragma foreign_keys")
    assert.are.equal(0, db:value "pragma legacy_alter_table")
    return err
  end

  -- ---- rows that do not fit --------------------------------------------------------------

  it("takes over values into any type that they are values of, and no others", function()
    local decimal = { precision = 10, scale = 2 }
    local function integer() return s.integer("v") end
    local function real() return s.real("v") end
    local function text() return s.text("v") end
    local function price() return s.decimal("v", decimal) end
    local function boolean() return s.boolean("v") end
    local function blob() return s.blob("v") end
    local function other(declared) return function() return s.column("v", declared) end end
    for _, case in ipairs {
      { integer, real, { 1, 1.0, -5, -5.0 }, bad = { (1 << 53) + 1, math.mininteger } },
      { integer, text, { 12, "12" } },
      { integer, boolean, { 1, true, 0, false }, bad = { 2 } },
      { integer, price, { 12, "12.00" }, bad = { math.maxinteger } },
      { integer, blob, {}, bad = { 1 } },
      { integer, other "VARCHAR(30)", { 12, "12" } },
      { real, integer, { 2.0, 2 }, bad = { 2.5, 1e300 } },
      { real, text, { 2.5, "2.5" }, bad = { 0.1 + 0.2 } },
      { real, price, { 1.1, "1.10", -0.05, "-0.05" }, bad = { 1.234, 1e17 } },
      { real, other "TEXT", { 2.5, "2.5" }, bad = { 0.1 + 0.2 } },
      { text, integer, { "12", 12, "-3", -3 }, bad = { "007", "1.0", "x", "", "1 " } },
      { text, real, { "1.5", 1.5, "2", 2.0 }, bad = { "1.50", "x", "9007199254740993" } },
      { text, price, { "1.50", "1.50", "-0.05", "-0.05" }, bad = { "1.5", "x", "1e3" } },
      { text, blob, { "ab", "ab" } },
      { text, boolean, {}, bad = { "1" } },
      { text, other "NUMERIC", { "12", 12, "ab", "ab" },
        bad = { "007", " 1", "\v1", "1\f", "1e3" } },
      { text, other "DOUBLE", { "1.5", 1.5, "ab", "ab" }, bad = { "007" } },
      { text, other "", { "007", "007" } },
      { price, integer, { "3.00", 3 }, bad = { "3.01" } },
      { price, other "NUMERIC(10, 2)", { "3.25", 3.25 } },
      { price, blob, {}, bad = { "3.25" } },
      { boolean, integer, { true, 1, false, 0 } },
      { boolean, text, {}, bad = { true } },
      { blob, text, {}, bad = { tuff.blob "ab" } },
      { other "", text, { "ab", "ab", 5, "5" }, bad = { tuff.blob "ab" } },
      { other "", blob, { "ab", "ab" }, bad = { 5 } },
      { other "NUMERIC", price, { 5, "5.00", 2.5, "2.50" }, bad = { "ab" } },
    } do
      local good = case[3]
      for i = 1, #good, 2 do
        local one <close> = tuff.open(":memory:")
        one:apply(images(case[1]()))
        one:insert("images", { v = good[i] })
        one:insert("images", { v = tuff.null })
        one:apply(images(case[2]()))
        local value = one:value "select v from images where id = 1"
        assert.are.equal(good[i + 1], value)
        assert.are.equal(math.type(good[i + 1]), math.type(value))
        assert.are.equal(0, one:value "select count(v) from images where id = 2")
      end
      for _, bad in ipairs(case.bad or {}) do
        local one <close> = tuff.open(":memory:")
        one:apply(images(case[1]()))
        one:insert("images", { v = bad })
        local err = errors.expect("migration", one.apply, one, images(case[2]()))
        errors.mentions(err, "column v", "rowid 1")
      end
    end
  end)

  it("converts decimals exactly, or not at all", function()
    local function schema(precision, scale)
      return images(s.decimal("price", { precision = precision, scale = scale }))
    end
    db:apply(schema(10, 2))
    db:insert_many("images", { { price = "12.30" }, { price = "-0.05" }, { price = tuff.null } })
    db:apply(schema(12, 4))
    assert.are.same({ "12.3000", "-0.0500", tuff.null }, db:column "select price from images")
    refused(schema(5, 1), "1 row would lose its value in column price", "rowid 2")
    db:apply(images(s.text("price")))
    assert.are.same({ "12.3000", "-0.0500", tuff.null }, db:column "select price from images")
    db:apply(schema(12, 4))
    db:apply(images(s.real("price")))
    assert.are.same({ 12.3, -0.05, tuff.null }, db:column "select price from images")
    db:apply(schema(8, 2))
    assert.are.same({ "12.30", "-0.05", tuff.null }, db:column "select price from images")
  end)

  -- ---- names -----------------------------------------------------------------------------

  it("adds to what differs in its capitals only, and leaves its name", function()
    db:exec [[
      create table Folders(Id integer primary key);
      create table Images(Id integer primary key, Folder_id bigint references Folders(Id));
      insert into Folders values (1);
      insert into Images values (1, 1)]]
    local schema = s.define {
      s.table("folders", { s.id(), s.text("path") }),
      s.table("images", {
        s.id(), s.integer("folder_id"):references("folders"), s.text("name"):index(),
      }),
    }
    db:apply(schema, { add_only = true })
    assert.are.same({ "Folders", "Images" }, db:tables())
    assert.are.same({ "Id", "Folder_id", "name" }, db:prepare("select * from images"):names())
    assert.are.equal(1, #db:schema():table("Images").indexes)
    assert.are.equal("nothing to change", tostring(db:diff(schema, { add_only = true })))
    db:apply(schema)
    assert.are.same({ "folders", "images" }, db:tables())
    assert.are.equal(1, db:value "select folder_id from images")
    assert.is_true(db:schema() == schema)
  end)

  it("changes single tables, and leaves all others as they are", function()
    db:exec [[
      create table Images(id integer primary key, name);
      create table entries(image_id bigint);
      insert into Images values (1, 'a');
      insert into entries values (1)]]
    local schema = s.define {
      s.table("images", { s.id(), s.text("name") }),
      s.table("entries", { s.integer("image_id"):references("images") }),
      s.table("tags", { s.id() }),
      s.view("names", "select name from images"),
    }
    db:apply(schema, { only = { "entries" } })
    assert.are.same({ "Images", "entries" }, db:tables())
    assert.are.equal("other", db:schema():table("Images").columns[2].type)
    assert.are.equal(1, #db:schema():table("entries").foreign_keys)
    assert.are.equal(1, db:value "select image_id from entries")
    db:apply(schema, { only = { "tags" } })
    assert.are.same({ "Images", "entries", "tags" }, db:tables())
    local err = errors.expect("misuse", db.apply, db, schema, { only = { "tag" } })
    errors.mentions(err, 'table tag is not declared', "tags")
  end)

  -- ---- what belongs to a table -----------------------------------------------------------

  it("keeps triggers: its own, those of others, those on views, and TEMP ones", function()
    local function schema(type)
      return s.define {
        s.table("log", { s.text("line") }),
        s.table("other", { s.integer("n") }),
        s.table("images", { s.id(), s[type]("a") }),
        s.view("all_images", "select id, a from images"),
        s.view("first_images", "select * from all_images where id < 5"),
        s.trigger("own", { after = "insert", on = "images",
          run = "insert into log values ('own')" }),
        s.trigger("others", { after = "insert", on = "other",
          run = "insert into images(a) values (new.n)" }),
        s.trigger("on_view", { instead_of = "insert", on = "all_images",
          run = "insert into images(a) values (new.a)" }),
      }
    end
    db:apply(schema "text")
    db:exec [[create temp trigger mine after insert on images begin
      insert into log values ('temp'); end;
      create temp trigger mine_too instead of insert on first_images begin
      insert into log values ('temp view'); end]]
    db:apply(schema "integer")
    assert.is_true(db:schema() == schema "integer")
    db:run "insert into other values (7)"
    db:run "insert into all_images(a) values (8)"
    db:run "insert into first_images(a) values (9)"
    assert.are.same({ 7, 8 }, db:column "select a from first_images")
    assert.are.same({ "own", "own", "temp", "temp", "temp view" },
      db:column "select line from log order by line")
  end)

  it("changes views on views, and keeps the triggers on them", function()
    local function schema(column)
      return s.define {
        s.table("images", { s.id(), s.text("a"), s.text("b") }),
        s.view("x", ("select id, %s as c from images"):format(column)),
        s.view("y", "select c from x"),
        s.trigger("on_x", { instead_of = "insert", on = "x",
          run = "insert into images(a) values (new.c)" }),
      }
    end
    db:apply(schema "a")
    db:exec "create temp trigger mine instead of delete on x begin select 1; end"
    db:run "insert into images(a, b) values ('1', '2')"
    assert.are.same({ "changes view x" }, { tostring(db:apply(schema "b")) })
    assert.are.equal("2", db:value "select c from y")
    db:run "insert into x(c) values ('5')"
    db:run "delete from x"
    assert.are.equal("5", db:value "select a from images where id = 2")
    assert.is_true(db:schema() == schema "b")
  end)

  it("keeps all forms of indexes, rowids, and the ids that were given", function()
    local function schema(type)
      return s.define { s.table("images", {
        s.id(), s[type]("a"), s.text("path"):unique(), s.json("data"),
        s.index { "a", s.desc "path" }, s.index { s.expr "lower(path)", where = "a > 0" },
        s.json_index("data.x"), s.index { s.collate("path", "nocase"), unique = true },
      }), s.table("plain", { s[type]("a") }) }
    end
    db:apply(schema "text")
    for i = 1, 5 do
      db:insert("images", { a = tostring(i), path = "p" .. i, data = { x = i } })
      db:run("insert into plain values (?)", tostring(i))
    end
    db:run "delete from images where id in (1, 5)"
    db:run "delete from plain where rowid in (1, 5)"
    db:apply(schema "integer")
    assert.is_true(db:schema() == schema "integer")
    assert.are.same({ 2, 3, 4 }, db:column "select id from images order by id")
    assert.are.same({ 2, 3, 4 }, db:column "select rowid from plain order by rowid")
    assert.are.equal(6, db:insert("images", { a = 1 }))
    assert.are.equal("ok", db:value "pragma integrity_check")
  end)

  it("keeps the rowid in every form that a key can have", function()
    db:exec "create table t(a text, oid text); insert into t(rowid, a) values (5, 'x'), (9, 'y')"
    db:apply(s.define { s.table("t", { s.id(), s.text("a"), s.text("oid") }) })
    assert.are.same({ 5, 9 }, db:column "select id from t order by id")
    db:apply(s.define { s.table("t", { s.text("a"), s.text("oid") }) },
      { allow_drop = { "t.id" } })
    assert.are.same({ "5x", "9y" }, db:column "select rowid || a from t order by rowid")
    db:apply(s.define { s.table("t", {
      s.text("a"):primary_key(), s.text("oid"), without_rowid = true,
    }) })
    assert.are.same({ "x", "y" }, db:column "select a from t order by a")
  end)

  it("makes full-text search anew where what is searched gets another name", function()
    db:apply(images(s.text("name"), s.search { "name" }))
    db:run "insert into images(name) values ('sunset')"
    local new = images(s.text("path"), s.search { "path" })
    db:apply(new, { renames = { ["images.name"] = "images.path" } })
    assert.is_true(db:schema() == new)
    assert.are.equal(1, db:value "select rowid from images_search('path : sunset')")
  end)

  it("keeps what is known of the values, or learns it again", function()
    local function schema(type, ...)
      return images(s[type]("a"), s.text("b"):index(), ...)
    end
    db:apply(schema "text")
    for i = 1, 20 do db:insert("images", { a = tostring(i), b = "x" .. i % 3 }) end
    db:exec "analyze"
    local query = "select tbl, idx, stat from sqlite_stat1 order by idx"
    local known = rows(db, query)
    db:apply(schema("text", s.check "a <> ''"))
    assert.are.same(known, rows(db, query))
    db:apply(schema("text", s.check "a <> ''", s.text("c"), s.check "c <> ''",
      s.index { "a" }))
    assert.are.equal(2, #rows(db, query))
  end)

  it("keeps what is known of the values of a table that gets another name", function()
    local function schema(name)
      return s.define { s.table(name, {
        s.id(), s.text("a"):unique(), s.text("b"):index { name = "by_b" },
      }) }
    end
    db:apply(schema "pictures")
    for i = 1, 20 do db:insert("pictures", { a = tostring(i), b = "x" .. i % 3 }) end
    db:exec "analyze"
    db:apply(schema "images", { renames = { pictures = "images" } })
    assert.are.same({ "images by_b 20 7", "images sqlite_autoindex_images_1 20 1" },
      db:column "select tbl || ' ' || idx || ' ' || stat from sqlite_stat1 order by idx")
  end)

  it("keeps full-text search, and reads it again where texts have changed", function()
    local function schema(type, ...)
      return images(s[type]("n"), s.text("path"), s.search { "path" }, ...)
    end
    db:apply(schema "text")
    db:run "insert into images(n, path) values ('1', 'sunset'), ('2', 'beach')"
    db:apply(schema "integer")
    local function found(text)
      return db:column("select rowid from images_search where images_search match ?", text)
    end
    assert.are.same({ 2 }, found "beach")
    db:run "update images set path = 'dawn' where id = 2"
    assert.are.same({ 2 }, found "dawn")
    db:run "insert into images_search(images_search, rank) values ('integrity-check', 1)"
    db:apply(images(s.integer("n"), s.text("path"), s.text("more"):default("none"),
      s.search { "path", "more" }))
    assert.are.same({ 1, 2 }, found "none")
    db:apply(images(s.integer("n"), s.text("path"), s.text("more"):default("none")))
    assert.are.same({ "images" }, db:tables())
  end)

  it("leaves generated columns to be computed again", function()
    db:apply(images(s.text("a"), s.text("b"):generated("a || '1'", { stored = true }),
      s.text("c"):generated("b || '2'")))
    db:run "insert into images(a) values ('x')"
    db:apply(images(s.text("a"):not_null(), s.text("b"):generated("a || '3'", { stored = true }),
      s.text("c"):generated("b || '2'"), s.text("d"):generated("c || '4'")))
    assert.are.same({ id = 1, a = "x", b = "x3", c = "x32", d = "x324" },
      db:row "select * from images")
    db:apply(images(s.text("a"):not_null(), s.text("c")), { allow_drop = { "images.b" } })
    assert.are.equal("x32", db:value "select c from images")
    refused(images(s.text("a"):not_null(), s.text("c"):generated("a")),
      "images.c would be computed")
  end)

  for number, script in ipairs(odd_schemas) do
    it(("of odd script %d stays when all its tables are built anew"):format(number), function()
      local odd <close> = tuff.open(":memory:", { legacy_quotes = true })
      core.own(odd) -- a script may make tables as tuff's own
      odd:exec(script)
      local have = odd:schema()
      if have:table "" then return errors.expect("misuse", odd.diff, odd, have) end
      assert.are.same({}, odd:diff(have).changes)
      local want = model.copy(have)
      for _, of in ipairs(want.tables) do of.comment = "Anew" end
      local plan = odd:apply(want)
      assert.are.equal(#want.tables, #plan.rebuilt)
      assert.is_true(odd:schema() == want)
      assert.are.equal("ok", odd:value "pragma integrity_check")
    end)
  end

  -- ---- what is broken --------------------------------------------------------------------

  it("refuses to drop a column that a trigger or a view still names", function()
    local function schema(...)
      return s.define {
        s.table("images", { s.id(), ... }), s.table("log", { s.text("line") }),
        s.trigger("watch", { after = "insert", on = "log", run = "update images set a = 1" }),
      }
    end
    db:apply(schema(s.text("a"), s.text("b")))
    local err = errors.expect("migration", db.apply, db, schema(s.text("b")),
      { allow_drop = { "images.a" } })
    errors.mentions(err, "log", "no such column: a")
    assert.is_true(db:schema() == schema(s.text("a"), s.text("b")))
  end)

  it("names what is broken already before anything starts", function()
    db:apply(images(s.text("a"), s.text("b")))
    db:exec "create table other(x); create view elsewhere as select y from other"
    local err = errors.expect("migration", db.apply, db, images(s.text("a")),
      { allow_drop = { "images.b" } })
    errors.mentions(err, "view elsewhere", "no such column: y")
    err = errors.expect("migration", db.diff, db, images(s.text("a"), s.text("c")),
      { renames = { ["images.b"] = "images.c" } })
    errors.mentions(err, "view elsewhere")
    db:apply(images(s.integer("a"), s.text("b")))
    assert.are.equal("other", db:diff(images(s.integer("a"), s.text("b"))).unmanaged[1].name)
  end)

  it("names a collation that a table needs and nobody has defined", function()
    local path = fixture.database "create table other(a)"
    local function schema(type)
      return images(s.text("a"):collate("natural"):index(), s[type]("b"))
    end
    local one = fixture.open(path)
    one:define_collation("natural", function(a, b) return a < b and -1 or a > b and 1 or 0 end)
    one:apply(schema "text")
    one:close()
    db = fixture.open(path)
    refused(schema "integer", "natural", "define_collation")
  end)

  it("refuses a table that a TEMP one hides", function()
    db:apply(images(s.text("a")))
    db:exec "create temp table images(x)"
    local err = errors.expect("migration", db.apply, db, images(s.integer("a")))
    errors.mentions(err, "TEMP")
  end)

  -- ---- transactions ----------------------------------------------------------------------

  it("takes part in an open transaction as far as foreign keys allow it", function()
    db:apply(images(s.text("a")))
    db:transaction(function()
      db:apply(images(s.text("a"), s.text("b"):index()))
      local err = errors.expect("migration", db.apply, db, images(s.integer("a"), s.text("b")))
      errors.mentions(err, "table images has to be built anew", "outside of the transaction")
      err = errors.expect("migration", db.apply, db, s.define {},
        { allow_drop = { "images" } })
      errors.mentions(err, "a table is dropped")
    end)
    assert.is_true(db:schema() == images(s.text("a"), s.text("b"):index()))
    pcall(db.transaction, db, function()
      db:apply(images(s.text("a"), s.text("b"):index(), s.text("c")))
      error "no"
    end)
    assert.is_true(db:schema() == images(s.text("a"), s.text("b"):index()))
  end)

  it("leaves everything as it was when it is interrupted", function()
    db:apply(images(s.text("a")))
    db:run [[insert into images(a) with recursive n(i) as (select 1 union all select i + 1 from n
      where i < 300000) select i from n]]
    db:progress(function() return false end, { every = 20 })
    local err = errors.expect("interrupted", db.apply, db, images(s.integer("a"):index()))
    db:progress(nil)
    assert.is_false(db:in_transaction())
    assert.are.equal("interrupted", err.code)
    assert.is_true(db:schema() == images(s.text("a")))
    assert.are.equal(1, db:value "pragma foreign_keys")
    assert.are.equal(0, db:value "pragma legacy_alter_table")
    assert.are.equal(300000, db:value "select count(*) from images")
  end)

  it("is kept in a file", function()
    local path, file = fixture.database "create table images(id integer primary key, a text)"
    file:run "insert into images(a) values ('1')"
    file:apply(s.define { s.table("images", { s.integer("id"):primary_key(), s.integer("a") }) })
    file:close()
    assert.are.equal(1, fixture.open(path):value "select a from images")
  end)
end)
