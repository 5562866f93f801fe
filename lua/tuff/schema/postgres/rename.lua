--- Renames in PostgreSQL, which takes the new names into views, references and expressions by
--- itself. Names that were derived from the old ones are renamed, too: of constraints, indexes,
--- rules of types, and functions of triggers; so nothing has to be made anew for its name.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local renames_of = require "tuff.schema.renames"
local scratch = require "tuff.schema.postgres.scratch"
local search = require "tuff.schema.postgres.search"
local trigger_of = require "tuff.schema.postgres.trigger"
local types = require "tuff.schema.postgres.types"

local M = {}

local quote = identifier.quote

---@class tuff.schema.postgres.RenameStep
---@field sql string
---@field table string? that it is about, by the name of before
---@field trigger string? of whose function it is

local Renaming = {}
Renaming.__index = Renaming

local function new_renaming(have, renames)
  local self = setmetatable({ have = have, tables = {}, columns = {}, steps = {} }, Renaming)
  for _, rename in ipairs(renames) do
    if not rename.column then self.tables[rename.table] = rename.to end
  end
  for _, rename in ipairs(renames) do
    if rename.column then
      self.columns[rename.table] = self.columns[rename.table] or {}
      self.columns[rename.table][rename.column] = rename.to
    end
  end
  return self
end

function Renaming:table_to(name) return self.tables[name] or name end

--- The new name of a column of a table that has its new name.
function Renaming:column_to(owner, name)
  return self.columns[owner] and self.columns[owner][name] or name
end

--- The names that a column and its table had.
function Renaming:before(owner, column)
  for from, to in pairs(self.columns[owner] or {}) do
    if to == column then column = from break end
  end
  for from, to in pairs(self.tables) do
    if to == owner then owner = from break end
  end
  return owner, column
end

--- Whether anything of a table has another name now.
function Renaming:touches(of)
  local name = self:table_to(of.name)
  return name ~= of.name or self.columns[name] ~= nil
end

-- ---- the model -------------------------------------------------------------------------------

function Renaming:list(owner, names)
  for i, name in ipairs(names or {}) do names[i] = self:column_to(owner, name) end
end

--- New names in all of a table but its texts.
function Renaming:rename_model(of)
  of.name = self:table_to(of.name)
  for _, column in ipairs(of.columns) do column.name = self:column_to(of.name, column.name) end
  if of.search then self:list(of.name, of.search.columns) end
  model.each_constraint(of, function(kind, object)
    for _, part in ipairs(object.parts or {}) do
      part.column = part.column and self:column_to(of.name, part.column)
    end
    if kind == "check" and object.column then
      object.column = self:column_to(of.name, object.column)
    elseif kind == "foreign_key" then
      self:list(of.name, object.columns)
      object.table = self:table_to(object.table)
      self:list(object.table, object.references)
    end
  end)
end

function Renaming:renamed_model()
  local schema = model.copy(self.have)
  for _, of in ipairs(schema.tables) do self:rename_model(of) end
  for _, trigger in ipairs(schema.triggers) do
    trigger.table = self:table_to(trigger.table)
    self:list(trigger.table, trigger.columns)
  end
  return schema
end

-- ---- tables, columns and functions -----------------------------------------------------------

function Renaming:step(text, step)
  step.sql = text
  table.insert(self.steps, step)
end

local function names_of(list)
  local names = {}
  for i, object in ipairs(list) do names[i] = object.name end
  return names
end

function Renaming:tables_and_columns()
  local list = {}
  for _, of in ipairs(self.have.tables) do
    local to = self.tables[of.name]
    if to then list[#list + 1] = { from = of.name, to = to, of = of.name } end
  end
  for _, each in ipairs(renames_of.in_order(list, names_of(self.have.tables))) do
    self:step(("ALTER TABLE %s RENAME TO %s"):format(quote(each.from), quote(each.to)),
      { table = each.of })
  end
  for _, of in ipairs(self.have.tables) do
    local name, columns = self:table_to(of.name), {}
    for from, to in pairs(self.columns[name] or {}) do
      columns[#columns + 1] = { from = from, to = to }
    end
    table.sort(columns, function(a, b) return a.from < b.from end)
    for _, each in ipairs(renames_of.in_order(columns, names_of(of.columns))) do
      self:step(("ALTER TABLE %s RENAME COLUMN %s TO %s"):format(quote(name), quote(each.from),
        quote(each.to)), { table = of.name })
    end
  end
end

function Renaming:functions()
  local list, all = {}, {}
  for _, trigger in ipairs(self.have.triggers) do
    local from = trigger_of.function_name(trigger)
    local to = trigger_of.function_name {
      name = trigger.name, table = self:table_to(trigger.table),
    }
    all[#all + 1] = from
    if to ~= from then list[#list + 1] = { from = from, to = to, of = trigger.name } end
  end
  for _, each in ipairs(renames_of.in_order(list, all)) do
    self:step(("ALTER FUNCTION %s() RENAME TO %s"):format(quote(each.from), quote(each.to)),
      { trigger = each.of })
  end
end

-- ---- derived names ---------------------------------------------------------------------------

--- Takes away the names that were derived, so that they are derived again; returns them.
function Renaming:forget_names(schema)
  local names = {}
  for i, of in ipairs(self.have.tables) do
    if self:touches(of) then
      local derived = {}
      model.each_constraint(of, function(_, object) derived[object.name] = object.unnamed end)
      model.each_constraint(schema.tables[i], function(_, object)
        if derived[object.name] then names[object], object.name = object.name, nil end
      end)
    end
  end
  return names
end

--- What has an index has a name among those of tables; other constraints have one of their table.
local has_index = { primary_key = true, unique = true, index = true }

local function rename_constraint(owner, kind, from, to)
  if kind == "index" then
    return ("ALTER INDEX %s RENAME TO %s"):format(quote(from), quote(to))
  end
  return ("ALTER TABLE %s RENAME CONSTRAINT %s TO %s"):format(quote(owner), quote(from), quote(to))
end

--- Adds the steps of a list of { from, to, of = { owner, kind } }, and what is renamed already.
function Renaming:in_order(list, all)
  for _, each in ipairs(renames_of.in_order(list, all)) do
    self:step(rename_constraint(each.of[1], each.of[2], each.from, each.to), {})
  end
end

--- The names of constraints and indexes that follow those of tables and columns.
function Renaming:derived_names(schema, names, rule_name)
  local indexes, all = {}, {}
  for i, of in ipairs(schema.tables) do
    local old, checks, all_checks = self.have.tables[i], {}, {}
    local function note(kind, from, to)
      local list, taken = checks, all_checks
      if has_index[kind] then list, taken = indexes, all end
      taken[#taken + 1] = from
      if from ~= to then list[#list + 1] = { from = from, to = to, of = { of.name, kind } } end
    end
    model.each_constraint(of, function(kind, object)
      note(kind, names[object] or object.name, object.name)
    end)
    if of.search then note("index", search.name(old), search.name(of)) end
    if self:touches(old) then
      for j, column in ipairs(of.columns) do
        for _, rule in ipairs(types.rules(of.name, column)) do
          note("check", rule_name(old.name, old.columns[j].name, rule.suffix), rule.name)
        end
      end
    end
    self:in_order(checks, all_checks)
  end
  self:in_order(indexes, all)
end

-- ---- the whole -------------------------------------------------------------------------------

--- What a schema is after renames, and the statements that rename.
---@param db tuff.Database
---@param reading tuff.schema.postgres.Reading
---@param renames tuff.schema.Rename[]
---@return tuff.schema.postgres.Reading with the state of before
function M.of(db, reading, renames)
  local self = new_renaming(reading.have, renames)
  self:tables_and_columns()
  self:functions()
  local schema = scratch.renamed(db, self.have, self:renamed_model(), self.steps)
  local names = self:forget_names(schema)
  model.complete(schema)
  self:derived_names(schema, names, reading.rule_name)
  local statements, touched = {}, {}
  for i, step in ipairs(self.steps) do statements[i] = step.sql end
  for _, of in ipairs(self.have.tables) do touched[self:table_to(of.name)] = self:touches(of) end
  return {
    have = schema, state = reading.state, renaming = statements, shapes = reading.shapes,
    wanted_shapes = reading.wanted_shapes,
    sequence_name = function(owner, column)
      return reading.sequence_name(self:before(owner, column))
    end,
    rule_name = function(owner, column, suffix)
      if not touched[owner] then return reading.rule_name(owner, column, suffix) end
      return types.rule_name(owner, column, suffix)
    end,
  }
end

return M
