-- PostgreSQL: who takes part, the works with their targets, and what is said below them.

local comparison = require "bench.comparison"
local contestants = require "bench.contestants"
local server = require "bench.server"
local workload = require "bench.workload"

local median_of = comparison.median_of

-- `clock`: the figure that decides, time of the wall, for CPU time would hide what a client waits.
local M = { library = "libpq", clock = "elapsed", open = server.open }

local inserts, loaded = 50000, 1000000

-- As in sqlite.lua. "empty" and "copy" are a fresh database for each run.
M.works = {
  { name = "insert", data = "empty", count = inserts, target = 1.1,
    title = "50 k inserts in a transaction, prepared" },
  { name = "insert_transaction", data = "empty", count = 10000,
    title = "10 k transactions of one insert" },
  { name = "insert_many", data = "empty", count = loaded, target = 1.6,
    title = "1 M rows by insert_many (raw C: COPY)" },
  { name = "upsert", data = "copy", count = 100000,
    title = "100 k upserts by insert_many (raw C: unnest)" },
  { name = "point_prepared", data = "large", count = 50000, target = 1.1,
    title = "50 k point reads, prepared" },
  { name = "point_text", data = "large", count = 50000,
    title = "50 k point reads, SQL text each time" },
  { name = "tuples", data = "large",
    title = "1 M rows x 5 columns by tuples" },
  { name = "rows", data = "large", target = 5.8,
    title = "1 M named rows by rows" },
  { name = "all", data = "large",
    title = "1 M named rows kept, all (raw C keeps none)" },
}

---@param raw string  the raw C program
---@param folder string  of contender.lua
---@return table[] contenders
function M.contenders(raw, folder)
  local function binding(name) return contestants.binding(folder, "postgres." .. name) end
  return {
    { name = "raw", title = "raw C", command = { raw } },
    { name = "tuff", title = "tuff", command = binding("tuff"), lua = true },
    { name = "luadbi", title = "LuaDBI", command = binding("luadbi"), lua = true },
    { name = "luasql", title = "LuaSQL", command = binding("luasql"), lua = true },
    { name = "psycopg2", title = "psycopg2",
      command = contestants.python(folder, "postgres/python3") },
  }
end

--- Rows a second against rows a second, for they are not as many.
local function many_against_inserts(results, contenders)
  local one_by_one = median_of(results, "insert", "luasql")
  return comparison.line(results, contenders, "insert_many", {
    title = "  times as fast as LuaSQL's inserts, by row", target = ">= 5",
    bound = comparison.at_least(5),
  }, "%.2fx", function(contender)
    local own = median_of(results, "insert_many", contender.name)
    return own and one_by_one and (one_by_one / inserts) / (own / loaded)
  end)
end

local function pace(work, rows)
  return function(results, contenders)
    return comparison.line(results, contenders, work, {
      title = "  million rows a second",
    }, "%.2f", function(contender)
      local own = median_of(results, work, contender.name)
      return own and rows / own / 1e6
    end)
  end
end

local function growth(work)
  return comparison.growth(work, {
    title = "  MB that the peak of memory grew", target = "<= 20",
  }, 20)
end

M.lines = {
  insert_many = { many_against_inserts, pace("insert_many", loaded) },
  tuples = { pace("tuples", workload.table_rows), growth("tuples") },
  rows = { pace("rows", workload.table_rows), growth("rows") },
  all = { pace("all", workload.table_rows) },
}

M.foot = [[
Figures are ratios to raw C, lower is better, unless the line says otherwise; medians over
rounds (%d) in which the contenders take turns, each run a fresh process with a connection of its
own. Time is that of the wall, in which client and server share the machine (the CPU time of the
client stands in the JSON); writing works are timed until the connection is closed. A private
server on a unix socket, with default settings but for fsync and autovacuum, which are off. Raw C
prepares, and has its values in binary form. The transactions of tuff are SERIALIZABLE, those of
the others READ COMMITTED: the default of each.]]

return M
