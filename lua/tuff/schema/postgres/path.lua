--- Values in columns of JSON, as PostgreSQL finds them: as text, NULL where there is none. An index
--- serves a query only where both write the same expression: this one.
local core = require "tuff.core"
local identifier = require "tuff.identifier"
local sql = require "tuff.schema.sql"

local M = {}

--- An item of an array, in quotes only where PostgreSQL itself writes them.
local function step_text(step)
  if math.type(step) == "integer" then return ("%d"):format(step) end
  if not step:find('[%s{},"\\]') and step ~= "" and step:lower() ~= "null" then return step end
  return '"' .. step:gsub('[\\"]', "\\%0") .. '"'
end

--- The value at a path.
---@param column string
---@param path (string|integer)[] keys, and numbers from 0
---@return string
function M.expression(column, path)
  local steps = {}
  for i, step in ipairs(path) do steps[i] = step_text(step) end
  return ("(%s #>> %s)"):format(identifier.quote(column),
    sql.literal("{" .. table.concat(steps, ",") .. "}"))
end

--- A number in a path finds a key as well as a place in a list: both are one path here.
---@param step string|integer
---@return string|integer
function M.step(step)
  local number = type(step) == "string" and step:find("^%d+$") and math.tointeger(step)
  return number and ("%d"):format(number) == step and number or step
end

--- The text in quotes that begins at a place, and the place behind it.
local function quoted(text, at)
  local bytes, i = {}, at + 1
  while i <= #text and text:sub(i, i) ~= '"' do
    if text:sub(i, i) == "\\" then i = i + 1 end
    bytes[#bytes + 1] = text:sub(i, i)
    i = i + 1
  end
  return table.concat(bytes), i + 1
end

--- The items of an array as PostgreSQL writes it: {nodes,0,"a b"}; nil: a declaration cannot say
--- them.
local function read_steps(text)
  local path, at = {}, 2
  while at < #text do
    local step, behind
    if text:sub(at, at) == '"' then
      step, behind = quoted(text, at)
    else
      step, behind = text:match("^([^,{}]+)()", at)
      if step and step:lower() == "null" then return nil end -- no key has that name
    end
    if not step or not step:find("%S") or step:find('"', 1, true) then return nil end
    path[#path + 1], at = M.step(step), behind + 1
  end
  return path
end

--- The column and the path of an expression that PostgreSQL has spelled; nil: it is none of these.
---@param expression string
---@return string? column
---@return (string|integer)[]? path
function M.read(expression)
  local kinds, texts = core.tokens(expression, { dollar_quotes = true })
  local is_path = kinds:find("^[wq]pppspwpp$") and table.concat(texts, "", 2, 4) == "#>>"
    and table.concat(texts, "", 6) == "::text[]"
  local path = is_path and read_steps(sql.unquote(texts[5]))
  if path and #path > 0 then return sql.unquote(texts[1]), path end
end

return M
