--- A schema as PostgreSQL would read it: it is made in a namespace of its own, which is read, and
--- rolled back. Nobody else ever sees it.
local core = require "tuff.core"
local ddl = require "tuff.schema.postgres.ddl"
local identifier = require "tuff.identifier"
local reader = require "tuff.schema.postgres.reader"

local M = {}

--- Makes a namespace that no other session makes at the same time, in front of those in which names
--- are found: what the schema itself does not have is found there as ever.
local function enter(db)
  core.own(db)
  local here = db:row [[
    select 'tuff_scratch_' || pg_backend_pid() as name, current_setting('search_path') as path]]
  local name = identifier.quote(here.name)
  core.own(db)
  db:exec("create schema " .. name)
  core.own(db)
  db:value("select set_config('search_path', ?, true)",
    here.path == "" and name or name .. ", " .. here.path)
end

--- The schema that would be read after it was made in an empty database.
---@param db tuff.Database
---@param schema tuff.Schema
---@return tuff.Schema
function M.materialise(db, schema)
  local script = table.concat(ddl.statements(schema), ";\n")
  local transaction <close> = db:begin()
  enter(db)
  core.own(db)
  db:exec(script)
  local found = reader.read(db)
  transaction:rollback()
  return found
end

return M
