--- How SQLite gets from one schema to another: by ALTER TABLE where that does all, else by building
--- a table anew, once, whatever is changed of it.
--
--   step { sql, table?, fills?, native?, whole? } | { scan } | { call }
--
-- table: the statement may fail because of the rows of this table. fills: it has to store as many
-- rows as this table has. native: a broken view or trigger anywhere would make it fail. whole: it
-- drops a table, which fires foreign keys where they are on.
local core = require "tuff.core"
local ddl = require "tuff.schema.sqlite.ddl"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local rebuild = require "tuff.schema.sqlite.rebuild"
local rename = require "tuff.schema.sqlite.rename"
local rows = require "tuff.schema.sqlite.rows"
local scan = require "tuff.schema.scan"
local search = require "tuff.schema.sqlite.search"
local sql = require "tuff.schema.sql"

local M = {}

-- ---- what ALTER TABLE can do ------------------------------------------------------------

local function names_column(text, name)
  return sql.mentions(text)[name:lower()] ~= nil
end

--- Whether an expression names a column that is not there yet, other than its own.
local function names_another_new(expression, own, old, new)
  for _, column in ipairs(new.columns) do
    if column.name ~= own and not model.find(old.columns, column.name)
      and names_column(expression, column.name) then
      return true
    end
  end
  return false
end

--- ADD COLUMN takes what is of one column, but no keys, and only what is known of every row.
local function can_add(change, old, of)
  local column = change.new
  local default, generated = column.default, column.generated
  if generated and (generated.stored
    or names_another_new(generated.expression, column.name, old, of)) then
    return false
  end
  for _, check in ipairs(of.checks) do
    if check.column == column.name
      and names_another_new(check.expression, column.name, old, of) then
      return false
    end
  end
  if default and default.kind ~= "literal" or column.not_null and not default
    and not generated then
    return false
  end
  if ddl.is_rowid(of, column) then return false end
  if ddl.column(of, column):find("%*/$") then return false end -- a comment at the end is forgotten
  for _, part in ipairs(of.primary_key and of.primary_key.parts or {}) do
    if part.column == column.name then return false end
  end
  for _, key in ipairs(of.uniques) do
    for _, part in ipairs(key.parts) do
      if part.column == column.name then return false end
    end
  end
  for _, key in ipairs(of.foreign_keys) do
    for _, name in ipairs(key.columns) do
      if name == column.name and (#key.columns > 1 or default) then return false end
    end
  end
  return true
end

--- DROP COLUMN takes its own checks along, and nothing else.
local function can_drop(change, of)
  local name = change.old.name
  for _, column in ipairs(of.columns) do
    if column.generated and names_column(column.generated.expression, name) then return false end
  end
  for _, check in ipairs(of.checks) do
    if check.column ~= name and names_column(check.expression, name) then return false end
  end
  for _, key in ipairs(of.foreign_keys) do
    for _, each in ipairs(key.columns) do
      if each == name then return false end
    end
  end
  return true
end

--- Whether ADD COLUMN or DROP COLUMN does this too.
local function goes_along(change, native)
  local kind, object = change.kind, change.new or change.old
  if kind == "add_check" or kind == "drop_check" then
    return object.column ~= nil and native[object.column] == kind:match("^%l+")
  elseif kind == "add_foreign_key" then
    return #object.columns == 1 and native[object.columns[1]] == "add"
  end
  return false
end

--- What is made and dropped by statements of its own.
local apart = {}
for _, kind in ipairs { "index", "search", "view", "trigger", "virtual_table" } do
  for _, verb in ipairs { "add_", "drop_", "change_" } do apart[verb .. kind] = true end
end

--- Whether ALTER TABLE is enough for the changes of a table.
local function is_native(changes, old, new)
  local native = {}
  for _, change in ipairs(changes) do
    if change.kind == "add_column" and can_add(change, old, new) then
      native[change.name] = "add"
    elseif change.kind == "drop_column" and can_drop(change, old) then
      native[change.name] = "drop"
    end
  end
  for _, change in ipairs(changes) do
    local done = change.kind:find("_column$") and change.kind ~= "change_column"
      and native[change.name] or goes_along(change, native)
    if not done then return false end
  end
  return true
end

--- Changes after which indexes hold other values, or are others.
local reindexes = { change_column = true, change_table = true }
for _, kind in ipairs { "unique", "primary_key", "index" } do
  for _, verb in ipairs { "add_", "drop_", "change_" } do reindexes[verb .. kind] = true end
end

-- ---- putting it together -----------------------------------------------------------------

local Alteration = {}
Alteration.__index = Alteration

function Alteration:add(text, more)
  local step = more or {}
  step.sql = text
  table.insert(self.steps, step)
end

function Alteration:add_all(list)
  for _, text in ipairs(list) do self:add(text) end
end

--- Sorts the changes: those of a table itself by table, in `of_tables`, the others by their kind.
--- Finds out which tables have to be built anew.
function Alteration:sort()
  for _, change in ipairs(self.changes) do
    local kind = change.kind
    if change.table and reindexes[kind] then self.reindexed[change.table] = true end
    local is_inner = kind == "change_table" or not apart[kind] and not kind:find("_table$")
      and not kind:find("^rename")
    if is_inner then
      self.of_tables[change.table] = self.of_tables[change.table] or {}
      table.insert(self.of_tables[change.table], change)
    else
      self.by_kind[kind] = self.by_kind[kind] or {}
      table.insert(self.by_kind[kind], change)
    end
  end
  for name, changes in pairs(self.of_tables) do
    local old, new = model.find(self.have.tables, name), model.find(self.want.tables, name)
    if not is_native(changes, old, new) then
      self.rebuilt[name] = true
      for _, change in ipairs(changes) do change.rebuild = true end
    end
  end
end

function Alteration:each(kind, fn)
  for _, change in ipairs(self.by_kind[kind] or {}) do fn(change) end
end

--- Calls fn(old, new) for each table that both schemas have, in the order of the wanted one.
function Alteration:each_common(fn)
  for _, new in ipairs(self.want.tables) do
    local old = model.find(self.have.tables, new.name)
    if old and not rawequal(old, new) then fn(old, new) end
  end
end

--- Whether a table keeps its full-text search. It may have to be made anew although nobody changed
--- it, because the key of the table is another one.
local function same_search(old, new)
  if not old.search or not new.search then return false end
  local virtual, triggers = search.objects(old)
  local other, others = search.objects(new)
  return model.equal(virtual, other) and model.equal({ triggers = triggers }, { triggers = others })
end

function Alteration:scans()
  self:each_common(function(old, new)
    local found = scan.of(rows, self.have, old, new, self.allow)
    if found then table.insert(self.steps, { scan = found }) end
  end)
end

function Alteration:drop_definitions()
  for _, kind in ipairs { "trigger", "view" } do
    for _, verb in ipairs { "drop_", "change_" } do
      self:each(verb .. kind, function(change)
        if kind == "view" then table.insert(self.steps, rebuild.save_triggers(change.name)) end
        self:add(("DROP %s %s"):format(kind:upper(), rows.main(change.name)))
      end)
    end
  end
end

function Alteration:drop_rest()
  self:each_common(function(old, new)
    if old.search and not same_search(old, new) then self:add_all(rename.without_search(old)) end
  end)
  for _, verb in ipairs { "drop_", "change_" } do
    self:each(verb .. "index", function(change)
      self:add("DROP INDEX " .. rows.main(change.name)) -- another table may have one of that name
    end)
    self:each(verb .. "virtual_table", function(change)
      self:add("DROP TABLE " .. rows.main(change.name))
    end)
  end
  self:each("drop_table", function(change)
    if change.old.search then self:add_all(rename.without_search(change.old)) end
    self:add("DROP TABLE " .. rows.main(change.table), { whole = true })
  end)
end

function Alteration:native_steps()
  for _, new in ipairs(self.want.tables) do
    local changes = not self.rebuilt[new.name] and self.of_tables[new.name] or {}
    for _, change in ipairs(changes) do
      if change.kind == "drop_column" then
        self:add(("ALTER TABLE %s DROP COLUMN %s"):format(rows.main(new.name),
          identifier.quote(change.name)), { native = true, table = new.name })
      end
    end
    for _, change in ipairs(changes) do
      if change.kind == "add_column" then
        self:add(("ALTER TABLE %s ADD COLUMN %s"):format(rows.main(new.name),
          ddl.column(new, change.new)), { table = new.name })
      end
    end
  end
end

--- The objects that SQLite has stored for a table or a view, beside itself.
function Alteration:objects_of(name)
  if not self.by_owner then
    self.by_owner = {}
    for _, row in ipairs(self.objects) do
      local owner = row.tbl_name:lower()
      self.by_owner[owner] = self.by_owner[owner] or {}
      table.insert(self.by_owner[owner], row)
    end
  end
  return self.by_owner[name:lower()] or {}
end

--- Whether an index could not be understood: it goes with its table as it is.
function Alteration:is_unmanaged_index(row)
  local object = row.type == "index" and model.find(self.have.unmanaged, row.name)
  return object and object.kind == "index"
end

--- The triggers that go, or are made anew, whatever becomes of their tables.
function Alteration:changed_triggers(old, new)
  local changed = {}
  for _, verb in ipairs { "drop_", "change_" } do
    self:each(verb .. "trigger", function(change) changed[change.name] = true end)
  end
  if old and old.search and not same_search(old, new) then
    local _, triggers = search.objects(old)
    for _, trigger in ipairs(triggers) do changed[trigger.name] = true end
  end
  return changed
end

--- The stored statements of what goes with a table, or a view, and nobody changes.
function Alteration:belongings(name, old, new)
  local changed, list = self:changed_triggers(old, new), {}
  for _, row in ipairs(self:objects_of(name)) do
    if row.type == "trigger" and not changed[row.name] or self:is_unmanaged_index(row) then
      list[#list + 1] = row.sql
    end
  end
  return list
end

--- Whether the indexes of a table are others than before. Several of one kind may change places.
function Alteration:has_other_indexes(new)
  local count = #new.uniques
  if new.primary_key and not rows.alias(new) then count = count + 1 end
  return count > 1 or self.reindexed[new.name] == true
end

--- Whether what is searched may have become something else.
function Alteration:has_other_texts(new)
  local searched, computed = {}, false
  for _, name in ipairs(new.search.columns) do
    searched[name] = true
    computed = computed or model.find(new.columns, name).generated ~= nil
  end
  for _, change in ipairs(self.of_tables[new.name]) do
    if change.kind == "change_column" and (computed or searched[change.name]) then return true end
  end
  return false
end

function Alteration:rebuilds()
  if not next(self.rebuilt) then return end
  self:add("PRAGMA legacy_alter_table = ON")
  self:each_common(function(old, new)
    if not self.rebuilt[new.name] then return end
    local steps = rebuild.steps {
      old = old, new = new, statistics = self.statistics,
      analyze = self:has_other_indexes(new), again = self:belongings(new.name, old, new),
    }
    table.move(steps, 1, #steps, #self.steps + 1, self.steps)
    if same_search(old, new) and self:has_other_texts(new) then self:add(search.rebuild(new)) end
  end)
  self:add("PRAGMA legacy_alter_table = OFF")
end

function Alteration:make()
  for _, verb in ipairs { "add_", "change_" } do
    self:each(verb .. "index", function(change)
      if self.rebuilt[change.table] then return end
      self:add(ddl.index(model.find(self.want.tables, change.table), change.new),
        { table = change.table })
    end)
  end
  self:each("add_table", function(change)
    for _, index in ipairs(change.new.indexes) do self:add(ddl.index(change.new, index)) end
  end)
  for _, verb in ipairs { "add_", "change_" } do
    self:each(verb .. "virtual_table", function(change) self:add(ddl.virtual_table(change.new)) end)
    self:each(verb .. "view", function(change)
      self:add(ddl.view(change.new))
      if change.old then
        self:add_all(self:belongings(change.name))
        table.insert(self.steps, rebuild.restore_triggers(change.name))
      end
    end)
  end
  for _, new in ipairs(self.want.tables) do
    local old = model.find(self.have.tables, new.name)
    local same = old and (rawequal(old, new) or same_search(old, new))
    if new.search and not same then self:add_all(ddl.search(new)) end
  end
  for _, verb in ipairs { "add_", "change_" } do
    self:each(verb .. "trigger", function(change) self:add(ddl.trigger(change.new)) end)
  end
end

--- A TEMP table of the same name would be taken for a table by what is made for it.
function Alteration:refuse_hidden()
  local names = {}
  for _, change in ipairs(self.changes) do
    if change.table then names[change.table:lower()] = true end
  end
  table.insert(self.steps, { call = function(db)
    core.own(db)
    for _, name in ipairs(db:column("select name from temp.sqlite_schema "
      .. "where type in ('table', 'view')")) do
      if names[name:lower()] then
        errors.raise("migration", ("table %s is hidden by a TEMP table of this name"):format(name),
          { hint = "drop that first; nothing was changed" })
      end
    end
  end })
end

--- What is known of the values of tables that are renamed goes along: SQLite forgets that.
function Alteration:rename_statistics()
  local names, indexes = {}, {}
  self:each("rename_table", function(change)
    local from, to = sql.literal(change.name), sql.literal(change.to)
    names[#names + 1] = ("WHEN %s THEN %s"):format(from, to)
    indexes[#indexes + 1] = ("WHEN %s THEN replace(idx, 'sqlite_autoindex_' || %s || '_', "
      .. "'sqlite_autoindex_' || %s || '_')"):format(from, from, to)
  end)
  for _, of in ipairs(#names > 0 and self.statistics or {}) do
    self:add(("UPDATE main.%s SET tbl = CASE tbl %s ELSE tbl END, idx = CASE tbl %s ELSE idx END")
      :format(of, table.concat(names, " "), table.concat(indexes, " ")))
  end
end

local function statistics_of(db)
  core.own(db)
  return db:column("select name from main.sqlite_schema where name in "
    .. "('sqlite_stat1', 'sqlite_stat4') order by name")
end

--- The steps that make the wanted schema. Marks the changes that a rebuild makes.
---@param db tuff.Database
---@param context { have: tuff.Schema, want: tuff.Schema, objects: table[], renaming: string[],
---  changes: tuff.schema.Change[], allow: table<string, boolean> }
---@return table[] steps
---@return string[] rebuilt the tables that are built anew, sorted
function M.steps(db, context)
  local self = setmetatable({
    have = context.have, want = context.want, objects = context.objects, allow = context.allow,
    changes = context.changes, statistics = statistics_of(db), steps = {}, of_tables = {},
    by_kind = {}, rebuilt = {},
    reindexed = {},
  }, Alteration)
  self:sort()
  self:refuse_hidden()
  self:drop_definitions()
  for _, text in ipairs(context.renaming) do self:add(text, { native = true }) end
  self:rename_statistics()
  self:scans()
  self:drop_rest()
  self:each("add_table", function(change) self:add(ddl.table(change.new)) end)
  self:native_steps()
  self:rebuilds()
  self:make()
  local rebuilt = {}
  for name in pairs(self.rebuilt) do rebuilt[#rebuilt + 1] = name end
  table.sort(rebuilt)
  if #rebuilt > 0 and #self.statistics > 0 then self:add("ANALYZE main.sqlite_schema") end
  return self.steps, rebuilt
end

return M
