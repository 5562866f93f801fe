--- What must hold before a change of the schema is committed. The server keeps its tables sound by
--- itself, unless a script has told it not to.
local core = require "tuff.core"
local errors = require "tuff.error"

local M = {}

local function role(db)
  core.own(db)
  return db:value "select current_setting('session_replication_role')"
end

--- To be called when a change has begun: what `verify` compares with.
---@param db tuff.Database
---@return string
function M.before(db)
  return role(db)
end

--- Raises `migration` where foreign keys and triggers were switched off.
---@param db tuff.Database
---@param before string
function M.verify(db, before)
  if role(db) == before then return end
  errors.raise("migration", "session_replication_role was set, so that foreign keys and triggers "
    .. "were not heeded", { hint = "leave it as it is, and say what is to become of the rows that "
    .. "others refer to" })
end

return M
