--- The texts in a model, and whether SQL can be made of them: names that are empty, bytes that are
--- no text, pieces of SQL that would go on into what stands behind them.
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"

local M = {}

M.NO_NAME = "a name is empty"

--- Fields that hold SQL.
local pieces = {
  expression = "an expression", where = "the condition of an index",
  condition = "the condition of a trigger", select = "the query of a view",
  body = "what a trigger runs", arguments = "what a module is given", declared = "a type",
}

local fields = {
  "name", "expression", "where", "condition", "select", "body", "arguments", "declared", "collate",
  "comment", "table", "column", "module", "match", "tokenize", "language",
}
local nested = { "default", "generated", "parts", "columns", "references", "path", "values" }

--- Texts that may say nothing.
local may_be_empty = { declared = true, values = true }

local function flaw_of(text, field)
  if not utf8.len(text) or text:find("\0", 1, true) then
    return "a text is no valid UTF-8, or holds a NUL byte"
  elseif text == "" then
    return not may_be_empty[field] and M.NO_NAME or nil
  end
  local flaw = pieces[field] and sql.flaw(text, field == "body")
  return flaw and ("%s is not whole: %s"):format(pieces[field], flaw)
end

--- Calls fn with each flaw in the texts of an object and of what belongs to it.
local function each_in(object, fn)
  local function look(text, field)
    local flaw = flaw_of(text, field)
    if flaw then fn(flaw) end
  end
  for _, field in ipairs(fields) do
    if object[field] then look(object[field], field) end
  end
  for _, list in ipairs(nested) do
    if object[list] then
      each_in(object[list], fn)
      for _, item in ipairs(object[list]) do
        if type(item) == "string" then look(item, list) end
        if type(item) == "table" then each_in(item, fn) end
      end
    end
  end
end

--- Calls fn(holder, flaw, table) for each flaw in the texts of a schema. The holder is the object
--- that could be left out: a table, a column, a constraint, a view.
---@param schema tuff.Schema
---@param fn fun(holder: table, flaw: string, of: table?)
function M.each_flaw(schema, fn)
  local function look(object, holder, of)
    each_in(object, function(flaw) fn(holder, flaw, of) end)
  end
  for _, list in ipairs { schema.views, schema.triggers, schema.virtual_tables } do
    for _, object in ipairs(list) do look(object, object) end
  end
  for _, of in ipairs(schema.tables) do
    look({ name = of.name, comment = of.comment }, of, of)
    for _, column in ipairs(of.columns) do look(column, column, of) end
    model.each_constraint(of, function(_, object) look(object, object, of) end)
    if of.search then look(of.search, of.search, of) end
  end
end

return M
