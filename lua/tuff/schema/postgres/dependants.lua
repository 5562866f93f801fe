--- What has to go before a schema is changed, and to come back behind that: what changes itself,
--- and what stands on it. Keys stand on columns, references on keys, views on columns and on views,
--- triggers on columns and views.
local ddl = require "tuff.schema.postgres.ddl"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"
local trigger_of = require "tuff.schema.postgres.trigger"

local M = {}

local Found = {}
Found.__index = Found

local in_table = {
  foreign_key = true, search = true, index = true, check = true, unique = true, primary_key = true,
}

local function put(self, list, kind, entry, key)
  if self.seen[list][key] then return end
  self.seen[list][key] = true
  table.insert(self[list][kind], entry)
end

function Found:take_down(kind, of, object)
  put(self, "down", kind, { of = of, object = object }, object)
end

function Found:put_up(kind, of, object)
  put(self, "up", kind, { of = of, object = object }, object)
end

-- ---- tables ------------------------------------------------------------------------------

function Found:changed_in_tables()
  for _, change in ipairs(self.changes) do
    local verb, kind = change.kind:match("^(%l+)_(.*)$")
    if in_table[kind] and verb ~= "add" then
      self:take_down(kind, model.find(self.have.tables, change.table), change.old)
    end
    if in_table[kind] and verb ~= "drop" then
      self:put_up(kind, model.find(self.want.tables, change.table), change.new)
    end
    if change.kind == "add_table" then
      local of = change.new
      for _, index in ipairs(of.indexes) do self:put_up("index", of, index) end
      for _, key in ipairs(of.foreign_keys) do self:put_up("foreign_key", of, key) end
      if of.search then self:put_up("search", of, of.search) end
    end
  end
end

local function mentions(text, set)
  local names = text and sql.mentions(text) or {}
  for name in pairs(set) do
    if names[name:lower()] then return true end
  end
  return false
end

local function any_of(names, set)
  for _, name in ipairs(names or {}) do
    if set[name] then return true end
  end
  return false
end

local stands_on = {}

function stands_on.check(check, set) return mentions(check.expression, set) end

function stands_on.search(search, set) return any_of(search.columns, set) end

--- PostgreSQL makes a plain index anew where a type changes, and not where the column goes.
function stands_on.unique(key, _, fresh) return any_of(model.columns_of(key.parts), fresh) end

stands_on.primary_key = stands_on.unique

function stands_on.index(index, set, fresh)
  if mentions(index.where, set) then return true end
  for _, part in ipairs(index.parts) do
    local is_plain = part.column and not part.path and not part.collate
    if is_plain and fresh[part.column] or not is_plain and part.column and set[part.column]
      or mentions(part.expression, set) then
      return true
    end
  end
  return false
end

local function counterpart(list, object)
  local same = model.find(list, object.name)
  if same then return same end
  for _, other in ipairs(list) do
    if model.equal(other, object) then return other end
  end
end

--- Takes down what is the same in both tables, and puts it up again.
function Found:again(kind, old, new, object)
  if self.seen.down[object] then return end
  local other
  if kind == "search" or kind == "primary_key" then
    other = new[kind]
  else
    other = counterpart(new[model.lists[kind]], object)
  end
  self:take_down(kind, old, object)
  if other then self:put_up(kind, new, other) end
end

function Found:on_columns()
  for _, new in ipairs(self.want.tables) do
    local old = model.find(self.have.tables, new.name)
    local affected = old and self.columns:affected(new.name)
    if affected then
      local fresh = self.columns.fresh[new.name]
      model.each_constraint(old, function(kind, object)
        if stands_on[kind] and stands_on[kind](object, affected, fresh) then
          self:again(kind, old, new, object)
        end
      end)
      if old.search and stands_on.search(old.search, affected) then
        self:again("search", old, new, old.search)
      end
    end
  end
end

--- Whether a key that is referred to goes.
function Found:loses_key(reference)
  local of = model.find(self.have.tables, reference.table)
  if not of then return false end
  local wanted = table.concat(reference.references or {}, "\0")
  local function is_it(key)
    return self.seen.down[key] and table.concat(model.columns_of(key.parts), "\0") == wanted
  end
  if of.primary_key and is_it(of.primary_key) then return true end
  for _, key in ipairs(of.uniques) do
    if is_it(key) then return true end
  end
  return false
end

function Found:references()
  for _, new in ipairs(self.want.tables) do
    local old = model.find(self.have.tables, new.name)
    for _, key in ipairs(old and old.foreign_keys or {}) do
      if any_of(key.columns, self.columns:affected(old.name) or {})
        or any_of(key.references, self.columns:affected(key.table) or {})
        or self:loses_key(key) then
        self:again("foreign_key", old, new, key)
      end
    end
  end
end

-- ---- views -------------------------------------------------------------------------------

local function is_prefix(short, long)
  for i, text in ipairs(short) do
    if long[i] ~= text then return false end
  end
  return true
end

--- Whether a query names a table that goes, or a column that is another one than before.
function Found:is_on_what_goes(view)
  local names = sql.mentions(view.select)
  for _, of in ipairs(self.have.tables) do
    local is_named = names[of.name:lower()]
    local affected = is_named and self.columns:affected(of.name)
    if is_named and self.goes[of.name] or affected and mentions(view.select, affected) then
      return true
    end
  end
  return false
end

--- Whether a view can take the place of another one, without what stands on that being touched: it
--- has the same columns, and perhaps more behind them.
function Found:is_replaceable(view)
  local old, new = self.reading.shapes[view.name], self.reading.wanted_shapes[view.name]
  return old and new and is_prefix(old, new) and not self:is_on_what_goes(view)
end

--- The views that go, by name.
function Found:falling_views()
  local falls = {}
  for _, change in ipairs(self.changes) do
    if change.kind == "drop_view" or change.kind == "change_view"
      and not self:is_replaceable(change.old) then
      falls[change.name] = true
    end
  end
  local views = ddl.in_order(self.have.views)
  for _, view in ipairs(views) do
    if self:is_on_what_goes(view) or mentions(view.select, falls) then falls[view.name] = true end
  end
  return falls, views
end

function Found:views()
  local falls, views = self:falling_views()
  local changed = {}
  for _, change in ipairs(self.changes) do
    if change.kind:find("_view$") then changed[change.name] = change end
  end
  for _, change in pairs(changed) do
    if change.new then
      table.insert(self.up.view, change.new)
      self.replaced[change.name] = change.old ~= nil and not falls[change.name]
    end
  end
  for _, view in ipairs(views) do
    if falls[view.name] then
      table.insert(self.down.view, 1, view)
      if not changed[view.name] then
        table.insert(self.up.view, view)
        table.insert(self.changes,
          { kind = "remake_view", name = view.name, old = view, new = view })
      end
    end
  end
  return falls
end

-- ---- triggers ----------------------------------------------------------------------------

function Found:triggers(falls)
  local down, up, changed = self.down.trigger, self.up.trigger, {}
  for _, change in ipairs(self.changes) do
    if change.kind:find("^%l+_trigger$") then
      changed[change.name] = true
      local name = change.old and trigger_of.function_name(change.old)
      local is_kept = name and change.new and trigger_of.function_name(change.new) == name
      if change.old then
        down[#down + 1] = { object = change.old, of = not is_kept and name or nil }
      end
      if change.new then up[#up + 1] = { object = change.new, with_function = true } end
    end
  end
  for _, trigger in ipairs(self.have.triggers) do
    local affected = self.columns:affected(trigger.table) or {}
    local is_on = falls[trigger.table] or any_of(trigger.columns, affected)
      or mentions(trigger.condition, affected)
    if is_on and not changed[trigger.name] then
      down[#down + 1] = { object = trigger }
      up[#up + 1] = { object = model.find(self.want.triggers, trigger.name) or trigger }
    end
  end
  for _, object in ipairs(self.have.unmanaged) do
    if object.kind == "trigger" and falls[object.table] and not self:is_dropped(object.table) then
      up[#up + 1] = { object = object, sql = object.sql }
    end
  end
end

function Found:is_dropped(view)
  for _, change in ipairs(self.changes) do
    if change.kind == "drop_view" and change.name == view then return true end
  end
  return false
end

-- ---- the whole ---------------------------------------------------------------------------

---@class tuff.schema.postgres.Dependants
---@field down table<string, table[]> by kind what goes, in this order
---@field up table<string, table[]> what comes
---@field replaced table<string, boolean> views that take the place of those that there are

--- What goes, and what comes. Adds changes for views that are made again.
---@param reading tuff.schema.postgres.Reading
---@param want tuff.Schema
---@param changes tuff.schema.Change[]
---@param columns tuff.schema.postgres.Columns
---@return tuff.schema.postgres.Dependants
function M.of(reading, want, changes, columns)
  local self = setmetatable({
    reading = reading, have = reading.have, want = want, changes = changes, columns = columns,
    down = {}, up = {}, replaced = {}, goes = {}, seen = { down = {}, up = {} },
  }, Found)
  for kind in pairs(in_table) do self.down[kind], self.up[kind] = {}, {} end
  for _, list in ipairs { self.down, self.up } do list.view, list.trigger = {}, {} end
  for _, change in ipairs(changes) do
    if change.kind == "drop_table" then self.goes[change.table] = true end
  end
  self:changed_in_tables()
  self:on_columns()
  self:references()
  self:triggers(self:views())
  return self
end

return M
