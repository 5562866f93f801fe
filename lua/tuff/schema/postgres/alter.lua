--- How PostgreSQL gets from one schema to another. What stands on a column that gets another type,
--- or is made anew, is taken down before and put up again: views, triggers, keys, checks, indexes.
--- What PostgreSQL itself carries over stays, as plain indexes do.
--
--   step { sql, table?, view?, later? } | { scan }
--
-- later: it runs when the rest has been committed; then `index` is what it makes, and `makes` the
-- change that it is.
local columns_of = require "tuff.schema.postgres.columns"
local conversion = require "tuff.schema.postgres.conversion"
local ddl = require "tuff.schema.postgres.ddl"
local dependants = require "tuff.schema.postgres.dependants"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local reader = require "tuff.schema.postgres.reader"
local rows = require "tuff.schema.postgres.rows"
local scan = require "tuff.schema.scan"
local search = require "tuff.schema.postgres.search"
local trigger_of = require "tuff.schema.postgres.trigger"
local types = require "tuff.schema.postgres.types"

local M = {}

local quote, quote_all = identifier.quote, identifier.quote_all

local Alteration = {}
Alteration.__index = Alteration

function Alteration:add(text, of, more)
  local step = more or {}
  step.sql, step.table = text, of
  table.insert(self.steps, step)
end

--- Calls fn(change) for each change of a kind.
function Alteration:each(kind, fn)
  for _, change in ipairs(self.changes) do
    if change.kind == kind then fn(change) end
  end
end

-- ---- before ------------------------------------------------------------------------------

function Alteration:scans()
  for _, new in ipairs(self.want.tables) do
    local old = model.find(self.have.tables, new.name)
    local found = old and self.changed[new.name] and scan.of(rows, self.have, old, new, self.allow)
    if found then table.insert(self.steps, { scan = found }) end
  end
end

local function drop_constraint(of, name)
  return ("ALTER TABLE %s DROP CONSTRAINT %s"):format(quote(of.name), quote(name))
end

local drop = {
  index = function(_, index) return "DROP INDEX " .. quote(index.name) end,
  search = function(of) return "DROP INDEX " .. quote(search.name(of)) end,
}

--- Foreign keys first, since keys and tables cannot go before them.
local order = { "foreign_key", "search", "index", "check", "unique", "primary_key" }

function Alteration:kind_down(kind)
  local make = drop[kind]
  for _, each in ipairs(self.down[kind]) do
    self:add(make and make(each.of, each.object) or drop_constraint(each.of, each.object.name),
      each.of.name)
  end
end

function Alteration:drop_tables()
  local names = {}
  self:each("drop_table", function(change) names[#names + 1] = change.table end)
  if #names > 0 then self:add("DROP TABLE " .. quote_all(names), names[1]) end
end

function Alteration:take_down()
  for _, each in ipairs(self.down.trigger) do
    local trigger = each.object
    self:add(("DROP TRIGGER %s ON %s"):format(quote(trigger.name), quote(trigger.table)))
    if each.of then self:add(("DROP FUNCTION %s()"):format(quote(each.of))) end
  end
  for _, view in ipairs(self.down.view) do
    self:add("DROP VIEW " .. quote(view.name), nil, { view = view.name })
  end
  self:kind_down(order[1])
  self:drop_tables()
  for i = 2, #order do self:kind_down(order[i]) end
  self:rules_down()
end

--- The rules of a column that are not the same afterwards.
local function other_rules(of, column, other_of, other, retyped)
  local same, list = {}, {}
  for _, rule in ipairs(not retyped and types.rules(other_of.name, other) or {}) do
    same[rule.expression] = true
  end
  for _, rule in ipairs(types.rules(of.name, column)) do
    if not same[rule.expression] then list[#list + 1] = rule end
  end
  return list
end

function Alteration:rules_down()
  self:each("change_column", function(change)
    local of = model.find(self.have.tables, change.table)
    if self.fresh[of.name][change.name] then return end
    for _, rule in ipairs(other_rules(of, change.old, of, change.new,
        self.retyped[of.name][change.name])) do
      self:add(drop_constraint(of, self.rule_name(of.name, change.name, rule.suffix)), of.name)
    end
  end)
end

-- ---- behind ------------------------------------------------------------------------------

--- A constraint whose rows are looked at when it is there.
local is_validated = { foreign_key = true, check = true }

function Alteration:constraint(of, kind, object)
  local text = ddl.add_constraint(of, kind, object)
  if not is_validated[kind] then return self:add(text, of.name) end
  self:add(text .. " NOT VALID", of.name)
  self:add(("ALTER TABLE %s VALIDATE CONSTRAINT %s"):format(quote(of.name), quote(object.name)),
    of.name)
end

--- An index that somebody has begun to make, and not ended, stands in the way of its name.
function Alteration:drop_leftover(name)
  for _, object in ipairs(self.have.unmanaged) do
    if object.kind == "index" and object.name == name and object.reason == reader.INVALID then
      self:add("DROP INDEX " .. quote(name))
    end
  end
end

function Alteration:index(of, name, text, makes)
  local is_new = model.find(self.have.tables, of.name) == nil
  self:drop_leftover(name)
  if self.concurrently and not is_new then
    text = text:gsub("INDEX", "INDEX CONCURRENTLY", 1)
    self:add(text, of.name, { later = true, index = name, makes = makes })
  else
    self:add(text, of.name)
  end
end

function Alteration:rules_up()
  local function add(of, list)
    for _, rule in ipairs(list) do self:constraint(of, "check", rule) end
  end
  for _, change in ipairs(self.changes) do
    local of = model.find(self.want.tables, change.table or "")
    local is_fresh = of and self.fresh[of.name] and self.fresh[of.name][change.name]
    if change.kind == "add_column" or change.kind == "change_column" and is_fresh then
      add(of, types.rules(of.name, change.new))
    elseif change.kind == "change_column" then
      add(of, other_rules(of, change.new, of, change.old, self.retyped[of.name][change.name]))
    end
  end
end

function Alteration:put_up()
  self:rules_up()
  for i = #order, 1, -1 do
    local kind = order[i]
    for _, each in ipairs(self.up[kind]) do
      if kind == "index" then
        self:index(each.of, each.object.name, ddl.index(each.of, each.object),
          "add_index " .. each.object.name)
      elseif kind == "search" then
        self:index(each.of, search.name(each.of), search.index(each.of),
          "add_search " .. each.of.name)
      else
        self:constraint(each.of, kind, each.object)
      end
    end
  end
  self:comments()
  for _, view in ipairs(ddl.in_order(self.up.view)) do
    self:add(ddl.view(view, self.replaced[view.name]), nil, { view = view.name })
  end
  for _, each in ipairs(self.up.trigger) do
    if each.with_function then self:add(trigger_of.create_function(each.object, true)) end
    self:add(each.sql or trigger_of.create_trigger(each.object))
  end
end

function Alteration:comments()
  local function all(of)
    if of.comment then self:add(ddl.comment(of), of.name) end
    for _, column in ipairs(of.columns) do
      if column.comment then self:add(ddl.comment(of, column), of.name) end
    end
  end
  for _, change in ipairs(self.changes) do
    local of = model.find(self.want.tables, change.table or "")
    local what = table.concat(change.what or {}, " ")
    if change.kind == "add_table" then
      all(of)
    elseif change.kind == "change_table" and what:find("comment", 1, true) then
      self:add(ddl.comment(of), of.name)
    elseif change.kind == "add_column" and change.new.comment
      or change.kind == "change_column" and what:find("comment", 1, true) then
      self:add(ddl.comment(of, change.new), of.name)
    end
  end
  for name, columns in pairs(self.fresh) do
    local of = model.find(self.want.tables, name)
    for column_name in pairs(columns) do
      local column = model.find(of.columns, column_name)
      if column.comment then self:add(ddl.comment(of, column), name) end
    end
  end
end

-- ---- the whole ---------------------------------------------------------------------------

--- A function that the statements need, around them.
function Alteration:with_try(first)
  local is_needed = false
  for _, step in ipairs(self.steps) do
    local text = step.sql or step.scan.query
    is_needed = is_needed or text:find(conversion.try.name, 1, true) ~= nil
  end
  if not is_needed then return end
  table.insert(self.steps, first, { sql = conversion.try.create })
  self:add(conversion.try.drop)
end

--- The tables of which anything is changed but what stands beside them.
local function changed_tables(changes)
  local set = {}
  for _, change in ipairs(changes) do
    if change.table and not change.kind:find("_table$") then set[change.table] = true end
  end
  return set
end

--- The steps that make the wanted schema. Adds changes for views that are made again.
---@param reading tuff.schema.postgres.Reading after renames
---@param want tuff.Schema
---@param changes tuff.schema.Change[]
---@param allow table<string, boolean>
---@param options { concurrently: boolean? }
---@return table[] steps
function M.steps(reading, want, changes, allow, options)
  local self = setmetatable({
    have = reading.have, want = want, changes = changes, allow = allow, steps = {},
    rule_name = reading.rule_name, concurrently = options.concurrently,
    changed = changed_tables(changes),
  }, Alteration)
  local columns = columns_of.new(reading, want, changes, allow)
  self.fresh, self.retyped = columns.fresh, columns.retyped
  local found = dependants.of(reading, want, changes, columns)
  self.down, self.up, self.replaced = found.down, found.up, found.replaced
  for _, text in ipairs(reading.renaming or {}) do self:add(text) end
  local first = #self.steps + 1
  self:scans()
  self:take_down()
  self:each("add_table", function(change) self:add(ddl.table(change.new), change.table) end)
  columns:add_steps(function(text, of) self:add(text, of) end)
  self:put_up()
  self:with_try(first)
  return self.steps
end

return M
