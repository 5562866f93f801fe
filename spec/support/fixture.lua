--- What the specs begin and end with: databases of their own, of which no test leaves a trace.
--
--     local path, db
--     before_each(function()
--       path, db = fixture.database("create table t(id integer primary key)")
--     end)
--     fixture.clean_up()

local busted = require "busted"
local tuff = require "tuff"
local disk = require "spec.support.disk"
local instances = require "spec.support.instances"
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

return fixture
