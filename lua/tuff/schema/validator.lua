--- What is wrong with a model, whoever made it: names that stand for nothing or for two things,
--- keys that cannot be. Nothing is raised here.
local errors = require "tuff.error"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"
local texts = require "tuff.schema.texts"
local types = require "tuff.schema.types"

local M = {}

---@class tuff.schema.Objection
---@field message string
---@field hint string?
---@field object table what of the model it is about
---@field table string?
---@field column string?

M.NO_NAME = texts.NO_NAME

--- Names that were refused before are "", and not spoken of again.
local function is_given(name) return name ~= nil and name ~= "" end

local Check = {}
Check.__index = Check

function Check:object_to(object, message, hint)
  table.insert(self.found, {
    object = object, message = message, hint = hint, table = self.table and self.table.name,
    column = self.column or object.type and object.name or nil, -- columns alone have a type
  })
end

-- ---- names -------------------------------------------------------------------------------

local function names_of(list)
  local names = {}
  for i, object in ipairs(list) do names[i] = object.name end
  return names
end

--- Names that differ in their capitals only are one name for SQLite.
function Check:no_two(list, what)
  local seen = {}
  for _, object in ipairs(list) do
    local name = object.name:lower()
    if is_given(name) and seen[name] then
      self:object_to(object, ("there are two %s named %s"):format(what, object.name))
    end
    seen[name] = true
  end
end

function Check:prefix(object)
  local prefix = object.name:lower():match("^sqlite_") or object.name:lower():match("^tuff_")
  if prefix then
    self:object_to(object, ("names that begin with %s are taken"):format(prefix))
  end
end

--- Tables, views and indexes share their names.
function Check:relations()
  local relations = {}
  local function add(object) relations[#relations + 1] = object end
  for _, of in ipairs(self.schema.tables) do add(of) end
  for _, of in ipairs(self.schema.views) do add(of) end
  for _, of in ipairs(self.schema.virtual_tables) do add(of) end
  for _, object in ipairs(relations) do self:prefix(object) end
  for _, of in ipairs(self.schema.tables) do
    for _, index in ipairs(of.indexes) do add(index) end
  end
  self:no_two(relations, "tables, views or indexes")
end

--- Texts that nothing can be made of.
function Check:all_texts()
  texts.each_flaw(self.schema, function(holder, flaw, of)
    self.table = of
    self:object_to(holder, flaw)
  end)
  self.table = nil
end

-- ---- columns -----------------------------------------------------------------------------

function Check:column_named(object, name, what, of)
  of = of or self.table
  local found = model.find(of.columns, name)
  if is_given(name) and not found then
    self:object_to(object, ("%s names column %s, which table %s does not have"):format(what, name,
      of.name), errors.did_you_mean(name, names_of(of.columns)))
  end
  return found
end

--- Capitals count in quotes only.
function Check:expression(object, text, what)
  for _, each in ipairs(sql.columns(text)) do
    if each.quoted or not self.folded[each.name:lower()] then
      self:column_named(object, each.name, what)
    end
  end
end

function Check:no_column_twice(object, columns, what)
  local seen = {}
  for _, name in ipairs(columns) do
    if is_given(name) and seen[name] then
      self:object_to(object, ("%s names column %s twice"):format(what, name))
    end
    seen[name] = true
  end
end

--- STRICT has no names for the types that a declaration adds: a boolean would read as 1, and a
--- decimal would take 12 for 0.12.
local strict = { id = true, integer = true, real = true, text = true, enum = true, blob = true }

function Check:generated(column)
  self:expression(column.generated, column.generated.expression, "a generated column")
  if column.default then
    self:object_to(column, ("column %s is generated, and so can have no default"):format(
      column.name))
  end
end

function Check:default(column)
  local named = sql.columns(column.default.expression)[1]
  if named then
    self:object_to(column, ("the default of column %s names %s: no column has a value yet"):format(
      column.name, named.name))
  end
end

function Check:columns()
  local of, plain = self.table, 0
  if #of.columns == 0 then self:object_to(of, ("table %s has no columns"):format(of.name)) end
  self:no_two(of.columns, "columns")
  for _, column in ipairs(of.columns) do
    self.column = column.name
    if column.generated then self:generated(column) else plain = plain + 1 end
    if column.default and column.default.kind == "expression" then self:default(column) end
    if of.strict and not strict[column.type] and column.type ~= "other" then
      self:object_to(column, ("a strict table has no columns of type %s"):format(column.type),
        "leave strict out; checks = true makes the database check the types of all values")
    end
    if column.comment and column.comment:find("*/", 1, true) then
      self:object_to(column, "a comment cannot hold */")
    end
    self.column = nil
  end
  if #of.columns > 0 and plain == 0 then
    self:object_to(of, ("table %s needs a column that is not generated"):format(of.name))
  end
end

-- ---- keys --------------------------------------------------------------------------------

function Check:parts(object, parts, what)
  for _, part in ipairs(parts) do
    if part.expression then
      self:expression(object, part.expression, what)
    else
      local column = self:column_named(object, part.column, what)
      if column and part.path and column.type ~= "json" then
        self:object_to(object, ("%s names a path in column %s, which holds no JSON"):format(what,
          part.column))
      end
    end
  end
end

function Check:key(object, what)
  for _, part in ipairs(object.parts) do
    if part.expression or part.path then
      self:object_to(object, what .. " consists of columns",
        "s.index { …, unique = true } takes expressions")
      return
    end
  end
  self:parts(object, object.parts, what)
  self:no_column_twice(object, model.columns_of(object.parts), what)
end

function Check:primary_key()
  local of = self.table
  local key = of.primary_key
  if not key then
    if of.without_rowid then self:object_to(of, "without_rowid needs a primary key") end
    return
  end
  self:key(key, "the primary key")
  for _, part in ipairs(key.parts) do
    local column = model.find(of.columns, part.column)
    if column and column.generated then
      self:object_to(key, ("column %s is generated, and so cannot be in the primary key"):format(
        column.name))
    end
    if column and column.type == "id" and of.without_rowid then
      self:object_to(of, "a table without_rowid has no s.id",
        "declare the key as s.integer(…):primary_key()")
    end
  end
end

local function same_columns(parts, columns)
  local mine = model.columns_of(parts)
  if not mine or #mine ~= #columns then return false end
  local wanted = {}
  for _, name in ipairs(columns) do wanted[name] = true end
  for _, name in ipairs(mine) do
    if not wanted[name] then return false end
  end
  return true
end

--- Whether no two rows of a table have the same values in these columns.
local function is_unique(of, columns)
  if of.primary_key and same_columns(of.primary_key.parts, columns) then return true end
  for _, key in ipairs(of.uniques) do
    if same_columns(key.parts, columns) then return true end
  end
  for _, index in ipairs(of.indexes) do
    if index.unique and not index.where and same_columns(index.parts, columns) then return true end
  end
  return false
end

function Check:types_agree(key, other)
  for i, name in ipairs(key.columns) do
    local mine = model.find(self.table.columns, name)
    local theirs = model.find(other.columns, key.references[i])
    local families = mine and theirs and { types.family(mine), types.family(theirs) }
    local known = families and families[1] ~= "other" and families[2] ~= "other"
    if known and families[1] ~= families[2] then
      self:object_to(key, ("column %s holds %s, and %s.%s, which it refers to, holds %s"):format(
        name, mine.type, other.name, theirs.name, theirs.type))
    end
  end
end

function Check:foreign_key(key)
  local of = self.table
  self.column = #key.columns == 1 and key.columns[1] or nil
  for _, name in ipairs(key.columns) do self:column_named(key, name, "a foreign key") end
  self:no_column_twice(key, key.columns, "a foreign key")
  local other = model.find(self.schema.tables, key.table)
  if not other then
    if is_given(key.table) then
      self:object_to(key, ("table %s refers to table %s, which is not declared"):format(of.name,
        key.table), errors.did_you_mean(key.table, names_of(self.schema.tables)))
    end
    return
  end
  if not key.references then
    self:object_to(key, ("table %s has no primary key to refer to"):format(other.name),
      "give the option columns")
    return
  end
  local all_found = true
  for _, name in ipairs(key.references) do
    all_found = self:column_named(key, name, "a foreign key", other) and all_found
  end
  if #key.references ~= #key.columns then
    self:object_to(key, ("a foreign key of %d columns refers to %d columns of table %s"):format(
      #key.columns, #key.references, other.name))
  elseif all_found and not is_unique(other, key.references) then
    self:object_to(key, ("several rows of table %s may have the same %s, to which a foreign key "
      .. "refers"):format(other.name, table.concat(key.references, ", ")),
      "make it the primary key, or unique")
  elseif all_found then
    self:types_agree(key, other)
  end
end

-- ---- the rest of a table -----------------------------------------------------------------

function Check:search()
  local of, search = self.table, self.table.search
  if not search then return end
  for _, name in ipairs(search.columns) do
    local column = self:column_named(search, name, "s.search")
    if column and not types.types[column.type].textual then
      self:object_to(search, ("s.search names column %s, which holds no text"):format(name))
    end
    if name:lower() == "rank" or name:lower() == "rowid" then
      self:object_to(search, ("a column that is searched cannot be named %s"):format(name))
    end
  end
  self:no_column_twice(search, search.columns, "s.search")
  local key = of.primary_key and model.columns_of(of.primary_key.parts)
  local column = key and #key == 1 and model.find(of.columns, key[1])
  if not column or types.family(column) ~= "integer" or of.without_rowid then
    self:object_to(search, ("s.search needs a primary key that is one integer, and table %s has "
      .. "none"):format(of.name), "s.id() is one")
  end
end

--- Looks at a table, or with nil at none any more.
function Check:enter(of)
  self.table, self.folded = of, {}
  for _, column in ipairs(of and of.columns or {}) do self.folded[column.name:lower()] = true end
end

function Check:one_table(of)
  self:enter(of)
  if of.comment and of.comment:find("*/", 1, true) then
    self:object_to(of, "a comment cannot hold */")
  end
  self:columns()
  self:primary_key()
  for _, key in ipairs(of.uniques) do self:key(key, "s.unique") end
  for _, check in ipairs(of.checks) do
    self.column = check.column
    self:expression(check, check.expression, "a check")
    self.column = nil
  end
  for _, key in ipairs(of.foreign_keys) do
    self:foreign_key(key)
    self.column = nil
  end
  for _, index in ipairs(of.indexes) do
    self:parts(index, index.parts, "an index")
    if index.where then self:expression(index, index.where, "the condition of an index") end
  end
  self:search()
  self:enter(nil)
end

-- ---- triggers ----------------------------------------------------------------------------

function Check:trigger(trigger)
  if not is_given(trigger.table) then return end
  local on = model.find(self.schema.tables, trigger.table)
  local view = model.find(self.schema.views, trigger.table)
  if not on and not view then
    local known = names_of(self.schema.tables)
    table.move(names_of(self.schema.views), 1, #self.schema.views, #known + 1, known)
    self:object_to(trigger, ("trigger %s is on table %s, which is not declared"):format(
      trigger.name, trigger.table), errors.did_you_mean(trigger.table, known))
  elseif (trigger.timing == "instead of") ~= (view ~= nil) then
    self:object_to(trigger, ("trigger %s: instead_of is for views, before and after are for tables")
      :format(trigger.name))
  end
  if not on then return end
  self:enter(on)
  for _, name in ipairs(trigger.columns or {}) do
    self:column_named(trigger, name, "trigger " .. trigger.name)
  end
  if trigger.condition then
    self:expression(trigger, trigger.condition, "trigger " .. trigger.name)
  end
  self:enter(nil)
end

--- What is wrong with a schema.
---@param schema tuff.Schema
---@return tuff.schema.Objection[]
function M.mistakes(schema)
  local check = setmetatable({ schema = schema, found = {} }, Check)
  check:all_texts()
  check:relations()
  check:no_two(schema.triggers, "triggers")
  for _, of in ipairs(schema.tables) do check:one_table(of) end
  for _, trigger in ipairs(schema.triggers) do check:trigger(trigger) end
  return check.found
end

return M
