--- db:diff and db:apply: what has to be changed for a database to have a schema, and changing it.
local additions = require "tuff.schema.additions"
local change = require "tuff.migrate.change"
local core = require "tuff.core"
local diff = require "tuff.schema.diff"
local errors = require "tuff.error"
local model = require "tuff.schema.model"
local options_of = require "tuff.options"
local plans = require "tuff.schema.plan"
local renames_of = require "tuff.schema.renames"

local M = {}

local function engine_of(db, method)
  errors.check_self(db, "tuff.connection", method)
  db:in_transaction() -- raises `closed`
  local dialect = core.state(db).dialect
  local engine = dialect.schema and dialect.schema()
  if engine and engine.alter then return engine end
  errors.raise("unsupported", ("the schema of a %s database cannot be changed"):format(db.engine))
end

-- ---- options -----------------------------------------------------------------------------

local function names(value)
  if type(value) ~= "table" then return false, "a list of names" end
  for key, name in pairs(value) do
    if math.type(key) ~= "integer" or type(name) ~= "string" then
      return false, 'a list of names: { "images.score", "albums" }'
    end
  end
  return true
end

local allowed = {
  allow_drop = names,
  renames = function(value) return type(value) == "table", "a table of names" end,
  add_only = options_of.checks.boolean, concurrently = options_of.checks.boolean,
  only = names,
}

---@class tuff.DiffOptions
---@field allow_drop string[]? columns ("images.score") and tables that may go, with what they hold
---@field add_only boolean? only what the database has not: tables, columns, indexes and the like
---@field concurrently boolean? indexes are made behind the rest, while others write (PostgreSQL)
---@field only string[]? tables: all else stays as it is
---@field renames table<string, string|false>? ["images.name"] = "images.path"; false: not renamed

-- ---- the plan ----------------------------------------------------------------------------

--- Raises where something that is broken already stands in the way.
local function refuse_broken(broken, why)
  if #broken == 0 then return end
  local lines, hint = {}, nil
  for i, each in ipairs(broken) do
    lines[i] = ("\n  %s %s: %s"):format(each.kind, each.name, each.reason)
    hint = hint or each.hint
  end
  errors.raise("migration", ("what is broken already stands in the way of %s:%s"):format(why,
    table.concat(lines)), { hint = hint or "mend or drop it first; nothing was changed" })
end

--- Renames as changes.
local function add_renames(changes, renames)
  for i, rename in ipairs(renames) do
    table.insert(changes, i, {
      kind = rename.column and "rename_column" or "rename_table",
      table = rename.column and rename.table or nil, name = rename.column or rename.table,
      to = rename.to,
    })
  end
end

--- What may be lost, by the names that things have after renames, too.
local function allowance(options, renames)
  local allow = {}
  for _, name in ipairs(options.allow_drop or {}) do
    allow[name] = true
    for _, rename in ipairs(renames) do
      local from = rename.column and rename.table .. "." .. rename.column or rename.table
      local to = rename.column and rename.table .. "." .. rename.to or rename.to
      if not rename.column and name:sub(1, #from + 1) == from .. "." then
        allow[to .. name:sub(#from + 1)] = true
      elseif name == from then
        allow[to] = true
      end
    end
  end
  return allow
end

--- The tables whose rows or indexes change.
local function touched_tables(changes)
  local set, list = {}, {}
  for _, each in ipairs(changes) do
    local kind = each.kind:match("_(.*)$")
    local name = each.kind == "rename_table" and each.to
      or each.kind ~= "drop_table" and kind ~= "trigger" and each.table
    if name and not set[name] then
      set[name] = true
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

local function make_plan(db, engine, schema, options)
  local reading = engine.inspect(db)
  local want = engine.materialise(db, schema, reading)
  if options.only then want = additions.only(reading.have, want, options.only) end
  if options.add_only then want = additions.of(reading.have, want) end
  local renames = renames_of.resolve(reading.have, want, options.renames)
  if #renames > 0 then refuse_broken(engine.broken(db), "renames") end
  reading = engine.renamed(db, reading, renames)
  local allow = allowance(options, renames)
  local difference = diff.of(reading.have, want, { allow = allow, renames = options.renames })
  add_renames(difference.changes, renames)
  local steps, rebuilt = {}, {}
  if #difference.changes > 0 then
    steps, rebuilt = engine.alter(db, reading, want, difference.changes, allow, options)
  end
  return plans.new {
    changes = difference.changes, unmanaged = difference.unmanaged, refused = difference.refused,
    steps = steps, rebuilt = rebuilt, touched = touched_tables(difference.changes), want = want,
    state = reading.state, concurrently = options.concurrently,
  }
end

--- What would have to be changed for the database to have a schema. Nothing is changed.
---@param db tuff.Database
---@param schema tuff.Schema
---@param options tuff.DiffOptions?
---@return tuff.Plan
function M.diff(db, schema, options)
  local engine = engine_of(db, "diff")
  if not model.is_schema(schema) then
    errors.raise("misuse", "the schema given to db:diff must be what s.define or db:schema returns")
  end
  options = options_of.given(options, allowed, "db:diff")
  return make_plan(db, engine, schema, options)
end

local ATTEMPTS = 5 -- where others change the schema between planning and doing

-- ---- doing it ----------------------------------------------------------------------------

--- Raises where something would be lost that nobody allowed.
---@param plan tuff.Plan
function M.check_refusals(plan)
  if #plan.refused == 0 then return end
  local lines, hint = {}, nil
  for i, refusal in ipairs(plan.refused) do
    lines[i] = refusal.message
    hint = hint or refusal.hint
  end
  local first = plan.refused[1]
  if not first.final then
    local drop = ('allow_drop = { "%s" } allows it'):format(first.name)
    hint = hint and hint .. "; or else " .. drop or drop
  end
  errors.raise("migration", table.concat(lines, "\n  "), { hint = hint })
end

local function by_name(broken)
  local set = {}
  for _, each in ipairs(broken) do set[each.kind .. " " .. each.name] = each end
  return set
end

--- What is broken and would be in the way: all for statements that look at the whole schema, but
--- what is dropped before; else tables that cannot be filled.
local function check_broken(plan, broken)
  local touched, gone, native, found = {}, {}, false, {}
  for _, name in ipairs(plan.touched) do touched[name] = true end
  for _, each in ipairs(plan.changes) do
    if each.kind:find("_view$") then gone[each.name] = true end
    if each.kind:find("e_trigger$") or each.kind == "drop_trigger" then gone[each.table] = true end
  end
  for _, step in ipairs(plan.steps) do native = native or step.native end
  for _, each in ipairs(broken) do
    if native and not gone[each.name] or touched[each.name] and each.hint then
      found[#found + 1] = each
    end
  end
  refuse_broken(found, "this change")
end

--- The changes that are not those of steps that run later.
local function not_later(plan, changes)
  local later, left = {}, {}
  for _, step in ipairs(plan.steps) do later[step.makes or ""] = true end
  for _, each in ipairs(changes) do
    if not later[each.kind .. " " .. (each.name or each.table)] then left[#left + 1] = each end
  end
  return left
end

--- Raises where the change has broken something, or has made another schema than was planned.
local function verify(db, engine, plan, broken)
  local before = by_name(broken)
  for name, each in pairs(by_name(engine.broken(db))) do
    if not before[name] then
      errors.raise("migration", ("%s would be broken: %s"):format(name, each.reason))
    end
  end
  local left = not_later(plan, diff.of(engine.inspect(db).have, plan.want).changes)
  if #left > 0 then
    errors.raise("migration", "the schema did not become what was planned: "
      .. tostring(plans.new { changes = left, unmanaged = {}, refused = {} }))
  end
end

--- Refuses what a transaction of the script cannot do, because foreign keys are on in there.
local function check_transaction(plan)
  local what = plan.rebuilt[1] and "table " .. plan.rebuilt[1] .. " has to be built anew"
  for _, step in ipairs(plan.steps) do
    what = what or step.whole and "a table is dropped"
  end
  if not what then return end
  errors.raise("migration", what .. ", and in an open transaction that would fire foreign keys",
    { hint = "call db:apply outside of the transaction; it has one of its own" })
end

--- Refuses what is never done in a transaction.
local function check_concurrently(db, plan)
  if plan.concurrently and db:in_transaction() then
    errors.raise("misuse", "no index is made concurrently in a transaction",
      { hint = "call db:apply outside of the transaction" })
  end
end

--- Runs fn in the transaction that it needs.
local function within(db, plan, fn)
  if change.is_open(db) then return db:transaction(fn) end
  if db:in_transaction() then
    check_transaction(plan)
    return db:transaction(fn)
  end
  return change.run(db, nil, fn)
end

--- Carries out a plan; false: it is out of date, and nothing was done.
local function carry_out(db, engine, plan)
  M.check_refusals(plan)
  if #plan.changes == 0 then return true end
  check_concurrently(db, plan)
  local done = false
  local with_settings = engine.with_settings or function(_, fn) fn() end
  with_settings(db, function()
    within(db, plan, function()
      if engine.lock then engine.lock(db, plan.changes) end
      if engine.state(db) ~= plan.state then return end
      local broken = engine.broken(db)
      check_broken(plan, broken)
      engine.run(db, plan.steps)
      core.state(db).schema_version = nil
      verify(db, engine, plan, broken)
      done = true
    end)
  end)
  if done and engine.run_later then engine.run_later(db, plan.steps) end
  return done
end

--- Gives the database a schema, or carries out a plan: whole, or not at all. Outside of a
--- transaction it has one of its own; in one that is open already, tables cannot be built anew.
--- Raises `migration` where data would be lost and that was not allowed, where rows do not fit,
--- saying which, and for a plan that is out of date.
---@param db tuff.Database
---@param given tuff.Schema|tuff.Plan
---@param options tuff.DiffOptions? of a schema
---@return tuff.Plan plan what was done
function M.apply(db, given, options)
  local engine = engine_of(db, "apply")
  local is_plan = plans.is_plan(given)
  if not is_plan and not model.is_schema(given) then
    errors.raise("misuse", "db:apply takes a schema, or a plan of db:diff")
  end
  if is_plan and options ~= nil then
    errors.raise("misuse", "the options of a plan are given to db:diff")
  end
  options = options_of.given(options, allowed, "db:apply")
  for _ = 1, is_plan and 1 or ATTEMPTS do
    local plan = is_plan and given or make_plan(db, engine, given, options)
    if carry_out(db, engine, plan) then return plan end
  end
  errors.raise("migration", "the schema of the database was changed since the plan was made",
    { hint = "make a new plan by db:diff" })
end

return M
