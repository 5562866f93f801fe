--- What a database has: its tables, and its whole schema.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"
local transaction = require "tuff.transaction"

local M = {}

local function dialect_of(db, method)
  errors.check_open(db, method)
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

-- ---- one table ---------------------------------------------------------------------------

--- The table of a name; raises `not_found` where there is none.
local function find(db, dialect, name, method)
  errors.check(name, "string", "the table given to db:" .. method)
  local found = dialect.relation(db, name)
  if found then return found end
  errors.raise("not_found", ("no such table: %s"):format(errors.shown(name)),
    { table = name, hint = errors.did_you_mean(name, dialect.tables(db)) })
end

local function refuse(name, why, hint)
  errors.raise("schema", ("the table %s is not dropped: %s"):format(errors.shown(name), why),
    { table = name, hint = hint })
end

local drop_options = { allow_drop = options_of.checks.boolean }

--- Drops a table with all its rows, its indexes and triggers. A table that others refer to by
--- foreign keys, or that a view needs, stays: the error `schema` names them.
---@param db tuff.Database
---@param name string as SQL would find it
---@param options { allow_drop: true } without it nothing is dropped
function M.drop_table(db, name, options)
  local dialect = dialect_of(db, "drop_table")
  options = options_of.given(options, drop_options, "db:drop_table")
  transaction.transaction(db, function()
    local found = find(db, dialect, name, "drop_table")
    if found.kept then refuse(found.name, "it is " .. found.kept) end
    if not options.allow_drop then
      refuse(found.name, "its rows would be lost", "say { allow_drop = true }")
    end
    local children = dialect.children(db, found.name)
    if #children > 0 then
      refuse(found.name, "foreign keys of " .. table.concat(children, ", ") .. " refer to it",
        "drop those first, or their foreign keys")
    end
    local users = dialect.drop(db, found.name)
    if #users > 0 then
      refuse(found.name, table.concat(users, ", ") .. " could not be used without it",
        "drop or change those first")
    end
  end)
end

--- The id that the next row of a table is given, if nobody else inserts one before: a hint for
--- people, and nothing to insert a row with.
---@param db tuff.Database
---@param name string
---@return integer? id nil where no column of the table is an id, which is never given twice
function M.next_id(db, name)
  local dialect = dialect_of(db, "next_id")
  return dialect.next_id(db, find(db, dialect, name, "next_id").name)
end

return M
