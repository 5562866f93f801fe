--- Renames in SQLite, which takes the new names into views, triggers and references by itself; but
--- not into the full-text search of a table, which is made anew.
local identifier = require "tuff.identifier"
local renames_of = require "tuff.schema.renames"
local rows = require "tuff.schema.sqlite.rows"
local search = require "tuff.schema.sqlite.search"

local M = {}

local quote = identifier.quote

--- Names that differ in their capitals only are one name.
local function in_order(list, names) return renames_of.in_order(list, names, string.lower) end

local function names_of(list)
  local names = {}
  for i, object in ipairs(list) do names[i] = object.name end
  return names
end

--- Statements that take the search of a table away.
---@param of table
---@return string[]
function M.without_search(of)
  local virtual, triggers = search.objects(of)
  local statements = {}
  for _, trigger in ipairs(triggers) do
    statements[#statements + 1] = "DROP TRIGGER " .. rows.main(trigger.name)
  end
  statements[#statements + 1] = "DROP TABLE " .. rows.main(virtual.name)
  return statements
end

local function is_searched(of, renames, new_name)
  if not of.search then return false end
  for _, rename in ipairs(renames) do
    if not rename.column and rename.table == of.name then return true end
    if rename.column and rename.table == new_name then
      local key = of.primary_key.parts[1].column
      if rename.column == key then return true end
      for _, name in ipairs(of.search.columns) do
        if name == rename.column then return true end
      end
    end
  end
  return false
end

--- The statements of renames.
---@param have tuff.Schema
---@param renames tuff.schema.Rename[]
---@return string[]
function M.statements(have, renames)
  local statements, of_tables, of_columns, new_names = {}, {}, {}, {}
  for _, rename in ipairs(renames) do
    if rename.column then
      of_columns[rename.table] = of_columns[rename.table] or {}
      table.insert(of_columns[rename.table], { from = rename.column, to = rename.to })
    else
      new_names[rename.table] = rename.to
      table.insert(of_tables, { from = rename.table, to = rename.to })
    end
  end
  for _, of in ipairs(have.tables) do
    if is_searched(of, renames, new_names[of.name] or of.name) then
      for _, text in ipairs(M.without_search(of)) do statements[#statements + 1] = text end
    end
  end
  for _, each in ipairs(in_order(of_tables, names_of(have.tables))) do
    statements[#statements + 1] = ("ALTER TABLE %s RENAME TO %s"):format(rows.main(each.from),
      quote(each.to))
  end
  for _, of in ipairs(have.tables) do
    local name = new_names[of.name] or of.name
    for _, each in ipairs(in_order(of_columns[name] or {}, names_of(of.columns))) do
      statements[#statements + 1] = ("ALTER TABLE %s RENAME COLUMN %s TO %s"):format(
        rows.main(name), quote(each.from), quote(each.to))
    end
  end
  return statements
end

return M
