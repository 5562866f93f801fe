--- The frame in which a schema is changed: a transaction that does not fire foreign keys.
local M = {}

local open = setmetatable({}, { __mode = "k" })

--- Whether a change is being made on this connection.
---@param db tuff.Database
---@return boolean
function M.is_open(db)
  return open[db] ~= nil
end

--- Runs fn in a transaction in which foreign keys do nothing, and commits.
---@generic T
---@param db tuff.Database
---@param options { touched: string[]? } the tables that are changed
---@param fn fun(db: tuff.Database): T...
---@return T ...
function M.run(db, options, fn)
  local _ = options
  local keys = db:value("pragma foreign_keys") == 1
  if keys then db:exec("pragma foreign_keys = off") end
  open[db] = true
  local results = table.pack(pcall(db.transaction, db, fn))
  open[db] = nil
  if keys then db:exec("pragma foreign_keys = on") end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return M
