--- What must hold before a change of the schema is committed: what was sound stays so. The
--- tables that were touched are looked at, and what refers to them.
local broken = require "tuff.schema.sqlite.broken"
local core = require "tuff.core"
local errors = require "tuff.error"

local M = {}

local function ask(db, sql, ...)
  core.own(db)
  return db:all(sql, ...)
end

-- ---- references --------------------------------------------------------------------------

--- Tables with references of their own that were touched, or whose parents were.
local function children(db, touched)
  return ask(db, [[
    select distinct l.name as child from pragma_table_list l, pragma_foreign_key_list(l.name) f
    where l.schema = 'main' and l.type = 'table'
      and (lower(l.name) in ? or lower(f."table") in ?)]], touched, touched)
end

--- The rows of a child whose parents are not there, counted for each reference.
local function dangling(db, child)
  local found = {}
  local good, rows = pcall(ask, db, [[
    select parent, count(*) as count from pragma_foreign_key_check(?) group by parent]], child)
  if not good then
    local mismatch = errors.is_error(rows) and rows.message:find("foreign key mismatch", 1, true)
    if not mismatch then error(rows, 0) end
    return { [""] = { mismatch = rows.message, count = 1 } }
  end
  for _, row in ipairs(rows) do
    found[row.parent:lower()] = { parent = row.parent, count = row.count }
  end
  return found
end

--- Some of those rows, by their keys.
local function examples(db, child, parent)
  local rows = {}
  for _, row in ipairs(ask(db, "select \"rowid\" as id from pragma_foreign_key_check(?) "
      .. "where lower(parent) = lower(?) limit 5", child, parent)) do
    rows[#rows + 1] = tostring(row.id)
  end
  return table.concat(rows, ", ")
end

--- How it was before: another connection still sees it so.
local function count_before(db, before, child, parent)
  if before.dangling then
    local known = before.dangling[child:lower()]
    return known and known[parent] and known[parent].count or 0
  end
  local reader <close> = db:reader()
  local known = reader:has_table(child) and dangling(reader, child)[parent]
  return known and known.count or 0
end

local function refuse(db, child, now)
  if now.mismatch then
    errors.raise("migration", now.mismatch, { table = child,
      hint = "the columns that it refers to must be a primary key, or unique" })
  end
  errors.raise("migration", ("%d row%s of %s would refer to rows of %s that are not there")
    :format(now.count, now.count == 1 and "" or "s", child, now.parent), {
      table = child,
      hint = ("the rows are %s; delete them or give them a parent in the same migration, "
        .. "where foreign keys are not enforced and nothing cascades")
        :format(examples(db, child, now.parent)),
    })
end

local function check_references(db, before, touched)
  for _, row in ipairs(children(db, touched)) do
    for parent, now in pairs(dangling(db, row.child)) do
      if now.count > count_before(db, before, row.child, parent) then
        refuse(db, row.child, now)
      end
    end
  end
end

-- ---- the tables themselves ---------------------------------------------------------------

--- Up to so many bytes a database is looked through for every row in every index, too. In a large
--- one that takes several times as long as making the table anew, and it finds only what no
--- statement can do, but for a function of Lua in an index that gives something else than before.
local SMALL = 16 << 20

--- Reads a table once: its pages, and what a row has to be.
local function check_integrity(db, name, check)
  local said = {}
  for _, row in ipairs(ask(db, ("select * from pragma_%s(?)"):format(check), name)) do
    said[#said + 1] = row[check]
  end
  if #said == 1 and said[1] == "ok" then return end
  errors.raise("migration", ("%s would not be sound: %s"):format(name,
    table.concat(said, "; ", 1, math.min(#said, 3))), { table = name })
end

local function check_of(db)
  local size = ask(db, "select page_count * page_size as size "
    .. "from pragma_page_count, pragma_page_size")[1].size
  return size <= SMALL and "integrity_check" or "quick_check"
end

local function touched_tables(db)
  local names = core.touched(db)
  if not names then return db:tables() end
  for i, name in ipairs(names) do names[i] = name:lower() end
  local tables = {}
  for _, row in ipairs(ask(db, "select name from main.sqlite_schema "
      .. "where type = 'table' and lower(name) in ?", names)) do
    tables[#tables + 1] = row.name
  end
  return tables, names
end

--- To be called when a change has begun: what `verify` compares with.
---@param db tuff.Database
---@return table
function M.before(db)
  local before = { broken = broken.by_name(db) }
  if db.path == ":memory:" then
    before.dangling = {}
    for _, name in ipairs(db:tables()) do before.dangling[name:lower()] = dangling(db, name) end
  end
  core.forget_touched(db)
  return before
end

--- Raises `migration` where something is not sound any more.
---@param db tuff.Database
---@param before table
---@param progress fun(what: string)?
function M.verify(db, before, progress)
  local tables, names = touched_tables(db)
  check_references(db, before, names or tables)
  for name, each in pairs(broken.by_name(db)) do
    if not before.broken[name] then
      errors.raise("migration", ("the %s could not be used any more: %s"):format(name, each.reason),
        { hint = each.hint or "change it, or drop it, in the same migration" })
    end
  end
  local check = check_of(db)
  for _, name in ipairs(tables) do
    if progress then progress(name) end
    check_integrity(db, name, check)
  end
end

return M
