--- A schema as PostgreSQL would read it. What it spells anew are expressions, queries and types of
--- its own: what has any is made in a namespace that is read and rolled back, and that nobody else
--- ever sees. Of the rest is known what it keeps; a key or a plain index would only take time.
local core = require "tuff.core"
local ddl = require "tuff.schema.postgres.ddl"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"
local kept = require "tuff.schema.postgres.kept"
local limits = require "tuff.schema.postgres.limits"
local model = require "tuff.schema.model"
local reader = require "tuff.schema.postgres.reader"
local sql = require "tuff.schema.sql"

local M = {}

-- ---- what has texts ----------------------------------------------------------------------

local function is_spelled_column(column)
  return column.type == "other" or column.collate ~= nil or column.generated ~= nil
    or column.default ~= nil and column.default.kind == "expression"
end

local function is_spelled_index(index)
  if index.where then return true end
  for _, part in ipairs(index.parts) do
    if part.expression or part.collate then return true end
  end
  return false
end

--- The items of a list for which a test is true, or is not.
local function those(list, test, wanted)
  local found = {}
  for _, item in ipairs(list) do
    if test(item) == wanted then found[#found + 1] = item end
  end
  return found
end

local function is_spelled(of)
  return #of.checks > 0 or #those(of.columns, is_spelled_column, true) > 0
    or #those(of.indexes, is_spelled_index, true) > 0
end

local function has_condition(trigger) return trigger.condition ~= nil end

--- The names of tables without which a view or a trigger could not be made, without capitals.
local function named_by_others(schema)
  local names = {}
  for _, view in ipairs(schema.views) do
    for _, name in ipairs(sql.names(view.select)) do names[name:lower()] = true end
  end
  for _, trigger in ipairs(schema.triggers) do
    if has_condition(trigger) then names[trigger.table:lower()] = true end
  end
  return names
end

--- Types without what else belongs to them, such as rules and sequences.
local plain = {
  id = { type = "integer" }, enum = { type = "text" },
  decimal = { type = "other", declared = "numeric" },
}

--- A column, of which only the type counts unless it has a text.
local function reduced_column(column)
  local copy = model.copy(is_spelled_column(column) and column or plain[column.type]
    or { type = column.type })
  copy.name, copy.comment = column.name, nil
  return copy
end

--- Whether a column of the key may be an identity, which is an id there and nowhere else.
local function has_other_key(of)
  for _, name in ipairs(of.primary_key and model.columns_of(of.primary_key.parts) or {}) do
    if model.find(of.columns, name).type == "other" then return true end
  end
  return false
end

--- A table without what PostgreSQL spells as it was declared. A query may need to know the key.
local function reduced(of, has_views)
  local copy = model.new_table(of.name)
  if has_views or has_other_key(of) then copy.primary_key = of.primary_key end
  copy.checks = of.checks
  copy.indexes = those(of.indexes, is_spelled_index, true)
  for i, column in ipairs(of.columns) do copy.columns[i] = reduced_column(column) end
  return copy
end

--- What has to be made of a schema.
local function to_make(schema)
  local part, names, has_views = model.new(), named_by_others(schema), #schema.views > 0
  for _, of in ipairs(schema.tables) do
    if names[of.name:lower()] or is_spelled(of) then
      table.insert(part.tables, reduced(of, has_views))
    end
  end
  part.views = schema.views
  part.triggers = those(schema.triggers, has_condition, true)
  return part
end

--- Puts into a schema what was read of a part of it.
local function put(schema, found)
  for _, of in ipairs(schema.tables) do
    local made = model.find(found.tables, of.name)
    if made then
      for i, column in ipairs(of.columns) do
        if is_spelled_column(column) then
          of.columns[i] = made.columns[i]
          of.columns[i].comment = column.comment
        end
      end
      of.checks = made.checks
      of.indexes = those(of.indexes, is_spelled_index, false)
      table.move(made.indexes, 1, #made.indexes, #of.indexes + 1, of.indexes)
    end
  end
  schema.views = found.views
  schema.triggers = those(schema.triggers, has_condition, false)
  table.move(found.triggers, 1, #found.triggers, #schema.triggers + 1, schema.triggers)
  return model.complete(schema)
end

-- ---- making it ---------------------------------------------------------------------------

--- Makes a namespace that no other session makes at the same time, in front of those in which names
--- are found: what the schema itself does not have is found there as ever.
local function enter(db)
  core.own(db)
  local here = db:row [[
    select 'tuff_scratch_' || pg_backend_pid() as name, current_setting('search_path') as path]]
  local name = identifier.quote(here.name)
  core.own(db)
  local good, err = pcall(db.exec, db, "create schema " .. name)
  if not good then
    if errors.is_error(err) and err.code == "readonly" then
      errors.raise("readonly", "a schema is compared by making it, which is then rolled back, and "
        .. "this connection only reads", { cause = err, hint = "compare it on one that may write" })
    end
    error(err, 0)
  end
  core.own(db)
  db:value("select set_config('search_path', ?, true)",
    here.path == "" and name or name .. ", " .. here.path)
end

--- What a statement makes: "table images".
local function made_by(statement)
  local kind, name = statement:match('^%u+ [%u ]-(%u+) (%b"")')
  return kind and kind:lower() .. " " .. name:sub(2, -2) or statement
end

--- Raises which of the statements it is that cannot be run.
local function blame(db, statements, err)
  if not errors.is_error(err) or err.code == "interrupted" then error(err, 0) end
  for _, statement in ipairs(statements) do
    core.own(db)
    local good, reason = pcall(db.exec, db, statement)
    if not good then
      errors.raise("migration", ("%s cannot be made: %s"):format(made_by(statement),
        errors.is_error(reason) and reason.message or tostring(reason)), { cause = reason })
    end
  end
  error(err, 0)
end

--- What is read of a schema that is made for that, and then changed by statements.
local function made(db, schema, changes)
  local statements = ddl.statements(schema)
  if changes then table.move(changes, 1, #changes, #statements + 1, statements) end
  local transaction <close> = db:begin()
  enter(db)
  local good, err = pcall(db.transaction, db, function()
    core.own(db)
    db:exec(table.concat(statements, ";\n"))
  end)
  if not good then blame(db, statements, err) end
  local found, told = reader.read(db)
  transaction:rollback()
  return found, told
end

--- The schema that would be read after it was made in an empty database.
---@param db tuff.Database
---@param schema tuff.Schema
---@return tuff.Schema
---@return tuff.schema.postgres.Told? told of what had to be made for that
function M.materialise(db, schema)
  limits.check(schema)
  schema = kept.of(schema)
  local part = to_make(schema)
  if #part.tables + #part.views == 0 then return schema end
  local found, told = made(db, part)
  return put(schema, found), told
end

--- What PostgreSQL makes of the texts of a schema where names change.
---@param db tuff.Database
---@param have tuff.Schema as it was read
---@param renamed tuff.Schema the same, with new names in all but its texts
---@param steps tuff.schema.postgres.RenameStep[]
---@return tuff.Schema renamed
function M.renamed(db, have, renamed, steps)
  local part, statements = to_make(have), {}
  if #part.tables + #part.views == 0 then return renamed end
  for _, step in ipairs(steps) do
    local of = step.trigger and part.triggers or part.tables
    if model.find(of, step.trigger or step.table) then statements[#statements + 1] = step.sql end
  end
  return put(renamed, (made(db, part, statements)))
end

return M
