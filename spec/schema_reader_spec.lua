local tuff = require "tuff"
local s = require "tuff.schema"
local core = require "tuff.core"
local create_table = require "tuff.schema.sqlite.create_table"
local fixture = require "spec.support.fixture"
local objects = require "tuff.schema.sqlite.objects"
local odd_schemas = require "spec.support.odd_schemas"
local property = require "spec.support.property"
local reader = require "tuff.schema.sqlite.reader"
local schemas = require "spec.support.schemas"
local sqlite = require "tuff.schema.sqlite"

local soak = os.getenv("TUFF_SOAK") == "1"

--- The schema of a database that a script has made, which may make tables as tuff's own.
local function read(script)
  local db <close> = tuff.open(":memory:", { legacy_quotes = true })
  core.own(db)
  db:exec(script)
  return db:schema()
end

--- The table t of such a schema.
local function read_table(script)
  local schema = read(script)
  assert.are.same({}, schema.unmanaged)
  return assert(schema:table("t"))
end

local first_difference, loaded = schemas.first_difference, schemas.loaded

describe("the schema that is read", function()
  fixture.clean_up()

  -- ---- single statements -----------------------------------------------------------------

  it("knows what belongs to the type of a column", function()
    local of = read_table [[create table t(
      id integer primary key autoincrement, a text check (length(a) <= 10),
      b text constraint t_b_values check (b = 'x' or b = 'it''s'), c text check(c in ('y', 'z')),
      d decimal integer(10, 2) check (d between -9999999999 and 9999999999),
      e decimal integer(10, 2), f boolean integer, g  json   text,
      h integer check (typeof(h) in ('integer', 'null')), i varchar(30), j)]]
    assert.are.same({
      { name = "id", type = "id", not_null = true },
      { name = "a", type = "text", max_length = 10 },
      { name = "b", type = "enum", values = { "x", "it's" } },
      { name = "c", type = "enum", values = { "y", "z" } },
      { name = "d", type = "decimal", precision = 10, scale = 2 },
      { name = "e", type = "other", declared = "decimal integer(10, 2)" },
      { name = "f", type = "boolean" },
      { name = "g", type = "json" },
      { name = "h", type = "integer", checked = true },
      { name = "i", type = "other", declared = "varchar(30)" },
      { name = "j", type = "other", declared = "" },
    }, of.columns)
    assert.are.same({}, of.checks)
  end)

  it("takes no check for a rule that was given a name of its own", function()
    local of = read_table [[create table t(a text constraint short check (length(a) <= 10),
      b text constraint t_b_check check (b in ('x')), c text check (length(c) <= 10 and c <> ''),
      d text check (length(c) <= 10), e text check (e in ('x', 'x')),
      f text check (length(f) <= 0))]]
    for _, column in ipairs(of.columns) do assert.are.equal("text", column.type) end
    assert.are.equal(6, #of.checks)
    assert.is_nil(of.columns[3].max_length or of.columns[4].max_length)
  end)

  it("knows the rules of a table by their form, when the table has got another name", function()
    local db = fixture.memory()
    local function declared(name)
      return s.define { s.table(name, {
        s.id(), s.text("a", { max_length = 5 }), s.enum("b", { "x" }),
        s.decimal("c", { precision = 3 }), checks = true,
      }) }
    end
    sqlite.create(db, declared("old"))
    db:exec 'alter table old rename to "new one"'
    assert.is_nil(first_difference(declared("new one"), db:schema()))
  end)

  it("knows the key of the rowid from other keys", function()
    local function key(script)
      local of = read_table(script)
      return of.columns[1].type, of.columns[1].not_null, of.primary_key.parts[1].descending
    end
    local function same(expected, ...) assert.are.same(expected, table.pack(...)) end
    same({ "integer", true, nil, n = 3 }, key "create table t(a integer primary key)")
    same({ "integer", true, nil, n = 3 }, key "create table t(a integer, primary key(a desc))")
    same({ "integer", nil, true, n = 3 }, key "create table t(a integer primary key desc)")
    same({ "other", nil, nil, n = 3 }, key "create table t(a int primary key)")
    same({ "id", true, nil, n = 3 }, key "create table t(a integer, primary key(a autoincrement))")
    same({ "integer", true, nil, n = 3 },
      key "create table t(a integer primary key) without rowid")
    same({ "text", nil, nil, n = 3 }, key "create table t(a text primary key)")
    same({ "text", true, nil, n = 3 }, key "create table t(a text primary key) without rowid")
    same({ "text", true, nil, n = 3 }, key "create table t(a text primary key) strict")
  end)

  it("knows defaults by what they mean", function()
    local of = read_table [[create table t(a integer default -5, b integer default '5',
      c boolean integer default 1, d boolean integer default false, e default abc, f default "x y",
      g text default (null), h default (1 + 2), i blob default x'00FF', j real default 1,
      k decimal integer(4, 2) default -5 check (k between -9999 and 9999),
      l timestamp text default ( strftime('%Y-%m-%dT%H:%M:%f000Z' , 'now' ) ),
      m date text default (date('now')), n default current_timestamp, o integer default abc,
      p integer default -9223372036854775808, q default (-.5e1), r default true)]]
    local function literal(value) return { kind = "literal", value = value } end
    local function expression(text) return { kind = "expression", expression = text } end
    local defaults = {}
    for _, column in ipairs(of.columns) do defaults[column.name] = column.default end
    assert.are.same({
      a = literal(-5), b = expression("'5'"), c = literal(true), d = literal(false),
      e = literal("abc"), f = literal("x y"), h = expression("1 + 2"), i = literal("\0\xff"),
      j = literal(1.0), k = literal("-0.05"), l = { kind = "now" }, m = { kind = "now" },
      n = expression("current_timestamp"), o = expression("'abc'"), p = literal(math.mininteger),
      q = literal(-5.0), r = literal(true),
    }, defaults)
  end)

  it("keeps what happens on a conflict, in every place", function()
    local of = read_table [[create table t(a not null on conflict ignore unique on conflict replace,
      b primary key on conflict fail, c unique on conflict abort, d null on conflict ignore,
      unique (a, b) on conflict rollback, check (a > 0) on conflict ignore)]]
    assert.are.equal("ignore", of.columns[1].not_null_conflict)
    assert.are.equal("fail", of.primary_key.on_conflict)
    assert.are.equal("replace", of.uniques[1].on_conflict)
    assert.is_nil(of.uniques[2].on_conflict)
    assert.are.equal("rollback", of.uniques[3].on_conflict)
    assert.are.equal("ignore", of.checks[1].on_conflict)
    assert.is_nil(of.columns[4].not_null)
  end)

  it("keeps all of a reference", function()
    local of = read_table [[create table P(ID integer primary key, x unique);
      create table t(A references p deferrable initially deferred, b references "P"(X) on delete
      set null on update cascade match full not deferrable initially deferred, c references p(id)
      deferrable, d, e, constraint two foreign key (a, D) references q(x, y) on insert cascade on
      delete no action deferrable initially immediate, foreign key (e) references nowhere)]]
    local function key(expected, columns, other)
      expected.columns, expected.table = columns, other
      return expected
    end
    assert.are.same({
      key({ name = "t_A_fkey", unnamed = true, references = { "ID" }, deferrable = "deferred" },
        { "A" }, "P"),
      key({ name = "t_b_fkey", unnamed = true, references = { "x" }, on_delete = "set null",
        on_update = "cascade", match = "full" }, { "b" }, "P"),
      key({ name = "t_c_fkey", unnamed = true, references = { "ID" }, deferrable = "immediate" },
        { "c" }, "P"),
      key({ name = "two", references = { "x", "y" }, deferrable = "immediate" }, { "A", "d" }, "q"),
      key({ name = "t_e_fkey", unnamed = true }, { "e" }, "nowhere"),
    }, of.foreign_keys)
  end)

  it("keeps every form of an index", function()
    local of = read_table [[create table t(a, b collate nocase, j json text);
      create unique index "i 1" on t(a desc, b collate nocase, b collate binary) where a > 0 -- end
      ;
      create index i2 on t(lower(b) collate rtrim desc, (a), a collate nocase || b);
      create index i3 on t("b", [a], json_extract(j, '$.x[0]'), json_extract(a, '$.x'))]]
    assert.are.same({
      { name = "i 1", unique = true, where = "a > 0", parts = {
        { column = "a", descending = true }, { column = "b" }, { column = "b", collate = "binary" },
      } },
      { name = "i2", parts = {
        { expression = "lower(b)", collate = "rtrim", descending = true }, { column = "a" },
        { expression = "a collate nocase || b" },
      } },
      { name = "i3", parts = {
        { column = "b" }, { column = "a" }, { column = "j", path = { "x", 0 } },
        { expression = "json_extract(a, '$.x')" },
      } },
    }, of.indexes)
  end)

  it("keeps views and triggers as text, with what surrounds it taken apart", function()
    local schema = read [[create table t(a, begin);
      create view v(x, "y z") as select a, /* b */ begin from t -- all
      ;
      create trigger g update of a, "begin" on t when new.begin > case begin when 1 then 2 end
        begin update t set a = case when 1 then 2 end; select ';end;' ; end;
      create trigger h instead of delete on v begin select 1; end]]
    assert.are.same({
      { name = "v", columns = { "x", "y z" }, select = "select a, /* b */ begin from t" },
    }, schema.views)
    assert.are.same({
      { name = "g", table = "t", timing = "before", event = "update", columns = { "a", "begin" },
        condition = "new.begin > case begin when 1 then 2 end",
        body = "update t set a = case when 1 then 2 end; select ';end;'" },
      { name = "h", table = "v", timing = "instead of", event = "delete", body = "select 1" },
    }, schema.triggers)
  end)

  it("takes comments in front of a comma, and behind it in the same line, for those of a column",
    function()
      local of = read_table [[create table t /* all of them */ (
        a integer, -- one
        b /* two */ text /* not this */,
        c real, /* three */
        d, /* of e */ e, f -- */ six
      )]]
      assert.are.equal("all of them", of.comment)
      local comments = {}
      for _, column in ipairs(of.columns) do comments[column.name] = column.comment end
      assert.are.same({ a = "one", b = "two", c = "three", f = "* / six" }, comments)
    end)

  it("follows what ALTER TABLE has done", function()
    local db = fixture.memory "create table t(a integer, b text); create index i on t(lower(b))"
    db:exec [[alter table t add column c text not null default 'x' check (c <> ')');
      alter table t rename column b to "B 2"; alter table t rename to u; alter table u drop a]]
    local wanted = s.define { s.table("u", {
      s.text("B 2"), s.text("c"):not_null():default("x"):check("c <> ')'"),
      s.index { s.expr 'lower("B 2")', name = "i" },
    }) }
    assert.is_nil(first_difference(wanted, db:schema()))
  end)

  it("leaves out what is not the script's own", function()
    local schema = read [[create table t(id integer primary key autoincrement, a unique);
      create table tuff_x(a); create index tuff_i on tuff_x(a); create temp table u(a);
      create trigger tuff_g after insert on tuff_x begin select 1; end;
      create temp trigger g after insert on t begin select 1; end;
      insert into t(a) values (1); analyze;
      create virtual table f using fts5(x, content='');
      create virtual table r using rtree(i, a, b)]]
    assert.are.equal(1, #schema.tables)
    assert.are.same({}, schema.triggers)
    assert.are.same({}, schema.unmanaged)
    assert.are.same({
      { name = "f", module = "fts5", arguments = "x, content=''",
        shadows = { "f_config", "f_data", "f_docsize", "f_idx" } },
      { name = "r", module = "rtree", arguments = "i, a, b",
        shadows = { "r_node", "r_parent", "r_rowid" } },
    }, schema.virtual_tables)
  end)

  it("is read although a collation, a function or a table that it names is missing", function()
    local path, db = fixture.database("create table t(a, b)")
    db:define_collation("backwards", function(a, b) return a < b and 1 or a > b and -1 or 0 end)
    db:define("double", function(a) return a * 2 end, { deterministic = true, schema = true })
    db:exec [[
      create index i on t(a collate backwards, double(b)); create view v as select * from u;
      create table w(a collate backwards primary key, b as (double(a)))]]
    local before = db:schema()
    db:close()
    local other = fixture.open(path)
    local found = other:schema()
    assert.is_nil(first_difference(before, found))
    assert.are.equal("backwards", found:table("w").columns[1].collate)
    assert.are.equal("double(b)", found:table("t").indexes[1].parts[2].expression)
    assert.are.same({ "t", "w" }, other:tables())
  end)

  it("is that of the moment, also in a transaction and on a connection that only reads", function()
    local path, db = fixture.database("create table t(a)")
    db:transaction(function()
      db:exec "create table u(a)"
      assert.are.equal(2, #db:schema().tables)
      assert.are.same({ "t", "u" }, db:tables())
    end)
    local other <close> = tuff.open(path, { readonly = true })
    assert.is_true(other:schema() == db:schema())
    db:read(function() assert.are.equal(2, #db:schema().tables) end)
  end)

  it("has a search only where all that belongs to it is there", function()
    local db = fixture.memory()
    local schema = s.define {
      s.table("t", { s.id(), s.text("a"), s.search { "a", prefix = { 2 } } }),
    }
    sqlite.create(db, schema)
    assert.are.same({ columns = { "a" }, prefix = { 2 } }, db:schema():table("t").search)
    db:exec "drop trigger t_search_update"
    local read_again = db:schema()
    assert.is_nil(read_again:table("t").search)
    assert.are.equal("t_search", read_again.virtual_tables[1].name)
    assert.are.equal(2, #read_again.triggers)
    assert.is_false(read_again == schema)
    local other = read [[create table t(id integer primary key, a integer);
      create virtual table t_search using fts5(a, content=t, content_rowid=id)]]
    assert.is_nil(other:table("t").search)
    assert.are.equal(1, #other.virtual_tables)
  end)

  it("keeps as text what it does not understand, and says why", function()
    local told = {
      objects = {
        { type = "table", name = "t", tbl_name = "t", rootpage = 2, sql = "CREATE TABLE t(a B(" },
        { type = "table", name = "u", tbl_name = "u", rootpage = 3, sql = "CREATE TABLE u(a, b)" },
        { type = "index", name = "i", tbl_name = "t", rootpage = 4, sql = "CREATE INDEX i ON t" },
        { type = "view", name = "v", tbl_name = "v", rootpage = 0, sql = "CREATE VIEW v" },
        { type = "trigger", name = "g", tbl_name = "u", rootpage = 0, sql = "CREATE TRIGGER g\0" },
      },
      columns = { u = { { name = "a", type = "", not_null = 0, hidden = 0 } } },
      index_parts = {}, shadows = {},
    }
    local schema = reader.schema_of(told)
    local reasons = {}
    for i, each in ipairs(schema.unmanaged) do
      assert.are.equal(told.objects[i].sql, each.sql)
      reasons[i] = each.kind .. " " .. each.name .. ": " .. each.reason
    end
    assert.are.same({
      "table t: expected ), found the end",
      "table u: its columns are not what SQLite says they are",
      "index i: its table is not managed", "view v: expected AS, found the end",
      "trigger g: it holds a NUL byte",
    }, reasons)
    local script, left_out = schema:to_lua()
    assert.are.equal(5, #left_out)
    assert.is_truthy(script:find("-- Left out: table t: expected ), found the end\n"
      .. "-- CREATE TABLE t", 1, true))
    assert.are.equal(0, #loaded(script).tables)
  end)

  -- ---- round trips -----------------------------------------------------------------------

  for number, script in ipairs(odd_schemas) do
    it(("of odd script %d, declared and made again, stays the same"):format(number), function()
      local found = read(script)
      assert.are.same({}, found.unmanaged)
      local text, left_out = found:to_lua()
      local declared = loaded(text)
      if #left_out == 0 then assert.is_nil(first_difference(found, declared)) end
      local db <close> = tuff.open(":memory:", { legacy_quotes = true })
      sqlite.create(db, declared)
      assert.is_nil(first_difference(declared, db:schema()))
    end)
  end

  -- ---- any text --------------------------------------------------------------------------

  --- What SQLite would say of the columns of a table, as far as the text tells.
  local function told_of(text)
    local of, columns = create_table.parse(text), {}
    for i, column in ipairs(of and of.columns or {}) do
      columns[i] = {
        name = column.name, type = column.declared, not_null = column.not_null and 1 or 0,
        hidden = column.generated and 2 or 0,
      }
    end
    local index, parts = objects.index(text), {}
    for i, part in ipairs(index and index.parts or {}) do
      parts[i] = { cid = part.column and 0 or -2, name = part.column }
    end
    local function object(kind, name, page, owner)
      return { type = kind, name = name, tbl_name = owner or name, rootpage = page, sql = text }
    end
    return {
      objects = {
        object("table", "t", 2), object("table", "v", 0), object("index", "i", 3, "t"),
        object("view", "w", 0), object("trigger", "g", 0, "t"),
      },
      columns = { t = columns }, index_parts = { i = parts }, shadows = {},
    }
  end

  it("raises nothing and ends soon, whatever texts stand in the database", function()
    schemas.usual_pace(finally)
    local random = property.random(1)
    for _ = 1, soak and 100000 or 5000 do
      local text = odd_schemas.mutated(random)
      local good, reason = pcall(function()
        local schema = reader.schema_of(told_of(text))
        schema:fingerprint()
        schema:to_mermaid()
        loaded((schema:to_lua()))
      end)
      assert(good, ("%q: %s"):format(text, tostring(reason)))
    end
  end)

  it("ends soon for a text that is long, or deep", function()
    schemas.usual_pace(finally)
    for _, text in ipairs {
      "CREATE TABLE t(a CHECK" .. ("("):rep(200000),
      "CREATE TABLE t(a CHECK(" .. ("("):rep(200000) .. ")",
      "CREATE TABLE t(" .. ("a,"):rep(100000) .. "a)",
      "CREATE TABLE t(a " .. ("CONSTRAINT x "):rep(100000) .. ")",
      "CREATE TABLE t(a " .. ("'"):rep(200001) .. ")",
      "CREATE TABLE t(a /*" .. ("/*"):rep(200000) .. ")",
    } do
      assert.is_truthy(reader.schema_of(told_of(text)))
    end
  end)
end)
