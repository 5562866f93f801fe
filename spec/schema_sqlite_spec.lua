local tuff = require "tuff"
local s = require "tuff.schema"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local sqlite = require "tuff.schema.sqlite"

--- A new database with a table t of these columns and constraints.
local function made(...)
  local db = fixture.memory()
  sqlite.create(db, s.define { s.table("t", { ... }) })
  return db
end

describe("a schema in SQLite", function()
  fixture.clean_up()

  it("is made by statements that say what was declared, and read well", function()
    local schema = s.define {
      s.table("folders", { s.id(), s.text("path"):not_null():unique() }),
      s.table("images", {
        s.id(),
        s.text("path", { max_length = 4096 }):not_null():unique(),
        s.integer("folder_id"):references("folders", { on_delete = "cascade" }):index(),
        s.real("score"):check("score between 0 and 10"),
        s.boolean("favorite"):not_null():default(false):comment("Of mine"),
        s.decimal("price", { precision = 10, scale = 2 }):default("1.5"),
        s.timestamp("created_at"):default(s.now),
        s.enum("state", { "open", "done" }),
        s.text("path_lower"):generated("lower(path)"),
        s.index { s.expr "lower(path)", where = "favorite" },
        s.unique { "folder_id", "path" },
      }),
      s.table("tags", { s.text("name"):primary_key(), s.json("data"), without_rowid = true }),
      s.view("favorites", "select * from images where favorite"),
    }
    assert.are.same({
      [[
CREATE TABLE "folders" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "path" TEXT NOT NULL UNIQUE
)]], [[
CREATE TABLE "images" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "path" TEXT NOT NULL UNIQUE CONSTRAINT "images_path_length" CHECK (length("path") <= 4096),
  "folder_id" INTEGER REFERENCES "folders" ("id") ON DELETE CASCADE,
  "score" REAL CONSTRAINT "images_score_check" CHECK (score between 0 and 10),
  "favorite" /* Of mine */ BOOLEAN INTEGER NOT NULL DEFAULT FALSE,
  "price" DECIMAL INTEGER(10,2) DEFAULT 150 CONSTRAINT "images_price_range" CHECK ("price" ]]
        .. [[BETWEEN -9999999999 AND 9999999999),
  "created_at" TIMESTAMP TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  "state" TEXT CONSTRAINT "images_state_values" CHECK ("state" = 'open' OR "state" = 'done'),
  "path_lower" TEXT GENERATED ALWAYS AS (lower(path)) VIRTUAL,
  UNIQUE ("folder_id", "path")
)]], [[
CREATE TABLE "tags" (
  "name" TEXT PRIMARY KEY NOT NULL,
  "data" JSON TEXT
) WITHOUT ROWID]],
      'CREATE INDEX "images_folder_id_idx" ON "images" ("folder_id")',
      'CREATE INDEX "images_lower_path_idx" ON "images" (lower(path)) WHERE favorite',
      'CREATE VIEW "favorites" AS select * from images where favorite',
    }, sqlite.statements(schema))
  end)

  it("takes dates and UUIDs in their one form only", function()
    local db = made(s.id(), s.date("day"), s.uuid("uuid"))
    local uuid = "00000000-0000-1e50-8000-00000000000a"
    db:insert("t", { day = "2024-02-29", uuid = uuid })
    for _, wrong in ipairs { "2026-02-29", "2026-2-1", "2026-11-21T10:00:00", "today", 5 } do
      errors.expect("type", db.insert, db, "t", { day = wrong })
    end
    for _, wrong in ipairs { uuid:upper(), uuid .. "0", (uuid:gsub("-", "")), "{" .. uuid .. "}",
      "", 5 } do
      errors.expect("type", db.insert, db, "t", { uuid = wrong })
    end
    assert.are.equal("2024-02-29", db:value("select day from t where day < ?", "tomorrow"))
    assert.is_nil(db:value("select id from t where uuid = ?", uuid:upper()))
  end)

  --- Insists that SQL is refused by the check of this name.
  local function checked(name, db, ...)
    local err = errors.expect("constraint", db.run, db, ...)
    assert.are.equal("check", err.constraint)
    assert.are.equal(name, err.constraint_name)
  end

  it("checks the type of every value where that is asked for", function()
    local types = {
      integer = { 1, -1, bad = { "'x'", "1.5", "x'00'" } },
      real = { 1.5, 1.0, bad = { "'x'", "x'00'" } },
      text = { "x", "", bad = { "x'00'" } },
      blob = { tuff.blob "x", bad = { "'x'", "1" } },
      boolean = { true, false, bad = { "2", "'x'" } },
      json = { { 1 }, {}, bad = { "'{'", "'x'" } },
      uuid = { "0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f",
        bad = { "'x'", "upper('0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f')",
          "cast('0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f' as blob)" } },
      date = { "2024-02-29", bad = { "'2023-02-29'", "'2023-13-01'", "'now'", "20230101",
        "'2023-01-01 '", "cast('2024-02-29' as blob)" } },
      timestamp = { "2026-11-21T23:59:59.999999Z", "2024-02-29T00:00:00.000000Z",
        bad = { "'2026-02-29T00:00:00.000000Z'", "'2026-01-01T24:00:00.000000Z'", "'now'",
          "'2026-01-01T00:00:00.000Z'", "'2026-13-01T00:00:00.000000Z'" } },
    }
    for kind, values in pairs(types) do
      local db = made(s.id(), s[kind]("v"))
      local strict = fixture.memory()
      sqlite.create(strict, s.define { s.table("t", { s.id(), s[kind]("v"), checks = true }) })
      strict:insert("t", { v = tuff.null })
      for _, value in ipairs(values) do strict:insert("t", { v = value }) end
      for _, bad in ipairs(values.bad) do
        db:run("insert into t(v) values (" .. bad .. ")")
        checked("t_v_type", strict, "insert into t(v) values (" .. bad .. ")")
      end
    end
    local db = fixture.memory()
    sqlite.create(db, s.define { s.table("t", {
      s.id(), s.decimal("d", { precision = 4, scale = 2 }), s.integer("i", { checked = true }),
      s.integer("j"), checks = true,
    }) })
    checked("t_d_type", db, "insert into t(d) values (0.5)")
    checked("t_j_type", db, "insert into t(j) values (0.5)")
  end)

  it("finds texts, whatever happens to their rows", function()
    local db = made(s.id(), s.text("path"), s.text("name"):generated("lower(substr(path, 3))"),
      s.search { "path", "name", tokenize = "unicode61", prefix = { 2 } })
    local function found(text)
      return db:column("select rowid from t_search where t_search match ? order by rowid", text)
    end
    db:insert_many("t", { { path = "a/Sunset" }, { path = "a/Beach" }, { path = nil } })
    assert.are.same({ 1 }, found("sunset"))
    db:run("update t set path = 'b/Dawn' where id = 1")
    assert.are.same({}, found("sunset"))
    assert.are.same({ 1 }, found("name:dawn"))
    db:run("update t set id = 7 where id = 1")
    assert.are.same({ 7 }, found("dawn"))
    db:run("delete from t where id = 7")
    assert.are.same({}, found("dawn"))
    assert.are.same({ 2 }, found("be*"))
    db:run("insert into t_search(t_search, rank) values ('integrity-check', 1)")
    assert.are.same({ "t" }, db:tables())
  end)

  it("makes the search of a table that has rows already", function()
    local db = fixture.memory("create table t(id integer primary key, path text);"
      .. "insert into t(path) values ('one two')")
    local of = s.define {
      s.table("t", { s.integer("id"):primary_key(), s.text("path"), s.search { "path" } }),
    }.tables[1]
    for _, statement in ipairs(sqlite.ddl.search(of)) do db:exec(statement) end
    assert.are.equal(1, db:value("select rowid from t_search where t_search match 'two'"))
  end)

  it("finds rows by what their JSON holds, with an index", function()
    local db = made(s.id(), s.json("j"), s.json_index("j.nodes[0].type", { name = "by_type" }),
      s.index { s.path { "j", "a b" }, unique = true })
    db:insert("t", { j = { nodes = { { type = "vae" } }, ["a b"] = 1 } })
    local expression = sqlite.path("j", { "nodes", 0, "type" })
    assert.are.equal([[json_extract("j", '$.nodes[0].type')]], expression)
    local sql = "select id from t where " .. expression .. " = ?"
    assert.are.equal(1, db:value(sql, "vae"))
    assert.is_truthy(db:row("explain query plan " .. sql, "vae").detail:find("by_type", 1, true))
    errors.expect("constraint", db.insert, db, "t", { j = { ["a b"] = 1 } })
  end)

  it("makes a column that can be added to a table with all that is of it", function()
    local db = fixture.memory("create table t(id integer primary key)")
    local wanted = s.define { s.table("t", {
      s.integer("id"):primary_key(),
      s.text("a", { max_length = 5 }):not_null():default("x"):check("a <> ''"):comment("Of all"),
      s.integer("r"):references("t"),
    }) }
    for i = 2, 3 do
      db:exec('alter table "t" add column '
        .. sqlite.ddl.column(wanted.tables[1], wanted.tables[1].columns[i]))
    end
    assert.is_true(db:schema() == wanted)
  end)

  it("makes strict tables, and what they have room for", function()
    local db = made(s.id(), s.text("a", { max_length = 5 }), s.enum("e", { "x" }), s.blob("b"),
      s.column("n", "ANY"), s.integer("i"))
    local strict = fixture.memory()
    local schema = s.define { s.table("t", {
      s.id(), s.text("a", { max_length = 5 }), s.enum("e", { "x" }), s.blob("b"),
      s.column("n", "ANY"), s.integer("i"), strict = true,
    }) }
    sqlite.create(strict, schema)
    db:run("insert into t(i) values ('x')")
    errors.expect("type", strict.run, strict, "insert into t(i) values ('x')")
    assert.is_true(strict:schema() == schema)
  end)

  it("says what SQLite keeps of it", function()
    local schema = s.define { s.table("t", {
      s.id(),
      s.column("a", "integer"):default(s.expr "5"),
      s.json("j", { verbatim = true }),
      s.text("b"):collate("binary"),
      s.text("c"):collate("nocase"):default(s.expr "'x'"),
      s.timestamp("at"):default(s.expr "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"),
      s.index { s.expr "json_extract(j, '$.a')", s.collate("c", "NOCASE") },
      s.search { "c", language = "english" },
    }) }
    local db = fixture.memory()
    sqlite.create(db, schema)
    local read = db:schema()
    assert.is_false(read == schema)
    assert.is_true(read == sqlite.kept(schema))
    assert.is_true(sqlite.kept(read) == read)
  end)
end)
