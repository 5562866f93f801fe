local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

local long = "with recursive c(n) as (select 1 union all select n + 1 from c where n < %d) "
  .. "select count(*) from c"
local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "

--- Holds the lock of a row, or of the database, until it reads a line.
local holder = [[
  local db <close> = require "tuff".open((...))
  local tx <close> = db:begin()
  db:run("update t set name = name where id = 1")
  print("held")
  io.read("l")
]]

--- A loop that is left after its first row.
local function leave(db, body)
  for _ in db:rows("select * from t") do
    if body then body() end
    if db then break end
  end
end

fixture.each_engine("watching a connection", function(engine)
  local db

  before_each(function()
    db = engine.database("create table t(id {key}, name text unique); "
      .. "insert into t(name) values ('a'), ('b'), ('c')")
  end)

  describe("by a trace function", function()
    local runs

    before_each(function()
      runs = {}
      db:trace(function(run) runs[#runs + 1] = run end)
    end)

    local function texts()
      local list = {}
      for i, run in ipairs(runs) do list[i] = run.sql end
      runs = {}
      return list
    end

    it("tells the text, the time, the rows and the changes of each run", function()
      db:all("select * from t where id < ?", 3)
      db:run("update t set name = name || '!' where id > :id", { id = 1 })
      assert.are.equal(2, #runs)
      local read, written = runs[1], runs[2]
      assert.are.equal("select * from t where id < ?", read.sql)
      assert.are.same({ 2, 0 }, { read.rows, read.changes })
      assert.are.equal("update t set name = name || '!' where id > :id", written.sql)
      assert.are.same({ 0, 2 }, { written.rows, written.changes })
      for _, run in ipairs(runs) do
        assert.is_nil(run.failed)
        assert.are.equal("float", math.type(run.ms))
        assert.is_true(run.ms >= 0 and run.ms < 10000)
      end
    end)

    it("tells how long a long one took", function()
      local before = os.clock()
      db:value(long:format(100000))
      local ms = (os.clock() - before) * 1000
      assert.is_true(runs[1].ms >= ms / 4 and runs[1].ms > 1, ms .. ", " .. runs[1].ms)
    end)

    it("tells of every way to run a statement", function()
      local stmt <close> = db:prepare("select id from t")
      assert.are.same({}, texts())
      db:all("select 1")
      db:row("select 2")
      db:value("select 3")
      db:column("select 4")
      db:arrays("select 5")
      db:exists("select 6")
      db:run("delete from t where id = 7")
      for _ in db:rows("select 8") do assert.are.same({ "select 1", "select 2", "select 3",
        "select 4", "select 5", "select 6", "delete from t where id = 7" }, texts()) end
      for _ in db:tuples("select 9") do db:using({ timeout = 1000 }):value("select 10") end
      stmt:all()
      local list = texts()
      table.sort(list)
      assert.are.same({ "select 10", "select 8", "select 9", "select id from t" }, list)
    end)

    it("tells of each statement of a script, and of the transaction around them", function()
      db:exec("insert into t(name) values ('d'); -- one\n delete from t where id = 4;")
      assert.are.same({ "begin", "insert into t(name) values ('d')",
        "delete from t where id = 4", "commit" },
        (function(list)
          for i, text in ipairs(list) do list[i] = text:gsub("^%-%- one%s*", ""):gsub(";$", "") end
          return list
        end)(texts()))
    end)

    it("tells how transactions begin and end", function()
      db:transaction(function()
        db:run("insert into t values (4, 'd')")
        pcall(db.transaction, db, function()
          db:run("insert into t values (5, 'e')")
          error("out")
        end)
        db:transaction(function() end)
      end)
      assert.are.same({ "begin", "insert into t values (4, 'd')", "savepoint",
        "insert into t values (5, 'e')", "rollback to savepoint", "savepoint", "release",
        "commit" }, texts())
      pcall(db.transaction, db, function() error("out") end)
      assert.are.same({ "begin", "rollback" }, texts())
      db:read(function() db:value("select 1") end)
      assert.are.same({ "begin", "select 1", "commit" }, texts())
      do
        local _ <close> = db:begin()
      end
      assert.are.same({ "begin", "rollback" }, texts())
    end)

    it("tells of a loop when its last row was read", function()
      for row in db:rows("select id from t") do
        if row.id < 3 then assert.are.same({}, runs) end
      end
      assert.are.same({ 1, 3 }, { #runs, runs[1].rows })
      for row in db:rows("select id from t") do
        if row.id == 1 then db:run("delete from t where id = 3") end
      end
      local seen = {}
      for i = 2, #runs do seen[runs[i].sql] = runs[i].rows end
      assert.are.same({ ["select id from t"] = 3, ["delete from t where id = 3"] = 0 }, seen)
    end)

    -- In some versions of Lua the end of the scope closes it, in others the next statement or
    -- the collector notices.
    it("tells of a loop that was left", function()
      leave(db)
      db:run("delete from t where id = 3")
      local seen = {}
      for i, run in ipairs(runs) do seen[i] = run.sql end
      assert.are.same({ "select * from t", "delete from t where id = 3" }, seen)
      assert.is_true(runs[1].rows >= 1)
      db:rows("select id from t")()
      for _ = 1, 2 do collectgarbage() end
      assert.are.same({ "select id from t", 1 }, { runs[3].sql, runs[3].rows })
    end)

    it("tells of each row of insert_many", function()
      db:insert_many("t", { { id = 4, name = "d" }, { id = 5, name = "e" } })
      local list, inserts = texts(), 0
      assert.are.equal("begin", list[1])
      assert.are.equal("commit", list[#list])
      for _, text in ipairs(list) do
        if text:find("^insert") or text:find("^INSERT") then inserts = inserts + 1 end
      end
      assert.are.equal(2, inserts)
    end)

    it("tells what failed, and with which code", function()
      errors.expect("constraint", db.run, db, "insert into t values (1, ?)", "secret")
      errors.expect("range", db.run, db, "insert into t values (?, ?)", 9, 0 / 0)
      errors.expect("constraint", db.insert, db, "t", { id = 2, name = "secret" })
      local codes = {}
      for _, run in ipairs(runs) do codes[#codes + 1] = run.failed end
      assert.are.same({ "constraint", "range", "constraint" }, codes)
    end)

    it("tells of a limit that ended a statement", function()
      local small <close> = engine.open({ limits = { result_rows = 2 } })
      local seen
      small:trace(function(run) seen = run.failed end)
      errors.expect("range", small.all, small, "select * from t")
      assert.are.equal("range", seen)
    end)

    it("tells nothing of what could not be begun", function()
      errors.expect("syntax", db.run, db, "selct 1")
      errors.expect("misuse", db.value, db, "select ?")
      errors.expect("readonly", db.read, db, function() db:run("delete from t") end)
      assert.are.same({ "begin", "rollback" }, texts())
    end)

    it("never tells a value", function()
      local secret = "a secret value"
      db:insert("t", { name = secret })
      db:insert_many("t", { { name = secret .. 2 } }, { on_conflict = "update", key = { "name" } })
      db:all("select * from t where name = ?", secret)
      db:all("select * from t where name in ?", { secret, "a" })
      db:run("update t set name = :name where name = :name", { name = secret })
      pcall(db.insert, db, "t", { name = secret })
      db:rows("select * from t where name = ?", secret)()
      assert.is_true(#runs >= 7)
      for _, run in ipairs(runs) do
        for _, field in pairs(run) do
          assert.is_nil(tostring(field):find("secret", 1, true))
        end
      end
    end)

    it("may read from the connection, which is not traced", function()
      local counts = {}
      db:trace(function(run)
        runs[#runs + 1] = run
        counts[#counts + 1] = db:value("select count(*) from t")
        leave(db)
        assert(db:row("select * from t where id = ?", 1).name == "a")
      end)
      local warnings = {}
      db:on_warning(function(warning) warnings[#warnings + 1] = warning end)
      db:transaction(function()
        db:insert("t", { id = 4, name = "d" })
        pcall(db.transaction, db, function()
          db:run("delete from t where id > 1")
          error("out")
        end)
      end)
      assert.are.same({}, warnings)
      local list = texts()
      assert.are.equal("commit", list[#list])
      assert.are.equal(4, counts[#counts])
      assert.are.equal(4, db:value("select count(*) from t"))
      assert.are.equal(#list + 1, #counts)
    end)

    it("may not write, begin or close anything", function()
      local codes = {}
      db:on_warning(print)
      db:trace(function()
        for _, attempt in ipairs {
          function() db:run("delete from t") end, function() db:exec("delete from t") end,
          function() db:insert("t", { name = "x" }) end, function() db:begin() end,
          function() db:transaction(print) end, function() db:close() end,
          function() db:attach(":memory:", "other") end,
          function() db:define("f", print) end,
        } do
          local _, err = pcall(attempt)
          codes[#codes + 1] = err.code
        end
      end)
      db:transaction(function() db:run("insert into t values (4, 'd')") end)
      assert.are.equal(3 * 8, #codes)
      for _, code in ipairs(codes) do assert.are.equal("misuse", code) end
      db:trace(nil)
      assert.are.equal(4, db:value("select count(*) from t"))
    end)

    it("may use another connection, which is traced by its own", function()
      local log <close> = tuff.open(":memory:")
      log:exec("create table log(sql)")
      db:trace(function(run) log:insert("log", { sql = run.sql }) end)
      local own = 0
      log:trace(function() own = own + 1 end)
      db:transaction(function() db:value("select 1") end)
      assert.are.same({ "begin", "select 1", "commit" }, log:column("select sql from log"))
      assert.is_true(own >= 3)
    end)

    it("makes a warning of an error, and of nothing else", function()
      local warnings = {}
      db:on_warning(function(warning) warnings[#warnings + 1] = warning end)
      local reason = { "any object" }
      db:trace(function() error(reason) end)
      assert.are.equal(3, db:value("select count(*) from t"))
      db:transaction(function() db:run("insert into t values (4, 'd')") end)
      local err = errors.expect("constraint", db.run, db, "insert into t values (1, 'x')")
      assert.are.equal("primary_key", err.constraint)
      for _ in db:rows("select * from t") do end
      assert.are.equal(6, #warnings)
      for _, warning in ipairs(warnings) do assert.are.equal(reason, warning) end
      db:trace(nil)
      assert.are.equal(4, db:value("select count(*) from t"))
    end)

    it("survives a warning function that fails as well", function()
      db:on_warning(function() error("again") end)
      db:trace(function() error("out") end)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("can be replaced or switched off inside itself", function()
      local second = {}
      db:trace(function(run)
        runs[#runs + 1] = run
        db:trace(function(other) second[#second + 1] = other end)
      end)
      db:value("select 1")
      db:value("select 2")
      assert.are.same({ 1, 1 }, { #runs, #second })
      db:trace(function() db:trace(nil) end)
      db:value("select 3")
      db:value("select 4")
      assert.are.same({ 1, 1 }, { #runs, #second })
    end)

    it("is switched off by nil", function()
      db:trace(nil)
      db:value("select 1")
      db:transaction(function() db:run("delete from t") end)
      assert.are.same({}, texts())
    end)

    it("is told in whatever coroutine the statement runs", function()
      local seen = {}
      db:trace(function(run) seen[#seen + 1] = { run.sql, (coroutine.running()) } end)
      local walk = coroutine.wrap(function()
        for _, id in db:tuples("select id from t") do coroutine.yield(id) end
      end)
      assert.are.same({ 1, 2 }, { walk(), walk() })
      local task
      coroutine.wrap(function()
        task = coroutine.running()
        db:value("select 1")
        db:transaction(function() db:value("select 2") end)
      end)()
      walk()
      walk()
      local by = {}
      for _, each in ipairs(seen) do by[each[1]] = each[2] == task end
      assert.are.same({ ["select 1"] = true, begin = true, ["select 2"] = true, commit = true },
        { ["select 1"] = by["select 1"], begin = by.begin, ["select 2"] = by["select 2"],
          commit = by.commit })
      assert.is_not_nil(by["select id from t"])
    end)

    it("cannot yield", function()
      local warnings = {}
      db:on_warning(function(warning) warnings[#warnings + 1] = tostring(warning) end)
      db:trace(coroutine.yield)
      assert.are.equal(1, coroutine.wrap(function() return db:value("select 1") end)())
      assert.is_truthy(warnings[1]:find("yield", 1, true))
    end)

    it("stands garbage that is collected while it runs", function()
      db:trace(function() collectgarbage() end)
      for _ = 1, 5 do
        pcall(db.transaction, db, function()
          for id = 1, 3 do
            local iterate = db:rows("select * from t")
            iterate()
            local stmt = db:prepare("select * from t where id = ?")
            stmt:rows(id)()
          end
          coroutine.wrap(function()
            db:begin()
            coroutine.yield()
          end)()
          error("out")
        end)
        leave(db, function()
          db:rows("select id from t")()
          db:run("update t set name = name")
        end)
      end
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("stands a prepared statement that it closes", function()
      local stmt = db:prepare("select id from t")
      db:trace(function() pcall(stmt.close, stmt) end)
      assert.are.same({ 1, 2, 3 }, stmt:column())
      errors.expect("closed", stmt.column, stmt)
      stmt = db:prepare("select id from t")
      stmt:rows()()
      errors.expect("closed", stmt.column, stmt)
    end)

    it("stands a cache of statements that is full", function()
      local small <close> = engine.open({ statement_cache = 1 })
      local n = 0
      small:trace(function()
        n = n + 1
        return small:value("select " .. n), small:value("select 'x'")
      end)
      for i = 1, 10 do assert.are.equal(i, small:value("select " .. i)) end
      small:transaction(function() small:value("select 1") end)
      assert.are.equal(13, n)
    end)

    it("keeps no connection alive", function()
      local weak = setmetatable({}, { __mode = "v" })
      for i = 1, 3 do
        local own = tuff.open(":memory:")
        own:trace(function() return own end)
        own:progress(function() return own ~= nil end)
        own:on_warning(function() return own end)
        own:value("select 1")
        weak[i] = own
      end
      local before = tuff.instances()
      for _ = 1, 4 do collectgarbage() end
      assert.are.same({}, weak)
      assert.are.equal(before - 3, tuff.instances())
    end)
  end)

  describe("by a progress function", function()
    it("is called now and then while a statement runs, with the time so far", function()
      local calls = {}
      db:progress(function(ms)
        calls[#calls + 1] = ms
        return #calls < 4
      end, { every = 5 })
      errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
      assert.are.equal(4, #calls)
      for i = 2, #calls do assert.is_true(calls[i] >= calls[i - 1] + 5) end
      assert.is_true(calls[1] >= 5)
    end)

    it("is not called for short ones, and begins anew for each", function()
      local calls, longest = 0, 0
      db:progress(function(ms) calls, longest = calls + 1, math.max(longest, ms) end,
        { every = 10000 })
      for _ = 1, 10 do db:value(long:format(10000)) end
      assert.are.equal(0, calls)
      db:progress(function(ms) longest = math.max(longest, ms) end, { every = 1 })
      local longest_run = 0
      db:trace(function(run) longest_run = math.max(longest_run, run.ms) end)
      for _ = 1, 20 do db:value(long:format(20000)) end
      assert.is_true(longest <= longest_run, longest .. ", " .. longest_run)
    end)

    it("is called while a lock of another process is waited for", function()
      local child = process.start({ chunk = holder, arguments = { engine.path() } })
      child:expect("held")
      for _, work in ipairs {
        function() db:run("update t set name = 'd' where id = 1") end,
        function()
          db:transaction(function() db:run("update t set name = 'd' where id = 1") end)
        end,
      } do
        local calls = 0
        db:progress(function()
          calls = calls + 1
          return calls < 2
        end, { every = 10 })
        errors.expect("interrupted", work)
        assert.are.equal(2, calls)
        assert.is_false(db:in_transaction())
      end
      child:send()
      child:finish()
      db:run("update t set name = 'd' where id = 1")
    end)

    it("ends the statement by false, and by nothing else", function()
      local calls, answers = 0, { true, 0, "", {}, nil, false }
      db:progress(function()
        calls = calls + 1
        return answers[calls]
      end, { every = 1 })
      errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
      assert.are.equal(6, calls)
      db:progress(function() return false end, { every = 1 })
      errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
      errors.expect("interrupted", function()
        for _ in db:rows(endless .. "select n from c where n < 0") do error("a row") end
      end)
      db:progress(nil)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("undoes the statement that it ends, or the transaction where that wrote", function()
      db:progress(function() return false end, { every = 1 })
      errors.expect("interrupted", db.run, db,
        "insert into t(name) " .. endless .. "select 'x' || n from c")
      errors.expect("interrupted", db.transaction, db, function()
        db:run("insert into t(name) values ('d')")
        db:run("insert into t(name) " .. endless .. "select 'x' || n from c")
      end)
      assert.is_false(db:in_transaction())
      db:transaction(function()
        db:run("insert into t(name) values ('d')")
        errors.expect("interrupted", db.transaction, db, function()
          db:value(endless .. "select count(*) from c")
        end)
        if engine.supports("continue_after_error") then
          errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
        end
      end)
      assert.are.equal(4, db:value("select count(*) from t"))
    end)

    it("raises the object that it has raised", function()
      local reason = { "any object" }
      db:progress(function() error(reason) end, { every = 1 })
      local ok, err = pcall(db.value, db, endless .. "select count(*) from c")
      assert.is_false(ok)
      assert.are.equal(reason, err)
      ok, err = pcall(db.transaction, db, function()
        db:run("insert into t(name) values ('d')")
        db:run("insert into t(name) " .. endless .. "select 'x' || n from c")
      end)
      assert.is_false(ok)
      assert.are.equal(reason, err)
      db:progress(nil)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("cannot use its connection", function()
      for _, use in ipairs {
        function() db:value("select 1") end, function() db:run("delete from t") end,
        function() db:transaction(print) end, function() db:close() end,
        function() db:progress(nil) end, function() db:in_transaction() end,
      } do
        db:progress(use, { every = 1 })
        errors.expect("misuse", db.value, db, endless .. "select count(*) from c")
      end
      db:progress(nil)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("cannot read on a loop of its connection", function()
      local iterate = db:rows("select * from t")
      iterate()
      db:progress(iterate, { every = 1 })
      errors.expect("misuse", db.value, db, endless .. "select count(*) from c")
      db:progress(nil)
      assert.are.equal(2, iterate().id)
    end)

    it("may use another connection", function()
      local other <close> = tuff.open(":memory:")
      other:exec("create table log(ms)")
      db:progress(function(ms)
        other:insert("log", { ms = ms })
        return other:value("select count(*) from log") < 3
      end, { every = 1 })
      errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
      assert.are.equal(3, other:value("select count(*) from log"))
    end)

    it("stands garbage that is collected while it runs", function()
      db:progress(function() collectgarbage() end, { every = 1 })
      for _ = 1, 3 do
        for _ = 1, 3 do db:rows("select * from t")() end
        db:value(long:format(50000))
      end
      db:progress(nil)
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("is called inside of coroutines", function()
      local calls = 0
      db:progress(function()
        calls = calls + 1
        return calls < 3
      end, { every = 1 })
      coroutine.wrap(function()
        errors.expect("interrupted", db.value, db, endless .. "select count(*) from c")
      end)()
      assert.are.equal(3, calls)
    end)

    it("checks what it is given", function()
      errors.mentions(errors.expect("misuse", db.progress, db, 5), "db:progress")
      errors.mentions(errors.expect("misuse", db.progress, db, print, 5), "options")
      errors.mentions(errors.expect("misuse", db.progress, db, print, { evry = 5 }), "every")
      for _, every in ipairs { 0, -1, 0 / 0, math.huge, "5", 1e-9 } do
        errors.mentions(errors.expect("misuse", db.progress, db, print, { every = every }),
          "every")
      end
      errors.expect("misuse", db.progress, nil, print)
    end)
  end)

  describe("by a warning function", function()
    it("gets what db:warn and tuff itself warn of", function()
      local seen = {}
      db:on_warning(function(warning) seen[#seen + 1] = warning end)
      db:warn("look out")
      assert.is_false(db:load_extension("/none/at/all", { optional = true }))
      assert.are.equal("look out", seen[1])
      assert.is_true(tuff.is_error(seen[2]))
      assert.are.equal(2, #seen)
    end)

    it("is Lua's own warn where none was given, or after nil", function()
      local result = process.start({ chunk = [[
        warn("@on")
        local db <close> = require "tuff".open(":memory:")
        db:trace(function() error("broken", 0) end)
        db:value("select 1")
        db:trace(nil)
        db:on_warning(function(text) print(text) end)
        db:warn("to the function")
        db:on_warning(nil)
        db:warn("to stderr")
      ]] }):wait()
      assert.is_true(result.ok)
      assert.are.equal("to the function\n", result.output)
      assert.are.equal("Lua warning: tuff: broken\nLua warning: tuff: to stderr\n", result.errors)
    end)

    it("is silent where Lua's warnings are off", function()
      local result = process.start({ chunk = [[
        local db <close> = require "tuff".open(":memory:")
        db:warn("nobody hears this")
      ]] }):wait()
      assert.is_true(result.ok)
      assert.are.equal("", result.errors)
    end)
  end)

  it("checks the functions, and what they are methods of", function()
    for _, method in ipairs { "trace", "on_warning" } do
      for _, wrong in ipairs { 5, "print", {}, true } do
        errors.mentions(errors.expect("misuse", db[method], db, wrong), "db:" .. method)
      end
      errors.expect("misuse", db[method], print)
    end
    errors.expect("misuse", db.warn, "a text")
    local closed = tuff.open(":memory:")
    closed:close()
    errors.expect("closed", closed.trace, closed, print)
    errors.expect("closed", closed.progress, closed, print)
  end)
end)
