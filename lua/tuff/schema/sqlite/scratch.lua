--- Databases in memory in which schemas are tried: what SQLite makes of a declaration, and of
--- renames. They hold no rows. What Lua has defined on the connection stands there under its name
--- only: nothing is computed.
local broken = require "tuff.schema.sqlite.broken"
local core = require "tuff.core"
local ddl = require "tuff.schema.sqlite.ddl"
local errors = require "tuff.error"
local model = require "tuff.schema.model"
local reader = require "tuff.schema.sqlite.reader"
local search = require "tuff.schema.sqlite.search"

local M = {}

local DIRECT_ONLY = 0x80000 -- no schema may call it

local function ask(db, sql)
  core.own(db)
  return db:all(sql)
end

local function names_in(db, pragma)
  local names = {}
  for _, row in ipairs(ask(db, "select name from pragma_" .. pragma)) do names[row.name] = true end
  return names
end

local function nothing() return nil end

--- Gives a scratch the functions and collations that the connection has, by name.
local function lend(db, scratch)
  local collations = names_in(scratch, "collation_list")
  for name in pairs(names_in(db, "collation_list")) do
    if not collations[name] then scratch:define_collation(name, function() return 0 end) end
  end
  local functions = names_in(scratch, "function_list")
  for _, row in ipairs(ask(db, "select name, type, flags from pragma_function_list "
    .. "where not builtin")) do
    if functions[row.name] then goto continue end
    functions[row.name] = true
    local options = { deterministic = true, schema = row.flags & DIRECT_ONLY == 0 }
    if row.type == "s" then
      scratch:define(row.name, nothing, options)
    else
      scratch:define_aggregate(row.name, { step = nothing }, options)
    end
    ::continue::
  end
end

--- An empty database beside this one.
local function open(db)
  local options = core.state(db).options
  local scratch = require("tuff").open(":memory:", { legacy_quotes = options.legacy_quotes })
  lend(db, scratch)
  return scratch
end

--- Modules of virtual tables that only this connection has, in lower case: no library is lent.
local function own_modules(db, scratch)
  local own, others = {}, names_in(scratch, "module_list")
  for name in pairs(names_in(db, "module_list")) do
    own[name:lower()] = not others[name] or nil
  end
  return own
end

--- Runs a statement that makes an object; says of which one is not to be had.
local function make(scratch, what, statement)
  core.own(scratch)
  local good, err = pcall(scratch.exec, scratch, statement)
  if good then return end
  if not errors.is_error(err) then error(err, 0) end
  errors.raise("migration", ("%s cannot be made: %s"):format(what, err.message),
    { hint = broken.advice(err.message) or err.hint, cause = err })
end

-- ---- what is as it should be --------------------------------------------------------------

local function key(kind, name) return kind .. ":" .. name end

--- The stored statements by what they make.
local function stored(objects)
  local texts = {}
  for _, row in ipairs(objects) do texts[key(row.type, row.name)] = row.sql end
  return texts
end

--- The statements of a table with all that belongs to it, by what they make.
local function statements_of(of)
  local list = { { key("table", of.name), ddl.table(of) } }
  for _, index in ipairs(of.indexes) do
    list[#list + 1] = { key("index", index.name), ddl.index(of, index) }
  end
  if of.search then
    local virtual, triggers = search.objects(of)
    list[#list + 1] = { key("table", virtual.name), ddl.virtual_table(virtual) }
    for _, trigger in ipairs(triggers) do
      list[#list + 1] = { key("trigger", trigger.name), ddl.trigger(trigger) }
    end
  end
  return list
end

local function is_same_table(of, found, list, texts)
  if not found or #found.indexes ~= #of.indexes or (found.search == nil) ~= (of.search == nil) then
    return false
  end
  for _, each in ipairs(list) do
    if texts[each[1]] ~= each[2] then return false end
  end
  return true
end

--- What of a schema the database has by the very same statements, so that nobody need read them:
--- the objects as they were read, by those of the schema. The others are in `todo`, by the
--- statements that make them.
local function compare(schema, have, objects)
  local texts, same, todo = stored(objects), {}, {}
  for _, of in ipairs(schema.tables) do
    local list, found = statements_of(of), model.find(have.tables, of.name)
    if is_same_table(of, found, list, texts) then same[of] = found else todo[of] = list end
  end
  local function definitions(kind, list, found, write)
    for _, object in ipairs(list) do
      local statement, name = write(object), key(kind, object.name)
      local other = texts[name] == statement and model.find(found, object.name)
      if other then same[object] = other else todo[object] = { { name, statement } } end
    end
  end
  definitions("view", schema.views, have.views, ddl.view)
  definitions("trigger", schema.triggers, have.triggers, ddl.trigger)
  definitions("table", schema.virtual_tables, have.virtual_tables, ddl.virtual_table)
  return same, todo
end

--- Makes what is left to do, and what this stands on.
local function make_all(scratch, schema, todo)
  for _, trigger in ipairs(schema.triggers) do
    local on = todo[trigger] and (model.find(schema.tables, trigger.table)
      or model.find(schema.views, trigger.table))
    if on and not todo[on] then
      todo[on] = on.select and { { "", ddl.view(on) } } or statements_of(on)
    end
  end
  local function make_list(list, what)
    for _, object in ipairs(list) do
      for _, each in ipairs(todo[object] or {}) do
        make(scratch, what .. " " .. object.name, each[2])
      end
    end
  end
  make_list(schema.tables, "table")
  make_list(schema.virtual_tables, "virtual table")
  make_list(schema.views, "view")
  make_list(schema.triggers, "trigger")
end

--- The schema as SQLite keeps it. Where the database has the very same, its objects are those of
--- `have`, the same tables of Lua.
---@param db tuff.Database
---@param schema tuff.Schema
---@param have tuff.Schema what the database has
---@param objects table[] the statements that it was read from
---@return tuff.Schema
function M.materialise(db, schema, have, objects)
  local same, todo = compare(schema, have, objects)
  local read = model.new()
  if next(todo) then
    local scratch <close> = open(db)
    local own = own_modules(db, scratch)
    for _, virtual in ipairs(schema.virtual_tables) do
      if todo[virtual] and own[virtual.module:lower()] then
        same[virtual], todo[virtual] = model.copy(virtual), nil
      end
    end
    scratch:transaction(function() make_all(scratch, schema, todo) end)
    read = reader.read(scratch)
  end
  local want = model.new()
  for _, kind in ipairs { "tables", "views", "triggers", "virtual_tables" } do
    for i, object in ipairs(schema[kind]) do
      want[kind][i] = same[object] or model.find(read[kind], object.name)
    end
  end
  return model.complete(want)
end

-- ---- renames -----------------------------------------------------------------------------

--- What SQLite makes of the schema of a database by these statements.
---@param db tuff.Database
---@param have tuff.Schema
---@param told tuff.schema.Told what it was read from
---@param statements string[]
---@return tuff.Schema schema
---@return tuff.schema.Told told
function M.after(db, have, told, statements)
  local scratch <close> = open(db)
  local own, left = own_modules(db, scratch), {}
  for _, virtual in ipairs(have.virtual_tables) do
    left[virtual.name] = own[virtual.module:lower()] and virtual
  end
  for _, row in ipairs(told.objects) do
    if not told.shadows[row.name] and not left[row.name] then
      make(scratch, row.type .. " " .. row.name, row.sql)
    end
  end
  for _, statement in ipairs(statements) do
    core.own(scratch)
    scratch:exec(statement)
  end
  local schema, told_then = reader.read(scratch)
  for _, virtual in pairs(left) do table.insert(schema.virtual_tables, virtual) end
  return schema, told_then
end

return M
