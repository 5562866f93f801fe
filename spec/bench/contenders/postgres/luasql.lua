-- LuaSQL on PostgreSQL. Each value comes as a text; the sums make numbers of them.

local M = setmetatable({}, { __index = require "bench.contenders.luasql" })

function M.identify()
  return (require("luasql.postgres")._VERSION:match("^LuaSQL [%d.]+"))
end

function M.open(url) return assert(require("luasql.postgres").postgres():connect(url)) end

return M
