local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"
local process = require "spec.support.process"
local tuff = require "tuff"

local states = migrations.states

--- A migration that works in batches.
local function batches(up, extra)
  local made = { id = "a", transaction = false, up = up }
  for key, value in pairs(extra or {}) do made[key] = value end
  return made
end

fixture.each_engine("a migration in batches", function(engine)
  local db

  before_each(function() db = engine.database() end)

  --- A table t(id, seen, half) with these many rows.
  local function numbered(count)
    db:exec(engine.sql "create table t(id {key}, seen {integer} not null default 0, half {real})")
    db:run([[insert into t(id) with recursive c(n) as
      (select 1 union all select n + 1 from c where n < ?) select n from c]], count)
  end

  local function once(inner, rows)
    local ids = {}
    for i, row in ipairs(rows) do ids[i] = row.id end
    inner:run("update t set seen = seen + 1 where id in ?", ids)
  end

  local function up(work, options)
    return db:migrations({ batches(work) }):up(options)
  end

  --- How often rows were seen: { { often, rows }, … }.
  local function seen()
    local found = {}
    for _, often, rows in db:tuples "select seen, count(*) from t group by seen order by seen" do
      found[#found + 1] = { often, rows }
    end
    return found
  end

  it("refuses to change by set what rows are found by", function()
    numbered(30)
    for _, set in ipairs {
      "id = id + 1000", 'seen = 1, "id" = id + 5', "(seen, id) = (1, id + 5)",
    } do
      local err = errors.expect("migration", up, function(_, step)
        step.batch { table = "t", set = set, size = 10 }
      end)
      errors.mentions(err, "set changes", "by which the rows of t are found")
    end
    assert.are.equal(30, db:value "select max(id) from t")
    up(function(_, step)
      step.batch { table = "t", set = "seen = case when id = 3 then 1 else 0 end" }
    end)
  end)

  it("lets what is given to set and where end in a comment", function()
    numbered(30)
    up(function(_, step)
      step.batch { table = "t", set = "seen = 1 -- all", where = "id > 10 -- but the first" }
    end)
    assert.are.same({ { 0, 10 }, { 1, 20 } }, seen())
  end)

  --- Every row of a table, as the pieces bring them.
  local function walked(options)
    local rows, pieces = {}, 0
    options.each = function(_, piece)
      pieces = pieces + 1
      for _, row in ipairs(piece) do rows[#rows + 1] = row end
    end
    up(function(_, step) step.batch(options) end)
    return rows, pieces
  end

  local function column(rows, name)
    local values = {}
    for i, row in ipairs(rows) do values[i] = row[name] end
    return values
  end

  describe("sees each row once", function()
    it("in the order of the key, and is applied", function()
      numbered(105)
      local rows = walked { table = "t", size = 10 }
      local expected = {}
      for i = 1, 105 do expected[i] = i end
      assert.are.same(expected, column(rows, "id"))
      assert.are.equal("applied", states(db:migrations { batches(function() end) }).a)
    end)

    it("of a table that is written in other capitals", function()
      numbered(25)
      up(function(_, step) step.batch { table = "T", size = 10, each = once } end)
      assert.are.same({ { 1, 25 } }, seen())
    end)

    it("of a table in which there is none, or one", function()
      db:exec(engine.sql "create table none(id {key})")
      assert.are.same({}, (walked { table = "none" }))
      db:exec(engine.sql "create table one(id {key}); insert into one(id) values (7)")
      local m = db:migrations { batches(function(_, step)
        step.batch { table = "one", each = function(_, rows)
          assert.are.same({ { id = 7 } }, rows)
        end }
      end, { id = "b" }) }
      assert.are.same({ "b" }, m:up().applied)
    end)

    it("where the last piece is as large as the others", function()
      numbered(30) -- 10 and 20
      up(function(_, step) step.batch { table = "t", size = 10, each = once } end)
      assert.are.same({ { 1, 30 } }, seen())
    end)

    it("and works on them by SQL", function()
      numbered(1005)
      up(function(_, step)
        step.batch { table = "t", size = 10, set = "half = id / 2.0, seen = seen + 1" }
      end)
      assert.are.same({ { 1, 1005 } }, seen())
      assert.are.equal(502.5, db:value "select half from t where id = 1005")
    end)

    it("for which the condition is true", function()
      numbered(100)
      up(function(_, step)
        step.batch { table = "t", where = "id > 50 or id = 7", size = 10, each = once }
        step.batch { table = "t", where = "seen = 1 or id < 3", size = 10, set = "seen = seen + 2" }
      end)
      assert.are.same({ { 0, 47 }, { 2, 2 }, { 3, 51 } }, seen())
    end)

    it("though the work takes it out of the condition", function()
      numbered(200)
      up(function(_, step)
        step.batch { table = "t", where = "seen = 0", size = 10, set = "seen = seen + 1" }
      end)
      assert.are.same({ { 1, 200 } }, seen())
    end)

    it("though the work deletes rows", function()
      numbered(100)
      up(function(_, step)
        step.batch { table = "t", size = 10, each = function(inner, rows)
          once(inner, rows)
          for _, row in ipairs(rows) do
            if row.id % 2 == 0 then inner:run("delete from t where id = ?", row.id) end
          end
        end }
      end)
      assert.are.same({ { 1, 50 } }, seen())
    end)

    it("and rows that come behind it in the meantime", function()
      numbered(100)
      local added = false
      up(function(_, step)
        step.batch { table = "t", size = 10, each = function(inner, rows)
          if not added then
            added = true
            inner:run "insert into t(id) values (1000)"
          end
          once(inner, rows)
        end }
      end)
      assert.are.same({ { 1, 101 } }, seen())
    end)
  end)

  describe("takes as a key", function()
    it("several columns", function()
      db:exec(engine.sql [[create table t(a {integer}, b text, c {integer}, primary key (b, a));
        insert into t with recursive n(i) as (select 0 union all select i + 1 from n where i < 99)
          select i % 10, 'k' || (i / 10), i from n]])
      local rows = walked { table = "t", size = 10 }
      local found = {}
      for i, row in ipairs(rows) do found[i] = row.b .. row.a end
      assert.are.equal(100, #found)
      for i = 2, 100 do assert.is_true(found[i - 1] < found[i]) end
    end)

    it("texts, whatever stands in them", function()
      db:exec "create table t(name text primary key not null)"
      local names = { "", " ", "'", '"', "\\", "a\nb", "ä", "Z", "a", "%", "\u{10FFFF}", "1", "01" }
      for i = 1, 30 do names[#names + 1] = "n" .. i end
      for _, name in ipairs(names) do db:run("insert into t values (?)", name) end
      local found = column(walked { table = "t", size = 1 }, "name")
      table.sort(found)
      table.sort(names)
      assert.are.same(names, found)
    end)

    it("numbers to the last digit", function()
      db:exec(engine.sql "create table t(n {integer} primary key not null)")
      local numbers = { math.mininteger, math.mininteger + 1, -1, 0, (1 << 53) + 1, (1 << 53) + 2,
        (1 << 53) + 3, math.maxinteger - 1, math.maxinteger }
      for i = 2, 20 do numbers[#numbers + 1] = i * 3 end
      table.sort(numbers)
      for _, n in ipairs(numbers) do db:run("insert into t values (?)", n) end
      assert.are.same(numbers, column(walked { table = "t", size = 1 }, "n"))
    end)

    it("real numbers to the last bit", function()
      db:exec(engine.sql "create table t(n {real} primary key not null)")
      local numbers = { -1e300, -0.1, 0.1, 0.1 + 2 ^ -56, 1 / 3, 5e-324, 1e300 }
      for i = 1, 20 do numbers[#numbers + 1] = i + 1 / 3 end
      table.sort(numbers)
      for _, n in ipairs(numbers) do db:run("insert into t values (?)", n) end
      assert.are.same(numbers, column(walked { table = "t", size = 1 }, "n"))
    end)

    for _, kind in ipairs { "blob", "uuid", "timestamp", "decimal", "date" } do
      it("columns of the type " .. kind, function()
        local type_of = engine.sql("{" .. kind .. "}") .. (kind == "decimal" and "(9,2)" or "")
        db:exec(("create table t(k %s primary key not null)"):format(type_of))
        local make = {
          blob = function(i) return tuff.blob("\0\255'" .. string.char(i)) end,
          uuid = function(i) return ("00000000-0000-0000-0000-%012d"):format(i) end,
          timestamp = function(i) return ("2026-01-01T00:00:00.%06dZ"):format(i) end,
          decimal = function(i) return ("%d.5"):format(i) end,
          date = function(i) return ("2026-01-%02d"):format(i) end,
        }
        for i = 1, 31 do db:run("insert into t values (?)", make[kind](i)) end
        local expected = db:column "select k from t order by k"
        local rows, pieces = walked { table = "t", size = 1 }
        assert.are.same(expected, column(rows, "k"))
        assert.is_true(pieces > 1)
      end)
    end

    it("several columns of such types", function()
      db:exec(engine.sql [[create table t(d {decimal}(9,2), b {blob}, primary key (d, b))]])
      for i = 0, 49 do
        db:run("insert into t values (?, ?)", ("%d.5"):format(i // 10), tuff.blob("\0" .. i))
      end
      local found = {}
      for i, row in ipairs(walked { table = "t", size = 1 }) do found[i] = row.d .. row.b end
      local expected = {}
      for i, row in ipairs(db:all "select * from t order by d, b") do
        expected[i] = row.d .. row.b
      end
      assert.are.same(expected, found)
    end)

    it("columns that are named, though some rows have them in common", function()
      numbered(100)
      db:run "update t set half = id % 7"
      up(function(_, step)
        step.batch { table = "t", key = { "half" }, size = 10, each = once }
      end)
      assert.are.same({ { 1, 100 } }, seen())
    end)

    it("no column in which there is NULL", function()
      numbered(20)
      db:run "update t set half = id where id > 1"
      local err = errors.expect("migration", up, function(_, step)
        step.batch { table = "t", key = { "half" }, size = 10, each = once }
      end)
      errors.mentions(err, "half", "NULL")
      assert.are.same({ { 0, 20 } }, seen())
    end)

    it("names in any case, and of any letters", function()
      db:exec(engine.sql [[create table "Odd Names"("the ""Key""" {key}, x {integer});
        insert into "Odd Names"(x) values (1), (2), (3)]])
      assert.are.same({ 1, 2, 3 }, column(walked { table = "Odd Names" }, "x"))
    end)
  end)

  describe("is refused", function()
    local function refused(work, ...)
      local err = errors.expect("migration", up, work)
      errors.mentions(err, ...)
    end

    before_each(function() numbered(3) end)

    it("in a migration that is one transaction", function()
      local m = db:migrations { { id = "a", up = function(_, step)
        step.batch { table = "t", each = once }
      end } }
      errors.mentions(errors.expect("migration", m.up, m), "transaction = false")
    end)

    it("in a down, which is always one", function()
      local m = db:migrations { batches(function() end, { down = function(_, step)
        step.batch { table = "t", set = "seen = 0" }
      end }) }
      m:up()
      errors.mentions(errors.expect("migration", m.down, m), "step.batch")
      assert.are.equal("applied", states(m).a)
    end)

    it("without a table, without work, and with both kinds of it", function()
      refused(function(_, step) step.batch { each = once } end, "table")
      refused(function(_, step) step.batch { table = "t" } end, "each", "set")
      refused(function(_, step) step.batch { table = "t", each = once, set = "x = 1" } end, "each")
      refused(function(_, step) step.batch { table = "nowhere", each = once } end, "nowhere")
      refused(function(_, step) step.batch { tabel = "t", each = once } end, "table")
      refused(function(_, step) step.batch { table = "t", key = { "nowhere" }, each = once } end,
        "nowhere")
      refused(function(_, step) step.batch { table = "t", set = "nowhere = 1" } end, "nowhere")
      refused(function(_, step) step.batch { table = "t", where = "nowhere = 1", each = once } end,
        "nowhere")
      assert.are.same({ { 0, 3 } }, seen())
    end)

    it("within a piece of another one", function()
      refused(function(_, step)
        step.batch { table = "t", each = function()
          step.batch { table = "t", set = "seen = 9" }
        end }
      end, "transaction")
      assert.are.same({ { 0, 3 } }, seen())
    end)

    it("while a transaction of the script is open", function()
      local _ = refused(function(inner, step)
        local tx <close> = inner:begin()
        assert(tx:is_open())
        step.batch { table = "t", each = once }
      end, "transaction")
      refused(function(inner)
        inner:exec "begin"
        inner:run "update t set seen = 9"
      end, "transaction")
      if db:in_transaction() then db:exec "rollback" end
      assert.are.same({ { 0, 3 } }, seen())
      assert.are.equal("failed", states(db:migrations { batches(function() end) }).a)
    end)
  end)

  describe("that fails", function()
    it("keeps the pieces before, and goes on behind them", function()
      numbered(100)
      local broken = true
      local m = db:migrations { batches(function(_, step)
        step.batch { table = "t", size = 10, each = function(inner, rows)
          once(inner, rows)
          if broken and rows[1].id > 10 then error("on purpose", 0) end
        end }
      end) }
      errors.mentions(errors.expect("migration", m.up, m), "on purpose")
      assert.are.same({ { 0, 90 }, { 1, 10 } }, seen())
      local status = m:status()[1]
      assert.are.same({ "failed", 10, 100 }, { status.state, status.done, status.total })
      broken = false
      assert.are.same({ "a" }, m:up().applied)
      assert.are.same({ { 1, 100 } }, seen())
      status = m:status()[1]
      assert.are.same({ "applied", 100, 100 }, { status.state, status.done, status.total })
      assert.is_nil(status.error)
    end)

    it("in its second batch does not begin the first anew", function()
      numbered(100)
      local broken = true
      local m = db:migrations { batches(function(_, step)
        step.batch { table = "t", size = 10, each = once }
        step.batch { table = "t", size = 10, each = function(inner, rows)
          once(inner, rows)
          if broken and rows[1].id > 30 then error("on purpose", 0) end
        end }
        step.batch { table = "t", where = "id > 50", set = "seen = seen + 1" }
      end) }
      errors.expect("migration", m.up, m)
      assert.are.same({ { 1, 70 }, { 2, 30 } }, seen())
      broken = false
      m:up()
      assert.are.same({ { 2, 50 }, { 3, 50 } }, seen())
    end)

    it("goes on behind a kill at any piece, each row once", function()
      numbered(200)
      local runs = 0
      repeat
        runs = runs + 1
        local child = process.start { arguments = { engine.path() }, chunk = [[
          local tuff = require "tuff"
          local db <close> = tuff.open((...), { durability = "normal" })
          local stat <close> = io.open("/proc/self/stat")
          local pid, calls = stat:read("n"), 0
          local function each(inner, rows)
            calls = calls + 1
            for _, row in ipairs(rows) do
              inner:run("update t set seen = seen + 1 where id = ?", row.id)
            end
            if calls == 2 then os.execute("kill -9 " .. pid) end
          end
          db:migrations({ { id = "a", transaction = false, up = function(_, step)
            step.batch { table = "t", size = 10, each = each }
            step.batch { table = "t", size = 10, each = each }
          end } }):up()
        ]] }
        local ended = child:wait()
        assert.is_true(ended.ok or ended.code == 9 or ended.code == 137, ended.errors)
        for _, found in ipairs(seen()) do assert.is_true(found[1] <= 2) end
      until ended.ok or runs == 50
      assert.is_true(runs > 5)
      assert.are.same({ { 2, 200 } }, seen())
      assert.are.equal("applied", states(db:migrations { batches(function() end) }).a)
    end)

    it("is stopped by its progress, and goes on later", function()
      numbered(100)
      local m = db:migrations { batches(function(_, step)
        step.batch { table = "t", size = 10, each = once }
      end) }
      errors.expect("interrupted", m.up, m, { progress = function(event)
        return not event.done
      end })
      assert.are.same({ { 0, 90 }, { 1, 10 } }, seen())
      assert.are.equal("running", states(m).a)
      m:up()
      assert.are.same({ { 1, 100 } }, seen())
    end)
  end)

  describe("tells", function()
    it("how far it has come", function()
      numbered(100)
      local told = {}
      up(function(_, step) step.batch { table = "t", size = 10, each = once } end, {
        progress = function(event)
          if event.done then told[#told + 1] = event end
        end,
      })
      assert.is_true(#told > 1)
      for i, event in ipairs(told) do
        assert.are.same({ "a", "t", 100 }, { event.id, event.table, event.total })
        assert.is_true(i == 1 or event.done > told[i - 1].done)
        assert.is_true(event.left_ms == nil or event.left_ms >= 0)
      end
      assert.are.equal(10, told[1].done)
      assert.are.equal(100, told[#told].done)
      assert.are.equal(0, told[#told].left_ms)
    end)

    it("and makes the pieces larger where they are quick", function()
      numbered(20000)
      local _, pieces = walked { table = "t", size = 10 }
      assert.is_true(pieces < 200, pieces .. " pieces")
    end)
  end)

  describe("says whether it was done", function()
    it("and is not applied where it was not", function()
      numbered(3)
      local good = false
      local m = db:migrations { batches(function() end, { done = function(inner)
        assert.are.equal(3, inner:value "select count(*) from t")
        return good
      end }) }
      errors.mentions(errors.expect("migration", m.up, m), "done")
      assert.are.equal("failed", states(m).a)
      good = true
      assert.are.same({ "a" }, m:up().applied)
    end)

    it("so that it is not done twice, when it ended before that was noted", function()
      db:exec "create table log(what text)"
      local broken = true
      local m = db:migrations { batches(function(inner)
        inner:exec "create table made(x integer)"
        if broken then error("on purpose", 0) end
      end, { done = function(inner) return inner:has_table "made" end }) }
      errors.expect("migration", m.up, m)
      assert.are.same({ "a" }, m:up().applied)
    end)
  end)

  it("may do what no transaction allows", function()
    numbered(3)
    up(function(inner)
      inner:exec(engine.name == "SQLite" and "vacuum" or "create index concurrently i on t(seen)")
    end)
    assert.are.equal("applied", states(db:migrations { batches(function() end) }).a)
  end)
end)

describe("a migration in batches of a file", function()
  local db
  before_each(function() db = select(2, fixture.database "create table log(what text)") end)
  fixture.clean_up()

  local function walked(options, name)
    local found = {}
    options.each = function(_, rows)
      for _, row in ipairs(rows) do found[#found + 1] = row[name] end
    end
    db:migrations({ batches(function(_, step) step.batch(options) end) }):up()
    return found
  end

  local many = [[with recursive c(n) as (select 1 union all select n + 1 from c where n < 50)
    select n from c]]

  it("goes by the number of rows without a key", function()
    db:exec("create table t(x integer); insert into t " .. many)
    assert.are.equal(50, #walked({ table = "t", size = 10 }, "x"))
  end)

  it("goes by that number though a column has its name", function()
    db:exec("create table t(rowid text, x integer); insert into t(rowid, x) select 'r', n from ("
      .. many .. ")")
    db:run "update t set rowid = null where x > 20"
    assert.are.equal(50, #walked({ table = "t", size = 10 }, "x"))
  end)

  it("goes by the key of a table without that number", function()
    db:exec("create table t(x integer, y text, primary key (y, x)) without rowid; "
      .. "insert into t select n, n % 3 from (" .. many .. ")")
    assert.are.equal(50, #walked({ table = "t", size = 10 }, "x"))
  end)

  it("compares texts as the key does", function()
    db:exec("create table t(x text collate nocase primary key not null); insert into t "
      .. "select char(64 + n % 26 + 1 + 32 * (n % 2)) || n from (" .. many .. ")")
    local expected = db:column "select x from t order by x"
    assert.are.same(expected, walked({ table = "t", size = 10 }, "x"))
  end)

  it("takes keys of several types in one column", function()
    db:exec [[create table t(x primary key not null)]]
    for i = 1, 15 do
      db:run("insert into t values (?)", i)
      db:run("insert into t values (?)", i + 0.5)
      db:run("insert into t values (?)", "t" .. i)
      db:run("insert into t values (cast(? as blob))", "b" .. i)
    end
    assert.are.equal(60, #walked({ table = "t", size = 10 }, "x"))
  end)

  it("refuses a primary key in which there is NULL", function()
    db:exec "create table t(x text primary key); insert into t values (null), ('a'), (null)"
    local err = errors.expect("migration", walked, { table = "t" }, "x")
    errors.mentions(err, "x", "NULL")
  end)
end)

fixture.each_engine("a table without a key", function(engine)
  if engine.name ~= "PostgreSQL" then return end

  it("is not gone over without one", function()
    local db = engine.database "create table t(x integer); insert into t values (1)"
    local m = db:migrations { batches(function(_, step)
      step.batch { table = "t", set = "x = 2" }
    end) }
    errors.mentions(errors.expect("migration", m.up, m), "t", "primary key", "key =")
  end)
end)
