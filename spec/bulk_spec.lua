--- insert_many of many rows: by the ways that an engine has for that, which nobody is to notice
--- but by their speed.

local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"

local url, reason = postgres.url()

--- Rows { n = 1 } … { n = count }; `change` gets the rows first.
local function numbered(count, change)
  local rows = {}
  for n = 1, count do rows[n] = { n = n } end
  if change then change(rows) end
  return rows
end

--- An iterator over an array, which calls `before(n)` before it gives row n.
local function each(rows, before)
  local n = 0
  return function()
    n = n + 1
    if before then before(n) end
    return rows[n]
  end
end

local tables = [[
  create table t(n {key}, name text unique, size integer not null default 7, check (size >= 0));
  create table plain(a text, b text, c text);
  create table owner(id integer primary key);
  create table owned(n integer primary key, owner integer references owner(id));
]]

fixture.each_engine("many rows", function(engine)
  local db

  before_each(function() db = engine.database(tables) end)

  local function count(name)
    return db:value("select count(*) from " .. (name or "t"))
  end

  it("are counted, however many they are", function()
    for _, many in ipairs { 0, 1, 3, 4, 5, 100, 2500 } do
      db:run("delete from t")
      assert.are.equal(many, db:insert_many("t", numbered(many)))
      assert.are.equal(many, db:insert_many("t", numbered(many), { on_conflict = "update" }))
      assert.are.equal(0, db:insert_many("t", numbered(many), { on_conflict = "ignore" }))
      assert.are.equal(many, count())
    end
  end)

  it("count only those that were not there, where the others are ignored", function()
    db:insert_many("t", numbered(1000))
    assert.are.equal(1500, db:insert_many("t", numbered(2500), { on_conflict = "ignore" }))
    assert.are.equal(2500, count())
  end)

  it("of alternating columns all arrive, with the defaults of those that are absent", function()
    local rows = numbered(3000, function(rows)
      for n, row in ipairs(rows) do
        if n % 500 < 3 then row.size = n end
        if n % 700 < 10 then row.name = "name " .. n end
      end
    end)
    assert.are.equal(3000, db:insert_many("t", rows))
    for n, size, name in db:tuples("select size, name from t order by n") do
      if (rows[n].size or 7) ~= size or rows[n].name ~= name then
        assert.are.same(rows[n], { n = n, size = size, name = name })
      end
    end
    assert.are.equal(3000, count())
  end)

  it("hold what one row would hold", function()
    local values = { "", "text", "\t\n\r\\", "\\N", "\\.", '"', "'", "{}", "NULL", "日本語",
      tuff.null, ("long "):rep(100000), "end" }
    local rows = {}
    for i, value in ipairs(values) do
      rows[i] = { a = value, b = values[#values + 1 - i], c = "x" }
    end
    for _, options in ipairs { {}, { on_conflict = "ignore" }, { returning = "a" } } do
      db:run("delete from plain")
      db:insert_many("plain", rows, options)
      for n, a, b in db:tuples("select a, b from plain where c = 'x'") do
        local given = rows[n]
        assert.is_true((a == nil and tuff.null or a) == given.a)
        assert.is_true((b == nil and tuff.null or b) == given.b)
      end
      assert.are.equal(#values, count("plain"))
    end
  end)

  it("return what was asked for, in the order in which they were given", function()
    local rows = numbered(2500)
    for n = 1, #rows do rows[n].n = 2501 - n end
    local returned = db:insert_many("t", rows, { returning = { "n", "size" } })
    assert.are.equal(2500, #returned)
    for n, row in ipairs(returned) do
      if row.n ~= 2501 - n or row.size ~= 7 then assert.are.same({ n = n }, row) end
    end
    returned = db:insert_many("t", numbered(2600), { on_conflict = "ignore", returning = "n" })
    assert.are.equal(100, #returned)
    assert.are.same({ n = 2501 }, returned[1])
  end)

  it("of which one is there twice keep the last one", function()
    local rows = numbered(1200, function(rows)
      rows[700] = { n = 3, size = 700 }
      rows[701] = { n = 4, size = 701 }
      for n, row in ipairs(rows) do row.size = row.size or n end
    end)
    assert.are.equal(1200, db:insert_many("t", rows, { on_conflict = "update", key = { "n" } }))
    assert.are.same({ 700, 701 }, db:column("select size from t where n in (3, 4) order by n"))
    assert.are.equal(1198, count())
    db:run("delete from t")
    local returned = db:insert_many("t", rows, { on_conflict = "update", key = { "n" },
      returning = { "n", "size" } })
    assert.are.same({ 1200, 3 }, { #returned, returned[700].n })
    db:run("delete from t")
    assert.are.equal(1198, db:insert_many("t", rows, { on_conflict = "ignore" }))
    assert.are.same({ 3, 4 }, db:column("select size from t where n in (3, 4) order by n"))
  end)

  local mistakes = {
    unique = { n = 2 }, check = { n = 0, size = -1 }, not_null = { n = 0, size = tuff.null },
  }

  for constraint, row in pairs(mistakes) do
    it("name the row that breaks a constraint: " .. constraint, function()
      for _, number in ipairs { 3, 5, 1500 } do
        for _, options in ipairs { {}, { returning = "n" } } do
          local rows = numbered(2000, function(rows)
            for n = 1, 2000 do rows[n].size = n end
            rows[number] = { n = row.n, size = row.size or 1 }
          end)
          local err = errors.expect("constraint", db.insert_many, db, "t", rows, options)
          assert.are.equal(number, err.row)
          -- The key of a table is unique, and has its own name in SQLite.
          if constraint ~= "unique" then assert.are.equal(constraint, err.constraint) end
          assert.are.equal(0, count())
          assert.is_false(db:in_transaction())
        end
      end
    end)
  end

  it("name the row that refers to nothing", function()
    db:insert("owner", { id = 1 })
    local rows = numbered(1500, function(rows)
      for _, row in ipairs(rows) do row.owner = 1 end
    end)
    assert.are.equal(1500, db:insert_many("owned", rows))
    db:run("delete from owned")
    rows[1234].owner = 2
    local err = errors.expect("constraint", db.insert_many, db, "owned", rows)
    assert.are.same({ "foreign_key", 1234 }, { err.constraint, err.row })
    assert.are.equal(0, count("owned"))
  end)

  it("name the row with a value that cannot be stored", function()
    for _, value in ipairs { "a\0b", "\xff", print, 0 / 0 } do
      local rows = numbered(1500, function(rows)
        for n = 1, 1500 do rows[n].name = "name " .. n end
        rows[1300].name = value
      end)
      local err = errors.expect({ "type", "range" }, db.insert_many, db, "t", rows)
      assert.are.equal(1300, err.row)
      rows[20].n = 1 -- and what is wrong before that comes first
      err = errors.expect("constraint", db.insert_many, db, "t", rows)
      assert.are.equal(20, err.row)
      assert.are.equal(0, count())
    end
  end)

  it("name the row that is no row, after what is wrong before it", function()
    for _, wrong in ipairs { 5, { nothing = 1 }, { [1] = 1 } } do
      local rows = numbered(100, function(rows) rows[60] = wrong end)
      local err = errors.expect({ "misuse", "not_found" }, db.insert_many, db, "t", rows)
      assert.are.equal(60, err.row)
      rows[30].n = 1
      err = errors.expect("constraint", db.insert_many, db, "t", rows)
      assert.are.equal(30, err.row)
    end
  end)

  it("may be given by a function that reads those before", function()
    local seen = {}
    db:insert_many("t", each(numbered(3000), function(n)
      if n == 2 or n == 7 or n % 1000 == 1 then seen[n] = count() end
    end))
    assert.are.same({ 0, 1, [7] = 6, [1001] = 1000, [2001] = 2000, [3001] = 3000 }, seen)
    db:run("delete from t")
    db:insert_many("t", each(numbered(50), function(n) assert.are.equal(n - 1, count()) end))
    db:insert_many("t", each(numbered(3100), function(n)
      if n % 1000 == 1 then seen[n] = count() end
    end), { on_conflict = "ignore" })
    assert.are.equal(3000, seen[3001])
  end)

  it("may be given by a function that inserts many rows itself", function()
    local total = db:insert_many("t", each(numbered(40), function(n)
      if n > 40 then return end
      local inner = numbered(n, function(rows)
        for i = 1, n do rows[i].n = 1000 * n + i end
      end)
      assert.are.equal(n, db:insert_many("t", inner))
      assert.are.equal(n, db:insert_many("t", inner, { on_conflict = "update" }))
    end))
    assert.are.equal(40, total)
    assert.are.equal(40 + 820, count())
  end)

  it("may be given by a loop over the table that they go to", function()
    db:insert_many("t", numbered(2000))
    local read = db:rows("select n + 5000 as n, size from t order by n")
    assert.are.equal(2000, db:insert_many("t", read))
    assert.are.equal(4000, count())
  end)

  it("raise the error of a row from whatever their function does next", function()
    local rows = numbered(3000, function(all) all[30].n = 1 end)
    local met
    local err = errors.expect("constraint", db.insert_many, db, "t", each(rows, function(n)
      if n == 40 then
        met = select(2, pcall(db.value, db, "select 1"))
        error(met, 0)
      end
    end))
    assert.are.equal(30, err.row)
    -- Unless it hides it: then there is still no way to go on.
    err = errors.expect("constraint", db.insert_many, db, "t", each(rows, function(n)
      if n % 40 == 0 then pcall(db.value, db, "select 1") end
    end))
    assert.are.equal(30, err.row)
    assert.are.equal(0, count())
  end)

  it("are none where their function raises, or ends or begins a transaction", function()
    local mine, tx = {}, nil
    local actions = {
      function() error(mine) end, function() tx:rollback() end, function() db:begin() end,
      function() db:exec("rollback") end,
    }
    for _, at in ipairs { 2, 6, 1500 } do
      for i, action in ipairs(actions) do
        tx = db:begin()
        local good, err = pcall(db.insert_many, db, "t", each(numbered(2000), function(n)
          if n == at then action() end
        end), { returning = i == 1 and at == 1500 and "n" or nil })
        assert.is_false(good)
        assert.is_true(err == mine or err.code == "misuse")
        assert.are.equal(0, count())
        tx:rollback()
      end
    end
  end)

  it("undo themselves alone inside a transaction", function()
    db:transaction(function()
      db:insert("t", { n = 9999 })
      local rows = numbered(2000, function(all) all[1500].n = 1 end)
      errors.expect("constraint", db.insert_many, db, "t", rows)
      assert.are.equal(1, count())
      rows[1500].n = 1500
      db:insert_many("t", rows)
    end)
    assert.are.equal(2001, count())
  end)

  it("hold tables as JSON", function()
    local rows = numbered(1200, function(all)
      for n = 1, 1200 do all[n].name = { n, "text" } end
    end)
    db:insert_many("t", rows)
    db:insert_many("t", rows, { on_conflict = "update" })
    assert.are.equal('[1200,"text"]', db:value("select name from t where n = 1200"))
  end)

  it("do not mind the collector's finalisers, which use the connection", function()
    local met = 0
    local finaliser = { __gc = function() met = met + count() end }
    db:insert_many("t", each(numbered(3000), function(n)
      setmetatable({}, finaliser)
      if n % 100 == 0 then collectgarbage() end
    end))
    assert.are.equal(3000, count())
    assert.is_true(met > 0)
    local returned = db:insert_many("t", numbered(3000, function(all)
      for _, row in ipairs(all) do setmetatable(row, finaliser) end
    end), { on_conflict = "update", returning = "n" })
    collectgarbage()
    assert.are.equal(3000, #returned)
  end)

  it("need a column where others may be in their way", function()
    assert.are.equal(2, db:insert_many("plain", { {}, {} }))
    local err = errors.expect("misuse", db.insert_many, db, "plain", { { a = "x" }, {} },
      { on_conflict = "ignore" })
    assert.are.equal(2, err.row)
    assert.are.equal(2, count("plain"))
  end)

  it("are bound by the limits of the connection", function()
    local small = engine.open { limits = { value_bytes = 100 } }
    local rows = numbered(50, function(all) all[40].name = ("x"):rep(101) end)
    local err = errors.expect("range", small.insert_many, small, "t", rows)
    assert.are.equal(40, err.row)
    assert.are.equal(0, count())
  end)

  it("are not written where only reading is allowed", function()
    db:read(function()
      errors.expect("readonly", db.insert_many, db, "t", numbered(3000))
    end)
    assert.are.equal(0, count())
  end)

  it("are seen by a trace and counted", function()
    local before, traced = db:stats().changes, 0
    db:trace(function(run) traced = traced + run.changes end)
    db:insert_many("t", numbered(2500))
    db:insert_many("t", numbered(2500), { on_conflict = "update" })
    db:trace(nil)
    assert.are.equal(5000, traced)
    assert.are.equal(5000, db:stats().changes - before)
  end)
end)

fixture.unless(reason, "many rows by COPY and as arrays", function()
  local db

  before_each(function()
    db = fixture.open(url)
    db:exec [[
      drop schema public cascade; create schema public;
      create table t(n bigint primary key, name text, size integer check (size >= 0));
    ]]
  end)

  local function count(name)
    return db:value("select count(*) from " .. (name or "t"))
  end

  --- The texts that are run while fn runs.
  local function traced(fn)
    local texts = {}
    db:trace(function(run) texts[#texts + 1] = run.sql end)
    fn()
    db:trace(nil)
    return "\n" .. table.concat(texts, "\n")
  end

  local function runs(texts, pattern)
    return select(2, texts:gsub("\n" .. pattern, ""))
  end

  -- What keeps a table from taking rows by COPY.
  local obstacles = {
    trigger = [[create function f() returns trigger language plpgsql as 'begin return new; end';
      create trigger a before insert on t for each row execute function f()]],
    ["foreign key"] = "alter table t add foreign key (n) references other",
    ["constraint that may wait"] = "alter table t add unique (size) deferrable",
    rule = "create rule r as on insert to t do also notify inserted",
    ["policy that hides rows"] = [[create role plain; grant all on schema public to plain;
      alter table t owner to plain; alter table t enable row level security;
      alter table t force row level security; create policy p on t using (true);
      set role plain]],
  }

  it("tell a primary key from another one, however they go", function()
    db:exec "drop table if exists keyed; create table keyed(id int primary key, other int unique)"
    db:run("insert into keyed values (40, 1040)")
    for id, constraint in pairs { [1] = "primary_key", [-1] = "unique" } do
      local rows = {}
      for i = 1, 60 do rows[i] = { id = id * i, other = 1000 - id * i } end
      rows[40].other = id == 1 and 0 or 1040
      local err = errors.expect("constraint", db.insert_many, db, "keyed", rows)
      assert.are.same({ constraint, 40 }, { err.constraint, err.row })
    end
    db:run("drop table keyed")
  end)

  it("go by COPY", function()
    local rows = numbered(2500)
    assert.are.equal(1, runs(traced(function() db:insert_many("t", rows) end), "copy"))
    assert.are.equal(2500, count())
  end)

  for obstacle, script in pairs(obstacles) do
    it("go as arrays where the table has a " .. obstacle, function()
      local rows = numbered(2500)
      db:insert_many("t", rows)
      db:exec("delete from t; create table other(n bigint primary key);"
        .. "insert into other select generate_series(1, 2500)")
      db:exec(script)
      local texts = traced(function() assert.are.equal(2500, db:insert_many("t", rows)) end)
      assert.are.same({ 0, 3 }, { runs(texts, "copy"), runs(texts, "insert into %S+ %S+ select") })
      assert.are.equal(2500, count())
      db:exec "reset role; drop schema public cascade; drop role if exists plain"
      db:exec "create schema public"
    end)
  end

  it("go one by one where they are few, and where a column is an array", function()
    assert.are.equal(3, runs(traced(function() db:insert_many("t", numbered(3)) end), "insert"))
    db:exec "create table lists(n bigint unique, list integer[])"
    local rows = numbered(10, function(all)
      for n = 1, 10 do all[n].list = "{" .. n .. ",NULL}" end
    end)
    assert.are.equal(10, db:insert_many("lists", rows, { on_conflict = "ignore" }))
    assert.are.equal(10, db:insert_many("lists", rows, { on_conflict = "update", key = { "n" } }))
    rows = numbered(2000, function(all)
      for n = 1, 2000 do all[n].n, all[n].list = n + 10, "{" .. n .. ",NULL}" end
    end)
    assert.are.equal(2000, db:insert_many("lists", rows))
    assert.are.equal(10 + 2000, db:value("select count(*) from lists where list[2] is null"))
  end)

  -- Types in which a column may be declared, and values that may be given to any of them.
  local types = { "bigint", "smallint", "double precision", "real", "numeric", "numeric(10,2)",
    "text", "varchar(3)", "char(4)", "bytea", "boolean", "timestamptz", "timestamp", "date",
    "timestamptz(0)", "uuid", "json", "jsonb", "text[]", "interval", "mood", "small",
    "word" }
  local values = {
    0, -1, 99, 100, 32768, -32769, math.maxinteger, math.mininteger, (1 << 53) + 1, 16777217,
    1.0, -0.0, 1.5, 0.1, 1 / 3, 1e16, 5e-324, 1e-50, 3.5e38, 1 / 0, 0 / 0, 1234567890123456.7,
    true, false, "", "a", "ok", "t", "1", "-5", " 7 ", "1.5", "-0.05", "12.345", "00012.30", "1e5",
    "NaN", ".5", "5.", "-0", "123456789012345678901234567890.000001", "abcde", "ab  ", "héé",
    "a\tb", "a\\b", "a\nb", "\\N", "\\.", "{}", "{a,NULL}", "[1, 2]", '{"a": 1}', "a\0b", "\xff",
    "\\x00ff", "2026-11-21", "2026-11-21T10:00:00.123456Z", "2026-11-21 10:00:00",
    "2026-11-21T10:00:00.1Z", "2026-11-21T10:00:00.Z", "2026-11-21T24:00:00Z",
    "2026-11-21T23:59:60Z", "2023-02-29T00:00:00Z", "2024-02-29T23:59:59.9999996Z",
    "1969-07-20T20:17:40.000001Z", "0000-01-01T00:00:00Z", "1900-02-29", "1582-10-15",
    "2026-11-21T10:00:00+02", "infinity", "123e4567-e89b-12d3-a456-426614174000",
    "123E4567E89B12D3A456426614174000", "123e4567-e89b-12d3-a456-42661417400g", "P1D",
    tuff.blob("\0\1\255"), tuff.blob(""), tuff.null, { 1, 2 }, { b = 1, a = { 2 } },
  }

  --- What one row takes by itself, and the errors of what it refuses.
  local function sort_out(name)
    local taken, refused = {}, {}
    for n, value in ipairs(values) do
      local row = { n = n, v = value }
      local good, err = pcall(db.insert, db, name, row)
      if good then taken[#taken + 1] = row else refused[#refused + 1] = { row, err } end
    end
    return taken, refused
  end

  --- Rows of which the fifth one is this.
  local function among_others(row)
    local rows = {}
    for n = 1, 6 do rows[n] = n == 5 and row or { n = -n, v = tuff.null } end
    return rows
  end

  for _, declared in ipairs(types) do
    it("store and refuse what one row would: " .. declared, function()
      db:exec("create type mood as enum ('ok', 'sad');"
        .. "create domain small as int check (value < 99); create domain word as text")
      for _, name in ipairs { "one", "copied", "listed" } do
        db:exec(("create table %s(n bigint primary key, v %s)"):format(name, declared))
      end
      local taken, refused = sort_out("one")
      for name, options in pairs { copied = {}, listed = { on_conflict = "ignore" } } do
        assert.are.equal(#taken, db:insert_many(name, taken, options))
        assert.are.same({}, db:all(([[select one.n, one.v::text as one, many.v::text as many
          from one full join %s many using (n) where one.v::text is distinct from many.v::text]])
          :format(name)))
        for _, case in ipairs(refused) do
          local value = case[1].v
          local err = errors.expect({ "type", "range", "constraint" }, db.insert_many, db, name,
            among_others(case[1]), options)
          assert.are.same({ case[2].code, 5 }, { err.code, err.row })
          if type(value) == "string" and #value > 3 then
            assert.is_nil(err.message:find(value, 1, true))
          end
        end
      end
    end)
  end

  -- ---- where COPY has to begin anew ----

  it("go on as text from the first value that only the server can read", function()
    db:exec "create table many(n bigint primary key, day date, size double precision)"
    local rows = numbered(3000, function(all)
      for n, row in ipairs(all) do row.day, row.size = "2026-11-21", n / 7 end
      all[1000].size = "1e-3"
    end)
    local texts = traced(function() assert.are.equal(3000, db:insert_many("many", rows)) end)
    assert.are.equal(1, runs(texts, "copy"))
    assert.are.same({ "2026-11-21" }, db:column("select distinct day from many"))
    assert.are.equal(0, db:value([[select count(*) from many
      where size is distinct from (case n when 1000 then 1e-3 else n / 7.0::float8 end)]]))
    for number, value in pairs { [900] = "nothing", [2000] = "nothing either" } do
      db:run("delete from many")
      rows[number].day = value
      local err = errors.expect("type", db.insert_many, db, "many", rows)
      assert.are.equal(number, err.row)
      errors.conceals(err, value)
      rows[number].day = "2026-11-21"
    end
    rows[2000].n = 999
    assert.are.equal(2000, errors.expect("constraint", db.insert_many, db, "many", rows).row)
  end)

  it("are not held up by what the server says meanwhile", function()
    db:exec [[
      create function loud(n bigint) returns boolean language plpgsql as
        'begin raise notice ''%'', n; return n <> 45000; end';
      create table said(n bigint, check (n % 500 <> 0 or loud(n)));
    ]]
    assert.are.equal(40000, db:insert_many("said", numbered(40000)))
    assert.are.equal(40000, count("said"))
    assert.are.equal(45000,
      errors.expect("constraint", db.insert_many, db, "said", numbered(50000)).row)
    assert.are.equal(40000, count("said"))
  end)

  it("end soon after an error, though there is no end to them", function()
    local n = 0
    local err = errors.expect("constraint", db.insert_many, db, "t", function()
      n = n + 1
      return { n = n == 2000 and 1 or n, name = "some text to fill what is on its way" }
    end)
    assert.are.equal(2000, err.row)
  end)

  it("are of the types that their columns have now", function()
    local rows = numbered(20, function(all)
      for n = 1, 20 do all[n].size = n end
    end)
    local other = fixture.open(url)
    assert.are.equal(20, db:insert_many("t", rows))
    for _, changed in ipairs { "double precision", "numeric", "text" } do
      for _, options in ipairs { {}, { returning = "n" } } do
        db:run("delete from t")
        other:run("alter table t drop constraint if exists t_size_check, alter size type "
          .. changed)
        db:insert_many("t", rows, options)
        assert.are.equal(0, db:value("select count(*) from t where size::int <> n"))
        assert.are.equal(20, count())
      end
    end
  end)

  -- ---- waiting ----

  --- A table that takes its time with the rows whose number ends in 999.
  local slow = [[
    create function slow(n bigint) returns boolean language plpgsql as
      'begin if n % 1000 = 999 then perform pg_sleep(60); end if; return true; end';
    create table slow(n bigint, name text, check (slow(n)))]]

  local function wide(many)
    return numbered(many, function(all)
      local name = ("x"):rep(1000)
      for n = 1, many do all[n].name = name end
    end)
  end

  it("end at a deadline, in the middle and at their end", function()
    db:exec(slow)
    for _, rows in ipairs { wide(5000), numbered(999) } do
      for _, options in ipairs { {}, { returning = "n" } } do
        local brief = fixture.open(url, { timeout = 100 })
        errors.expect("timeout", brief.insert_many, brief, "slow", rows, options)
        assert.are.equal(0, brief:value("select count(*) from slow"))
        errors.expect("timeout", db.transaction, db, { timeout = 100 }, function()
          db:insert_many("slow", rows, options)
        end)
        assert.are.equal(0, count("slow"))
      end
    end
  end)

  it("end where a progress function says so", function()
    db:exec(slow)
    local calls = 0
    db:progress(function()
      calls = calls + 1
      return calls < 3
    end, { every = 10 })
    errors.expect("interrupted", db.insert_many, db, "slow", wide(5000))
    db:progress(nil)
    assert.are.equal(3, calls)
    assert.are.equal(0, count("slow"))
  end)

  it("name the row that had to wait too long for a lock", function()
    local other, brief = fixture.open(url), fixture.open(url, { busy_timeout = 50 })
    local tx = other:begin { isolation = "read committed" }
    other:insert("t", { n = 1500 })
    local err = errors.expect("busy", brief.transaction, brief,
      { isolation = "read committed", retry = 0 },
      function() brief:insert_many("t", wide(3000)) end)
    assert.are.equal(1500, err.row)
    tx:rollback()
    assert.are.equal(3000, brief:insert_many("t", wide(3000)))
  end)

  it("are none where the session is lost, and can be given again", function()
    local pid, other = db:value("select pg_backend_pid()"), fixture.open(url)
    errors.expect("connection", db.insert_many, db, "t", each(wide(3000), function(n)
      if n == 1000 then assert(other:value("select pg_terminate_backend(?, 60000)", pid)) end
    end))
    assert.are.equal(0, count())
    assert.are.equal(3000, db:insert_many("t", wide(3000)))
  end)

  -- ---- transactions ----

  it("are given once more after a conflict, if they are an array", function()
    db:exec [[
      create sequence tries;
      create function fails_first() returns trigger language plpgsql as 'begin
        if new.n = 700 and nextval(''tries'') = 1 then raise sqlstate ''40001''; end if;
        return new; end';
      create trigger fails_first before insert on t for each row execute function fails_first();
    ]]
    local returned = db:insert_many("t", numbered(1200), { returning = "n" })
    assert.are.equal(1200, #returned)
    db:exec "delete from t; alter sequence tries restart"
    errors.expect("serialization", db.insert_many, db, "t", each(numbered(1200)))
    assert.are.equal(0, count())
  end)

  it("count what a trigger has let in", function()
    db:exec [[
      create function odd() returns trigger language plpgsql as
        'begin if new.n % 2 = 0 then return null; end if; return new; end';
      create trigger odd before insert on t for each row execute function odd();
    ]]
    assert.are.equal(1250, db:insert_many("t", numbered(2500)))
    assert.are.equal(0, #db:insert_many("t", numbered(2500),
      { on_conflict = "ignore", returning = "n" }))
  end)

  it("go into the partitions of a table", function()
    db:exec [[
      create table parts(n bigint primary key) partition by range (n);
      create table low partition of parts for values from (0) to (1000);
      create table high partition of parts for values from (1000) to (2000);
    ]]
    assert.are.equal(1999, db:insert_many("parts", numbered(1999)))
    assert.are.equal(1000, count("high"))
    errors.expect("constraint", db.insert_many, db, "parts",
      { { n = 0 }, { n = -1 }, { n = -2 }, { n = -3 } })
  end)

  it("leave alone what the database gives itself", function()
    db:exec "create table given(n bigint generated always as identity, name text)"
    local rows = wide(10)
    errors.expect(nil, db.insert_many, db, "given", rows)
    for _, row in ipairs(rows) do row.n = nil end
    assert.are.equal(10, db:insert_many("given", rows))
    assert.are.equal(55, db:value("select sum(n)::bigint from given"))
  end)

  it("are updated by the primary key, unless another key is named", function()
    db:exec [[create unique index on t(name); create table keyless(n bigint unique, name text)]]
    local rows = numbered(10, function(all)
      for n = 1, 10 do all[n].name = "name " .. n end
    end)
    for _, how in ipairs { "update", "replace" } do
      assert.are.equal(10, db:insert_many("t", rows, { on_conflict = how }))
      local moved = { { n = 11, name = "name 10", size = 5 } }
      local err = errors.expect("constraint", db.insert_many, db, "t", moved, { on_conflict = how })
      assert.are.same({ "unique", { "name" } }, { err.constraint, err.columns })
      db:insert_many("t", moved, { on_conflict = how, key = { "name" } })
      assert.are.equal(5, db:value("select size from t where n = 10"))
      err = errors.expect("misuse", db.insert_many, db, "keyless", rows, { on_conflict = how })
      errors.mentions(err, "key")
      assert.are.equal(10, db:insert_many("keyless", rows, { on_conflict = how, key = { "n" } }))
    end
    assert.are.equal(0, db:insert_many("keyless", rows, { on_conflict = "ignore" }))
    db:exec "alter table keyless add primary key (n)"
    assert.are.equal(10, db:insert_many("keyless", rows, { on_conflict = "update" }))
  end)

  it("may be large", function()
    db:exec "create table large(n bigint, name text, bytes bytea)"
    local name, bytes = ("é"):rep(1500000), tuff.blob(("\0\255\\\n"):rep(1000000))
    local rows = numbered(6, function(all)
      for n = 1, 6 do all[n].name, all[n].bytes = name, n ~= 5 and bytes or nil end
    end)
    assert.are.equal(6, db:insert_many("large", rows))
    assert.are.equal(6, #db:insert_many("large", rows, { returning = "n" }))
    assert.are.equal(10, db:value("select count(*) from large where name = ? and bytes = ?",
      name, bytes))
  end)
end)
