-- What a call of a Lua function by SQL costs above a call of SQLite's own.

local statistics = require "bench.statistics"

local M = {}

local CALLS, ROUNDS = 1000000, 7

local query = [[
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < %d)
  select sum(%s(n)) from numbers]]

local function seconds(db, name)
  local began = os.clock()
  assert(db:value(query:format(CALLS, name)) == CALLS * (CALLS + 1) // 2)
  return os.clock() - began
end

--- The same query with `abs` and with a function of Lua that gives its argument back, by turns.
---@return { calls: integer, us: number }  median of microseconds for each call, above `abs`
function M.measure()
  local db <close> = require("tuff").open(":memory:")
  db:define("same", function(n) return n end)
  local above = {}
  for round = 1, ROUNDS do above[round] = seconds(db, "same") - seconds(db, "abs") end
  return { calls = CALLS, us = statistics.median(above) / CALLS * 1e6 }
end

return M
