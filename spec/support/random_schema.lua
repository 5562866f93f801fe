--- Random schemas: operations that property.generate makes, and what they declare together. Every
--- operation finds its way whatever was declared before it, so that any of them can be left out.

local s = require "tuff.schema"
local tuff = require "tuff"

local random_schema = {}

local words = {
  "name", "order", "a b", 'qu"ote', "it's", "ünïcode", "Path", "key", "date", "select", "x-y",
  "column_with_a_name_that_is_so_long_that_what_is_made_of_it_has_no_room", "tab\tstop", "[b]",
  "`t`",
}

local function pick(random, list) return list[random(#list)] end

-- ---- what operations are made of ---------------------------------------------------------

--- Texts, so that a failing sequence can be read and pasted.
local types = {
  "integer", "real", "text", "limited", "boolean", "blob", "json", "timestamp", "date", "uuid",
  "enum", "decimal", "other", "untyped", "short blob",
}

local extras = {
  "plain", "not_null", "default", "unique", "index", "check", "collate", "comment", "generated",
  "stored", "checked", "now", "expression", "conflict", "refers", "partial", "two checks",
}

local options = { "none", "without_rowid", "strict", "comment", "checks" }

local parts = { "column", "desc", "collate", "expression", "path" }

random_schema.makers = {
  { 3, function(random)
    return { "table", pick(random, words), pick(random, options), random(4) }
  end },
  { 12, function(random)
    return { "column", random(5), pick(random, words), pick(random, types), pick(random, extras),
      pick(random, extras), random(1000) }
  end },
  { 3, function(random)
    return { "index", random(5), pick(random, parts), random(9), pick(random, parts), random(9),
      random(4) }
  end },
  { 2, function(random) return { "unique", random(5), random(9), random(9), random(4) } end },
  { 1, function(random) return { "check", random(5), random(9), random(3) } end },
  { 1, function(random) return { "foreign_key", random(5), random(5), random(6), random(3) } end },
  { 1, function(random) return { "search", random(5), random(9), random(4) } end },
  { 1, function(random) return { "view", pick(random, words), random(5), random(3) } end },
  { 1, function(random) return { "trigger", pick(random, words), random(5), random(9) } end },
  { 1, function(random) return { "virtual", pick(random, words) } end },
}

-- ---- columns -----------------------------------------------------------------------------

local function quoted(name) return '"' .. name:gsub('"', '""') .. '"' end

--- A column as text. Only SQLite compares anything with a text.
local function as_text(context, name)
  return context.portable and "cast(" .. quoted(name) .. " as text)" or quoted(name)
end

local function one_of(word, list)
  for _, each in ipairs(list) do
    if each == word then return true end
  end
  return false
end

local function is_text(kind) return one_of(kind, { "text", "limited", "enum" }) end

local constructors = {
  limited = function(name, seed) return s.text(name, { max_length = seed }) end,
  ["short blob"] = function(name, seed) return s.blob(name, { max_length = seed }) end,
  enum = function(name, seed)
    local values = { "open", "it's done", 'say "x"', "", "ü" }
    return s.enum(name, { table.unpack(values, 1, seed % #values + 1) })
  end,
  decimal = function(name, seed)
    local precision = seed % 18 + 1
    return s.decimal(name, { precision = precision, scale = seed % (precision + 1) })
  end,
  other = function(name, seed, portable)
    local declared = { "VARCHAR(30)", "INT", "NUMERIC(10, 2)", "real", "double precision" }
    if not portable then declared[5] = "DATETIME" end
    return s.column(name, declared[seed % #declared + 1])
  end,
  untyped = function(name, _, portable) return s.column(name, portable and "bigint" or nil) end,
}

local defaults = {
  integer = { 0, -1, math.maxinteger, math.mininteger }, real = { 0.5, -1e300, 1, 0.1 },
  text = { "", "it's", 'a "b"', "two\nlines", "null", "ü" }, limited = { "a", "" },
  boolean = { true, false }, blob = { "", "\0\xff", "text" },
  json = { {}, { a = { 1, 2 }, b = "c" }, 5 },
  timestamp = { "2026-11-21T10:00:00.000000Z" }, date = { "2024-02-29" },
  uuid = { "0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f" }, enum = { "open" }, decimal = { 0, "0", "-0" },
  other = { 5, -2.5, "abc", true, "5" }, untyped = { "x", 1.0, false },
}

local apply = {}

function apply.not_null(column) column:not_null() end
function apply.conflict(column, context)
  column:not_null(not context.portable and { on_conflict = "ignore" } or nil)
end
function apply.unique(column) column:unique() end
function apply.index(column) column:index() end
function apply.partial(column, context)
  column:index {
    unique = true, where = quoted(context.name) .. " is not null", name = context.fresh(),
  }
end
function apply.check(column, context)
  column:check(as_text(context, context.name) .. " <> ')' -- no\n")
end
apply["two checks"] = function(column, context)
  local text = as_text(context, context.name)
  column:check("length(" .. text .. ") < 5")
  column:check(text .. " in ('(', 'x')", { name = context.fresh() })
end
function apply.collate(column, context)
  if not context.portable then
    column:collate(({ "nocase", "RTRIM", "Binary" })[context.seed % 3 + 1])
  elseif is_text(context.type) then
    column:collate(context.seed % 2 == 0 and "binary" or "POSIX")
  end
end
function apply.comment(column, context)
  column:comment(context.seed % 2 == 0 and "What it's for, -- really" or "two\nlines")
end
function apply.refers(column, context)
  local other = context.target("integer")
  if context.type == "integer" and other then
    column:references(other.name, {
      on_delete = ({ "cascade", "set null", "restrict", "no action" })[context.seed % 4 + 1],
      deferrable = ({ true, false, "immediate" })[context.seed % 3 + 1],
    })
  end
end
function apply.default(column, context)
  local list = defaults[context.type]
  if context.portable and (context.type == "other" or context.type == "untyped") then
    list = { 5 }
  end
  if list and not context.generated then column:default(list[context.seed % #list + 1]) end
end
function apply.now(column, context)
  if context.generated then return end
  if context.type == "timestamp" or context.type == "date" then column:default(s.now) end
end
function apply.expression(column, context)
  local fits = not context.portable
    or one_of(context.type, { "integer", "real", "decimal", "text", "other", "untyped" })
  if fits and not context.generated then column:default(s.expr "abs(-5) /* five */ + (1)") end
end

local function declare_column(context, extra, another)
  local make = constructors[context.type]
  local generated = extra == "generated" or extra == "stored"
  context.generated = generated and context.others
    and (not context.portable or one_of(context.type, { "text", "limited" }))
  local column
  if make then
    column = make(context.name, context.seed, context.portable)
  else
    column = s[context.type](context.name, another == "checked" and { checked = true } or nil)
  end
  if context.generated then
    column:generated("'(' || " .. as_text(context, context.others) .. " || ')'",
      { stored = extra == "stored" })
  end
  for _, each in ipairs { extra, another } do
    if apply[each] then apply[each](column, context) end
  end
  return column
end

-- ---- tables ------------------------------------------------------------------------------

local strict = {
  integer = true, real = true, text = true, limited = true, blob = true, enum = true,
  ["short blob"] = true,
}

local build = {}

--- What is known while the operations are gone through.
local function new_state(portable)
  local state = { tables = {}, objects = {}, names = {}, count = 0, portable = portable }
  function state.fresh(word)
    state.count = state.count + 1
    word = word or "named"
    return (portable and word:sub(1, 60) or word) .. state.count
  end
  return state
end

function build.table(state, word, option, key)
  local of = { name = state.fresh(word), columns = {}, items = {}, option = option }
  if option == "without_rowid" then
    of.items[1] = s.text("code"):primary_key()
    of.items[2] = s.integer("part")
    of.columns = { { name = "code", type = "text" }, { name = "part", type = "integer" } }
    of.items.without_rowid = true
  elseif key == 1 then
    of.items[1] = s.integer("id"):primary_key()
  elseif key == 2 then
    of.items[1] = s.text("id")
    of.items[2] = s.integer("second"):nullable()
    of.items[3] = s.primary_key { s.desc "id", "second", name = state.fresh() }
    of.columns = { { name = "id", type = "text" } }
  else
    of.items[1] = s.id()
  end
  of.integer_key = option ~= "without_rowid" and key ~= 2
  if #of.columns == 0 then of.columns = { { name = "id", type = "integer" } } end
  if option == "strict" then of.items.strict = true end
  if option == "checks" then of.items.checks = true end
  if option == "comment" then of.items.comment = "All of them, /* and more" end
  state.tables[#state.tables + 1] = of
end

local function table_at(state, number)
  return #state.tables > 0 and state.tables[(number - 1) % #state.tables + 1] or nil
end

local function column_at(of, number) return of.columns[(number - 1) % #of.columns + 1] end

function build.column(state, number, word, kind, extra, another, seed)
  local of = table_at(state, number)
  if not of or of.option == "strict" and not strict[kind] then return end
  local context = {
    name = state.fresh(word), type = kind, seed = seed, others = of.columns[1].name,
    fresh = state.fresh, portable = state.portable,
    target = function()
      local other = table_at(state, seed)
      return other.integer_key and other or nil
    end,
  }
  of.items[#of.items + 1] = declare_column(context, extra, another)
  of.columns[#of.columns + 1] = { name = context.name, type = kind, generated = context.generated }
end

local function part_of(state, of, kind, number)
  local column = column_at(of, number)
  if state.portable and kind == "collate" then
    local name = number % 2 == 0 and "binary" or "POSIX"
    return is_text(column.type) and s.collate(column.name, name) or column.name
  elseif state.portable and kind == "expression" then
    return s.expr("case when " .. quoted(column.name) .. " is null then 'x,)' else '' end")
  end
  if kind == "desc" then return s.desc(column.name) end
  if kind == "collate" then return s.collate(column.name, "nocase") end
  if kind == "expression" then return s.expr("lower(" .. quoted(column.name) .. ") || 'x,)'") end
  if kind == "path" and column.type == "json" then return s.path { column.name, "a b", 0, "c" } end
  return column.name
end

function build.index(state, number, kind, first, other_kind, second, form)
  local of = table_at(state, number)
  if not of then return end
  of.items[#of.items + 1] = s.index {
    part_of(state, of, kind, first),
    form % 2 == 0 and part_of(state, of, other_kind, second) or nil,
    unique = form == 3, where = form == 4 and quoted(of.columns[1].name) .. " is not null" or nil,
    name = form < 4 and state.fresh() or state.fresh("index of the long name that has no end, "
      .. "which goes on and on"),
  }
end

function build.unique(state, number, first, second, form)
  local of = table_at(state, number)
  if not of then return end
  local a, b = column_at(of, first), column_at(of, second)
  if a == b then return end
  of.items[#of.items + 1] = s.unique {
    form == 2 and not state.portable and s.collate(a.name, "rtrim") or a.name, b.name,
    name = form == 3 and state.fresh() or nil,
    on_conflict = form == 4 and not state.portable and "replace" or nil,
  }
end

function build.check(state, number, column, form)
  local of = table_at(state, number)
  if not of then return end
  local text = as_text(state, column_at(of, column).name)
    .. (state.portable and " is distinct from" or " is not") .. " 'a;b' /* never */"
  of.items[#of.items + 1] = s.check(text, form == 1 and { name = state.fresh() } or nil)
end

function build.foreign_key(state, number, other, action, form)
  local of, to = table_at(state, number), table_at(state, other)
  if not of or of.option == "strict" then return end
  local columns = { state.fresh "first", state.fresh "second" }
  local targets = { state.fresh "target", state.fresh "target" }
  for i = 1, 2 do
    of.items[#of.items + 1] = s.date(columns[i])
    to.items[#to.items + 1] = s.date(targets[i])
    if to.option == "strict" then table.remove(to.items) end
  end
  if to.option == "strict" then return end
  to.items[#to.items + 1] = s.unique(targets)
  local actions = { "cascade", "restrict", "set null", "set default", "no action" }
  of.items[#of.items + 1] = s.foreign_key {
    columns[1], columns[2], references = to.name, columns = targets, on_update = actions[action],
    deferrable = ({ true, "immediate" })[form], match = form == 3 and "full" or nil,
  }
end

function build.search(state, number, column, form)
  local of = table_at(state, number)
  if not of or of.searched or not of.integer_key then return end
  local at = column_at(of, column)
  if at.type ~= "text" and at.type ~= "limited" and at.type ~= "enum" then return end
  of.searched = true
  of.items[#of.items + 1] = s.search {
    at.name, tokenize = form == 2 and "porter unicode61" or nil,
    prefix = form == 3 and { 2, 3 } or nil,
  }
end

function build.view(state, word, number, form)
  local of = table_at(state, number)
  if not of then return end
  local name = state.fresh(word)
  local query = "select " .. quoted(of.columns[1].name) .. " as \"A;b\" /* one */ from "
    .. quoted(of.name) .. " -- all\n where 1 = 1"
  state.objects[#state.objects + 1] = s.view(name, query, form == 2 and { columns = "x y" } or nil)
  state.view = name
end

function build.trigger(state, word, number, form)
  local of = table_at(state, number)
  if not of then return end
  local plain = column_at(of, form)
  local given = {
    on = of.name, when = form % 2 == 0 and "new." .. quoted(plain.name) .. " is not null" or nil,
    run = "select case when 1 = 1 then ';end;' end; select 2;",
  }
  if form == 1 and state.view then
    given.on, given.instead_of, given.when = state.view, "insert", nil
  elseif form < 5 then
    given.after, given.of = "update", plain.name
  elseif form < 8 then
    given.before = "insert"
    if plain.generated then given.when = nil end -- PostgreSQL knows its value only afterwards
  else
    given.after, given.when = "delete", nil
  end
  state.objects[#state.objects + 1] = s.trigger(state.fresh(word), given)
end

function build.virtual(state, word)
  if state.portable then return end
  state.objects[#state.objects + 1] =
    s.virtual_table(state.fresh(word), "rtree", "id, low, high /* inch */")
end

--- What operations declare. A name depends on the number of its operation, so that two lists that
--- have false in other places still speak of the same things.
---@param operations (table|false)[]
---@param portable boolean? only what every engine makes; else whatever SQLite does
---@return tuff.Schema
function random_schema.of(operations, portable)
  local state = new_state(portable)
  for number, operation in ipairs(operations) do
    state.count = number * 10
    if operation then build[operation[1]](state, table.unpack(operation, 2)) end
  end
  local items = {}
  for i, of in ipairs(state.tables) do items[i] = s.table(of.name, of.items) end
  table.move(state.objects, 1, #state.objects, #items + 1, items)
  return s.define(items)
end

-- ---- two schemas -------------------------------------------------------------------------

--- An operation in two forms, of which one may be missing: of a schema, and of a later one.
local function twofold(make)
  return function(random)
    local first, kind = make(random), random(10)
    if kind <= 5 then return { first, first } end
    if kind == 6 then return { first, false } end
    if kind <= 8 then return { false, first } end
    local second = make(random)
    for i = 2, first[1] == "column" and 3 or 2 do second[i] = first[i] end
    return { first, second }
  end
end

random_schema.makers_of_two = {}
for i, maker in ipairs(random_schema.makers) do
  random_schema.makers_of_two[i] = { maker[1], twofold(maker[2]) }
end

--- Two schemas that have much in common.
---@param operations table[]
---@param portable boolean? see random_schema.of
---@return tuff.Schema
---@return tuff.Schema
function random_schema.two_of(operations, portable)
  local first, second = {}, {}
  for i, operation in ipairs(operations) do first[i], second[i] = operation[1], operation[2] end
  return random_schema.of(first, portable), random_schema.of(second, portable)
end

-- ---- rows --------------------------------------------------------------------------------

local function any_of(...)
  local list = { ... }
  return function(random) return list[random(#list)] end
end

local values = {
  id = function() end,
  integer = function(random) return random(6) end,
  real = function(random) return random(12) / 4 end,
  decimal = any_of("0", 0),
  text = any_of("a", "B", "1", "007", "it's", "1.5"),
  enum = any_of "open",
  boolean = any_of(true, false),
  blob = any_of(tuff.blob "", tuff.blob "\0"),
  json = any_of({ 1 }, { a = 2 }),
  timestamp = any_of("2026-11-21T10:00:00.000000Z", "2026-11-22T10:00:00.000000Z"),
  date = any_of("2026-11-21", "2024-02-29"),
  uuid = any_of("0b54d5b6-6d4a-4b8e-9f5e-2f8a7c1d3e4f", "00000000-0000-0000-0000-000000000000"),
  other = any_of(1, 2.5, "abc", "5"),
}

--- Fills the tables of a schema with a few rows, those that it takes.
---@param db tuff.Database
---@param schema tuff.Schema
---@param random fun(limit: integer): integer
function random_schema.fill(db, schema, random)
  for _, of in ipairs(schema.tables) do
    for _ = 1, random(6) - 1 do
      local row = {}
      for _, column in ipairs(of.columns) do
        if not column.generated and random(5) > 1 then
          row[column.name] = values[column.type](random)
        end
      end
      pcall(db.insert, db, of.name, row)
    end
  end
end

return random_schema
