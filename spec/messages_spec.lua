local core = require "tuff.core"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"

local url, reason = postgres.url()

local LONG = 60000 -- milliseconds: a wait that something else ends

--- A statement that says something for each i from 1 to the number.
local function saying(count)
  return ("do $$ begin for i in 1..%d loop raise notice 'number %%', i; end loop; end $$")
    :format(count)
end

fixture.unless(reason, "what a server says", function()
  local db, other

  before_each(function()
    db, other = fixture.open(url), fixture.open(url)
  end)

  local function pid_of(connection) return connection:value("select pg_backend_pid()") end

  --- Ends the session of a connection from outside.
  local function cut(connection)
    assert.is_true(other:value("select pg_terminate_backend(?, 60000)", pid_of(connection)))
  end

  describe("during a statement", function()
    local heard, warnings

    before_each(function()
      heard, warnings = {}, {}
      db:on_notice(function(notice) heard[#heard + 1] = notice end)
      db:on_warning(function(warning) warnings[#warnings + 1] = tostring(warning) end)
      db:exec [[
        create or replace function pg_temp.says(text) returns text language plpgsql as
        $$ begin raise notice '%', $1; return $1; end $$]]
    end)

    local function messages()
      local list = {}
      for i, notice in ipairs(heard) do list[i] = notice.message end
      heard = {}
      return list
    end

    it("comes to the function, with all that was said", function()
      db:exec [[do $$ begin
        raise notice 'the % are low', 'nails' using hint = 'buy some', detail = 'Three are left.';
        raise warning 'careful' using errcode = '01008';
        raise info 'done';
      end $$]]
      assert.are.same({
        { severity = "NOTICE", message = "the nails are low", hint = "buy some",
          detail = "Three are left.", native = "00000" },
        { severity = "WARNING", message = "careful", native = "01008" },
        { severity = "INFO", message = "done", native = "00000" },
      }, heard)
      assert.are.same({}, warnings)
    end)

    it("comes when the statement has ended, and its rows were read", function()
      local n = 0
      for row in db:rows("select pg_temp.says('row ' || i) as t from generate_series(1, 3) i") do
        n = n + 1
        assert.are.equal("row " .. n, row.t)
        assert.are.same({}, heard)
      end
      assert.are.same({ "row 1", "row 2", "row 3" }, messages())
    end)

    it("comes by every way to run a statement", function()
      local sql = "select pg_temp.says('a') as t"
      db:run(sql)
      db:row(sql)
      db:value(sql)
      db:all(sql)
      db:column(sql)
      db:arrays(sql)
      db:exists(sql)
      local stmt <close> = db:prepare(sql)
      stmt:value()
      for _ in stmt:rows() do end
      assert.are.equal(9, #messages())
      db:exec("select pg_temp.says('b'); select pg_temp.says('c')")
      assert.are.same({ "b", "c" }, messages())
      db:exec [[
        create temp table t(id int);
        create function pg_temp.tells() returns trigger language plpgsql as
        $$ begin raise notice 'row %', new.id; return new; end $$;
        create trigger tells before insert on t for each row execute function pg_temp.tells()]]
      db:insert_many("t", { { id = 1 }, { id = 2 } })
      assert.are.same({ "row 1", "row 2" }, messages())
    end)

    it("comes with what is prepared, whether that succeeds or not", function()
      local name = ("n"):rep(64)
      assert.are.equal(1, db:value("select 1 as " .. name))
      assert.are.equal("42622", heard[1].native)
      assert.are.equal(1, #messages())
      errors.expect("syntax", db.value, db, "select 1 as " .. name .. " from from")
      assert.are.equal(1, #messages())
    end)

    it("comes with a commit and a rollback", function()
      db:exec [[
        create temp table t(id int);
        create function pg_temp.tells() returns trigger language plpgsql as
        $$ begin raise notice 'at last'; return null; end $$;
        create constraint trigger tells after insert on t deferrable initially deferred
          for each row execute function pg_temp.tells()]]
      db:transaction(function()
        db:insert("t", { id = 1 })
        assert.are.same({}, heard)
      end)
      assert.are.same({ "at last" }, messages())
      db:exec("rollback")
      assert.are.same({ "there is no transaction in progress" }, messages())
    end)

    it("comes before the error that follows it", function()
      local err = errors.expect(nil, db.exec, db, [[do $$ begin
        raise notice 'before'; raise exception 'out'; end $$]])
      errors.mentions(err, "out")
      assert.are.same({ "before" }, messages())
      errors.expect(nil, db.transaction, db, function()
        db:value("select pg_temp.says('inside')")
        db:value("select 1 / length(pg_temp.says(''))")
      end)
      assert.are.same({ "inside", "" }, messages())
    end)

    it("comes whole, thousands of times", function()
      db:exec(saying(20000))
      assert.are.equal(20000, #heard)
      for i, message in ipairs(messages()) do assert.are.equal("number " .. i, message) end
    end)

    it("fills no memory, and says how much of it was not kept", function()
      db:exec [[do $$ begin
        for i in 1..1000 loop raise notice '%', repeat('x', 10000); end loop; end $$]]
      local last = table.remove(heard)
      assert.are.equal("WARNING", last.severity)
      local left = tonumber(last.message:match("^(%d+) more notices"))
      assert.are.equal(1000, #heard + left)
      assert.is_true(#heard > 100 and left > 100)
      messages()
      db:exec(saying(2))
      assert.are.same({ "number 1", "number 2" }, messages())
    end)

    it("is of any text", function()
      db:value("select pg_temp.says(?)", "„Ünï\n\"' %")
      assert.are.same({ "„Ünï\n\"' %" }, messages())
    end)

    it("comes to a function that may read from the connection, where it says no more", function()
      local seen = {}
      db:on_notice(function(notice)
        heard[#heard + 1] = notice
        seen[#seen + 1] = db:value("select pg_temp.says(count(*)::text) from generate_series(1, 2)")
        for row in db:rows("select i from generate_series(1, 3) i") do seen[#seen + 1] = row.i end
      end)
      db:transaction(function() db:exec(saying(2)) end)
      assert.are.same({ "2", 1, 2, 3, "2", 1, 2, 3 }, seen)
      assert.are.same({ "number 1", "number 2" }, messages())
      assert.are.same({}, warnings)
    end)

    it("comes to a function that may change nothing", function()
      local codes = {}
      db:on_notice(function()
        for _, attempt in ipairs {
          function() db:run("create table t(x int)") end, function() db:exec("begin") end,
          function() db:begin() end, function() db:transaction(print) end,
          function() db:close() end, function() db:listen("c", print) end,
          function() db:poll() end,
        } do
          local _, err = pcall(attempt)
          codes[#codes + 1] = err.code
        end
        local _, err = pcall(db.run, db, "create table t(x int)")
        errors.mentions(err, "hears notices")
      end)
      db:transaction(function() db:exec(saying(1)) end)
      assert.are.same({}, warnings)
      assert.are.equal(7, #codes)
      for _, code in ipairs(codes) do assert.are.equal("misuse", code) end
      db:on_notice(nil)
      assert.are.equal(1, db:value("select 1"))
    end)

    it("comes to a function that is not traced, and what a trace function reads says it too",
      function()
        local runs = 0
        db:trace(function()
          runs = runs + 1
          db:value("select pg_temp.says('traced')")
        end)
        db:on_notice(function(notice)
          heard[#heard + 1] = notice
          db:value("select 1")
        end)
        db:exec(saying(1))
        db:trace(nil)
        assert.are.equal(1, runs)
        assert.are.same({ "number 1", "traced" }, messages())
      end)

    it("makes a warning of an error, and of nothing else", function()
      db:on_notice(function(notice) error("no " .. notice.message, 0) end)
      db:exec(saying(2))
      assert.are.same({ "no number 1", "no number 2" }, warnings)
      db:on_notice(coroutine.yield)
      coroutine.wrap(function() db:exec(saying(1)) end)()
      assert.is_truthy(warnings[3]:find("yield", 1, true))
      db:on_warning(error)
      db:exec(saying(1))
      assert.are.equal(1, db:value("select 1"))
    end)

    it("comes to the function that was set last, also by itself", function()
      db:on_notice(function()
        db:on_notice(function(notice) heard[#heard + 1] = notice end)
        db:value("select pg_temp.says('nobody hears this')")
      end)
      db:exec(saying(3))
      assert.are.same({ "number 2", "number 3" }, messages())
    end)

    it("becomes a warning if it is one and nobody hears it, or is dropped", function()
      for round = 1, 2 do
        db:on_notice(nil)
        db:exec [[do $$ begin
          raise warning 'careful' using hint = 'look', detail = 'It is hot.';
          raise notice 'dropped'; raise info 'dropped'; end $$]]
        assert.are.equal("careful\nIt is hot.\nhint: look", warnings[round])
        db:on_notice(print)
      end
      assert.are.equal(2, #warnings)
      local plain = fixture.open(url)
      plain:on_warning(function(warning) warnings[3] = warning end)
      plain:exec("do $$ begin raise notice 'dropped'; raise warning 'careful'; end $$")
      assert.are.equal("careful", warnings[3])
    end)

    it("is heard even behind a flood of what is dropped", function()
      db:on_notice(nil)
      db:exec [[do $$ begin
        for i in 1..1000 loop raise notice '%', repeat('x', 10000); end loop;
        raise warning 'careful';
      end $$]]
      assert.are.same({ "careful" }, warnings)
    end)

    it("comes from connecting, with the first statement", function()
      other:exec("drop database if exists noisy")
      other:exec("create database noisy")
      other:run("update pg_database set datcollversion = '1' where datname = 'noisy'")
      local noisy = fixture.open((url:gsub("/postgres%?", "/noisy?")))
      noisy:on_notice(function(notice) heard[#heard + 1] = notice end)
      noisy:value("select 1")
      noisy:close()
      other:exec("drop database noisy")
      assert.are.equal("WARNING", heard[1].severity)
      assert.is_truthy(heard[1].message:find("collation version", 1, true))
    end)

    it("comes in whatever coroutine the statement runs", function()
      local seen
      db:on_notice(function() seen = coroutine.running() end)
      local task = coroutine.create(function() db:exec(saying(1)) end)
      coroutine.resume(task)
      assert.are.equal(task, seen)
    end)

    it("stands garbage that is collected while it is heard", function()
      db:on_notice(function() collectgarbage() end)
      for _ = 1, 3 do
        db:rows("select pg_temp.says('left') from generate_series(1, 3)")()
        pcall(db.transaction, db, function()
          db:exec(saying(2))
          db:rows("select pg_temp.says('left') from generate_series(1, 3)")()
          error("out")
        end)
      end
      assert.are.equal(1, db:value("select 1"))
    end)

    it("keeps no connection alive", function()
      local weak = setmetatable({}, { __mode = "v" })
      do
        local own = tuff.open(url)
        own:on_notice(function() return own end)
        own:listen("c", function() return own end)
        weak[1] = own
      end
      for _ = 1, 4 do collectgarbage() end
      assert.are.same({}, weak)
    end)

    it("is never heard where there is no server", function()
      local file = fixture.memory()
      file:on_notice(print)
      file:on_notice(nil)
      assert.are.equal(1, file:value("select 1"))
    end)

    it("comes to a function and nothing else", function()
      for _, wrong in ipairs { 5, "print", {}, true } do
        errors.mentions(errors.expect("misuse", db.on_notice, db, wrong), "db:on_notice")
      end
      errors.expect("misuse", db.on_notice, print)
      db:close()
      errors.expect("closed", db.on_notice, db, print)
    end)
  end)

  describe("of a channel", function()
    local got

    before_each(function() got = {} end)

    local function listen(channel, connection)
      (connection or db):listen(channel, function(payload) got[#got + 1] = payload end)
    end

    --- What has been handed out since the last time.
    local function taken()
      local list = got
      got = {}
      return list
    end

    --- Lets the server hand over all that was sent before.
    local function poll()
      db:value("select 1")
      return db:poll()
    end

    it("comes to the function that listens, in order", function()
      db:listen("jobs", function(...) got[#got + 1] = { ... } end)
      db:listen("news", function(...) got[#got + 1] = { ... } end)
      other:notify("jobs", "1")
      other:notify("news", "2")
      other:notify("nobody", "3")
      other:notify("jobs")
      local pid = pid_of(other)
      assert.are.equal(3, poll())
      assert.are.same({ { "1", "jobs", pid }, { "2", "news", pid }, { "", "jobs", pid } }, got)
      assert.are.equal(0, poll())
    end)

    it("comes from this connection, too", function()
      db:listen("jobs", function(_, _, pid) got[#got + 1] = pid end)
      db:notify("jobs", "1")
      assert.are.equal(1, db:poll())
      assert.are.same({ pid_of(db) }, got)
    end)

    it("takes any text, of a channel and of what is sent there", function()
      local texts = { "ünï„", 'a "b" \'c\' \\d', "select; drop--", "$1 ? :x", " ", "UPPER", "\n\t",
        ("x"):rep(63) }
      for _, text in ipairs(texts) do
        listen(text)
        other:notify(text, text)
      end
      other:notify("UPPER", ("é"):rep(3999) .. "x")
      assert.are.equal(#texts + 1, poll())
      assert.are.equal(("é"):rep(3999) .. "x", table.remove(got))
      assert.are.same(texts, got)
    end)

    it("takes no text that would be cut or changed", function()
      for _, method in ipairs { "listen", "notify" } do
        for _, channel in ipairs { "", ("x"):rep(64), ("é"):rep(32), "a\0b", "\xff" } do
          local err = errors.expect("misuse", db[method], db, channel, method == "listen" and print)
          errors.mentions(err, "1 to 63 bytes")
        end
        errors.mentions(errors.expect("misuse", db[method], db, 5), "the channel given to db:")
        errors.expect("misuse", db[method], print, "c")
      end
      errors.mentions(errors.expect("range", db.notify, db, "c", ("x"):rep(8000)), "7999")
      errors.expect("type", db.notify, db, "c", "a\0b")
      errors.expect("type", db.notify, db, "c", "\xff")
      errors.mentions(errors.expect("misuse", db.notify, db, "c", 5), "db:notify")
      errors.mentions(errors.expect("misuse", db.listen, db, "c", "print"), "db:listen")
      errors.mentions(errors.expect("misuse", db.listen, db, "c", false), "db:listen")
      for _, ms in ipairs { -1, 0 / 0, math.huge, "5", true } do
        errors.mentions(errors.expect("misuse", db.poll, db, ms), "db:poll")
      end
      errors.expect("misuse", db.poll, print)
    end)

    it("is sent within the limits that a script was given", function()
      local small = fixture.open(url, { limits = { sql_bytes = 10, value_bytes = 3 } })
      listen("jobs")
      small:notify("jobs", "long enough")
      assert.are.equal(1, poll())
    end)

    it("waits for the next poll while other statements run", function()
      listen("jobs")
      for i = 1, 5 do
        other:notify("jobs", tostring(i))
        assert.are.equal(i, db:value("select ?::bigint", i))
      end
      db:transaction(function() db:value("select 1") end)
      assert.are.same({}, got)
      assert.are.equal(5, db:poll())
      assert.are.same({ "1", "2", "3", "4", "5" }, got)
    end)

    it("comes thousands of times", function()
      listen("jobs")
      other:exec [[select pg_notify('jobs', i::text) from generate_series(1, 20000) i]]
      while #got < 20000 do db:poll(LONG) end
      for i, payload in ipairs(got) do assert.are.equal(tostring(i), payload) end
    end)

    it("comes from another process, for which poll waits", function()
      local child = process.start({ arguments = { url }, chunk = [[
        local db <close> = require "tuff".open((...))
        for line in io.lines() do
          db:notify("jobs", line)
          print(line)
          if line == "end" then return end
        end
      ]] })
      listen("jobs")
      for _, line in ipairs { "one", "two", "end" } do
        child:send(line)
        assert.are.equal(1, db:poll(LONG))
        child:expect(line)
      end
      child:finish()
      assert.are.same({ "one", "two", "end" }, got)
    end)

    it("is waited for as long as poll is told", function()
      listen("jobs")
      local before = core.now()
      assert.are.equal(0, db:poll(30))
      assert.is_true(core.now() - before >= 30)
      assert.are.equal(0, db:poll(0))
      assert.are.equal(0, db:poll(0.5))
      assert.are.equal(0, db:poll())
      local hurried = fixture.open(url, { timeout = 1 })
      assert.are.equal(0, hurried:poll(20))
    end)

    it("is waited for beyond those that nobody listens to", function()
      db:exec("listen stray")
      listen("jobs")
      other:notify("stray", "x")
      local before = core.now()
      assert.are.equal(0, db:poll(30))
      assert.is_true(core.now() - before >= 30)
      other:notify("stray", "x")
      other:notify("jobs", "y")
      assert.are.equal(1, db:poll(LONG))
    end)

    it("is waited for no longer when a progress function says so", function()
      listen("jobs")
      db:progress(function() return false end, { every = 1 })
      errors.expect("interrupted", db.poll, db, LONG)
      db:progress(nil)
      other:notify("jobs", "1")
      assert.are.equal(1, db:poll(LONG))
    end)

    it("is waited for no longer after Ctrl-C", function()
      local child = process.start({ arguments = { url }, chunk = [[
        local db <close> = require "tuff".open((...))
        db:listen("jobs", function(payload) print("got", payload) end)
        local told = false
        db:progress(function()
          if not told then print("waiting") end
          told = true
        end, { every = 1 })
        local _, err = pcall(db.poll, db, 60000)
        print(tostring(err):match("interrupted")) -- where Lua noticed it first, its own error
        db:notify("jobs", "after")
        print(db:poll(60000))
      ]] })
      child:expect("waiting")
      assert(os.execute("kill -2 " .. child.pid))
      assert.are.equal("interrupted\ngot\tafter\n1", child:finish())
    end)

    it("is sent when its transaction commits, and never when that is rolled back", function()
      listen("jobs")
      other:transaction(function()
        other:notify("jobs", "kept")
        other:notify("jobs", "kept")
        pcall(other.transaction, other, function()
          other:notify("jobs", "undone")
          error("out")
        end)
        assert.are.equal(0, poll())
      end)
      pcall(other.transaction, other, function()
        other:notify("jobs", "undone")
        error("out")
      end)
      other:read(function() other:notify("jobs", "read") end)
      assert.are.equal(2, poll())
      assert.are.same({ "kept", "read" }, got)
    end)

    it("can neither be listened to nor waited for inside a transaction", function()
      listen("jobs")
      other:notify("jobs", "1")
      for _, begin in ipairs {
        function(fn) db:transaction(fn) end, function(fn) db:read(fn) end,
        function(fn)
          db:exec("begin")
          fn()
          db:exec("rollback")
        end,
      } do
        begin(function()
          errors.mentions(errors.expect("misuse", db.poll, db, LONG), "inside a transaction")
          errors.mentions(errors.expect("misuse", db.listen, db, "jobs"), "inside a transaction")
          assert.are.equal(1, db:value("select 1"))
        end)
      end
      assert.are.equal(1, poll())
    end)

    it("comes no more after nil, which may be said at any time", function()
      listen("jobs")
      listen("news")
      db:notify("jobs", "1")
      db:notify("news", "2")
      db:listen("jobs", nil)
      other:notify("jobs", "3")
      assert.are.equal(1, poll())
      db:listen("jobs", nil)
      db:listen("never")
      assert.are.same({ "2" }, taken())
      listen("jobs")
      other:notify("jobs", "4")
      assert.are.equal(1, poll())
      assert.are.same({ "4" }, got)
    end)

    it("has one function, the last", function()
      db:listen("jobs", function() error("replaced") end)
      db:notify("jobs", "1")
      listen("jobs")
      assert.are.equal(1, db:poll())
      assert.are.same({ "1" }, got)
    end)

    it("is lost with nothing but the call in which a function raises", function()
      local thrown = { "any object" }
      db:listen("jobs", function(payload)
        if payload == "2" then error(thrown) end
        got[#got + 1] = payload
      end)
      for i = 1, 4 do db:notify("jobs", tostring(i)) end
      local good, err = pcall(db.poll, db)
      assert.is_false(good)
      assert.are.equal(thrown, err)
      assert.are.same({ "1" }, taken())
      assert.are.equal(2, db:poll())
      assert.are.same({ "3", "4" }, got)
    end)

    it("comes to a function that uses the connection", function()
      db:exec("create temp table t(x text)")
      db:listen("jobs", function(payload)
        db:transaction(function() db:insert("t", { x = payload }) end)
        db:notify("done", payload)
        if payload == "1" then
          listen("done")
          db:listen("jobs", function(text) got[#got + 1] = "new " .. text end)
        end
      end)
      db:notify("jobs", "1")
      db:notify("jobs", "2")
      assert.are.equal(2, db:poll())
      assert.are.same({ "new 2" }, taken())
      assert.are.same({ "1" }, db:column("select x from t"))
      assert.are.equal(0, db:poll()) -- nobody listened yet when it was sent
    end)

    it("comes to a function that answers itself, one with each poll", function()
      db:listen("ping", function(payload) db:notify("ping", payload .. "!") end)
      db:notify("ping", "")
      for _ = 1, 5 do assert.are.equal(1, db:poll(LONG)) end
      listen("ping")
      assert.are.equal(1, db:poll(LONG))
      assert.are.same({ "!!!!!" }, got)
    end)

    it("comes in order where a function polls, too", function()
      db:listen("jobs", function(payload)
        got[#got + 1] = payload
        local more = payload == "1" and db:poll()
        if more then got[#got + 1] = more end
      end)
      for i = 1, 3 do db:notify("jobs", tostring(i)) end
      assert.are.equal(1, db:poll())
      assert.are.same({ "1", "2", "3", 2 }, got)
    end)

    it("comes to a function that closes the connection, and to none after that", function()
      db:listen("jobs", function(payload)
        got[#got + 1] = payload
        db:close()
      end)
      db:notify("jobs", "1")
      db:notify("jobs", "2")
      assert.are.equal(1, db:poll())
      assert.are.same({ "1" }, got)
      for _, method in ipairs { "poll", "listen", "notify" } do
        errors.expect("closed", db[method], db, method ~= "poll" and "c" or nil)
      end
    end)

    it("comes to a function that yields", function()
      db:listen("jobs", function(payload) got[#got + 1] = coroutine.yield(payload) end)
      db:notify("jobs", "1")
      db:notify("jobs", "2")
      local poller = coroutine.wrap(function() return db:poll() end)
      assert.are.equal("1", poller())
      assert.are.equal("2", poller("a"))
      assert.are.equal(2, poller("b"))
      assert.are.same({ "a", "b" }, got)
    end)

    it("comes in the body of a loop, which goes on", function()
      local sum = 0
      listen("jobs")
      for row in db:rows("select i::bigint as i from generate_series(1, 5000) i") do
        sum = sum + row.i
        if row.i % 1000 == 0 then
          db:notify("jobs", tostring(row.i))
          assert.are.equal(1, db:poll())
          listen("more")
        end
      end
      assert.are.equal(5000 * 5001 // 2, sum)
      assert.are.same({ "1000", "2000", "3000", "4000", "5000" }, got)
    end)

    it("is not to be waited for in the middle of another call", function()
      local codes = {}
      listen("jobs")
      db:trace(function()
        for _, attempt in ipairs {
          function() db:poll(LONG) end, function() db:listen("c", print) end,
        } do
          local _, err = pcall(attempt)
          codes[#codes + 1] = err.code
        end
      end)
      db:value("select 1")
      db:trace(nil)
      assert.are.same({ "misuse", "misuse" }, codes)
      assert.are.equal(0, db:poll())
    end)

    it("comes to a connection that only reads", function()
      local reader = db:reader()
      local _ <close> = reader
      listen("jobs", reader)
      reader:notify("jobs", "1")
      assert.are.equal(1, reader:poll(LONG))
    end)

    it("is not to be waited for by a finaliser in the middle of another call", function()
      listen("jobs")
      local codes = {}
      local function arm()
        setmetatable({}, { __gc = function()
          for _, attempt in ipairs {
            function() db:poll(LONG) end, function() db:listen("c", print) end,
            function() db:notify("jobs", "x") end,
          } do
            local _, err = pcall(attempt)
            codes[#codes + 1] = err.code
          end
        end })
      end
      repeat
        arm()
        db:all("select i from generate_series(1, 5000) i")
      until #codes > 0
      assert.are.same({ "misuse", "misuse", "misuse" }, { table.unpack(codes, 1, 3) })
      collectgarbage()
      poll()
      listen("more")
      db:notify("more", "last")
      db:poll()
      assert.are.equal("last", got[#got])
    end)

    describe("after the connection was lost", function()
      local warnings

      before_each(function()
        warnings = {}
        db:on_warning(function(text) warnings[#warnings + 1] = text end)
        listen("jobs")
        listen("it's \"more\"")
      end)

      it("is listened to by the new one, and what may be missing is warned of", function()
        cut(db)
        assert.are.equal(0, db:poll())
        assert.are.same({ "terminating connection due to administrator command",
          "the connection was lost and made anew\nTemporary tables and settings of the session "
            .. "are gone, and notifications may have been missed.",
        }, warnings)
        other:notify("it's \"more\"", "1")
        other:notify("jobs", "2")
        assert.are.equal(2, poll())
        assert.are.same({ "1", "2" }, got)
      end)

      it("is waited for all the same", function()
        local child = process.start({ arguments = { url, pid_of(db) }, chunk = [[
          local url, pid = ...
          local db <close> = require "tuff".open(url)
          local function first() return db:value("select pid from pg_stat_activity "
            .. "where query = 'LISTEN \"it''s \"\"more\"\"\"' and pid <> ?", tonumber(pid)) end
          io.read()
          db:run("select pg_terminate_backend(?)", tonumber(pid))
          while not first() do end
          db:notify("jobs", "at last")
          io.read()
        ]] })
        child:send()
        assert.are.equal(1, db:poll(LONG))
        assert.are.same({ "at last" }, got)
        assert.is_truthy(warnings[#warnings]:find("may have been missed", 1, true))
        child:send()
        child:finish()
      end)

      it("is still handed out if it came before", function()
        db:notify("jobs", "1")
        cut(db)
        assert.are.equal(1, db:poll(LONG))
        db:notify("jobs", "2")
        cut(db)
        assert.are.equal(1, db:poll())
        assert.are.same({ "1", "2" }, got)
      end)

      it("is listened to no more if it was not at the end", function()
        db:listen("jobs", nil)
        cut(db)
        assert.are.equal(0, db:poll())
        assert.are.same({ "it's \"more\"" }, db:column("select pg_listening_channels()"))
      end)

      it("cannot be waited for where there is no way back", function()
        other:exec("drop role if exists guest; create role guest login")
        local guest = fixture.open((url:gsub("tester@", "guest@")), { connect_timeout = 1000 })
        listen("jobs", guest)
        other:exec("alter role guest connection limit 0")
        cut(guest)
        errors.expect("connection", guest.poll, guest, LONG)
        errors.expect("connection", guest.listen, guest, "c", print)
        other:exec("alter role guest connection limit -1")
        assert.are.equal(0, guest:poll())
        other:notify("jobs", "back")
        assert.are.equal(1, guest:poll(LONG))
        guest:close()
        other:exec("drop role guest")
      end)
    end)

    it("is not listened to behind a pooler, but sent", function()
      local pooled = fixture.open(url, { pooler = true })
      assert.is_false(pooled:supports("listen"))
      assert.is_true(pooled:supports("notify"))
      for _, attempt in ipairs {
        function() pooled:listen("jobs", print) end, function() pooled:poll() end,
      } do
        errors.mentions(errors.expect("unsupported", attempt), "pooler")
      end
      listen("jobs")
      pooled:notify("jobs", "1")
      assert.are.equal(1, poll())
    end)

    it("leaves nothing behind where it was never handed out", function()
      listen("jobs")
      for i = 1, 20 do db:notify("jobs", tostring(i)) end
      db:listen("jobs", function(payload) if payload == "10" then error("out") end end)
      pcall(db.poll, db)
      db:exec("do $$ begin raise notice 'never told'; end $$")
    end)

    it("is said to be supported", function()
      assert.is_true(db:supports("listen"))
      assert.is_true(db:supports("notify"))
    end)
  end)
end)

describe("a database without a server", function()
  fixture.clean_up()

  it("says that it has no channels, and what to do", function()
    local db = fixture.memory()
    assert.is_false(db:supports("listen"))
    assert.is_false(db:supports("notify"))
    for _, method in ipairs { "listen", "notify", "poll" } do
      local err = errors.expect("unsupported", db[method], db, method ~= "poll" and "c" or nil)
      errors.mentions(err, "db:" .. method, "sqlite", "PostgreSQL")
    end
    errors.expect("unsupported", core.wait, db, 0)
    errors.expect("unsupported", core.listen, db, "c", true)
    assert.is_nil(core.notification(db))
  end)
end)
