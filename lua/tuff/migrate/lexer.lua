--- The tokens of Lua 5.4, by which a script that was only formatted anew is told from one that was
--- changed.
local core = require "tuff.core"

local M = {}

--- The end of what begins with a long bracket at this place: nil where none does.
local function long_bracket(source, at)
  local level = source:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, last = source:find("]" .. level .. "]", at, true)
  return last or #source
end

--- The end of a string in these quotes.
local function quoted(source, at, quote)
  repeat
    at = source:find("[\\" .. quote .. "]", at + 1)
    if not at then return #source end
    local escape = source:sub(at, at) == "\\"
    if escape then at = at + 1 end
  until not escape
  return at
end

--- The first byte that belongs to a token.
local function skip(source, at)
  while true do
    at = source:match("^[ \t\n\v\f\r]*()", at)
    if source:sub(at, at + 1) ~= "--" then return at end
    at = (long_bracket(source, at + 2) or source:match("^[^\n]*()", at) - 1) + 1
  end
end

--- What is neither a string nor one byte by itself; of two that fit the longer one comes first.
local patterns = {
  "^[A-Za-z_][A-Za-z0-9_]*",
  "^0[xX][0-9a-fA-F.]*[pP][+-]?[0-9]+", "^0[xX][0-9a-fA-F.]+",
  "^%.?[0-9][0-9.]*[eE][+-]?[0-9]+", "^%.?[0-9][0-9.]*",
  "^%.%.%.", "^%.%.", "^[=~<>]=", "^//", "^::", "^<<", "^>>",
}

--- The next token: a string by its value, which may be written in several ways.
local function next_token(source, at)
  local first = source:sub(at, at)
  local last = (first == '"' or first == "'") and quoted(source, at, first)
    or long_bracket(source, at)
  if last then
    local text = source:sub(at, last)
    local value = load("return " .. text, "=string", "t", {})
    return "s", value and value() or text, last + 1
  end
  for _, pattern in ipairs(patterns) do
    local text = source:match(pattern, at)
    if text then return "t", text, at + #text end
  end
  return "t", first, at + 1
end

--- A digest of the tokens of a script: neither comments nor white space count, nor in which way a
--- string is written.
---@param source string that Lua can load, its lines ended by \n
---@return string digits as core.sha256
function M.digest(source)
  local tokens = {}
  local at = skip(source, 1)
  while at <= #source do
    local kind, text
    kind, text, at = next_token(source, at)
    tokens[#tokens + 1] = ("%s%d:"):format(kind, #text) .. text
    at = skip(source, at)
  end
  return core.sha256(table.concat(tokens))
end

return M
