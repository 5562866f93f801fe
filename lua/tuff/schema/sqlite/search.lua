--- Full-text search in SQLite: an FTS5 table that holds no text itself but refers to the rows of
--- its table, and three triggers that keep it as these are.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local names = require "tuff.schema.names"
local sql = require "tuff.schema.sql"

local M = {}

local quote = identifier.quote

local function name_of(of) return names.join(of.name, "search") end

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
  local name, key = name_of(of), of.primary_key.parts[1].column
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
  local name = quote(name_of(of))
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

--- Takes the search of a table, if that is what stands there, out of the virtual tables and
--- triggers that were read.
---@param schema tuff.Schema
---@param of table
function M.read(schema, of)
  local virtual = model.find(schema.virtual_tables, name_of(of))
  if not virtual or virtual.module:lower() ~= "fts5" or not of.primary_key or of.name == "" then
    return
  end
  of.search = read_arguments(virtual.arguments or "")
  for _, name in ipairs(of.search.columns) do
    if not model.find(of.columns, name) then of.search = nil return end
  end
  local wanted, wanted_triggers = M.objects(of)
  local same, found = model.equal(virtual, wanted), {}
  for i, trigger in ipairs(wanted_triggers) do
    found[i] = model.find(schema.triggers, trigger.name)
    same = same and found[i] ~= nil and model.equal(found[i], trigger)
  end
  if not same then of.search = nil return end
  remove(schema.virtual_tables, virtual)
  for _, trigger in ipairs(found) do remove(schema.triggers, trigger) end
end

return M
