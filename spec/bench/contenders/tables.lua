-- The rows of `all` as bare Lua tables, without any database: the least that keeping them can cost.

package.path = package.path .. ";" .. (arg[0]:gsub("[^/]*$", "")) .. "../../?.lua"

local checksum = require "bench.checksum"
local contender = require "bench.contender"
local workload = require "bench.workload"

local works = {}

function works.all(_, watch)
  watch:start()
  local rows = workload.rows(workload.table_rows)
  watch:stop()
  return checksum.kept(rows)
end

contender.main {
  identify = function() return "the tables alone", "none" end,
  works = works,
}
