--- Schemas in PostgreSQL: what the model becomes here, and how it is read back.
local alter = require "tuff.schema.postgres.alter"
local core = require "tuff.core"
local ddl = require "tuff.schema.postgres.ddl"
local kept = require "tuff.schema.postgres.kept"
local lock = require "tuff.schema.postgres.lock"
local model = require "tuff.schema.model"
local path = require "tuff.schema.postgres.path"
local reader = require "tuff.schema.postgres.reader"
local rename = require "tuff.schema.postgres.rename"
local run = require "tuff.schema.postgres.run"
local scratch = require "tuff.schema.postgres.scratch"
local search = require "tuff.schema.postgres.search"
local steps = require "tuff.schema.steps"

local M = {
  ddl = ddl,
  statements = ddl.statements,
  kept = kept.of,
  path = path.expression,
  search = search.expression,
  lock = lock.take,
  run = steps.run,
  run_later = run.later,
}

--- Reads the schema of a database: of the namespace in which tables are made.
---@param db tuff.Database
---@return tuff.Schema
function M.read(db)
  return (db:read(reader.read))
end

--- A text that is another one when the schema was changed.
---@param db tuff.Database
---@return string
function M.state(db)
  return model.canonical((reader.read(db)))
end

---@class tuff.schema.postgres.Reading
---@field have tuff.Schema what the database has
---@field state string see M.state
---@field shapes table<string, string[]> the columns of views
---@field wanted_shapes table<string, string[]>? those of the views that are wanted
---@field rule_name fun(owner: string, column: string, suffix: string): string of a check that
---  enforces a type
---@field sequence_name fun(owner: string, column: string): string? of a column's own sequence
---@field renaming string[]? statements that rename

--- Reads the schema of a database, and what tells it from another one.
---@param db tuff.Database
---@return tuff.schema.postgres.Reading
function M.inspect(db)
  local have, told = db:read(reader.read)
  return {
    have = have, state = model.canonical(have), shapes = reader.shapes(told),
    rule_name = reader.rule_names(told), sequence_name = reader.sequence_names(told),
  }
end

--- What the database would make of a schema.
---@param db tuff.Database
---@param schema tuff.Schema
---@param reading tuff.schema.postgres.Reading? as the database is now
---@return tuff.Schema
function M.materialise(db, schema, reading)
  local want, told = scratch.materialise(db, schema)
  if reading then reading.wanted_shapes = told and reader.shapes(told) or {} end
  return want
end

--- What the schema would be after renames.
---@param db tuff.Database
---@param reading tuff.schema.postgres.Reading
---@param renames tuff.schema.Rename[]
---@return tuff.schema.postgres.Reading with the state of before
function M.renamed(db, reading, renames)
  if #renames == 0 then return reading end
  return rename.of(db, reading, renames)
end

--- The steps that make these changes, for M.run; those that run later, for M.run_later. Adds the
--- views that have to be made again to the changes.
---@param _ tuff.Database
---@param reading tuff.schema.postgres.Reading after renames
---@param want tuff.Schema
---@param changes tuff.schema.Change[]
---@param allow table<string, boolean> names of what may be lost
---@param options { concurrently: boolean? }? concurrently: indexes are made later
---@return table[] steps of which `sql` is shown
---@return string[] rebuilt nothing is built anew
function M.alter(_, reading, want, changes, allow, options)
  return alter.steps(reading, want, changes, allow, options or {}), {}
end

--- Nothing can be broken that the server knows of: what is needed cannot be dropped.
---@return table[]
function M.broken() return {} end

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
