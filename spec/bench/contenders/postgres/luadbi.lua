-- LuaDBI on PostgreSQL. It cuts a BIGINT down to 32 bits, in silence: 9007199254740993 reads as 1.
-- It takes part because no number of the table is larger than that.

local M = setmetatable({}, { __index = require "bench.contenders.luadbi" })

function M.identify()
  local dbi = require "DBI"
  require "dbd.postgresql"
  return "LuaDBI " .. dbi._VERSION
end

-- libpq takes a URL in the place of a name. Without autocommit LuaDBI begins transactions itself.
function M.open(url)
  local db = assert(require("DBI").Connect("PostgreSQL", url))
  db:autocommit(true)
  return db
end

return M
