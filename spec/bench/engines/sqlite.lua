-- SQLite: who takes part, the works with their targets, and what is said below them.

local arena = require "bench.arena"
local calling = require "bench.calling"
local comparison = require "bench.comparison"
local contestants = require "bench.contestants"
local migrating = require "bench.migrating"
local rebuilding = require "bench.rebuilding"
local waiting = require "bench.waiting"

local median_of = comparison.median_of

-- `clock`: the figure that decides, CPU time of the process. `open`: makes the place of the works.
local M = { library = "SQLite", clock = "seconds", open = arena.open }

-- `data`: "empty" and "copy" are a fresh file for each run, whose content is checked afterwards;
-- "large" is one file that all read. `once`: not repeated, for it is no measure of time.
-- `count`: how many rows or keys it is called with. `target`: the ratio to raw C that tuff is to
-- reach.
M.works = {
  { name = "insert", data = "empty", count = 200000, target = 1.5,
    title = "200 k inserts from tables, prepared" },
  { name = "insert_named", data = "empty", count = 200000,
    title = "the same, values by name" },
  { name = "insert_many", data = "empty", count = 200000, target = 1.22,
    title = "the same with insert_many" },
  { name = "tuples", data = "large", target = 1.5,
    title = "1 M rows x 5 columns by tuples" },
  { name = "rows", data = "large", target = 2.45,
    title = "1 M named rows by rows" },
  { name = "point_prepared", data = "large", count = 200000, target = 1.24,
    title = "200 k point reads, prepared" },
  { name = "point_text", data = "large", count = 200000, target = 0.40,
    title = "200 k point reads, SQL text each time" },
  { name = "point_transaction", data = "large", count = 200000,
    title = "the same inside one transaction" },
  { name = "update", data = "copy", count = 100000, target = 1.15,
    title = "100 k updates by key" },
  { name = "all", data = "large",
    title = "1 M named rows kept, all (raw C keeps none)" },
  { name = "arrays", data = "large",
    title = "1 M rows kept, arrays (raw C keeps none)" },
  { name = "stream", data = "large", once = true,
    title = "10 M rows lazily (one run)" },
}

-- `internal`: a yardstick without a column of its own. `lua`: a binding for Lua, so that memory
-- and speed compare with tuff's.
---@param raw string  the raw C program
---@param folder string  of contender.lua
---@return table[] contenders
function M.contenders(raw, folder)
  local function binding(name) return contestants.binding(folder, name) end
  return {
    { name = "raw", title = "raw C", command = { raw } },
    { name = "nomutex", title = "NOMUTEX", command = { raw, "--nomutex" } },
    { name = "tuff", title = "tuff", command = binding("tuff"), lua = true },
    { name = "lsqlite3", title = "lsqlite3", command = binding("lsqlite3"), lua = true },
    { name = "luadbi", title = "LuaDBI", command = binding("luadbi"), lua = true },
    { name = "luasql", title = "LuaSQL", command = binding("luasql"), lua = true },
    { name = "python", title = "Python", command = contestants.python(folder, "python3") },
    { name = "tables", title = "tables alone", command = binding("tables"),
      internal = true },
  }
end

--- lsqlite3 where it took part, else the quickest peer for Lua.
local function peer_to_beat(results, contenders, work)
  local best
  for _, contender in ipairs(contenders) do
    local median = median_of(results, work, contender.name)
    if median and contender.name == "lsqlite3" then return contender, median end
    if median and contender.lua and contender.name ~= "tuff" and
      (not best or median < median_of(results, work, best.name)) then
      best = contender
    end
  end
  if best then return best, median_of(results, work, best.name) end
end

local function times_faster_than_peer(results, contenders)
  local work = "point_transaction"
  local peer, median = peer_to_beat(results, contenders, work)
  if not peer then return nil end
  local instead = peer.name ~= "lsqlite3" and ", for lsqlite3" or ""
  return comparison.line(results, contenders, work, {
    title = "  times faster than " .. peer.title .. instead,
    target = ">= 3.5", bound = comparison.at_least(3.5),
  }, "%.2fx", function(contender)
    local own = contender.name == "tuff" and median_of(results, work, "tuff")
    return own and median / own
  end)
end

local function arrays_against_all(results, contenders)
  return comparison.line(results, contenders, "arrays", {
    title = "  times faster than all", target = ">= 1.4", bound = comparison.at_least(1.4),
  }, "%.2fx", function(contender)
    local all = median_of(results, "all", contender.name)
    local arrays = median_of(results, "arrays", contender.name)
    return contender.lua and all and arrays and all / arrays
  end)
end

local function memory_of_all(results, contenders)
  local tables = median_of(results, "all", "tables", "median_memory")
  return comparison.line(results, contenders, "all", {
    title = "  peak memory, to the tables alone", target = "<= 1.2",
    bound = comparison.at_most(1.2),
  }, "%.2f", function(contender)
    local own = median_of(results, "all", contender.name, "median_memory")
    return contender.lua and own and tables and own / tables
  end)
end

local flat = 4   -- MB that still count as flat: what the heap may wobble by

M.lines = {
  point_transaction = { times_faster_than_peer },
  arrays = { arrays_against_all },
  all = { memory_of_all },
  stream = { comparison.growth("stream", {
    title = "  MB that the peak grew after row 1 M", target = "flat",
  }, flat) },
}

--- What is measured of tuff alone.
---@param place table
---@return { waiting: table, calling: table, migrating: table, rebuilding: table }
function M.measure_alone(place)
  return {
    waiting = waiting.measure(place.path .. "/waiting.db"), calling = calling.measure(),
    migrating = migrating.measure(place.path .. "/migrating.db"),
    rebuilding = rebuilding.measure(place.path .. "/rebuilding.db"),
  }
end

M.foot = [[
Figures are ratios to raw C, lower is better, unless the line says otherwise; medians over
rounds (%d) in which the contenders take turns, each run a fresh process. Time is the CPU time
of the process (elapsed time stands in the JSON); writing works are timed until the database is
closed. WAL, synchronous NORMAL, 64 MB of cache. Raw C opens the database as an ordinary program
does, without SQLITE_OPEN_NOMUTEX; the column NOMUTEX is the same program with it.]]

return M
