--- Schemas in SQLite: what the model becomes here, and how it is read back.
local core = require "tuff.core"
local ddl = require "tuff.schema.sqlite.ddl"
local kept = require "tuff.schema.sqlite.kept"
local path = require "tuff.schema.sqlite.path"
local reader = require "tuff.schema.sqlite.reader"

local M = {
  ddl = ddl,
  statements = ddl.statements,
  kept = kept.of,
  path = path.expression,
}

--- Reads the schema of a database.
---@param db tuff.Database
---@return tuff.Schema
function M.read(db)
  return db:read(reader.read)
end

--- Makes a schema in an empty database, whole or not at all.
---@param db tuff.Database
---@param schema tuff.Schema
function M.create(db, schema)
  local statements = M.statements(schema)
  db:transaction(function()
    for _, statement in ipairs(statements) do
      core.own(db)
      db:exec(statement)
    end
  end)
end

return M
