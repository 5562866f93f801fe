--- Full-text search in SQLite: an FTS5 table that holds no text itself but refers to the rows of
--- its table, and three triggers that keep it as these are.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local names = require "tuff.schema.names"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.types"

local M = {}

local quote = identifier.quote

--- The name of the virtual table that is searched.
---@param of table
---@return string
function M.name(of) return names.join(of.name, "search") end

-- ---- writing -----------------------------------------------------------------------------

local function arguments(of, key)
  local list = {}
  for i, column in ipairs(of.search.columns) do list[i] = quote(column) end
  list[#list + 1] = "content=" .. quote(of.name)
  list[#list + 1] = "content_rowid=" .. quote(key)
  if of.search.tokenize then list[#list + 1] = "tokenize=" .. quote(of.search.tokenize) end
  if of.search.prefix then
    list[#list + 1] = "prefix=" .. quote(table.concat(of.search.prefix, " "))
  end
  return table.concat(list, ", ")
end

--- The values of a row, `new` or `old`.
local function row(which, columns)
  local list = {}
  for i, column in ipairs(columns) do list[i] = which .. "." .. quote(column) end
  return table.concat(list, ", ")
end

--- The columns whose change changes what is found; nil: any, because one of them is computed from
--- others.
local function watched(of, key)
  local columns = { key }
  for i, name in ipairs(of.search.columns) do
    if model.find(of.columns, name).generated then return nil end
    columns[i + 1] = name
  end
  return columns
end

--- What makes up the search of a table.
---@param of table
---@return table virtual_table
---@return table[] triggers
function M.objects(of)
  local name, key = M.name(of), of.primary_key.parts[1].column
  local columns = { key, table.unpack(of.search.columns) }
  local target, list = quote(name), identifier.quote_all(of.search.columns)
  local insert = ("INSERT INTO %s (rowid, %s) VALUES (%s)"):format(target, list,
    row("new", columns))
  local delete = ("INSERT INTO %s (%s, rowid, %s) VALUES ('delete', %s)"):format(target, target,
    list, row("old", columns))
  local function trigger(event, body, watched_columns)
    return {
      name = names.join(of.name, "search", event), table = of.name, timing = "after", event = event,
      columns = watched_columns, body = body,
    }
  end
  return { name = name, module = "fts5", arguments = arguments(of, key) }, {
    trigger("insert", insert), trigger("delete", delete),
    trigger("update", delete .. ";\n  " .. insert, watched(of, key)),
  }
end

--- The statement that reads all rows of the table again.
---@param of table
---@return string
function M.rebuild(of)
  local name = quote(M.name(of))
  return ("INSERT INTO %s (%s) VALUES ('rebuild')"):format(name, name)
end

-- ---- reading -----------------------------------------------------------------------------

--- The search that the arguments of an FTS5 table would be of.
local function read_arguments(text)
  local search = { columns = {} }
  for _, argument in ipairs(sql.list(text)) do
    local name, value = argument:match("^([%w_]+)%s*=%s*(.*)$")
    if not name then
      table.insert(search.columns, sql.unquote(argument))
    elseif name == "tokenize" then
      search.tokenize = sql.unquote(value)
    elseif name == "prefix" then
      search.prefix = {}
      for length in sql.unquote(value):gmatch("%d+") do
        table.insert(search.prefix, math.tointeger(length))
      end
    end
  end
  return search
end

local function remove(list, object)
  for i, each in ipairs(list) do
    if each == object then table.remove(list, i) return end
  end
end

--- Whether a declaration could say this search.
local function is_declarable(of, search)
  local key = of.primary_key and model.columns_of(of.primary_key.parts) or {}
  local id = #key == 1 and model.find(of.columns, key[1])
  if not id or types.family(id) ~= "integer" or #search.columns == 0 then return false end
  for _, name in ipairs(search.columns) do
    local column = model.find(of.columns, name)
    if not column or not types.types[column.type].textual then return false end
  end
  return of.name ~= ""
end

--- The triggers of a schema that are these; nil: one of them is not there, or is another one.
local function find_triggers(schema, wanted)
  local found = {}
  for i, trigger in ipairs(wanted) do
    found[i] = model.find(schema.triggers, trigger.name)
    if not found[i] or not model.equal(found[i], trigger) then return nil end
  end
  return found
end

--- Takes the search of a table, if that is what stands there, out of the virtual tables and
--- triggers that were read.
---@param schema tuff.Schema
---@param of table
function M.read(schema, of)
  local virtual = model.find(schema.virtual_tables, M.name(of))
  if not virtual or virtual.module:lower() ~= "fts5" then return end
  local search = read_arguments(virtual.arguments or "")
  if not is_declarable(of, search) then return end
  of.search = search
  local wanted, wanted_triggers = M.objects(of)
  local triggers = model.equal(virtual, wanted) and find_triggers(schema, wanted_triggers)
  if triggers then
    remove(schema.virtual_tables, virtual)
    for _, trigger in ipairs(triggers) do remove(schema.triggers, trigger) end
  else
    of.search = nil
  end
end

return M
