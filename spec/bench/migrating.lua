-- What migrations cost: a table that is worked on in batches against one plain UPDATE, and to find
-- that there is nothing to do.

local now = require("tuff.core").now
local statistics = require "bench.statistics"

local M = {}

local ROWS, APPLIED, ROUNDS = 1000000, 500, 5

local set = "lower_name = lower(name)"

local function milliseconds(fn, ...)
  local began = now()
  fn(...)
  return now() - began
end

local works = {
  plain = function(db) db:run("update t set " .. set) end,
  batches = function(db)
    db:migrations({ { id = "batches", transaction = false, up = function(_, step)
      step.batch { table = "t", set = set }
    end } }):up()
  end,
}

--- A table as both find it: a new one each time, for an update leaves its traces.
local function timed(path, work)
  for _, ending in ipairs { "", "-wal", "-shm" } do os.remove(path .. ending) end
  do
    local db <close> = require("tuff").open(path)
    db:exec "create table t(id integer primary key, name text, lower_name text)"
    db:run([[insert into t(id, name) with recursive c(n) as (
      select 1 union all select n + 1 from c where n < ?) select n, 'Name ' || n from c]], ROWS)
  end
  local db <close> = require("tuff").open(path)
  return milliseconds(work, db)
end

local function nothing_pending(path)
  local db <close> = require("tuff").open(path)
  local list, times = {}, {}
  for i = 1, APPLIED do list[i] = { id = ("%04d"):format(i), up = function() end } end
  local migrations = db:migrations(list)
  migrations:baseline()
  for round = 1, ROUNDS do times[round] = milliseconds(migrations.up, migrations) end
  return statistics.median(times)
end

--- Rounds in which both take turns; medians in milliseconds.
---@param path string of a database that is not there yet
---@return { rows: integer, plain: number, batches: number, applied: integer, nothing: number }
function M.measure(path)
  local times = { plain = {}, batches = {} }
  for round = 1, ROUNDS do
    local order = round % 2 == 0 and { "plain", "batches" } or { "batches", "plain" }
    for _, name in ipairs(order) do times[name][round] = timed(path, works[name]) end
  end
  return {
    rows = ROWS, applied = APPLIED,
    plain = statistics.median(times.plain), batches = statistics.median(times.batches),
    nothing = nothing_pending(path),
  }
end

return M
