--- Names of collations. That of bytes is "binary" in every declaration, and "C" here.
local M = {}

--- The name that the server knows.
---@param name string
---@return string
function M.written(name)
  return name:lower() == "binary" and "C" or name
end

--- The name that a model has, of one that the server knows or a declaration gives.
---@param name string?
---@return string?
function M.read(name)
  return name and (name == "C" or name:lower() == "binary") and "binary" or name
end

return M
