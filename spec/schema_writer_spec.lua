local s = require "tuff.schema"
local fixture = require "spec.support.fixture"
local sqlite = require "tuff.schema.sqlite"

local declaration = [==[
local s = require "tuff.schema"

return s.define {
  s.table("folders", {
    s.id(),
    s.text("path"):not_null():unique(),
    s.text("name"):unique { name = "names", on_conflict = "ignore" }:comment([[It's "the" name]]),
    comment = "Where images lie",
  }),
  s.table("images", {
    s.id("image_id"),
    s.text("path", { max_length = 4096 })
      :not_null()
      :unique()
      :default("a\tb")
      :collate("nocase")
      :check("path <> ''")
      :index { name = "by_path", where = "path > 'a'" },
    s.integer("folder_id")
      :references("folders", { on_delete = "cascade", deferrable = true })
      :index(),
    s.text("folder"):references("folders", { columns = { "path" }, on_update = "set null" }),
    s.decimal("price", { precision = 10, scale = 2, checked = true }):default("1.50"),
    s.timestamp("created_at"):default(s.now),
    s.enum("state", { "open", "it's done" }):default("open"),
    s.column("other", "VARCHAR(30)"):default(s.expr("1 + 1")),
    s.column("untyped"):default(-0.5),
    s.json("workflow"):default([[{"a":"it's"}]]),
    s.blob("thumbnail"):default("\000\255x"),
    s.text("path_lower"):generated("lower(path)", { stored = true }),
    s.unique { "folder_id", s.collate("path", "rtrim"), name = "both" },
    s.check("untyped > 0 or other is null", { name = "sane" }),
    s.index { "folder_id", s.desc("created_at"), unique = true },
    s.index { s.expr("lower(path)"), s.path("workflow.nodes[0].type"), where = "untyped" },
    s.index { s.path { "workflow", "a.b" } },
    s.index {
      s.expr("lower(folder)"),
      s.collate("path", "rtrim"),
      name = "an index with a name that is long enough",
      where = "path > 'a'",
    },
    s.search { "path", "path_lower", tokenize = "porter", prefix = { 2, 3 } },
  }),
  s.table("tags", {
    s.text("a"):not_null { on_conflict = "ignore" },
    s.text("b"),
    s.integer("c"):index(),
    s.primary_key { "a", s.desc("b") },
    without_rowid = true,
    checks = true,
  }),
  s.virtual_table("boxes", "rtree", "id, low, high"),
  s.view("favorites", [[
select *
  from images]]),
  s.view("good", "select 1", { columns = { "x" } }),
  s.trigger("touch", {
    after = "update",
    of = { "path" },
    on = "images",
    when = "new.path > 'x'",
    run = "insert into tags(a, b) values ('x', 'y'); select 2",
  }),
}
]==]

describe("a schema written as Lua", function()
  fixture.clean_up()

  it("is the script that declares it", function()
    local schema = load(declaration)()
    local script, left_out = schema:to_lua()
    assert.are.same({}, left_out)
    assert.are.equal(declaration, script)
    assert.is_true(load(script)() == schema)
    local db = fixture.memory()
    sqlite.create(db, schema)
    assert.are.equal(script, (db:schema():to_lua()))
  end)

  it("quotes what must be quoted", function()
    for _, text in ipairs {
      "a\\b", "a]]b", "]", "a\nb]", "a\rb\n", "\"'", "'\"\n]=]", "a\tb", "\\", "]]\n", "\n\nx",
    } do
      local schema = s.define { s.table("t", { s.text("a"):default(text) }) }
      assert.is_true(load((schema:to_lua()))() == schema, text)
    end
  end)

  it("leaves out what cannot be declared, and says so", function()
    local db = fixture.memory [[
      create table a(id integer primary key, x integer references missing, y text references b(z));
      create table b(z text); create table "tuffless"(q unique)]]
    local script, left_out = db:schema():to_lua()
    assert.are.same({
      { kind = "foreign key", name = "a_x_fkey", table = "a",
        reason = "table a refers to table missing, which is not declared" },
      { kind = "foreign key", name = "a_y_fkey", table = "a",
        reason = "several rows of table b may have the same z, to which a foreign key refers" },
    }, left_out)
    assert.are.equal([[
local s = require "tuff.schema"

return s.define {
  s.table("a", {
    s.integer("id"):primary_key(),
    s.integer("x"),
    s.text("y"),
  }),
  s.table("b", {
    s.text("z"),
  }),
  s.table("tuffless", {
    s.column("q"):unique(),
  }),
}

-- Left out: foreign key a_x_fkey of a: table a refers to table missing, which is not declared

-- Left out: foreign key a_y_fkey of a: several rows of table b may have the same z, to which a ]]
      .. "foreign key refers\n", script)
  end)
end)

describe("a schema drawn", function()
  it("shows tables, columns and references", function()
    local schema = s.define {
      s.table("folders", { s.id(), s.text("path", { max_length = 40 }):unique() }),
      s.table("image tags", {
        s.integer("folder_id"):not_null():references("folders"):comment('Where "it" lies'),
        s.integer("copy of"):unique():references("folders"),
        s.decimal("price", { precision = 5, scale = 2 }),
        s.column("any"),
        s.column("kind", "VARCHAR(30)"),
        s.integer("self"):references("image tags", { columns = { "folder_id" } }),
        s.primary_key { "folder_id" },
      }),
    }
    assert.are.equal([[
erDiagram
  "folders" {
    id id PK
    text(40) path UK
  }
  "image tags" {
    integer folder_id PK, FK "Where 'it' lies"
    integer copy_of FK, UK "copy of"
    decimal(5_2) price
    any any
    VARCHAR(30) kind
    integer self FK
  }
  "folders" ||--o| "image tags" : "folder_id"
  "folders" |o--o| "image tags" : "copy of"
  "image tags" |o--o{ "image tags" : "self"
]], schema:to_mermaid())
  end)
end)
