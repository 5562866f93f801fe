--- What of a database cannot be used: views and triggers that name what is gone, tables that need
--- functions or collations that nobody has defined. Statements are prepared, and none is run.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"

local M = {}

local quote = identifier.quote

local missing = {
  ["no such collation sequence"] = "define it on this connection by db:define_collation",
  ["no such function"] = "define it on this connection by db:define",
  ["no such module"] = "load it on this connection by db:load_extension",
}

--- What to do about something that this connection lacks, and another one may have.
---@param message string of an error
---@return string? hint nil: it lacks nothing
function M.advice(message)
  for text, advice in pairs(missing) do
    if message:find(text, 1, true) then return advice end
  end
end

local function ask(db, method, sql, ...)
  core.own(db)
  return db[method](db, sql, ...)
end

--- Why a statement cannot be prepared; nil: it can.
local function flaw(db, sql)
  core.own(db)
  local good, result = pcall(db.prepare, db, sql)
  if good then
    result:close()
    return nil
  end
  if not errors.is_error(result) then error(result, 0) end
  return result.message
end

--- Statements that compile all triggers on a table or a view.
local function writes(name, columns, events)
  local list, sets = {}, {}
  if #columns == 0 then return list end
  for i, column in ipairs(columns) do sets[i] = ("%s = %s"):format(quote(column), quote(column)) end
  if events.insert then
    list[1] = ("INSERT INTO %s (%s) VALUES (NULL)"):format(name, quote(columns[1]))
  end
  if events.update then
    list[#list + 1] = ("UPDATE %s SET %s"):format(name, table.concat(sets, ", "))
  end
  if events.delete then list[#list + 1] = "DELETE FROM " .. name end
  return list
end

--- The columns that can be written, by table or view.
local function columns_of(db)
  local columns = {}
  for _, row in ipairs(ask(db, "all", [[
    select m.name as owner, x.name from main.sqlite_schema m
      join pragma_table_xinfo(m.name, 'main') x
    where m.type = 'table' and m.rootpage > 0 and x.hidden = 0 order by m.rowid, x.cid]])) do
    columns[row.owner] = columns[row.owner] or {}
    table.insert(columns[row.owner], row.name)
  end
  return columns
end

--- The columns of a view, which has been prepared before.
local function columns_of_view(db, name)
  return ask(db, "column", "select name from pragma_table_info(?, 'main')", name)
end

local all_events = { insert = true, update = true, delete = true }

---@class tuff.schema.Broken
---@field kind "table"|"view"|"virtual table"
---@field name string
---@field reason string
---@field hint string? it is broken on this connection only, for want of something

--- All that is broken, sorted by name. A broken trigger is told with its table.
---@param db tuff.Database
---@return tuff.schema.Broken[]
function M.list(db)
  local broken, triggers, columns = {}, {}, columns_of(db)
  for _, name in ipairs(ask(db, "column", "select tbl_name from main.sqlite_schema "
    .. "where type = 'trigger' union select tbl_name from temp.sqlite_schema "
    .. "where type = 'trigger'")) do
    triggers[name:lower()] = true
  end
  for _, row in ipairs(ask(db, "all", [[
    select type, name from pragma_table_list
    where schema = 'main' and type in ('table', 'view', 'virtual')
      and name not like 'sqlite\_%' escape '\' order by name]])) do
    local name = "main." .. quote(row.name)
    local reason = flaw(db, "SELECT * FROM " .. name)
    local has_triggers = triggers[row.name:lower()]
    local owned = columns[row.name]
    if not reason and not owned and has_triggers then owned = columns_of_view(db, row.name) end
    local events = has_triggers and all_events or row.type == "table" and { insert = true } or {}
    for _, statement in ipairs(reason and {} or writes(name, owned or {}, events)) do
      reason = reason or flaw(db, statement)
    end
    -- A view without a trigger for this event takes no such statement.
    if reason and not reason:find("cannot modify", 1, true) then
      local kind = row.type == "virtual" and "virtual table" or row.type
      table.insert(broken, {
        kind = kind, name = row.name, reason = reason, hint = M.advice(reason),
      })
    end
  end
  return broken
end

--- The same by kind and name: ["view favorites"].
---@param db tuff.Database
---@return table<string, tuff.schema.Broken>
function M.by_name(db)
  local found = {}
  for _, each in ipairs(M.list(db)) do found[each.kind .. " " .. each.name] = each end
  return found
end

return M
