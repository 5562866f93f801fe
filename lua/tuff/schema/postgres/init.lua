--- Schemas in PostgreSQL: what the model becomes here, and how it is read back.
local core = require "tuff.core"
local ddl = require "tuff.schema.postgres.ddl"
local kept = require "tuff.schema.postgres.kept"
local path = require "tuff.schema.postgres.path"
local reader = require "tuff.schema.postgres.reader"
local search = require "tuff.schema.postgres.search"
local scratch = require "tuff.schema.postgres.scratch"

local M = {
  ddl = ddl,
  statements = ddl.statements,
  kept = kept.of,
  path = path.expression,
  search = search.expression,
  materialise = scratch.materialise,
}

--- Reads the schema of a database: of the namespace in which tables are made.
---@param db tuff.Database
---@return tuff.Schema
function M.read(db)
  return db:read(reader.read)
end

--- Makes a schema in an empty database, whole or not at all.
---@param db tuff.Database
---@param schema tuff.Schema
function M.create(db, schema)
  local script = table.concat(M.statements(schema), ";\n")
  db:transaction(function()
    core.own(db)
    db:exec(script)
  end)
end

return M
