--- Full-text search in PostgreSQL: an index over the lexemes of the columns. Rows keep no column
--- of them, so that they look the same on every engine; a query finds by the same expression.
local identifier = require "tuff.identifier"
local model = require "tuff.schema.model"
local names = require "tuff.schema.names"
local spelled = require "tuff.schema.postgres.spelled"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.types"

local M = {}

--- Of words as they are written, as that of SQLite.
M.LANGUAGE = "simple"

--- What is searched: the lexemes of a row.
---@param search table
---@return string
function M.expression(search)
  local texts = {}
  for i, name in ipairs(search.columns) do
    texts[i] = ("coalesce(%s::text, '')"):format(identifier.quote(name))
  end
  return ("to_tsvector(%s, %s)"):format(sql.literal(search.language or M.LANGUAGE),
    table.concat(texts, " || ' ' || "))
end

--- The name of the index.
---@param of table
---@return string
function M.name(of) return names.join(of.name, "search") end

--- The statement that makes it.
---@param of table
---@return string
function M.index(of)
  return ("CREATE INDEX %s ON %s USING gin (%s)"):format(identifier.quote(M.name(of)),
    identifier.quote(of.name), M.expression(of.search))
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
  return true
end

--- The search that an index is, if it is one.
---@param of table
---@param name string of the index
---@param definition string of it
---@param expression string? of its only part
---@return table? search
function M.read(of, name, definition, expression)
  if name ~= M.name(of) or not expression then return nil end
  local language = sql.strings(expression)[1]
  local search = {
    columns = spelled.columns(expression), language = language ~= M.LANGUAGE and language or nil,
  }
  if not language or not is_declarable(of, search) then return nil end
  local wanted = M.index { name = of.name, search = search }
  return spelled.same(wanted, definition) and search or nil
end

return M
