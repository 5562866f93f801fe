--- Schemas in SQLite: what the model becomes here, and how it is read back.
local alter = require "tuff.schema.sqlite.alter"
local broken = require "tuff.schema.sqlite.broken"
local core = require "tuff.core"
local ddl = require "tuff.schema.sqlite.ddl"
local kept = require "tuff.schema.sqlite.kept"
local path = require "tuff.schema.sqlite.path"
local reader = require "tuff.schema.sqlite.reader"
local rename = require "tuff.schema.sqlite.rename"
local run = require "tuff.schema.sqlite.run"
local scratch = require "tuff.schema.sqlite.scratch"
local search = require "tuff.schema.sqlite.search"

local M = {
  ddl = ddl,
  statements = ddl.statements,
  kept = kept.of,
  path = path.expression,
  search_name = search.name,
  broken = broken.list,
  run = run.steps,
  with_settings = run.with_settings,
}

--- Reads the schema of a database.
---@param db tuff.Database
---@return tuff.Schema
function M.read(db)
  return (db:read(reader.read))
end

local function state_of(objects)
  local list = {}
  for i, row in ipairs(objects) do list[i] = row.sql end
  return table.concat(list, ";\n")
end

--- A text that is another one when the schema was changed: the statements that make it.
---@param db tuff.Database
---@return string
function M.state(db)
  return state_of(reader.objects(db))
end

---@class tuff.schema.Reading
---@field have tuff.Schema what the database has
---@field state string see M.state
---@field told tuff.schema.Told

--- Reads the schema of a database, and what tells it from another one.
---@param db tuff.Database
---@return tuff.schema.Reading
function M.inspect(db)
  local have, told = db:read(reader.read)
  return { have = have, state = state_of(told.objects), told = told }
end

--- What the database would make of a schema. What it has already are the very tables of the
--- reading.
---@param db tuff.Database
---@param schema tuff.Schema
---@param reading tuff.schema.Reading? (as the database is now)
---@return tuff.Schema
function M.materialise(db, schema, reading)
  reading = reading or M.inspect(db)
  return scratch.materialise(db, schema, reading.have, reading.told.objects)
end

--- What the schema would be after renames.
---@param db tuff.Database
---@param reading tuff.schema.Reading
---@param renames tuff.schema.Rename[]
---@return tuff.schema.Reading with the state of before
function M.renamed(db, reading, renames)
  if #renames == 0 then return reading end
  local statements = rename.statements(reading.have, renames)
  local have, told = scratch.after(db, reading.have, reading.told, statements)
  return { have = have, told = told, state = reading.state, renaming = statements }
end

--- The steps that make these changes, for M.run. Marks the changes for which a table is built anew
--- by `rebuild`.
---@param db tuff.Database
---@param reading tuff.schema.Reading after renames
---@param want tuff.Schema
---@param changes tuff.schema.Change[]
---@param allow table<string, boolean> names of what may be lost
---@return table[] steps of which `sql` is shown
---@return string[] rebuilt the tables that are built anew, sorted
function M.alter(db, reading, want, changes, allow)
  return alter.steps(db, {
    have = reading.have, objects = reading.told.objects, renaming = reading.renaming or {},
    want = want, changes = changes, allow = allow,
  })
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
