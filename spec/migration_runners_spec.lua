local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"
local process = require "spec.support.process"

local ROUNDS = 20

--- Runs migrations of each database that it is told, on the same word as the others. It says how
--- many it has applied, or what went wrong.
local runner = [[
  local tuff = require "tuff"
  local key = ...
  local list = {
    { id = "1", up = function(db)
      db:exec("create table t(id " .. key .. ", seen integer not null default 0)")
    end },
    { id = "2", up = function(db)
      for _ = 1, 40 do db:run "insert into t(seen) values (0)" end
    end },
    { id = "3", transaction = false, up = function(_, step)
      step.batch { table = "t", size = 10, set = "seen = seen + 1" }
    end },
    { id = "4", up = function(db) db:exec "alter table t add column more integer" end },
    { id = "5", repeatable = true, up = function(db)
      db:exec "create view v as select id from t"
    end },
  }
  for path in io.lines() do
    local db <close> = tuff.open(path, { busy_timeout = 100, durability = "normal" })
    print "ready"
    io.read "l"
    local good, result = pcall(function() return db:migrations(list):up() end)
    db:close()
    print(good and #result.applied or tostring(result))
  end
]]

--- One that stops in the middle of its migration, until it is told to go on.
local slow = [[
  local tuff = require "tuff"
  local db <close> = tuff.open((...), { durability = "normal" })
  db:migrations({ { id = "a", up = function(inner)
    inner:exec "create table made(x integer)"
    print "within"
    io.read "l"
  end } }):up()
  print "over"
]]

--- One that runs the same and does not stop.
local quick = [[
  local tuff = require "tuff"
  local db <close> = tuff.open((...), { busy_timeout = 20, durability = "normal" })
  print "begins"
  local report = db:migrations({ { id = "a", up = function(inner)
    inner:exec "create table made(x integer)"
  end } }):up()
  print(#report.applied)
]]

fixture.each_engine("runners of migrations at once", function(engine)
  for _, count in ipairs { 2, 8 } do
    it(("do each once: %d"):format(count), function()
      local children = {}
      for i = 1, count do
        children[i] = process.start { chunk = runner, arguments = { engine.sql "{key}" } }
      end
      for _ = 1, ROUNDS do
        engine.database():close()
        for _, child in ipairs(children) do child:send(engine.path()) end
        for _, child in ipairs(children) do child:expect "ready" end
        for _, child in ipairs(children) do child:send() end
        local applied = 0
        for _, child in ipairs(children) do
          local said = child:read()
          applied = applied + assert(tonumber(said), said)
        end
        assert.are.equal(5, applied)
        local db <close> = engine.open()
        assert.are.same({ { seen = 1, rows = 40 } },
          db:all "select seen, count(*) as rows from t group by seen")
        assert.are.equal(5, db:value "select count(*) from tuff_migrations")
        assert.are.equal(5, db:value "select count(*) from tuff_migration_events")
      end
    end)
  end

  local function m_of(db)
    return db:migrations { { id = "a", up = function(inner)
      inner:exec "create table made(x integer)"
    end } }
  end

  it("wait for one that takes longer than busy_timeout, and find it done", function()
    local db = engine.database()
    local first = process.start { chunk = slow, arguments = { engine.path() } }
    first:expect "within"
    local second = process.start { chunk = quick, arguments = { engine.path() } }
    second:expect "begins"
    -- It gives up later than the second would, if that did not wait.
    local m = m_of(db)
    errors.expect("busy", m.up, m, { wait = 100 })
    first:send()
    first:expect "over"
    second:expect "0"
    assert.are.same({ a = "applied" }, migrations.states(m))
    assert.are.equal(1, db:value "select count(*) from tuff_migration_events")
  end)

  it("go on where another one is killed in the middle", function()
    local db = engine.database()
    local first = process.start { chunk = slow, arguments = { engine.path() } }
    first:expect "within"
    local second = process.start { chunk = quick, arguments = { engine.path() } }
    second:expect "begins"
    first:kill()
    first:wait()
    second:expect "1"
    assert.are.same({ a = "applied" }, migrations.states(m_of(db)))
  end)

  it("let others read and, where they may, write meanwhile", function()
    local db = engine.database "create table other(x integer)"
    local first = process.start { chunk = slow, arguments = { engine.path() } }
    first:expect "within"
    assert.are.equal(0, db:value "select count(*) from other")
    assert.are.same({ a = "pending" }, migrations.states(m_of(db)))
    assert.is_false(db:has_table "made")
    first:send()
    first:expect "over"
    assert.is_true(db:has_table "made")
  end)
end)
