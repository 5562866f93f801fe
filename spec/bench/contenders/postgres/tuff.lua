-- tuff on PostgreSQL: the same works, at another URL.

local M = setmetatable({}, { __index = require "bench.contenders.tuff" })

function M.identify()
  assert(package.searchpath("tuff.postgres", package.cpath))
  return "tuff " .. require("tuff").version
end

function M.open(url) return require("tuff").open(url) end

return M
