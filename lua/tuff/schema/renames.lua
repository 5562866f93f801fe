--- What the hints of a script rename. A rename is never guessed: what is gone and what is new may
--- be two things. Only where two names differ in nothing but their capitals it is the same thing.
local errors = require "tuff.error"
local model = require "tuff.schema.model"

local M = {}

---@class tuff.schema.Rename
---@field table string the table; or that of the column, with the name that it has by then
---@field column string? nil: the table itself
---@field to string

--- Calls fn(table, column) for each way to read "table.column": both may hold points.
local function each_split(name, fn)
  local at = 0
  while true do
    at = name:find(".", at + 1, true)
    if not at then return nil end
    local found = fn(name:sub(1, at - 1), name:sub(at + 1))
    if found then return found end
  end
end

--- The table or the column of a schema that a name means.
local function place(schema, name)
  if model.find(schema.tables, name) then return { table = name } end
  return each_split(name, function(owner, column)
    local of = model.find(schema.tables, owner)
    return of and model.find(of.columns, column) and { table = owner, column = column }
  end)
end

local function names_of(schema)
  local names = {}
  for _, of in ipairs(schema.tables) do
    names[#names + 1] = of.name
    for _, column in ipairs(of.columns) do names[#names + 1] = of.name .. "." .. column.name end
  end
  return names
end

local function sorted(hints)
  local keys = {}
  for key in pairs(hints) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local Resolver = {}
Resolver.__index = Resolver

--- The name that a table of the database is going to have.
function Resolver:table_to(name) return self.tables[name] or name end

function Resolver:refuse_unknown(name)
  errors.raise("misuse", ("renames: %s is not declared"):format(errors.shown(name)),
    { hint = errors.did_you_mean(name, names_of(self.want)) })
end

--- What a name is in the end: what is called so may have been renamed again since.
function Resolver:last(to)
  local seen = {}
  while self.hints[to] and not seen[to] and not place(self.want, to) do
    seen[to] = true
    to = self.hints[to]
  end
  return to
end

--- A hint may stay in a script after what it tells of has happened: then what it renames is gone,
--- or both names are declared.
function Resolver:is_past(from, to, have_names, want_names)
  return not have_names[from] or want_names[from] and have_names[to]
    and not self.hinted_from[to]
end

local function set_of(list)
  local set = {}
  for _, object in ipairs(list) do set[object.name] = true end
  return set
end

--- Notes a name that is declared with other capitals.
local function same_but_capitals(name, have, want, renamed)
  if want[name] or renamed[name] then return end
  for other in pairs(want) do
    if other:lower() == name:lower() and not have[other] then renamed[name] = other end
  end
end

function Resolver:rename_tables(hints)
  local have, want = set_of(self.have.tables), set_of(self.want.tables)
  for _, from in ipairs(sorted(hints)) do
    local to = hints[from] and self:last(hints[from])
    if have[from] and to and not self:is_past(from, to, have, want) then
      if not want[to] then self:refuse_unknown(to) end
      self.tables[from] = to
    end
  end
  for name in pairs(have) do same_but_capitals(name, have, want, self.tables) end
end

--- The column that a key of the hints means: its table may have its old or its new name there.
function Resolver:column_of(name)
  local found = place(self.have, name)
  if found then return found.column and found end
  for from, to in pairs(self.tables) do
    if name:sub(1, #to + 1) == to .. "." then
      found = place(self.have, from .. name:sub(#to + 1))
      if found and found.column then return found end
    end
  end
end

function Resolver:rename_columns(hints)
  for _, key in ipairs(sorted(hints)) do
    local from = hints[key] and self:column_of(key)
    if from then self:hint_column(from, self:last(hints[key])) end
  end
  for _, of in ipairs(self.have.tables) do
    local other = model.find(self.want.tables, self:table_to(of.name))
    local have, want = set_of(of.columns), set_of(other and other.columns or {})
    self.columns[of.name] = self.columns[of.name] or {}
    for name in pairs(have) do
      same_but_capitals(name, have, want, self.columns[of.name])
    end
  end
end

function Resolver:hint_column(from, target)
  local owner = self:table_to(from.table)
  local of, other = model.find(self.have.tables, from.table), model.find(self.want.tables, owner)
  local to = target:sub(1, #owner + 1) == owner .. "." and target:sub(#owner + 2)
  local have, want = set_of(of.columns), set_of(other and other.columns or {})
  if not to or not want[to] then self:refuse_unknown(target) end
  self.hinted_from = {}
  for key in pairs(self.hints) do
    local each = self:column_of(key)
    if each and each.table == from.table then self.hinted_from[each.column] = true end
  end
  if self:is_past(from.column, to, have, want) then return end
  self.columns[from.table] = self.columns[from.table] or {}
  self.columns[from.table][from.column] = to
end

--- A name that is taken by something that stays.
function Resolver:refuse_taken()
  local function look(renamed, taken, what)
    for from, to in pairs(renamed) do
      if taken[to] and not renamed[to] then
        errors.raise("migration", ("%s %s cannot be renamed to %s, which there is already"):format(
          what, from, to), { hint = "drop that first" })
      end
    end
  end
  look(self.tables, set_of(self.have.tables), "table")
  for _, of in ipairs(self.have.tables) do
    look(self.columns[of.name], set_of(of.columns), "column " .. of.name .. ":")
  end
end

local function check(hints)
  errors.check(hints, "table", "the option renames")
  for from, to in pairs(hints) do
    if type(from) ~= "string" or type(to) ~= "string" and to ~= false then
      errors.raise("misuse", 'renames is a table like { ["images.name"] = "images.path" }',
        { hint = "false instead of a name says that a table is not renamed" })
    end
  end
end

--- Puts renames into an order in which no name is taken yet. Names that are swapped go through a
--- third one.
---@param list { from: string, to: string }[]
---@param names string[] all that there are
---@param fold (fun(name: string): string)? gives names that are one the same form
---@return { from: string, to: string, of: any }[] of: as it was given
function M.in_order(list, names, fold)
  fold = fold or function(name) return name end
  local taken, done, left = {}, {}, {}
  for _, name in ipairs(names) do taken[fold(name)] = true end
  for i, each in ipairs(list) do left[i] = { from = each.from, to = each.to, of = each.of } end
  local function take(each, to)
    taken[fold(each.from)], taken[fold(to)] = nil, true
    done[#done + 1] = { from = each.from, to = to, of = each.of }
  end
  while #left > 0 do
    local free
    for i, each in ipairs(left) do
      if not taken[fold(each.to)] then free = i break end
    end
    if free then
      local each = table.remove(left, free)
      take(each, each.to)
    else
      local third = "tuff_rename_" .. #done
      take(left[1], third)
      left[1].from = third
    end
  end
  return done
end

--- What is renamed: tables first, then columns, of tables that have their new names.
---@param have tuff.Schema
---@param want tuff.Schema
---@param hints table<string, string|false>? old names and new ones: "table", or "table.column"
---@return tuff.schema.Rename[]
function M.resolve(have, want, hints)
  hints = hints or {}
  check(hints)
  local resolver = setmetatable({
    have = have, want = want, hints = hints, tables = {}, columns = {}, hinted_from = hints,
  }, Resolver)
  resolver:rename_tables(hints)
  resolver:rename_columns(hints)
  resolver:refuse_taken()
  local list = {}
  for _, of in ipairs(have.tables) do
    local to = resolver.tables[of.name]
    if to then list[#list + 1] = { table = of.name, to = to } end
  end
  for _, of in ipairs(have.tables) do
    for _, column in ipairs(of.columns) do
      local to = resolver.columns[of.name][column.name]
      if to then
        list[#list + 1] = { table = resolver:table_to(of.name), column = column.name, to = to }
      end
    end
  end
  return list
end

return M
