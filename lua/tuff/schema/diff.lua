--- What makes one schema of another, in the words of the model: a list of changes. It knows no
--- engine, changes nothing and raises nothing; renames have been done before.
--
--   change { kind, table?, name?, old?, new?, what?, destructive?, lossy? }
--
-- kind: add_, drop_ or change_ with table, column, primary_key, unique, foreign_key, check, index,
-- search, view, trigger or virtual_table behind it, or rename_ with table or column. what: the
-- fields that differ, of change_table and change_column. destructive: data is lost. lossy: data
-- might be lost, unless all values fit.
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"

local M = {}

---@class tuff.schema.Change
---@field kind string
---@field table string? the table or view that it is about
---@field name string? of what is in the table, or is none
---@field old table?
---@field new table?
---@field what string[]? the fields of a table or a column that differ
---@field destructive boolean?
---@field lossy boolean?

local Diff = {}
Diff.__index = Diff

function Diff:add(kind, of, name, old, new, more)
  local change = more or {}
  change.kind, change.table, change.name, change.old, change.new = kind, of, name, old, new
  table.insert(self.changes, change)
  return change
end

--- Whether a loss was allowed by this name.
function Diff:allows(name)
  return self.allow[name] ~= nil
end

function Diff:refuse(name, message, hint, final)
  table.insert(self.refused, { name = name, message = message, hint = hint, final = final })
end

-- ---- columns -----------------------------------------------------------------------------

--- Fields of a column that say what values it may have.
local of_type = {
  type = true, max_length = true, precision = true, scale = true, values = true, declared = true,
  verbatim = true,
}

local column_fields = {
  "type", "max_length", "precision", "scale", "values", "declared", "verbatim", "checked",
  "not_null", "not_null_conflict", "default", "generated", "collate", "comment",
}

--- Whether a field means the same: one that holds SQL, or a word, is compared as such.
local function is_same(field, a, b)
  if a == b and math.type(a) == math.type(b) then return true end
  return a ~= nil and b ~= nil and model.equal({ [field] = a }, { [field] = b })
end

local function differing(old, new)
  local what = {}
  for _, field in ipairs(column_fields) do
    if not is_same(field, old[field], new[field]) then what[#what + 1] = field end
  end
  return what
end

local function holds_all(values, others)
  local set = {}
  for _, value in ipairs(values) do set[value] = true end
  for _, value in ipairs(others) do
    if not set[value] then return false end
  end
  return true
end

--- Whether every value of a column is certain to fit after the change.
local function is_wider(old, new)
  if old.type ~= new.type then
    return new.type == "text" and not new.max_length and (old.type == "enum" or old.type == "json")
      or old.type == "id" and new.type == "integer" or old.type == "integer" and new.type == "id"
  end
  if new.type == "enum" then return holds_all(new.values, old.values) end
  if new.type == "decimal" then
    return new.scale >= old.scale and new.precision - new.scale >= old.precision - old.scale
  end
  if new.type == "other" then return old.declared == new.declared end
  if new.type == "json" then return new.verbatim or not old.verbatim end
  return not new.max_length or old.max_length ~= nil and old.max_length <= new.max_length
end

local function change_column(self, of, old, new)
  local what = differing(old, new)
  if #what == 0 then return end
  local change = self:add("change_column", of.name, new.name, old, new, { what = what })
  local retyped = false
  for _, field in ipairs(what) do retyped = retyped or of_type[field] or false end
  change.lossy = retyped and not is_wider(old, new) or nil
  if new.generated and not old.generated then
    change.destructive = true
    local name = of.name .. "." .. new.name
    if not self:allows(name) then
      self:refuse(name, ("column %s would be computed, and its values lost"):format(name))
    end
  end
end

--- A new column that may be the one that is gone.
local function successor(old, added)
  for _, column in ipairs(added) do
    if column.type == old.type and not column.generated then return column end
  end
end

local function drop_column(self, of, old, added)
  local name = of.name .. "." .. old.name
  local change = self:add("drop_column", of.name, old.name, old, nil)
  if old.generated then return end
  change.destructive = true
  if self:allows(name) then return end
  local new = successor(old, added)
  self:refuse(name, ("column %s would be dropped"):format(name), new
    and ('if it is %s.%s now, say renames = { ["%s"] = "%s.%s" }'):format(of.name, new.name, name,
      of.name, new.name) or nil)
end

local function columns(self, old, new)
  local added = {}
  for _, column in ipairs(new.columns) do
    if not model.find(old.columns, column.name) then added[#added + 1] = column end
  end
  for _, column in ipairs(old.columns) do
    local other = model.find(new.columns, column.name)
    if other then
      change_column(self, new, column, other)
    else
      drop_column(self, new, column, added)
    end
  end
  for _, column in ipairs(added) do self:add("add_column", new.name, column.name, nil, column) end
end

-- ---- keys, checks and indexes ------------------------------------------------------------

--- What two lists do not have in common: those that only the first has, and only the second.
local function apart(old, new)
  local others, gone, come = {}, {}, {}
  for _, object in ipairs(new) do
    local text = model.canonical(object)
    others[text] = others[text] or {}
    table.insert(others[text], object)
  end
  local paired = {}
  for _, object in ipairs(old) do
    local same = others[model.canonical(object)]
    local other = same and table.remove(same, 1)
    if other then paired[other] = true else gone[#gone + 1] = object end
  end
  for _, object in ipairs(new) do
    if not paired[object] then come[#come + 1] = object end
  end
  return gone, come
end

local function constraints(self, of, kind, old, new)
  local gone, come = apart(old, new)
  for _, object in ipairs(gone) do
    local other = model.find(come, object.name)
    if other then
      self:add("change_" .. kind, of.name, object.name, object, other)
    else
      self:add("drop_" .. kind, of.name, object.name, object, nil)
    end
  end
  for _, object in ipairs(come) do
    if not model.find(gone, object.name) then
      self:add("add_" .. kind, of.name, object.name, nil, object)
    end
  end
end

--- What a table has one of, or none.
local function single(self, of, kind, old, new)
  if old and new and model.equal(old, new) or not old and not new then return end
  local verb = old and new and "change_" or new and "add_" or "drop_"
  self:add(verb .. kind, of.name, (new or old).name, old, new)
end

-- ---- tables ------------------------------------------------------------------------------

local table_fields = { "comment", "strict", "without_rowid" }

local function change_table(self, old, new)
  if rawequal(old, new) then return end
  local what = {}
  for _, field in ipairs(table_fields) do
    if old[field] ~= new[field] then what[#what + 1] = field end
  end
  if #what > 0 then self:add("change_table", new.name, nil, old, new, { what = what }) end
  columns(self, old, new)
  single(self, new, "primary_key", old.primary_key, new.primary_key)
  for _, kind in ipairs { "unique", "foreign_key", "check", "index" } do
    constraints(self, new, kind, old[model.lists[kind]], new[model.lists[kind]])
  end
  single(self, new, "search", old.search, new.search)
end

local function column_names(of)
  local list = {}
  for i, column in ipairs(of.columns) do list[i] = column.name end
  table.sort(list)
  return table.concat(list, "\0")
end

--- A table that has the columns of one that nobody declares may be that one.
local function refuse_twins(self, left, added)
  for _, old in ipairs(left) do
    for _, new in ipairs(added) do
      if self.renames[old.name] == nil and column_names(old) == column_names(new) then
        self:refuse(old.name, ("table %s is not declared, and %s has the same columns"):format(
          old.name, new.name), ('if it is %s now, say renames = { ["%s"] = "%s" }; if not, '
          .. 'renames = { ["%s"] = false }'):format(new.name, old.name, new.name, old.name))
      end
    end
  end
end

local function tables(self)
  local left, added = {}, {}
  for _, old in ipairs(self.have.tables) do
    local new = model.find(self.want.tables, old.name)
    if new then
      change_table(self, old, new)
    elseif self:allows(old.name) then
      self:add("drop_table", old.name, nil, old, nil, { destructive = true })
    else
      left[#left + 1] = old
      self.left[old.name:lower()] = true
      table.insert(self.unmanaged, { kind = "table", name = old.name, reason = "not declared" })
    end
  end
  for _, new in ipairs(self.want.tables) do
    if not model.find(self.have.tables, new.name) then
      added[#added + 1] = new
      self:add("add_table", new.name, nil, nil, new)
    end
  end
  refuse_twins(self, left, added)
end

-- ---- what is no table --------------------------------------------------------------------

--- Whether a text names something that is left alone.
function Diff:names_what_is_left(text)
  for name in pairs(sql.mentions(text)) do
    if self.left[name] then return true end
  end
  return false
end

--- Objects that hold no data. Those that nobody declares go, unless they belong to what is left.
local function definitions(self, kind, list, stays)
  local old_list, new_list = self.have[list], self.want[list]
  for _, old in ipairs(old_list) do
    local new = model.find(new_list, old.name)
    if old.name:find("^tuff_") then goto continue end -- our own, and hidden
    if new and not (rawequal(old, new) or model.equal(old, new)) then
      self:add("change_" .. kind, new.table, new.name, old, new)
    elseif not new and stays(old) then
      self.left[old.name:lower()] = kind == "view" or nil
      table.insert(self.unmanaged, { kind = kind, name = old.name, table = old.table,
        reason = "belongs to what is not declared" })
    elseif not new then
      self:add("drop_" .. kind, old.table, old.name, old, nil)
    end
    ::continue::
  end
  for _, new in ipairs(new_list) do
    if not model.find(old_list, new.name) then
      self:add("add_" .. kind, new.table, new.name, nil, new)
    end
  end
end

--- What a virtual table holds goes with it.
local function virtual_tables(self)
  local function lose(kind, old, new)
    self:add(kind, nil, old.name, old, new, { destructive = true })
    if not self:allows(old.name) then
      self:refuse(old.name, ("virtual table %s would be dropped%s"):format(old.name,
        new and " and made again" or ""))
    end
  end
  for _, old in ipairs(self.have.virtual_tables) do
    local new = model.find(self.want.virtual_tables, old.name)
    if new and not model.equal(old, new) then
      lose("change_virtual_table", old, new)
    elseif not new and self:allows(old.name) then
      lose("drop_virtual_table", old)
    elseif not new then
      self.left[old.name:lower()] = true
      table.insert(self.unmanaged,
        { kind = "virtual table", name = old.name, reason = "not declared" })
    end
  end
  for _, new in ipairs(self.want.virtual_tables) do
    if not model.find(self.have.virtual_tables, new.name) then
      self:add("add_virtual_table", nil, new.name, nil, new)
    end
  end
end

--- What could not be understood stands in the way of what has its name.
local function not_understood(self)
  for _, object in ipairs(self.have.unmanaged) do
    table.insert(self.unmanaged, object)
    self.left[object.name:lower()] = object.kind == "table" or object.kind == "view" or nil
    local list = object.kind .. "s"
    if self.want[list] and model.find(self.want[list], object.name) then
      self:refuse(object.name, ("%s %s is there, and could not be understood: %s"):format(
        object.kind, object.name, object.reason), nil, true)
    end
  end
end

-- ---- the whole ---------------------------------------------------------------------------

---@class tuff.schema.Refusal
---@field name string what allow_drop would name
---@field message string
---@field hint string?
---@field final boolean? nothing allows it

---@class tuff.schema.Difference
---@field changes tuff.schema.Change[]
---@field unmanaged table[] what is left alone: { kind, name, table?, reason, sql? }
---@field refused tuff.schema.Refusal[] what was not allowed

--- What makes `want` of `have`.
---@param have tuff.Schema
---@param want tuff.Schema
---@param options { allow: table<string, boolean>?, renames: table? }? what may be lost; hints
---@return tuff.schema.Difference
function M.of(have, want, options)
  local allow = options and options.allow or {}
  local self = setmetatable({
    have = have, want = want, allow = allow, renames = options and options.renames or {},
    changes = {}, unmanaged = {}, refused = {}, left = {},
  }, Diff)
  not_understood(self)
  tables(self)
  virtual_tables(self)
  definitions(self, "view", "views", function(view) return self:names_what_is_left(view.select) end)
  definitions(self, "trigger", "triggers", function(trigger)
    return self.left[trigger.table:lower()] ~= nil
  end)
  return { changes = self.changes, unmanaged = self.unmanaged, refused = self.refused }
end

return M
