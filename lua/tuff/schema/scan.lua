--- Looks for rows that a table is not going to take, before anything is changed: values that would
--- not be the same, and rows that break what is new.
--
--   scan { table, query, key, key_parts, conditions, twins }
--
-- Rows are told by their rowids or their keys; no other value of theirs gets into a message. What
-- differs between engines is told by their `rows`, see rows.lua.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local rows_of = require "tuff.schema.rows"
local sql = require "tuff.schema.sql"

local M = {}

local quote = identifier.quote

local SHOWN = 5 -- rows of which a message speaks

-- ---- what is looked for -------------------------------------------------------------------

local Scan = {}
Scan.__index = Scan

--- Whether the rows as they are going to be tell all columns that expressions name.
function Scan:tells(expressions)
  for _, expression in ipairs(expressions) do
    for _, column in ipairs(sql.columns(expression)) do
      if not self.known[column.name:lower()] then return false end
    end
  end
  return true
end

--- Notes rows for which a condition is true. What is said of them has words in braces, see `words`.
function Scan:look(bad, says, ...)
  if self:tells { ... } then table.insert(self.conditions, { bad = bad, says = says }) end
end

--- Notes rows that lose something: a condition on the row as it is.
function Scan:look_at_value(fits, says)
  local name = "tuff_fits" .. #self.extra
  table.insert(self.extra, ("(%s) AS %s"):format(fits, name))
  table.insert(self.conditions, { bad = "NOT " .. name, says = says })
end

--- How types are named where a value does not fit.
local function type_name(column)
  if column.type ~= "other" then return column.type end
  return column.declared == "" and "no type" or sql.literal(column.declared)
end

local function is_no(column)
  return ("{has} a value in column %s that is no %s"):format(column.name, column.type)
end

function Scan:columns(old, new, allow)
  for _, column in ipairs(new.columns) do
    local before = model.find(old.columns, column.name)
    local value, fits, has_form = self.rows.value(old, new, column)
    if fits and not allow[new.name .. "." .. column.name] then
      self:look_at_value(fits, has_form and is_no(column)
        or ("would lose {its} value in column %s, which becomes %s"):format(column.name,
          type_name(column)))
    end
    local fresh = not column.generated and column.not_null and not (before and before.not_null)
    if fresh and before then
      self:look(quote(column.name) .. " IS NULL", "{has} no value in column " .. column.name)
    elseif fresh and not column.default and not value then
      self:look("TRUE", ("would have no value in the new column %s, which has no default"):format(
        column.name))
    end
    if before or column.default or column.generated then self:rules(old, new, column, before) end
  end
end

--- What belongs to the type of a column.
function Scan:rules(old, new, column, before)
  local known = {}
  if before then
    for _, rule in ipairs(self.rows.rules(old.name, before)) do known[rule.expression] = true end
  end
  local retyped = before and (before.type ~= column.type or before.scale ~= column.scale)
  local function look(expression, says)
    self:look(("NOT (%s)"):format(expression), says, expression)
  end
  for _, rule in ipairs(self.rows.rules(new.name, column)) do
    if retyped or not known[rule.expression] then
      look(rule.expression, ("{has} a value in column %s that is not allowed there"):format(
        column.name))
    end
  end
  local form = before and self.rows.form(before, column)
  if form then look(form, is_no(column)) end
end

function Scan:texts_of(parts)
  local list, plain = {}, {}
  for i, part in ipairs(parts) do
    local text = part.path and self.rows.path(part.column, part.path)
      or part.column and quote(part.column) or "(" .. part.expression .. ")"
    plain[i] = text
    list[i] = text .. (part.collate and self.rows.collation(part) or "")
  end
  return list, plain
end

--- No two rows have the same values there.
function Scan:unique(parts, where, says)
  local list, plain = self:texts_of(parts)
  if not self:tells { where or "1", table.unpack(plain) } then return end
  local conditions = { where and "(" .. where .. ")" or nil }
  for _, text in ipairs(plain) do conditions[#conditions + 1] = text .. " IS NOT NULL" end
  table.insert(self.twins, {
    parts = table.concat(list, ", "), where = table.concat(conditions, " AND "), says = says,
  })
end

--- Rows that refer to nothing. The other table is as it was: its rows are not changed.
function Scan:foreign_key(have, new, key)
  local other = model.find_like(have.tables, key.table)
  local given, same = {}, {}
  for i, name in ipairs(key.columns) do
    local target = key.references and key.references[i]
    if not other or not target or not model.find_like(other.columns, target) then
      other = nil
    end
    given[i] = ("tuff_rows.%s IS NOT NULL"):format(quote(name))
    same[i] = other and self.rows.equal(model.find_like(other.columns, target), "tuff_other",
      model.find(new.columns, name), "tuff_rows")
  end
  local bad = table.concat(given, " AND ")
  if other then
    bad = ("%s AND NOT EXISTS (SELECT 1 FROM %s AS tuff_other WHERE %s)"):format(bad,
      self.rows.main(key.table), table.concat(same, " AND "))
  end
  local names = {}
  for i, name in ipairs(key.columns) do names[i] = quote(name) end
  self:look(bad, ("{has} a value in %s that table %s does not have"):format(
    table.concat(key.columns, ", "), key.table), table.unpack(names))
end

-- ---- what is new -------------------------------------------------------------------------

--- Whether values of a column may compare otherwise than they did.
local function moved_columns(old, new)
  local moved = {}
  for _, column in ipairs(new.columns) do
    local before = model.find(old.columns, column.name)
    if not before or before.type ~= column.type or before.declared ~= column.declared
      or before.scale ~= column.scale or before.collate ~= column.collate
      or (before.generated or column.generated)
      and not model.equal(before.generated or {}, column.generated or {}) then
      moved[column.name:lower()] = true
    end
  end
  return moved
end

local function any_moved(moved, expressions)
  for _, text in ipairs(expressions) do
    for _, column in ipairs(sql.columns(text)) do
      if moved[column.name:lower()] then return true end
    end
  end
  return false
end

local function is_new(list, object)
  for _, each in ipairs(list) do
    if model.equal(each, object) then return false end
  end
  return true
end

local function columns_text(parts)
  local list = {}
  for i, part in ipairs(parts) do list[i] = part.column or part.expression end
  return table.concat(list, ", ")
end

function Scan:keys(old, new, moved)
  local key = new.primary_key
  if key then
    local _, plain = self:texts_of(key.parts)
    if not old.primary_key or any_moved(moved, plain)
      or columns_text(old.primary_key.parts) ~= columns_text(key.parts) then
      self:unique(key.parts, nil, "{has} the same primary key as another one")
    end
  end
  for _, each in ipairs(new.uniques) do
    local _, plain = self:texts_of(each.parts)
    if is_new(old.uniques, each) or any_moved(moved, plain) then
      self:unique(each.parts, nil, ("{has} the same %s as another one"):format(
        columns_text(each.parts)))
    end
  end
end

function Scan:index(old, index, moved)
  if not index.unique then return end
  local _, plain = self:texts_of(index.parts)
  plain[#plain + 1] = index.where
  if is_new(old.indexes, index) or any_moved(moved, plain) then
    self:unique(index.parts, index.where,
      ("{has} the same values in index %s as another one"):format(index.name))
  end
end

function Scan:constraints(have, old, new, moved)
  for _, check in ipairs(new.checks) do
    if is_new(old.checks, check) or any_moved(moved, { check.expression }) then
      self:look(("NOT (%s)"):format(check.expression),
        ("{breaks} the check %s"):format(check.name), check.expression)
    end
  end
  for _, key in ipairs(new.foreign_keys) do
    local names = {}
    for i, name in ipairs(key.columns) do names[i] = quote(name) end
    if is_new(old.foreign_keys, key) or any_moved(moved, names) then
      self:foreign_key(have, new, key)
    end
  end
end

--- What has to be looked for before a table is changed; nil: nothing.
---@param rows tuff.schema.EngineRows
---@param have tuff.Schema with its new names
---@param old table
---@param new table
---@param allow table<string, boolean> columns whose values may be lost
---@return table? scan
function M.of(rows, have, old, new, allow)
  local keys, key = rows.key(old)
  local self = setmetatable({
    rows = rows, table = new.name, extra = {}, conditions = {}, twins = {}, key = key,
    key_parts = #keys,
  }, Scan)
  local future = rows_of.of(rows, old, new)
  self.known = future.known
  local moved = moved_columns(old, new)
  self:columns(old, new, allow)
  self:keys(old, new, moved)
  self:constraints(have, old, new, moved)
  for _, index in ipairs(new.indexes) do self:index(old, index, moved) end
  if #self.conditions == 0 and #self.twins == 0 then return nil end
  self.query = future:query(self.extra)
  return self
end

-- ---- looking -----------------------------------------------------------------------------

local function ask(db, method, text)
  core.own(db)
  return db[method](db, text)
end

local function key_columns(scan)
  local list = {}
  for i = 1, scan.key_parts do list[i] = "tuff_key" .. i end
  return #list > 0 and table.concat(list, ", ") or "NULL AS tuff_key1"
end

--- "rowids 3, 5, 8 and 12 more"
local function told(db, scan, text, count)
  if scan.key_parts == 0 then return "" end
  local list = {}
  for _, row in ipairs(ask(db, "all", text .. " ORDER BY "
      .. key_columns(scan) .. " LIMIT " .. SHOWN)) do
    local values = {}
    for i = 1, scan.key_parts do values[i] = tostring(row["tuff_key" .. i]) end
    list[#list + 1] = table.concat(values, "/")
  end
  local more = count > #list and (" and %d more"):format(count - #list) or ""
  return (" (%s%s %s%s)"):format(scan.key, count == 1 and "" or "s", table.concat(list, ", "), more)
end

local words = { its = { "its", "their" }, has = { "has", "have" }, breaks = { "breaks", "break" } }

local function message(scan, says, count, which)
  local form = count == 1 and 1 or 2
  says = says:gsub("{(%l+)}", function(word) return words[word][form] end)
  return ("table %s: %d %s %s%s"):format(scan.table, count, form == 1 and "row" or "rows", says,
    which)
end

local function look_at_conditions(db, scan, problems)
  local counts = {}
  for i, condition in ipairs(scan.conditions) do
    counts[i] = ("count(*) FILTER (WHERE %s) AS n%d"):format(condition.bad, i)
  end
  if #counts == 0 then return end
  local from = " FROM " .. scan.query .. " AS tuff_rows"
  local found = ask(db, "row", "SELECT " .. table.concat(counts, ", ") .. from)
  for i, condition in ipairs(scan.conditions) do
    local count = found["n" .. i]
    if count > 0 then
      local text = ("SELECT %s%s WHERE %s"):format(key_columns(scan), from, condition.bad)
      problems[#problems + 1] = message(scan, condition.says, count, told(db, scan, text, count))
    end
  end
end

local function look_at_twins(db, scan, problems)
  for _, twin in ipairs(scan.twins) do
    local keys = key_columns(scan)
    local from = (" FROM (SELECT %s, row_number() OVER (PARTITION BY %s%s) AS tuff_n FROM %s "
      .. "AS tuff_rows WHERE %s) AS tuff_twins WHERE tuff_n > 1"):format(keys, twin.parts,
      scan.key_parts > 0 and " ORDER BY " .. keys or "", scan.query, twin.where)
    local count = ask(db, "value", "SELECT count(*)" .. from)
    if count > 0 then
      local text = "SELECT " .. keys:gsub("NULL AS ", "") .. from
      problems[#problems + 1] = message(scan, twin.says, count, told(db, scan, text, count))
    end
  end
end

--- Errors of a query that values are the reason of.
local is_about_values = { type = true, range = true }

--- What is wrong with the rows of a table. Where values are not of their type, nothing can be
--- computed from them, such as what an index holds.
---@param db tuff.Database
---@param scan table
---@return string[] problems
function M.run(db, scan)
  local problems = {}
  local good, err = pcall(db.transaction, db, function()
    look_at_conditions(db, scan, problems)
    if #problems == 0 then look_at_twins(db, scan, problems) end
  end)
  if not good then
    if not errors.is_error(err) or not is_about_values[err.code] then error(err, 0) end
    problems[#problems + 1] = ("table %s: %s"):format(scan.table, err.message)
  end
  return problems
end

return M
