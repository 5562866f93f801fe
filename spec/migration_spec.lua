local core = require "tuff.core"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"

local states, ids, problems = migrations.states, migrations.ids, migrations.problems

--- A migration that notes that it ran; `extra` is added to it.
local function noting(id, extra)
  local made = {
    id = id,
    up = function(db) db:run("insert into log values (?)", "up " .. id) end,
    down = function(db) db:run("insert into log values (?)", "down " .. id) end,
  }
  for key, value in pairs(extra or {}) do made[key] = value end
  return made
end

local function running(sql)
  return function(db) db:exec(sql) end
end

fixture.each_engine("migrations", function(engine)
  local db

  before_each(function() db = engine.database "create table log(what text)" end)

  local function log() return db:column "select what from log" end

  --- One migration whose up is this; more fields may follow.
  local function one(up, extra)
    local made = { id = "a", up = up }
    for key, value in pairs(extra or {}) do made[key] = value end
    return db:migrations { made }
  end

  local function refused(up, ...)
    local m = one(up)
    local err = errors.expect(nil, m.up, m)
    errors.mentions(err, ...)
    assert.are.same({ a = "failed" }, states(m))
    return err
  end

  describe("run up", function()
    it("in the order of their names, and only once", function()
      local m = db:migrations { noting "c", noting "a", noting "b" }
      assert.are.same({ a = "pending", b = "pending", c = "pending" }, states(m))
      assert.are.same({ "a", "b", "c" }, ids(m:plan()))
      local report = m:up()
      assert.are.same({ "a", "b", "c" }, report.applied)
      assert.are.equal("number", type(report.ms))
      assert.are.same({ a = "applied", b = "applied", c = "applied" }, states(m))
      assert.are.same({}, m:plan())
      assert.are.same({}, m:up().applied)
      assert.are.same({ "up a", "up b", "up c" }, log())
    end)

    it("as phases say: pre, main, those that are repeated, post", function()
      local m = db:migrations {
        noting("a", { phase = "post" }), noting "b", noting("c", { phase = "pre" }),
        noting("d", { repeatable = true }), noting("e", { phase = "main" }),
      }
      m:up()
      assert.are.same({ "up c", "up b", "up e", "up d", "up a" }, log())
    end)

    it("each in a transaction, together with its line of the ledger", function()
      local m = db:migrations {
        noting "a",
        noting("b", { up = function(inner)
          assert.is_true(inner:in_transaction())
          inner:run "insert into log values ('lost')"
          error("on purpose", 0)
        end }),
        noting "c",
      }
      local err = errors.expect("migration", m.up, m)
      errors.mentions(err, "b", "on purpose")
      assert.are.same({ "up a" }, log())
      assert.are.same({ a = "applied", b = "failed", c = "pending" }, states(m))
      local failed = m:status()[2]
      assert.is_truthy(failed.error:find("on purpose", 1, true))
      assert.is_false(db:in_transaction())
    end)

    it("and tell when only what waited for the commit has failed", function()
      local m = one(function(inner)
        inner:after_commit(function() error("no mail", 0) end)
      end, { down = function(inner) inner:after_commit(function() error("no mail", 0) end) end })
      local err = errors.expect("migration", m.up, m)
      errors.mentions(err, "the migration a was applied", "no mail")
      assert.is_true(err.committed)
      assert.are.same({ a = "applied" }, states(m))
      errors.mentions(errors.expect("migration", m.down, m), "a was taken back", "no mail")
      assert.are.same({ a = "pending" }, states(m))
    end)

    it("and whatever one raises is kept as a failure", function()
      local evil = setmetatable({}, { __tostring = function() error "evil" end })
      for told, raised in pairs { ["a?b"] = "a\0b", ["?"] = "\xff", ["cannot be told"] = evil } do
        refused(function() error(raised, 0) end, told)
        assert.is_truthy(one(function() end):status()[1].error:find(told, 1, true))
      end
    end)

    it("again where they have failed, and what failed is forgotten when it is mended", function()
      local broken = one(running "insert into nowhere values (1)")
      errors.expect(nil, broken.up, broken)
      errors.expect(nil, broken.up, broken)
      local mended = db:migrations { noting "a" }
      assert.are.same({ "a" }, mended:up().applied)
      assert.are.same({ a = "applied" }, states(mended))
      assert.is_nil(mended:status()[1].error)
      assert.are.same({}, problems(mended))
    end)

    it("as far as it is said, by an id or the beginning of one", function()
      local list = { noting "01_a", noting "02_b", noting "03_c", noting "03_d" }
      local m = db:migrations(list)
      assert.are.same({ "01_a" }, m:up({ to = "01_a" }).applied)
      assert.are.same({ "02_b" }, m:up({ to = "02" }).applied)
      assert.are.same({}, m:up({ to = "01_a" }).applied)
      errors.mentions(errors.expect(nil, m.up, m, { to = "03" }), "03_c", "03_d")
      errors.expect(nil, m.up, m, { to = "nowhere" })
      assert.are.same({ "up 01_a", "up 02_b" }, log())
    end)

    it("without a lock where nothing is pending", function()
      local m = db:migrations { noting "a" }
      m:up()
      local other = engine.open()
      other:transaction(function()
        other:run "update log set what = 'held'"
        assert.are.same({}, m:up({ wait = 0 }).applied)
        assert.are.same({}, m:plan())
      end)
    end)

    it("on no connection that may only read", function()
      local m = engine.open({ readonly = true }):migrations { noting "a" }
      assert.are.same({ a = "pending" }, states(m))
      errors.expect({ "readonly", "migration" }, m.up, m)
    end)

    it("in no transaction of somebody else", function()
      local m = db:migrations { noting "a" }
      db:transaction(function() errors.expect({ "misuse", "migration" }, m.up, m) end)
      assert.are.same({ a = "pending" }, states(m))
    end)

    it("and tell who asks what they do", function()
      local m = db:migrations { noting "a", noting("b", { phase = "post" }) }
      local told = {}
      m:up {
        notify = function(plan)
          told[#told + 1] = "notify " .. table.concat(ids(plan), " ")
          return "handle"
        end,
        progress = function(event)
          if event.phase then told[#told + 1] = event.id .. " " .. event.phase end
        end,
        complete = function(handle, err)
          told[#told + 1] = ("complete %s %s"):format(handle, tostring(err))
        end,
      }
      assert.are.same({ "notify a b", "a main", "b post", "complete handle nil" }, told)
      m:up {
        notify = function() told = nil end,
        complete = function() told = nil end,
      }
      assert.is_table(told)
    end)

    it("and tell of a failure in the end, when the database is as it was", function()
      local m = one(function(inner)
        inner:run "insert into log values ('lost')"
        error("on purpose", 0)
      end)
      local seen, rows
      local raised = errors.expect("migration", m.up, m, {
        notify = function() return 7 end,
        complete = function(handle, err)
          seen, rows = { handle, err }, db:value "select count(*) from log"
        end,
      })
      assert.are.equal(7, seen[1])
      assert.are.equal(raised, seen[2])
      assert.are.equal(0, rows)
    end)

    it("and stop where progress says so, or where it fails", function()
      local list = { noting "a", noting "b" }
      local m = db:migrations(list)
      assert.is_false(pcall(m.up, m, { progress = function() error("on purpose", 0) end }))
      assert.are.equal("pending", states(m).b)
      m = db:migrations(list)
      m:up()
      assert.are.same({ a = "applied", b = "applied" }, states(m))
    end)

    it("and refuse options that there are not", function()
      local m = db:migrations { noting "a" }
      errors.mentions(errors.expect("misuse", m.up, m, { dryrun = true }), "dry_run")
      errors.expect("misuse", m.up, m, { to = 7 })
      assert.are.same({ a = "pending" }, states(m))
    end)
  end)

  describe("that come late", function()
    local function behind()
      db:migrations({ noting "a", noting "c" }):up()
      return db:migrations { noting "a", noting "b", noting "c" }
    end

    it("are pending though newer ones were applied", function()
      local m = behind()
      assert.are.equal("pending", states(m).b)
      assert.is_true(m:status()[2].out_of_order)
      assert.are.same({ "out of order b" }, problems(m))
    end)

    it("are refused with the reason, and run where that is allowed", function()
      local m = behind()
      errors.mentions(errors.expect("migration", m.up, m), "b", "c", "allow_out_of_order")
      errors.expect("migration", m.plan, m)
      assert.are.same({ "up a", "up c" }, log())
      assert.are.same({ "b" }, ids(m:plan { allow_out_of_order = true }))
      assert.are.same({ "b" }, m:up({ allow_out_of_order = true }).applied)
      assert.are.same({ "up a", "up c", "up b" }, log())
    end)

    it("are not late where those behind them are of another phase, or repeated", function()
      db:migrations({ noting "b", noting("d", { phase = "post" }),
        noting("e", { repeatable = true }) }):up()
      local m = db:migrations { noting("a", { phase = "pre" }), noting "b", noting "c",
        noting("d", { phase = "post" }), noting("e", { repeatable = true }) }
      assert.are.same({ "a", "c" }, m:up().applied)
    end)

    it("are late, too, where they were tried and failed", function()
      local m = db:migrations { noting("a", { up = running "insert into nowhere values (1)" }) }
      errors.expect(nil, m.up, m)
      db:migrations({ noting "b" }):up()
      m = db:migrations { noting "a", noting "b" }
      errors.mentions(errors.expect("migration", m.up, m), "allow_out_of_order")
      assert.are.same({ "a" }, m:up({ allow_out_of_order = true }).applied)
    end)

    it("are not missed where they failed, and have left nothing", function()
      local function list(...)
        return db:migrations { { id = "20260101000000_a", up = running "select 1" }, ... }
      end
      local m = list { id = "20260102000000_b", up = running "insert into nowhere values (1)" }
      errors.expect("migration", m.up, m)
      assert.are.same({}, list():up().applied)
      m = list { id = "20260103000000_c", transaction = false, up = function() error "half" end }
      errors.expect("migration", m.up, m)
      m = list()
      errors.mentions(errors.expect("migration", m.up, m), "20260103000000_c", "a newer one")
    end)

    it("are not hidden by one that only failed", function()
      local list = { noting "a", noting("c", { up = running "insert into nowhere values (1)" }) }
      local m = db:migrations(list)
      errors.expect(nil, m.up, m)
      m = db:migrations { noting "a", noting "b", noting "c" }
      assert.are.same({ "b", "c" }, m:up().applied)
    end)
  end)

  describe("run down", function()
    local m

    before_each(function()
      m = db:migrations { noting "a", noting "b", noting "c" }
      m:up()
      db:run "delete from log"
    end)

    it("the last one first, one where nothing else is said", function()
      assert.are.same({ "c" }, m:down().applied)
      assert.are.same({ a = "applied", b = "applied", c = "pending" }, states(m))
      assert.are.same({ "b", "a" }, m:down({ steps = 2 }).applied)
      assert.are.same({ "down c", "down b", "down a" }, log())
      assert.are.same({}, m:down().applied)
      assert.are.same({ "a", "b", "c" }, m:up().applied)
    end)

    it("as far as one that stays", function()
      assert.are.same({ "c", "b" }, m:down({ to = "a" }).applied)
      assert.are.same({ a = "applied", b = "pending", c = "pending" }, states(m))
    end)

    it("in the order in which they were applied, where one came late", function()
      local late = db:migrations { noting "a", noting "aa", noting "b", noting "c" }
      late:up { allow_out_of_order = true }
      assert.are.same({ "aa" }, late:down().applied)
    end)

    it("not at all where one of them cannot", function()
      local stuck = db:migrations { noting "a",
        { id = "b", up = function() end }, noting "c" }
      errors.mentions(errors.expect("migration", stuck.down, stuck, { steps = 2 }), "b", "down")
      assert.are.same({}, log())
      assert.are.same({ "c" }, stuck:down().applied)
    end)

    it("not where the program does not have them", function()
      local fewer = db:migrations { noting "a", noting "b" }
      errors.mentions(errors.expect("migration", fewer.down, fewer), "c")
      assert.are.same({}, log())
    end)

    it("and are applied still where that fails", function()
      local failing = db:migrations { noting "a", noting "b", noting("c", {
        down = function(inner)
          inner:run "insert into log values ('lost')"
          error("on purpose", 0)
        end,
      }) }
      errors.mentions(errors.expect("migration", failing.down, failing), "c", "on purpose")
      assert.are.same({}, log())
      assert.are.equal("applied", states(m).c)
      assert.are.equal(1, db:value("select count(*) from tuff_migration_events "
        .. "where id = 'c' and error like '%on purpose%'"))
      assert.are.same({ "c" }, m:down().applied)
    end)

    it("and up again", function()
      assert.are.same({ "c" }, m:redo().applied)
      assert.are.same({ "down c", "up c" }, log())
      assert.are.same({ a = "applied", b = "applied", c = "applied" }, states(m))
    end)
  end)

  describe("are told apart", function()
    local up = "return { up = function(db) db:run(\"insert into log values ('%s')\") end%s }"

    local function files(text)
      return db:migrations(migrations.directory { ["20260101000000_a"] = text })
    end

    local id = "20260101000000_a"

    it("not by how their lines end, nor by a byte order mark", function()
      local text = "-- a\n" .. up:format("x", "") .. "\n"
      files(text):up()
      local windows = text:gsub("\n", "\r\n")
      for _, same in ipairs { windows, "\xef\xbb\xbf" .. text, "\xef\xbb\xbf" .. windows } do
        local m = files(same)
        assert.are.same({ [id] = "applied" }, states(m))
        assert.are.same({}, problems(m))
        assert.are.same({}, m:up().applied)
      end
    end)

    it("not by how they are formatted, nor by what comments say", function()
      files(up:format("x", "")):up()
      local m = files("-- said more\n" .. up:format("x", ""):gsub("%(db%)", "( db )\n"))
      assert.are.same({}, m:up().applied)
    end)

    it("by a literal that was changed", function()
      files(up:format("x", "")):up()
      local m = files(up:format("y", ""))
      assert.are.same({ [id] = "changed" }, states(m))
      assert.are.same({ "changed " .. id }, problems(m))
      errors.mentions(errors.expect("migration", m.up, m), id, "allow_changed")
      assert.are.same({}, m:up({ allow_changed = true }).applied)
      assert.are.same({ "x" }, log())
    end)

    it("by the spaces within a literal", function()
      files(up:format("x", "")):up()
      assert.are.same({ [id] = "changed" }, states(files(up:format("x ", ""))))
    end)

    it("and run again when they changed, if that is what they are for", function()
      local view = up:format("%s", ", repeatable = true")
      files(view:format("x")):up()
      assert.are.same({}, files(view:format("x")):up().applied)
      assert.are.same({}, files("-- said more\n" .. view:format("x")):up().applied)
      local m = files(view:format("y"))
      assert.are.same({ [id] = "again" }, states(m))
      assert.are.same({ id }, m:up().applied)
      assert.are.same({ "x", "y" }, log())
      assert.are.same({ [id] = "applied" }, states(m))
      assert.are.same({}, m:up().applied)
    end)
  end)

  describe("of a database that has what they make", function()
    it("are recorded without being run", function()
      local m = db:migrations { noting "a", noting "b", noting "c" }
      assert.are.same({ "a", "b" }, m:baseline "b")
      assert.are.same({ a = "applied", b = "applied", c = "pending" }, states(m))
      assert.are.equal("baseline", m:status()[1].kind)
      assert.are.same({ "c" }, m:up().applied)
      assert.are.same({ "up c" }, log())
      assert.are.same({}, m:baseline())
    end)

    it("are recorded where they were tried and failed, because it has them", function()
      local list = { noting("a", { up = running "create table log(what text)" }), noting "b" }
      local m = db:migrations(list)
      errors.expect(nil, m.up, m)
      assert.are.same({ "a" }, m:baseline "a")
      assert.are.same({ a = "applied", b = "pending" }, states(m))
      assert.are.same({ "b" }, m:up().applied)
    end)

    it("are recorded as what they are", function()
      local m = db:migrations { noting("a", { phase = "pre" }),
        noting("b", { repeatable = true }) }
      m:baseline()
      assert.are.same({ "a" }, m:down({ steps = 5 }).applied)
    end)

    it("are all recorded where none is named", function()
      local m = db:migrations { noting "a", noting "b" }
      assert.are.same({ "a", "b" }, m:baseline())
      assert.are.same({}, m:up().applied)
      assert.are.same({}, log())
      assert.are.same({}, problems(m))
    end)
  end)

  describe("are verified", function()
    it("and missing ones, failed ones and changed tables found", function()
      local m = db:migrations { noting "a", noting "b" }
      m:up()
      assert.are.same({ ok = true, problems = {} }, m:verify())
      local fewer = db:migrations { noting "a" }
      assert.are.same({ a = "applied", b = "missing" }, states(fewer))
      assert.are.same({ "missing b" }, problems(fewer))
      local more = db:migrations { noting "a", noting "b",
        noting("c", { up = running "insert into nowhere values (1)" }) }
      errors.expect(nil, more.up, more)
      assert.are.same({ "failed c" }, problems(more))
      assert.is_false(more:verify().ok)
      db:exec "create table unasked(x integer)"
      assert.is_truthy(table.concat(problems(m), ", "):find("schema", 1, true))
    end)

    it("and those of a newer program stop all", function()
      local old, new = "20260101000000_old", "20260102000000_new"
      db:migrations({ noting(old), noting(new) }):up()
      local m = db:migrations { noting(old) }
      errors.mentions(errors.expect("migration", m.up, m), new, "newer")
      errors.expect("migration", m.plan, m)
      assert.are.same({ [old] = "applied", [new] = "missing" }, states(m))
    end)

    it("and tables are what the last one left, also after one was taken back", function()
      local m = db:migrations { noting "a",
        noting("b", { up = running "create table b(x integer)", down = function() end }) }
      m:up()
      m:down()
      assert.are.same({}, problems(m))
      db:exec "drop table b"
      assert.are.same({ "schema" }, problems(m))
    end)

    it("and missing ones do not stop the others", function()
      db:migrations({ noting "a" }):up()
      local m = db:migrations { noting "b" }
      assert.are.same({ "b" }, m:up().applied)
    end)
  end)

  describe("keep a ledger", function()
    it("which carries a number, and refuses a newer one", function()
      local m = db:migrations { noting "a", noting "b" }
      m:up { to = "a" }
      assert.are.equal("integer", math.type(db.settings:get "tuff.ledger"))
      core.own(db)
      db:run "update tuff_settings set value = '999' where key = 'tuff.ledger'"
      for _, method in ipairs { "up", "down", "redo", "status", "plan", "verify", "baseline" } do
        errors.mentions(errors.expect("migration", m[method], m), "999", "newer")
      end
      assert.are.same({ "up a" }, log())
    end)

    it("which is hidden, and keeps what failed", function()
      local m = one(function() error("on purpose", 0) end)
      errors.expect(nil, m.up, m)
      m = one(function() end)
      m:up()
      for _, name in ipairs(db:tables()) do assert.is_nil(name:find "^tuff_") end
      assert.is_true(db:value "select count(*) from tuff_migration_events" >= 1)
      assert.is_truthy(db:value("select count(*) from tuff_migration_events where "
        .. "error like '%on purpose%'") == 1)
    end)

    it("and no script writes to it", function()
      db:migrations({ noting "before" }):up()
      for _, sql in ipairs {
        "delete from tuff_migrations",
        "update tuff_migrations set id = 'x'",
        "insert into tuff_migrations select * from tuff_migrations",
        "drop table tuff_migrations",
        "alter table tuff_migrations rename to mine",
        "alter table tuff_migrations add column x integer",
        "delete from tuff_migration_events",
        "drop table tuff_migration_events",
        "create index mine on tuff_migrations(id)",
        "update tuff_settings set value = '7' where key = 'tuff.ledger'",
      } do
        local m = db:migrations { noting "before", { id = "c", up = running(sql) } }
        local err = errors.expect(nil, m.up, m)
        errors.mentions(err, "tuff_")
        assert.are.same({ before = "applied", c = "failed" }, states(m))
      end
    end)

    it("and no script comes near it by a trick", function()
      db:migrations({ noting "before" }):up()
      for _, trick in ipairs {
        function(inner) inner:run "delete from TUFF_MIGRATIONS" end,
        function(inner) inner:run [[delete from "tuff_migrations"]] end,
        function(inner) inner:run "with x as (select 1) delete from tuff_migrations" end,
        function(inner) inner:insert("tuff_migrations", { sequence = 9, id = "x" }) end,
        function(inner) inner:insert("Tuff_Migrations", { sequence = 9, id = "x" }) end,
        function(inner) inner:insert_many("tuff_migrations", { { sequence = 9, id = "x" } }) end,
        function(inner) inner:drop_table("tuff_migrations", { allow_drop = true }) end,
        function(inner) inner.settings:set("tuff.ledger", 7) end,
      } do
        local m = db:migrations { noting "before", { id = "c", up = trick } }
        errors.mentions(errors.expect(nil, m.up, m), "tuff")
        assert.are.same({ before = "applied", c = "failed" }, states(m))
      end
    end)

    it("and a text that only speaks of it is a text", function()
      one(function(inner)
        inner:run "insert into log values ('tuff_migrations')"
        inner:run "update log set what = 'tuff_' where what is distinct from 'tuff_migrations'"
      end):up()
      assert.are.same({ "tuff_migrations" }, log())
    end)

    it("and a name that SQLite takes from a string is a name", function()
      if db.engine ~= "sqlite" then return end
      db:migrations({ noting "before" }):up()
      for _, sql in ipairs {
        "delete from 'tuff_migrations'", "update or ignore 'tuff_migrations' set state = 'failed'",
        "insert into main.'tuff_settings' values (1, 2)", "drop table if exists 'tuff_settings'",
        "alter table log rename to 'tuff_log'", "create index mine on 'tuff_migrations'(id)",
        "create trigger mine after insert on log begin delete from 'tuff_migrations'; end",
      } do
        local m = db:migrations { noting "before", { id = "c", up = running(sql) } }
        errors.mentions(errors.expect(nil, m.up, m), "tuff_")
        assert.are.same({ before = "applied", c = "failed" }, states(m))
      end
    end)
  end)

  describe("may not", function()
    it("end the transaction that they run in", function()
      for _, sql in ipairs { "commit", "rollback", "end", "COMMIT;", "begin",
        "savepoint s; rollback",
        "create table x(a integer); commit; create table y(a integer)",
        "create table x(a integer); /* */ rollback" } do
        local err = refused(running(sql))
        assert.is_truthy(tostring(err):lower():find "transaction", tostring(err))
        assert.is_false(db:has_table "x")
        assert.is_false(db:has_table "y")
      end
    end)

    it("end it though they caught the error", function()
      local m = one(function(inner)
        inner:exec "create table x(a integer)"
        pcall(inner.exec, inner, "commit")
        pcall(inner.run, inner, "rollback")
        error("on purpose", 0)
      end)
      errors.mentions(errors.expect("migration", m.up, m), "on purpose")
      assert.is_false(db:has_table "x")
    end)

    it("leave a transaction of theirs open", function()
      local m = one(function(inner)
        inner:run "insert into log values ('outer')"
        inner:begin()
        inner:run "insert into log values ('inner')"
      end)
      local good = pcall(m.up, m)
      assert.are.equal(good and "applied" or "failed", states(m).a)
      if not good then assert.are.same({}, log()) end
      assert.is_false(db:in_transaction())
    end)

    it("run other migrations", function()
      refused(function(inner) inner:migrations({ noting "x" }):up() end)
      assert.are.same({}, log())
    end)

    it("close the connection and be committed", function()
      local m = one(function(inner)
        inner:run "insert into log values ('lost')"
        inner:close()
      end)
      errors.expect(nil, m.up, m)
      db = engine.open()
      assert.are.same({}, log())
      assert.are_not.equal("applied", states(db:migrations { noting "a" }).a)
    end)

    it("go on behind a deadline that they caught", function()
      local m = one(function(inner)
        inner:run "insert into log values ('before')"
        pcall(function()
          inner:using({ timeout = 20 }):value [[with recursive c(n) as
            (select 1 union all select n + 1 from c) select count(*) from c]]
        end)
        inner:run "insert into log values ('behind')"
      end)
      errors.mentions(errors.expect(nil, m.up, m), "a")
      assert.are.same({}, log())
      assert.are.equal("failed", states(m).a)
    end)
  end)

  describe("may", function()
    it("use savepoints, and go on behind an error within one", function()
      local m = one(function(inner)
        inner:run "insert into log values ('outer')"
        pcall(inner.transaction, inner, function()
          inner:run "insert into log values ('inner')"
          inner:run "insert into nowhere values (1)"
        end)
        inner:transaction(function() inner:run "insert into log values ('good')" end)
      end)
      m:up()
      assert.are.same({ "outer", "good" }, log())
    end)

    it("take longer than the timeout of the connection, which holds again behind them", function()
      local hurried = engine.open { timeout = 20 }
      local long = "with recursive c(n) as (select 1 union all select n + 1 from c where n < %d) "
        .. "select count(*) from c"
      hurried:migrations({
        { id = "a", up = function(inner) inner:value(long:format(300000)) end },
        { id = "b", transaction = false, up = function(inner)
          inner:value(long:format(300000))
        end },
      }):up()
      errors.expect("timeout", hurried.value, hurried, long:format(100000000))
      local m = hurried:migrations { { id = "c", up = function(inner)
        inner:using({ timeout = 20 }):value(long:format(100000000))
      end } }
      errors.mentions(errors.expect("migration", m.up, m), "20 ms")
    end)

    if engine.name == "PostgreSQL" then
      it("fail where somebody keeps a table for too long, which is said of them", function()
        local hurried, other = engine.open { busy_timeout = 20 }, engine.open()
        other:transaction(function()
          other:run "insert into log values ('held')"
          local m = hurried:migrations { { id = "a", up = running "alter table log add x int" } }
          local err = errors.expect("migration", m.up, m)
          errors.mentions(err, "the migration a failed")
          assert.are.equal("busy", err.cause.code)
        end)
        assert.are.same({ a = "failed" }, states(one(function() end)))
      end)

      it("run again by themselves where others were in the way", function()
        local times = 0
        local m = one(function(inner)
          times = times + 1
          inner:run "insert into log values ('once')"
          if times < 3 then
            inner:exec "do $$ begin raise exception 'mine' using errcode = '40P01'; end $$"
          end
        end)
        assert.are.same({ "a" }, m:up().applied)
        assert.are.same({ 3, { "once" } }, { times, log() })
      end)
    end

    it("keep settings of their own", function()
      one(function(inner) inner.settings:set("color", "red") end):up()
      assert.are.equal("red", db.settings:get "color")
    end)

    it("keep their ledger whatever the limits of the script are", function()
    local narrow = fixture.open(engine.path(), { limits = { value_bytes = 50, sql_bytes = 100 } })
    local m = narrow:migrations(migrations.directory {
      ["20260101000000_a"] = 'return { up = function(db) db:run "create table narrow(a int)" end }',
    })
    assert.are.equal(1, #m:up().applied)
    assert.is_true(m:verify().ok)
  end)

  it("say so where a function of step is misspelt", function()
    local m = db:migrations { { id = "a", up = function(_, step) step.hass("log") end } }
    local err = errors.expect("migration", m.up, m)
    errors.mentions(err.cause, "step has no hass", 'did you mean "has"?')
  end)

  it("ask what there is", function()
      local seen = {}
      one(function(inner, step)
        inner:exec "create table made(x integer); create view seen as select x as y from made"
        for _, name in ipairs { "log", "log.what", "log.nothing", "nothing", "nothing.what",
          "made", "made.x", "seen", "seen.y" } do
          seen[#seen + 1] = ("%s %s"):format(name, step.has(name))
        end
        seen[#seen + 1] = step.id
      end):up()
      assert.are.same({ "log true", "log.what true", "log.nothing false", "nothing false",
        "nothing.what false", "made true", "made.x true", "seen true", "seen.y true", "a" }, seen)
    end)

    it("ask for a rescan, which is committed with them", function()
      local m = one(function(_, step)
        step.rescan()
        error("on purpose", 0)
      end)
      errors.expect(nil, m.up, m)
      assert.is_nil(db.settings:get "rescan")
      one(function(_, step) step.rescan() end):up()
      assert.is_true(db.settings:get "rescan")
    end)
  end)

  describe("are verified before the commit", function()
    it("and drop no table that rows of others need", function()
      db:exec(engine.sql [[create table parent(id {key});
        create table child(id {key}, parent_id {integer} references parent(id));
        insert into parent(id) values (1); insert into child(parent_id) values (1)]])
      local err = refused(running "drop table parent")
      errors.mentions(err, "child")
      assert.are.equal(1, db:value "select count(*) from parent")
    end)

    it("and leave no view that cannot be read", function()
      db:exec "create view seen as select what from log"
      refused(running "drop table log", "seen")
      assert.is_true(db:has_table "log")
    end)
  end)
end)
