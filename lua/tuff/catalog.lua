--- What a database has: its tables, and its whole schema.
local core = require "tuff.core"
local errors = require "tuff.error"

local M = {}

local function dialect_of(db, method)
  errors.check_self(db, "tuff.connection", method)
  db:in_transaction() -- raises `closed`
  return core.state(db).dialect
end

--- The names of all tables, sorted: not views, not tables of the engine's own.
---@param db tuff.Database
---@return string[]
function M.tables(db)
  return dialect_of(db, "tables").tables(db)
end

--- Whether there is such a table, as SQL would find it: SQLite takes no notice of capitals.
---@param db tuff.Database
---@param name string
---@return boolean
function M.has_table(db, name)
  local dialect = dialect_of(db, "has_table")
  errors.check(name, "string", "the table given to db:has_table")
  return #dialect.tables(db, name) > 0
end

--- The schema of the database, as it is at this moment.
---@param db tuff.Database
---@return tuff.Schema
function M.schema(db)
  return dialect_of(db, "schema").schema().read(db)
end

return M
