--- Locks before a change of the schema, so that what was looked at is what is changed. They wait no
--- longer than any other lock does, and are kept until the transaction ends.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"

local M = {}

--- Changes that let others read and write nothing meanwhile, but for these: whoever makes an index
--- lets others read.
local is_light = { add_index = true, add_search = true, add_trigger = true, change_table = true }

--- The names, as they are yet, of the tables that change, in a fixed order: two that change the
--- same ones do not wait for each other.
local function tables_of(changes)
  local before, heavy, names = {}, {}, {}
  for _, change in ipairs(changes) do
    if change.kind == "rename_table" then
      before[change.to] = change.name
      heavy[change.name] = true
    end
  end
  for _, change in ipairs(changes) do
    local name = change.table and (before[change.table] or change.table)
    if name and change.kind ~= "add_table" then
      heavy[name] = heavy[name] or not is_light[change.kind]
    end
  end
  for name in pairs(heavy) do names[#names + 1] = name end
  table.sort(names)
  return names, heavy
end

--- Locks the tables that are going to be changed. In a transaction of the script nobody has asked
--- for the turn, and nobody can wait for it: what others have done would not be seen in there.
--- Raises `busy`.
---@param db tuff.Database in a transaction
---@param changes tuff.schema.Change[]
function M.take(db, changes)
  if not core.state(db).dialect.take_turn(db) then
    errors.raise("busy", "another program changes the schema of this database",
      { hint = "try again later; outside of a transaction db:apply waits" })
  end
  local names, heavy = tables_of(changes)
  core.own(db)
  local there = db:column([[select relname::text from pg_class where relname in ?
    and relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
    order by relname collate "C"]], names)
  for _, name in ipairs(there) do
    core.own(db)
    db:run(("LOCK TABLE %s IN %s MODE"):format(identifier.quote(name),
      heavy[name] and "ACCESS EXCLUSIVE" or "SHARE ROW EXCLUSIVE"))
  end
end

return M
