--- Values in columns of JSON, as SQLite finds them. An index serves a query only where both write
--- the same expression: this one.
local identifier = require "tuff.identifier"
local sql = require "tuff.schema.sql"

local M = {}

local function step_text(step)
  if math.type(step) == "integer" then return ("[%d]"):format(step) end
  return step:find("^[%a_][%w_]*$") and "." .. step or '."' .. step .. '"'
end

--- The value at a path. A key that holds a double quote has no form in SQLite.
---@param column string
---@param path (string|integer)[] keys, and numbers from 0
---@return string
function M.expression(column, path)
  local steps = { "$" }
  for i, step in ipairs(path) do steps[i + 1] = step_text(step) end
  return ("json_extract(%s, %s)"):format(identifier.quote(column),
    sql.literal(table.concat(steps)))
end

local function read_steps(text)
  local path, at = {}, 2
  while at <= #text do
    local step, behind = text:match('^%."([^"]*)"()', at)
    if not step then step, behind = text:match("^%.([%a_][%w_]*)()", at) end
    if not step then
      step, behind = text:match("^%[(%d+)%]()", at)
      step = math.tointeger(step)
    end
    if not step then return nil end
    path[#path + 1], at = step, behind
  end
  return path
end

--- The column and the path of an expression; nil: it is none of these.
---@param expression string
---@return string? column
---@return (string|integer)[]? path
function M.read(expression)
  local columns, strings = sql.columns(expression), sql.strings(expression)
  if #columns ~= 1 or #strings ~= 1 or strings[1]:sub(1, 1) ~= "$" then return nil end
  local column, path = columns[1].name, read_steps(strings[1])
  local same = path and #path > 0 and column ~= ""
    and sql.canonical(M.expression(column, path)) == sql.canonical(expression)
  if same then return column, path end
end

return M
