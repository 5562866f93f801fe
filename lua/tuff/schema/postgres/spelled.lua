--- Texts as PostgreSQL spells what it has understood: with casts and parentheses of its own, and
--- quotes where a name needs them. What tuff has written is found again in them.
local core = require "tuff.core"
local sql = require "tuff.schema.sql"

local M = {}

local WORD, QUOTED, STRING = ("wqs"):byte(1, 3)

local dialect = { dollar_quotes = true }

--- An expression without parentheses around all of it.
---@param text string
---@return string
function M.bare(text)
  if text:sub(1, 1) ~= "(" then return text end
  local _, texts, starts = core.tokens(text, dialect)
  local first, last = 1, #texts
  local function is_enclosed()
    if texts[first] ~= "(" or texts[last] ~= ")" then return false end
    local depth = 0
    for i = first, last do
      depth = depth + (texts[i] == "(" and 1 or texts[i] == ")" and -1 or 0)
      if depth == 0 and i < last then return false end
    end
    return true
  end
  while last > first and is_enclosed() do first, last = first + 1, last - 1 end
  if last < first then return text end
  return text:sub(starts[first], starts[last] + #texts[last] - 1)
end

--- Types to which PostgreSQL casts constants where tuff writes none.
local implied = { text = true, numeric = true, regconfig = true }

--- What remains of a text where PostgreSQL's spelling does not count: no parentheses, no casts that
--- are implied, no quotes and no capitals of names.
local function loose(text)
  local kinds, texts = core.tokens(text, dialect)
  local list, i = {}, 1
  while i <= #texts do
    local kind, token = kinds:byte(i), texts[i]
    if token == "::" and implied[texts[i + 1]] then
      i = i + 1
      while texts[i + 1] == "[" and texts[i + 2] == "]" do i = i + 2 end
    elseif kind == STRING then
      list[#list + 1] = token
    elseif kind == QUOTED then
      list[#list + 1] = sql.unquote(token):lower()
    elseif token ~= "(" and token ~= ")" then
      list[#list + 1] = token:lower()
    end
    i = i + 1
  end
  return table.concat(list, " ")
end

local function without_signs(text) return (text:gsub('[%s()"]+', "")) end

--- Whether two texts say the same, one of which PostgreSQL has spelled.
---@param a string
---@param b string
---@return boolean
function M.same(a, b)
  return without_signs(a) == without_signs(b) -- nearly always, and far cheaper
    or loose(a) == loose(b)
end

--- The columns that an expression names, in the order of the text. Names that PostgreSQL writes
--- without quotes may be words of SQL elsewhere, so this is for expressions of functions alone.
---@param text string
---@return string[]
function M.columns(text)
  local kinds, texts = core.tokens(text, dialect)
  local found = {}
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    if (kind == WORD or kind == QUOTED) and texts[i + 1] ~= "(" and texts[i - 1] ~= "::" then
      found[#found + 1] = sql.unquote(token)
    end
  end
  return found
end

--- The text of a constant, and its type if PostgreSQL tells: 'x'::text, 5, '-5'::integer, true.
---@param text string
---@return string? value nil: it is no constant
---@return string? cast
---@return boolean? quoted
function M.constant(text)
  text = M.bare(text)
  local kinds, texts, starts = core.tokens(text, dialect)
  if texts[1] == nil or texts[2] and texts[2] ~= "::" then return nil end
  for i = 3, #texts do
    local token = texts[i]
    if kinds:byte(i) ~= WORD and kinds:byte(i) ~= QUOTED and not token:find("^[%[%](),.]$")
      and not token:find("^%d+$") then
      return nil
    end
  end
  local cast = texts[3] and text:sub(starts[3]) or nil
  local token = texts[1]
  if kinds:byte(1) == STRING then
    return token:find("^'") and sql.unquote(token) or nil, cast, true
  end
  local word = token:lower()
  if tonumber(token) or word == "true" or word == "false" or word == "null" then
    return word, cast, false
  end
end

return M
