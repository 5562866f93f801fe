--- Reads the schema of a database of PostgreSQL, whoever made it. A constraint, an index or a
--- trigger is understood where the definition that tuff would write for what was read is the one
--- that PostgreSQL tells. All else is in `unmanaged`, as text.
local collation = require "tuff.schema.postgres.collation"
local ddl = require "tuff.schema.postgres.ddl"
local default = require "tuff.schema.postgres.default"
local model = require "tuff.schema.model"
local names = require "tuff.schema.names"
local path = require "tuff.schema.postgres.path"
local search = require "tuff.schema.postgres.search"
local spelled = require "tuff.schema.postgres.spelled"
local sql = require "tuff.schema.sql"
local told_of = require "tuff.schema.postgres.told"
local trigger = require "tuff.schema.postgres.trigger"
local types = require "tuff.schema.postgres.types"

local M = {}

local same = spelled.same

--- Why an index is left alone that somebody has begun to make, and not ended.
M.INVALID = "it is not valid"

-- ---- columns -----------------------------------------------------------------------------

local serials = { bigint = "bigserial", integer = "serial", smallint = "smallserial" }

local function comment_of(text)
  return text and text:find("%S") and text:gsub("%*/", "* /") or nil
end

--- What of a column comes out of a sequence of its own: an identity, or the default of a serial.
--- These are part of its type.
local function settle_sequence(column, row, sequence)
  local usual = sequence.usual
  if row.identity then
    column.type = "other"
    column.declared = ("%s generated %s as identity%s"):format(row.declared,
      row.identity == "a" and "always" or "by default",
      usual and "" or " (" .. sequence.options .. ")")
    column.is_id = usual and row.identity == "d" and row.declared == "bigint"
    sequence.used = true
  elseif usual and row.not_null and serials[row.declared] and row.expression
    and same(row.expression, "nextval(" .. sql.literal(sequence.quoted) .. "::regclass)") then
    column.type, column.declared = "other", serials[row.declared]
    sequence.used = true
    return true
  end
end

local function read_column(row, sequence)
  local column = { name = row.name, not_null = row.not_null }
  column.collate, column.comment = collation.read(row.collate), comment_of(row.comment)
  types.settle(column, row.declared)
  local is_serial = sequence and settle_sequence(column, row, sequence)
  if row.generated and row.expression then
    column.generated = {
      expression = spelled.bare(row.expression), stored = row.generated == "s" or nil,
    }
  elseif row.expression and not is_serial then
    column.default, column.base = row.expression, row.base
  end
  return column
end

--- Reads a default when the type of its column is known for certain.
local function settle_default(column)
  if column.default then column.default = default.read(column, column.default) end
  column.base = nil
end

--- An identity that is the primary key is an id.
local function settle_id(of)
  local key = of.primary_key and model.columns_of(of.primary_key.parts) or {}
  for _, column in ipairs(of.columns) do
    if column.is_id and #key == 1 and key[1] == column.name then
      column.type, column.declared = "id", nil
    end
    column.is_id = nil
  end
end

-- ---- constraints -------------------------------------------------------------------------

local actions = { c = "cascade", r = "restrict", n = "set null", d = "set default" }

--- Names of columns by their numbers; nil: one of them is none.
local function named(columns, numbers)
  local list = {}
  for number in (numbers or ""):gmatch("%S+") do
    local name = columns[tonumber(number)]
    if not name then return nil end
    list[#list + 1] = name
  end
  return list
end

local function parts_of(columns)
  local parts = {}
  for i, name in ipairs(columns) do parts[i] = { column = name } end
  return parts
end

--- Reads a constraint by its kind; nil: the model has no words for it.
local reading = {}

function reading.p(row, columns)
  return "primary_key", { name = row.name, parts = parts_of(columns) }
end

function reading.u(row, columns)
  return "unique", { name = row.name, parts = parts_of(columns) }
end

--- A check of one column was declared with it, unless it has the name of a check of the table.
function reading.c(row, columns, of)
  local expression = row.definition:match("^CHECK %((.*)%)$")
  if not expression then return nil end
  local single = #columns == 1 and row.name ~= names.of.check(of.name, {})
  return "check", {
    name = row.name, expression = spelled.bare(expression), column = single and columns[1] or nil,
  }
end

function reading.f(row, columns, _, others)
  local other = others[row.other]
  local references = other and named(other.columns, row.others)
  if not references then return nil end
  return "foreign_key", {
    name = row.name, columns = columns, table = other.name, references = references,
    on_update = actions[row.on_update], on_delete = actions[row.on_delete],
    match = row.match == "f" and "full" or nil,
    deferrable = row.deferred and "deferred" or row.deferrable and "immediate" or nil,
  }
end

local function read_constraint(row, of, columns, others)
  local list = named(columns, row.columns)
  if not reading[row.kind] or not list then return nil end
  local kind, object = reading[row.kind](row, list, of, others)
  if kind and same(ddl.definition[kind](object), row.definition) then return kind, object end
end

-- ---- indexes -----------------------------------------------------------------------------

--- The collations that a definition names, by the number of the part: each stands behind the text
--- of its part.
local function collations_of(row)
  local found, at = {}, row.definition:find("(", 1, true)
  for i, text in ipairs(row.texts or {}) do
    local _, last = row.definition:find(text, at, true)
    if not last then return {} end
    local quoted, plain = row.definition:match('^ COLLATE "([^"]+)"', last + 1),
      row.definition:match("^ COLLATE ([%w_]+)", last + 1)
    found[i], at = quoted or plain, last + 1
  end
  return found
end

--- The part of an index that an expression is.
local function part_of(of, text)
  local expression = spelled.bare(text)
  local column, steps = path.read(expression)
  local holder = column and model.find(of.columns, column)
  if holder and holder.type == "json" then return { column = column, path = steps } end
  return { expression = expression }
end

local function read_index(row, of, columns)
  local index = {
    name = row.name, parts = {}, unique = row.is_unique or nil, where = row.condition,
  }
  local collations = collations_of(row)
  local numbers, orders = row.columns:gmatch("%d+"), row.orders:gmatch("%d+")
  for i = 1, row.count do
    local number = tonumber(numbers())
    local part = number == 0 and part_of(of, row.texts[i]) or { column = columns[number] }
    part.collate = collation.read(collations[i])
    part.descending = tonumber(orders()) & 1 == 1 or nil
    index.parts[i] = part
  end
  return index
end

--- Whether an index is all that PostgreSQL tells: a kind that is not the usual one is not.
local function is_told(of, index, definition)
  return same(ddl.index(of, index), (definition:gsub(" USING btree %(", " (", 1)))
end

-- ---- triggers ----------------------------------------------------------------------------

--- The bits that PostgreSQL keeps of a trigger.
local events = { { 4, "insert" }, { 8, "delete" }, { 16, "update" } }

local function read_trigger(row, columns)
  if not row.enabled or not row.plain then return nil end
  local of = { name = row.name, table = row.owner }
  of.timing = row.bits & 64 ~= 0 and "instead of" or row.bits & 2 ~= 0 and "before" or "after"
  for _, event in ipairs(events) do
    if row.bits & event[1] ~= 0 then of.event = event[2] end
  end
  of.columns = row.columns ~= "" and named(columns, row.columns) or nil
  local condition = trigger.condition_of(row.definition)
  of.condition = condition and spelled.bare(condition)
  of.body = of.event and trigger.body_of(of, row.source)
  local understood = of.body and row.function_name == trigger.function_name(of)
    and same(trigger.create_trigger(of), row.definition)
  return understood and of or nil
end

-- ---- the whole ---------------------------------------------------------------------------

--- Why a relation is no table of the model, and what its definition ends with.
local function reason_of(row)
  if row.kind == "f" then return "it is a foreign table", "" end
  if row.bound then
    return "it is a partition", " PARTITION OF " .. row.parents .. " " .. row.bound
  end
  if row.partitioned then return "it is partitioned", " PARTITION BY " .. row.partitioned end
  if row.parents then return "it inherits from a table", " INHERITS (" .. row.parents .. ")" end
  if row.inherited then return "a table inherits from it", "" end
  if row.typed then return "it is a table of a composite type", "" end
  if row.unlogged then return "it is unlogged", "" end
end

local Reading = {}
Reading.__index = Reading

function Reading:unmanaged(kind, name, owner, text, reason)
  table.insert(self.schema.unmanaged, {
    kind = kind, name = name, table = owner, sql = text, reason = reason,
  })
end

function Reading:constraint(row, of, columns)
  local kind, object = read_constraint(row, of, columns, self.others)
  if not kind then
    self:unmanaged("constraint", row.name, of.name, row.definition,
      "the model has no words for a part of it")
  elseif kind == "primary_key" then
    of.primary_key = object
  else
    table.insert(of[model.lists[kind]], object)
  end
end

function Reading:table(row)
  local told, columns = self.told, self.others[row.oid].columns
  local of = model.new_table(row.name)
  of.comment = comment_of(row.comment)
  for i, each in ipairs(told.columns[row.oid] or {}) do
    of.columns[i] = read_column(each, self.sequences[row.oid .. "." .. each.number])
  end
  for _, each in ipairs(told.constraints[row.oid] or {}) do self:constraint(each, of, columns) end
  settle_id(of)
  types.read(of)
  for _, column in ipairs(of.columns) do settle_default(column) end
  local reason, ending = reason_of(row)
  if reason then
    return self:unmanaged("table", row.name, nil, ddl.table(of) .. ending, reason)
  end
  if row.options then
    self:unmanaged("options", row.name, row.name, row.options, "it is about storage")
  end
  if row.row_security then
    self:unmanaged("row security", row.name, row.name, nil, "it is about who may see which rows")
  end
  table.insert(self.schema.tables, of)
  self.tables[row.oid] = of
end

function Reading:view(row)
  if not row.query then return end -- somebody has just dropped it
  local text = row.query:gsub("^%s+", ""):gsub("[;%s]+$", "")
  if row.kind == "m" then
    self:unmanaged("materialized view", row.name, nil, text, "it keeps its rows")
  elseif row.options then
    self:unmanaged("view", row.name, nil, text, "it has options: " .. row.options)
  else
    table.insert(self.schema.views, { name = row.name, select = text })
    self.views[row.oid] = true
  end
end

function Reading:indexes(oid, owner)
  local of = self.tables[oid]
  for _, row in ipairs(self.told.indexes[oid] or {}) do
    local found = of and row.valid and row.texts and #row.texts == 1
      and search.read(of, row.name, row.definition, row.texts[1])
    local index = of and row.valid and read_index(row, of, self.others[oid].columns)
    if found then
      of.search = found
    elseif index and is_told(of, index, row.definition) then
      table.insert(of.indexes, index)
    else
      self:unmanaged("index", row.name, owner, row.definition, not of and "its table is not managed"
        or row.valid and "the model has no words for a part of it" or M.INVALID)
    end
  end
end

function Reading:triggers()
  local functions = {}
  for _, row in ipairs(self.told.triggers) do
    local is_managed = self.tables[row.object] or self.views[row.object]
    local found = is_managed and read_trigger(row, self.others[row.object].columns)
    if found then
      table.insert(self.schema.triggers, found)
      functions[row["function"]] = true
    else
      self:unmanaged("trigger", row.name, row.owner, row.definition, is_managed
        and "its function, or a part of it, is nothing that tuff writes"
        or "what it is on is not managed")
    end
  end
  return functions
end

--- Names of columns by their numbers, and the name, of each relation.
local function others_of(told)
  local others = {}
  for _, row in ipairs(told.relations) do
    local columns = {}
    for _, column in ipairs(told.columns[row.oid] or {}) do columns[column.number] = column.name end
    others[row.oid] = { name = row.name, columns = columns }
  end
  return others
end

--- The sequences by the columns whose they are.
local function sequences_of(told)
  local sequences = {}
  for _, row in ipairs(told.sequences) do
    if row.object then sequences[row.object .. "." .. row.number] = row end
  end
  return sequences
end

-- ---- what a model does not have ---------------------------------------------------------

--- The columns of views, each as one text.
---@param told tuff.schema.postgres.Told
---@return table<string, string[]>
function M.shapes(told)
  local shapes = {}
  for _, row in ipairs(told.relations) do
    if row.kind == "v" then
      local list = {}
      for i, column in ipairs(told.columns[row.oid] or {}) do
        list[i] = ("%s %s %s"):format(column.name, column.declared, column.collate)
      end
      shapes[row.name] = list
    end
  end
  return shapes
end

local function oid_of(told, name)
  for _, row in ipairs(told.relations) do
    if row.name == name then return row.oid end
  end
end

--- A function that gives the names of the checks that enforce types: the table may have had another
--- name when one was made.
---@param told tuff.schema.postgres.Told
---@return fun(owner: string, column: string, suffix: string): string
function M.rule_names(told)
  return function(owner, column, suffix)
    for _, row in ipairs(told.constraints[oid_of(told, owner)] or {}) do
      if names.is_rule(row.name, owner, column, suffix) then return row.name end
    end
    return types.rule_name(owner, column, suffix)
  end
end

--- A function that gives the name of the sequence of a column.
---@param told tuff.schema.postgres.Told
---@return fun(owner: string, column: string): string?
function M.sequence_names(told)
  return function(owner, name)
    local oid = oid_of(told, owner)
    for _, column in ipairs(told.columns[oid] or {}) do
      local sequence = column.name == name and sequences_of(told)[oid .. "." .. column.number]
      if sequence then return sequence.name end
    end
  end
end

--- The schema of what PostgreSQL has told.
---@param told tuff.schema.postgres.Told
---@return tuff.Schema
function M.schema_of(told)
  local self = setmetatable({
    told = told, schema = model.new(), tables = {}, views = {}, others = others_of(told),
    sequences = sequences_of(told),
  }, Reading)
  for _, row in ipairs(told.relations) do
    if row.kind == "v" or row.kind == "m" then self:view(row) else self:table(row) end
  end
  for _, row in ipairs(told.relations) do self:indexes(row.oid, row.name) end
  local functions = self:triggers()
  for _, row in ipairs(told.others) do
    if not functions[row["function"] or false] then
      self:unmanaged(row.kind, row.name, row.owner, row.sql, "the model has no words for it")
    end
  end
  for _, row in ipairs(told.sequences) do
    if not row.used then
      self:unmanaged("sequence", row.name, nil, ("CREATE SEQUENCE %s %s"):format(row.quoted,
        row.options), "it is no column's alone")
    end
  end
  return model.complete(self.schema)
end

--- Reads the schema of a database, which must not change meanwhile.
---@param db tuff.Database
---@return tuff.Schema
---@return tuff.schema.postgres.Told told what it was read from
function M.read(db)
  local told = told_of.of(db)
  return M.schema_of(told), told
end

return M
