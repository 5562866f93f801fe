--- Names of tables and columns in SQL: always quoted, so that none can be taken for
--- anything else.
local errors = require "tuff.error"

local M = {}

--- A name in double quotes.
---@param name string
---@return string
function M.quote(name)
  if type(name) ~= "string" or name == "" or name:find("\0", 1, true) then
    errors.raise("misuse", "a name of a table or column must be a string that is not empty "
      .. "and holds no NUL byte")
  end
  return '"' .. name:gsub('"', '""') .. '"'
end

--- Several names, quoted, with commas between them.
---@param names string[]
---@return string
function M.quote_all(names)
  local quoted = {}
  for i, name in ipairs(names) do quoted[i] = M.quote(name) end
  return table.concat(quoted, ", ")
end

return M
