--- A table that is built anew, because SQLite cannot change it: made beside itself, filled, and put
--- in its own place. All that belongs to it comes along: rowids, the sequence of its ids, indexes,
--- triggers, also those of this connection alone, and what is known of its values.
--
-- Foreign keys must be off and legacy_alter_table on: then what refers to the table keeps meaning
-- the name that it says.
local core = require "tuff.core"
local ddl = require "tuff.schema.sqlite.ddl"
local default = require "tuff.schema.sqlite.default"
local identifier = require "tuff.identifier"
local names = require "tuff.schema.names"
local rows = require "tuff.schema.sqlite.rows"
local sql = require "tuff.schema.sql"

local M = {}

local quote = identifier.quote

--- The name of a table while it stands beside the one that it is made of.
---@param name string
---@return string
function M.target(name) return names.join("tuff_rebuild", name) end

-- ---- rows --------------------------------------------------------------------------------

--- A rowid that is no column goes along by its name.
local function hidden_rowid(old, new)
  local name, was = rows.rowid(new), rows.rowid(old)
  if not name or rows.alias(new) then return nil end
  local alias = rows.alias(old)
  if alias then return name, '"t".' .. quote(alias.name) end
  if was then return name, '"t".' .. quote(was) end
end

local function filled(old, new, target)
  local columns, values = {}, {}
  columns[1], values[1] = hidden_rowid(old, new)
  for _, column in ipairs(new.columns) do
    local value = rows.value(old, new, column)
    if value then
      columns[#columns + 1], values[#values + 1] = quote(column.name), value
    end
  end
  if #columns == 0 then -- nothing of the row stays, but the row
    for _, column in ipairs(new.columns) do
      if not column.generated and #columns == 0 then
        columns[1] = quote(column.name)
        values[1] = column.default and default.write(column) or "NULL"
      end
    end
  end
  return ('INSERT OR ABORT INTO %s (%s) SELECT %s FROM %s AS "t"'):format(rows.main(target),
    table.concat(columns, ", "), table.concat(values, ", "), rows.main(new.name))
end

-- ---- ids and statistics ------------------------------------------------------------------

local function has_ids(of)
  for _, column in ipairs(of.columns) do
    if column.type == "id" then return true end
  end
  return false
end

--- Ids go on where they were, also where their rows are gone.
local function sequence(add, name, target)
  local from, to = sql.literal(name), sql.literal(target)
  add(("INSERT INTO main.sqlite_sequence (name, seq) SELECT %s, 0 WHERE NOT EXISTS "
    .. "(SELECT 1 FROM main.sqlite_sequence WHERE name = %s)"):format(to, to))
  add(("UPDATE main.sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM "
    .. "main.sqlite_sequence WHERE name = %s), 0)) WHERE name = %s"):format(from, to))
end

--- DROP TABLE takes the statistics of a table away: meanwhile they are those of another one.
local function move_statistics(add, tables, from, to)
  for _, of in ipairs(tables) do
    add(("UPDATE main.%s SET tbl = %s WHERE tbl = %s"):format(of, sql.literal(to),
      sql.literal(from)))
  end
end

-- ---- triggers of this connection ---------------------------------------------------------

--- Remembers the TEMP triggers of a table or view that is about to be dropped.
---@param name string
---@return table step
function M.save_triggers(name)
  return { call = function(db, memory)
    core.own(db)
    memory[name] = db:column("select sql from temp.sqlite_schema where type = 'trigger' "
      .. "and tbl_name = ? collate nocase order by rowid", name)
  end }
end

--- Makes them again.
---@param name string
---@return table step
function M.restore_triggers(name)
  return { call = function(db, memory)
    for _, text in ipairs(memory[name]) do
      core.own(db)
      db:exec((text:gsub("^CREATE TRIGGER", "CREATE TEMP TRIGGER IF NOT EXISTS")))
    end
  end }
end

-- ---- the whole ---------------------------------------------------------------------------

---@class tuff.schema.Rebuild
---@field old table the table as it is
---@field new table
---@field statistics string[] the tables of statistics that there are
---@field analyze boolean whether its statistics mean nothing any more
---@field again string[] statements that make again what goes with the table

--- The steps that build a table anew.
---@param rebuild tuff.schema.Rebuild
---@return table[] steps
function M.steps(rebuild)
  local old, new = rebuild.old, rebuild.new
  local name, target = new.name, M.target(new.name)
  local steps = {}
  local function add(text) steps[#steps + 1] = { sql = text, table = name } end
  add(ddl.table(new, target))
  steps[#steps + 1] = { sql = filled(old, new, target), table = name, fills = name }
  if has_ids(old) and has_ids(new) then sequence(add, name, target) end
  if not rebuild.analyze then move_statistics(add, rebuild.statistics, name, target) end
  steps[#steps + 1] = M.save_triggers(name)
  add("DROP TABLE " .. rows.main(name))
  add(("ALTER TABLE %s RENAME TO %s"):format(rows.main(target), quote(name)))
  if not rebuild.analyze then move_statistics(add, rebuild.statistics, target, name) end
  for _, index in ipairs(new.indexes) do add(ddl.index(new, index)) end
  for _, text in ipairs(rebuild.again) do add(text) end
  steps[#steps + 1] = M.restore_triggers(name)
  if rebuild.analyze and #rebuild.statistics > 0 then add("ANALYZE " .. rows.main(name)) end
  return steps
end

return M
