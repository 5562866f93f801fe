--- Changes of columns as ALTER TABLE: what goes, in a statement of its own, and then everything
--- else of a table in one, so that its rows are written once.
local collation = require "tuff.schema.postgres.collation"
local conversion = require "tuff.schema.postgres.conversion"
local ddl = require "tuff.schema.postgres.ddl"
local default = require "tuff.schema.postgres.default"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"
local storage = require "tuff.schema.postgres.storage"

local M = {}

local quote = identifier.quote

---@class tuff.schema.postgres.Columns
---@field retyped table<string, table<string, boolean>> by table: columns that get another type
---@field fresh table<string, table<string, boolean>> columns that are dropped and made again
---@field dropped table<string, table<string, boolean>>
local Columns = {}
Columns.__index = Columns

--- What is computed is dropped and made again where that is another thing: nothing is lost.
local function is_remade(change)
  if not change.new.generated then return false end
  if not change.old.generated then return true end
  for _, field in ipairs(change.what) do
    if field ~= "not_null" and field ~= "comment" then return true end
  end
  return false
end

local function mentions_any(text, set)
  for name in pairs(sql.mentions(text)) do
    for column in pairs(set) do
      if column:lower() == name then return true end
    end
  end
  return false
end

--- PostgreSQL changes no type that a computed column stands on.
function Columns:remake_computed(old, new)
  for _, column in ipairs(new.columns) do
    local before = model.find(old.columns, column.name)
    if column.generated and before and before.generated
      and mentions_any(before.generated.expression, self.retyped[new.name]) then
      self.fresh[new.name][column.name] = true
    end
  end
end

--- Sorts the changes of columns by their tables.
---@param reading tuff.schema.postgres.Reading
---@param want tuff.Schema
---@param changes tuff.schema.Change[]
---@param allow table<string, boolean>
---@return tuff.schema.postgres.Columns
function M.new(reading, want, changes, allow)
  local self = setmetatable({
    have = reading.have, want = want, sequence_name = reading.sequence_name, allow = allow,
    of_tables = {}, retyped = {}, fresh = {}, dropped = {},
  }, Columns)
  for _, of in ipairs(want.tables) do
    self.of_tables[of.name] = {}
    self.retyped[of.name], self.fresh[of.name], self.dropped[of.name] = {}, {}, {}
  end
  for _, change in ipairs(changes) do
    if change.kind:find("_column$") and change.kind ~= "rename_column" then
      table.insert(self.of_tables[change.table], change)
      if change.kind == "drop_column" then
        self.dropped[change.table][change.name] = true
      elseif change.kind == "change_column" and is_remade(change) then
        self.fresh[change.table][change.name] = true
      elseif change.kind == "change_column" then
        self.retyped[change.table][change.name] = self:using(change) ~= nil or nil
      end
    end
  end
  for _, of in ipairs(want.tables) do
    local old = next(self.retyped[of.name]) and model.find(reading.have.tables, of.name)
    if old then self:remake_computed(old, of) end
  end
  return self
end

--- Whether any column of a table is another one than before, for what stands on it.
---@param of string
---@return table<string, boolean>? names nil: none
function Columns:affected(of)
  if not self.retyped[of] then return nil end
  local set = {}
  for _, names in ipairs { self.retyped[of], self.fresh[of], self.dropped[of] } do
    for name in pairs(names) do set[name] = true end
  end
  return next(set) and set or nil
end

--- What a column is filled with where it gets another type; nil: its type stays.
function Columns:using(change)
  local v = quote(change.name)
  local value = conversion.of(change.old, change.new, v)
  if conversion.is_retyped(change.old, change.new) then return value end
  return value ~= v and self.allow[change.table .. "." .. change.name] and value or nil
end

-- ---- sequences ---------------------------------------------------------------------------

local function is_other_sequence(old, new)
  local a, b = storage.of(old), storage.of(new)
  return a.identity ~= b.identity or a.serial ~= b.serial
end

--- Ids go on behind those that there are, and behind those that a sequence has given already.
local function continue(add, of, column, old_sequence)
  local at = ("pg_get_serial_sequence(%s, %s)"):format(sql.literal(quote(of)),
    sql.literal(column.name))
  local last = ("(SELECT max(%s) FROM %s)"):format(quote(column.name), quote(of))
  if old_sequence then
    last = ("greatest(%s, (SELECT last_value FROM %s WHERE is_called))"):format(last,
      quote(old_sequence))
  end
  add(("SELECT setval(%s, greatest(coalesce(%s, 0) + 1, 1), false)"):format(at, last), of)
end

local usual_sequence = "SET START WITH 1 SET INCREMENT BY 1 SET NO MINVALUE SET NO MAXVALUE "
  .. "SET CACHE 1 SET NO CYCLE"

local option_words = {
  start = true, increment = true, minvalue = true, maxvalue = true, cache = true, cycle = true,
}

--- What gives a sequence these options, as PostgreSQL tells them.
local function set_options(options)
  if not options then return usual_sequence end
  local text = options:gsub("%l+", function(word) return option_words[word] and "SET " .. word end)
  return options:find("cycle", 1, true) and text or text .. " SET NO CYCLE"
end

--- An identity ends with its sequence, so that one that becomes another one keeps it.
local function change_identity(add, of, column, to)
  local always = to:upper():find("^ALWAYS") and "ALWAYS" or "BY DEFAULT"
  add(("ALTER TABLE %s ALTER COLUMN %s SET GENERATED %s %s"):format(quote(of), quote(column.name),
    always, set_options(to:match("%((.*)%)$"))), of)
end

local function add_sequence(add, of, column, kept)
  local name = quote(of) .. " ALTER COLUMN " .. quote(column.name)
  if kept.identity then
    return add(("ALTER TABLE %s ADD GENERATED %s"):format(name, kept.identity), of)
  end
  local sequence = quote(of .. "_" .. column.name .. "_seq")
  add(("CREATE SEQUENCE %s AS %s OWNED BY %s.%s"):format(sequence, kept.type, quote(of),
    quote(column.name)), of)
  add(("ALTER TABLE %s SET DEFAULT nextval(%s)"):format(name, sql.literal(sequence)), of)
end

--- Where a column gets its values from a sequence, or no longer does.
function Columns:sequences(add, change)
  local of, column = change.table, change.new
  if not is_other_sequence(change.old, column) then return end
  local from, to = storage.of(change.old), storage.of(column)
  if from.identity and to.identity then
    return change_identity(add, of, column, to.identity)
  end
  local old_sequence = from.serial and self.sequence_name(of, change.name)
  if old_sequence then add(("ALTER SEQUENCE %s OWNED BY NONE"):format(quote(old_sequence)), of) end
  if to.identity or to.serial then
    add_sequence(add, of, column, to)
    continue(add, of, column, old_sequence)
  end
  if old_sequence then add("DROP SEQUENCE " .. quote(old_sequence), of) end
end

-- ---- statements --------------------------------------------------------------------------

local function alter(add, of, list)
  if #list == 0 then return end
  add(("ALTER TABLE %s %s"):format(quote(of), table.concat(list, ", ")), of)
end

local function column_action(name, ...)
  return sql.words("ALTER COLUMN", quote(name), ...)
end

--- What was computed and is not any more does so in a statement of its own: only then nothing of
--- it holds on to other columns.
function Columns:stop_computing(add, of)
  for _, change in ipairs(self.of_tables[of]) do
    if change.kind == "change_column" and change.old.generated and not change.new.generated then
      alter(add, of, { column_action(change.name, "DROP EXPRESSION") })
    end
  end
end

--- What goes before anything else.
function Columns:removals(of, list)
  for _, change in ipairs(self.of_tables[of]) do
    local old, new, name = change.old, change.new, change.name
    if change.kind == "drop_column" then
      -- What is computed goes before what it is computed from.
      table.insert(list, old.generated and 1 or #list + 1, "DROP COLUMN " .. quote(name))
    elseif change.kind == "change_column" and not self.fresh[of][name] then
      local from, to = storage.of(old), storage.of(new)
      if from.identity and not to.identity then
        list[#list + 1] = column_action(name, "DROP IDENTITY")
      end
      local loses_default = old.default and (self.retyped[of][name] or not new.default)
      if loses_default or from.serial and not to.serial then
        list[#list + 1] = column_action(name, "DROP DEFAULT")
      end
    end
  end
  for name in pairs(self.fresh[of]) do table.insert(list, 1, "DROP COLUMN " .. quote(name)) end
end

local function set_default(old, new, is_retyped)
  local text = new.default and default.write(new)
  if not text or not is_retyped and old.default and default.write(old) == text then return nil end
  return "SET DEFAULT " .. text
end

--- What a column is changed to.
function Columns:changes(list, of, change)
  local old, new, name = change.old, change.new, change.name
  local retyped = self.retyped[of][name]
  if retyped then
    list[#list + 1] = column_action(name, "TYPE", storage.of(new).type,
      new.collate and "COLLATE " .. quote(collation.written(new.collate)),
      "USING " .. self:using(change))
  end
  local text = set_default(old, new, retyped)
  if text then list[#list + 1] = column_action(name, text) end
  if new.not_null and not old.not_null then
    list[#list + 1] = column_action(name, "SET NOT NULL")
  elseif old.not_null and not new.not_null and new.type ~= "id" then
    list[#list + 1] = column_action(name, "DROP NOT NULL")
  end
end

function Columns:additions(of, list, is_computed)
  for _, column in ipairs(of.columns) do
    local change
    for _, each in ipairs(self.of_tables[of.name]) do
      if each.kind == "add_column" and each.name == column.name then change = each end
    end
    if (change or self.fresh[of.name][column.name])
      and (column.generated ~= nil) == is_computed then
      list[#list + 1] = "ADD COLUMN " .. ddl.column(of, column)
    end
  end
end

--- Gives the statements that change columns to a function.
---@param add fun(text: string, of: string)
function Columns:add_steps(add)
  for _, of in ipairs(self.want.tables) do
    local gone, list = {}, {}
    self:stop_computing(add, of.name)
    self:removals(of.name, gone)
    alter(add, of.name, gone)
    for _, change in ipairs(self.of_tables[of.name]) do
      if change.kind == "change_column" and not self.fresh[of.name][change.name] then
        self:changes(list, of.name, change)
      end
    end
    self:additions(of, list, false)
    self:additions(of, list, true)
    alter(add, of.name, list)
    for _, change in ipairs(self.of_tables[of.name]) do
      if change.kind == "change_column" then self:sequences(add, change) end
    end
  end
end

return M
