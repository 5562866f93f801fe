--- What the specs begin and end with: databases of their own, of which no test leaves a trace.
--
--     local path, db
--     before_each(function()
--       path, db = fixture.database("create table t(id integer primary key)")
--     end)
--     fixture.clean_up()
--
-- What is said of every engine stands in a `fixture.each_engine`, which cleans up by itself:
--
--     fixture.each_engine("a transaction", function(engine)
--       local db
--       before_each(function() db = engine.database "create table t(id {key}, at {timestamp})" end)
--
-- What only PostgreSQL does stands in a `fixture.on_server`, with a server of its own, and what
-- needs something else that is not everywhere in a `fixture.unless`.

local busted = require "busted"
local tuff = require "tuff"
local disk = require "spec.support.disk"
local engines = require "spec.support.engine"
local instances = require "spec.support.instances"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local fixture = {}

local opened = {}

--- Opens a database that is closed when the test is over, if the test has not closed it. Its
-- commits need not survive a loss of power, unless the options say so.
---@param path string
---@param options table? of tuff.open
---@return table db
function fixture.open(path, options)
  local all = { durability = "normal" }
  for name, value in pairs(options or {}) do all[name] = value end
  local db = tuff.open(path, all)
  opened[#opened + 1] = db
  return db
end

--- Opens a new file in a temporary directory.
---@param script string what it holds at first
---@return string path, table db
function fixture.database(script)
  local path = temporary.directory() .. "/library.db"
  local db = fixture.open(path)
  db:exec(script)
  return path, db
end

--- Opens a new file with an empty table t(id, name) twice. The second connection waits for a lock
-- for 20 ms.
---@return table db, table other, string path
function fixture.pair()
  local path, db = fixture.database("create table t(id integer primary key, name text unique)")
  return db, fixture.open(path, { busy_timeout = 20 }), path
end

--- Opens a new database in memory.
---@param script string? what it holds at first
---@return table db
function fixture.memory(script)
  local db = fixture.open(":memory:")
  if script then db:exec(script) end
  return db
end

local function close_all()
  local left = opened
  opened = {}
  for _, db in ipairs(left) do db:close() end
end

--- Called once in a `describe`: each of its tests ends with connections closed, children ended
-- and directories removed, and the last one with tuff.instances() at 0.
function fixture.clean_up()
  busted.after_each(close_all)
  busted.after_each(process.stop_all)
  busted.after_each(disk.release)
  busted.after_each(temporary.remove_all)
  busted.teardown(instances.none_left)
end

-- ---- what is not to be had everywhere ----------------------------------------------------

--- Describes something, and cleans up by itself; where there is a reason not to, it is pending and
--- tells it.
---@param reason string|nil what is missing
---@param what string
---@param define fun()
function fixture.unless(reason, what, define)
  busted.describe(what, function()
    if reason then return busted.pending("is left out: " .. reason) end
    fixture.clean_up()
    define()
  end)
end

--- Describes something on a server of PostgreSQL of its own, which stands from the first `setup` of
--- the description to the end of its last test.
---@param what string
---@param options spec.ServerOptions and missing: what else is
---@param define fun(server: table) the server is not made yet when this is called
function fixture.on_server(what, options, define)
  fixture.unless(postgres.missing() or options.missing, what, function()
    local server = postgres.server(options)
    busted.setup(function() server:make() end)
    define(server)
    busted.teardown(function() server:remove() end)
  end)
end

-- ---- the same specs on every engine ------------------------------------------------------

---@class spec.Fixture what specs of every engine are given
---@field name string of the engine, for the names of tests
---@field seeds integer how many random sequences are tried on it
---@field supports fun(feature: string): boolean as `db:supports`
---@field sql fun(text: string): string the words in braces are those of the engine
---@field path fun(): string of the database of the test, for tuff.open
---@field database fun(script: string?): table empties the database of the test, and opens it
---@field open fun(options: table?): table one more connection to it
---@field pair fun(): table, table two connections to an empty t(id, name); the second waits for a
---  lock for 20 ms

---@return spec.Fixture
local function fixture_of(engine)
  local path
  local given = { name = engine.name, seeds = engine.seeds }
  function given.supports(feature) return engine:supports(feature) end
  function given.sql(text) return engine:sql(text) end
  function given.path() return path end
  function given.open(options) return fixture.open(path, options) end
  function given.database(script)
    path = engine.empty()
    local db = given.open()
    if script then db:exec(engine:sql(script)) end
    return db
  end
  function given.pair()
    local db = given.database("create table t(id {key}, name text unique)")
    return db, given.open { busy_timeout = 20 }
  end
  return given
end

--- Describes something on every engine, which stands in the names of the tests. An engine that is
--- not to be had here is pending, with the reason.
---@param what string
---@param define fun(engine: spec.Fixture)
function fixture.each_engine(what, define)
  for _, engine in ipairs(engines) do
    fixture.unless(engine.missing, ("%s (%s)"):format(what, engine.name), function()
      define(fixture_of(engine))
    end)
  end
end

return fixture
