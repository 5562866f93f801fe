--- The copy of a database that is made before its first migration.
local lfs = require "tuff.filesystem"

local M = {}

--- A path that nothing has yet: stem.db, or stem-2.db and so on.
local function free_path(stem)
  local path, number = stem .. ".db", 1
  while lfs.symlinkattributes(path) do
    number = number + 1
    path = ("%s-%d.db"):format(stem, number)
  end
  return path
end

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
  return db:backup(free_path(name), { file = true }).path
end

return M
