--- The copy of a database that is made before its first migration.
local lfs = require "lfs"

local M = {}

--- Makes a copy in a directory, which is made where it is missing, and looks at it. Nothing in
--- memory is copied; nor is what a server holds, which warns.
---@param db tuff.Database
---@param directory string
---@param id string the first migration that is run
---@return string? path
function M.make(db, directory, id)
  if db.path == ":memory:" then return nil end
  if not db:supports("backup") then
    db:warn("migrations make no backup of a server: that is for the server's own tools")
    return nil
  end
  lfs.mkdir(directory)
  local stem = db.path:match("([^/\\]+)$"):gsub("%.%w+$", "")
  local name = ("%s/%s-%s-before-%s"):format(directory, stem, os.date("!%Y%m%d%H%M%S"),
    (id:gsub("[^%w._-]", "_")))
  local free, number = name, 1
  while lfs.symlinkattributes(free .. ".db") do
    number = number + 1
    free = name .. "-" .. number
  end
  return db:backup(free .. ".db", { file = true }).path
end

return M
