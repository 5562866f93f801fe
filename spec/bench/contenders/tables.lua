-- The rows of `all` as bare Lua tables, without any database: the least that keeping them can cost.

local workload = require "bench.workload"

local M = {}

function M.identify() return "the tables alone", "none" end

function M.open() end

function M.run() end

function M.all() return workload.rows(workload.table_rows) end

return M
