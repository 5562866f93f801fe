--- The type of a column apart from the sequence that its values come out of: an identity, or the
--- default of a serial.
local types = require "tuff.schema.postgres.types"

local M = {}

local serials = { bigserial = "bigint", serial = "integer", smallserial = "smallint" }

---@class tuff.schema.postgres.Storage
---@field type string
---@field identity string? "BY DEFAULT AS IDENTITY", with options
---@field serial boolean?

--- What a column is kept as.
---@param column table
---@return tuff.schema.postgres.Storage
function M.of(column)
  local declared = types.declared(column)
  local kind, identity = declared:match("^(.-) [Gg][Ee][Nn][Ee][Rr][Aa][Tt][Ee][Dd] (.*)$")
  if kind then return { type = kind, identity = identity } end
  local serial = serials[declared:lower()]
  return { type = serial or declared, serial = serial and true or nil }
end

return M
