--- tuff: a data layer for Lua. SQLite in one `require`.
local core = require "tuff.core"
local errors = require "tuff.error"
local options = require "tuff.options"
local database = require "tuff.database"
local verify = require "tuff.backup.verify"

-- JSON is loaded by whoever first stores or reads it.
core.json(
  function(text) return require("tuff.json").decode_column(text) end,
  function(value) return require("tuff.json").encode(value) end
)

local M = {
  version = "0.1.0",
  sqlite_version = core.sqlite_version, ---@type string of the library in use
  null = core.null, ---@type lightuserdata NULL, where nil cannot stand; equal to cjson.null
  is_error = errors.is_error,
  verify = verify.verify,
}

--- Opens a database, creating the file if it is missing, with mode 0600.
---@param path string|tuff.OpenOptions a file, ":memory:", or one table with everything
---@param opts tuff.OpenOptions?
---@return tuff.Database
function M.open(path, opts)
  return database.open(options.read(path, opts))
end

--- A string that is stored as a BLOB, whatever bytes it holds.
---@param bytes string
---@return tuff.Blob
function M.blob(bytes)
  return core.blob(bytes)
end

--- How many connections, statements, loops, transactions, streams and copies are open in this
--- process.
---@return integer
function M.instances()
  return core.instances()
end

return M
