local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

--- Runs `work`, says how it ended, and that the connection still works. Whoever notices the
-- signal first raises the error: the query, or Lua itself at its next step. The deadline is
-- there so that a query which nobody interrupts fails the test.
local frame = [[
  local tuff = require "tuff"
  local path = ...
  local db <close> = tuff.open(path,
    { busy_timeout = 60000, timeout = 60000, durability = "normal" })
  local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
  local outcome
  local function work() %s end
  local _, err = pcall(function()
    local done, failure = pcall(work)
    outcome = done and "no error" or tuff.is_error(failure) and failure.code or failure
  end)
  outcome = tostring(outcome or err)
  print(outcome:match("interrupted") or outcome, db:in_transaction(),
    db:value("select count(*) from t"))
]]

fixture.each_engine("Ctrl-C", function(engine)
  local path, db

  before_each(function()
    db = engine.database("create table t(x integer); insert into t values (1)")
    path = engine.path()
  end)

  local function interrupted(work)
    local child = process.start({ chunk = frame:format(work), arguments = { path } })
    child:expect("working")
    assert(os.execute("kill -2 " .. child.pid))
    return child:finish()
  end

  it("ends a query that would not end, and the connection works afterwards", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      for _ in db:rows(endless .. "select n from c where n < 0") do print("a row") end
    ]])
  end)

  it("ends a query inside a coroutine, by an error of its own", function()
    local seen = interrupted [[
      coroutine.wrap(function()
        local _, err = pcall(function()
          print("working")
          for _ in db:rows(endless .. "select n from c where n < 0") do print("a row") end
        end)
        print(tuff.is_error(err), err.code)
      end)()
    ]]
    assert.are.equal("true\tinterrupted", seen:match("^[^\n]*"))
    assert.is_truthy(seen:find("\tfalse\t1$"))
  end)

  it("ends a statement that writes without end, and undoes it", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:run("insert into t " .. endless .. "select n from c")
    ]])
  end)

  it("ends a transaction, and undoes all of it", function()
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      db:transaction(function()
        db:run("insert into t values (2)")
        print("working")
        db:value(endless .. "select count(*) from c")
      end)
    ]])
  end)

  it("ends the wait for a lock that another process holds", function()
    local holder = process.start({ arguments = { path }, chunk = [[
      local tuff = require "tuff"
      local db <close> = tuff.open((...))
      local tx <close> = db:begin()
      db:run("update t set x = x")
      print("held")
      io.read("l")
    ]] })
    holder:expect("held")
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:run("update t set x = 2")
    ]])
    assert.are.equal("interrupted\tfalse\t1", interrupted [[
      print("working")
      db:transaction(function() db:run("update t set x = 2") end)
    ]])
    holder:send("end")
    holder:finish()
    db:run("insert into t values (3)")
  end)

  -- The hook with which the interpreter answers Ctrl-C, after each number of its steps.
  it("leaves no transaction open, and is not lost, wherever it strikes", function()
    local child = process.start({ arguments = { path }, chunk = [[
      local tuff = require "tuff"
      local db <close> = tuff.open((...))
      -- Whether it struck, and the error that came of it.
      local function struck_after(steps, work)
        local struck, inner = false, nil
        local _, outer = pcall(function()
          debug.sethook(function()
            steps = steps - 1
            if steps > 0 then return end
            debug.sethook()
            struck = true
            error("interrupted!", 0)
          end, "crl", 1)
          _, inner = pcall(work)
          debug.sethook()
        end)
        debug.sethook()
        return struck, outer or inner
      end
      local function commits() db:run("update t set x = x + 1") end
      local function fails() db:run("update t set x = -1") error("on purpose", 0) end
      for _, fn in ipairs { commits, fails } do
        local steps, lost = 0, 0
        repeat
          steps = steps + 1
          local struck, err = struck_after(steps, function() db:transaction(fn) end)
          if struck and err ~= "interrupted!" then lost = lost + 1 end
          if db:in_transaction() then print("open after " .. steps .. " steps") os.exit(1) end
        until not struck
        print(steps > 50, lost, db:value("select x from t") > 1)
      end
    ]] })
    assert.are.equal("true\t0\ttrue\ntrue\t0\ttrue", child:finish())
  end)
end)
