--- The pieces of SQL in a schema: expressions, queries, bodies of triggers. They are kept as they
--- were written, and compared by their tokens.
local core = require "tuff.core"
local keywords = require "tuff.schema.keywords"

local M = {}

--- What a declaration may be written in: it does not say for which engine it is.
local WORD, QUOTED, STRING = ("wqs"):byte(1, 3)

local either = { backticks = true, dollar_quotes = true }

--- A name without its quotes: "a ""b""", [a b], `a`, 'a'. A name without quotes is itself.
---@param text string a token
---@return string
function M.unquote(text)
  local quote = text:sub(1, 1)
  if quote == "[" then return (text:sub(2):gsub("%]$", "")) end
  if quote ~= '"' and quote ~= "`" and quote ~= "'" then return text end
  local inner = #text > 1 and text:sub(-1) == quote and text:sub(2, -2) or text:sub(2)
  return (inner:gsub(quote .. quote, quote))
end

--- A string as SQL writes it.
---@param text string
---@return string
function M.literal(text)
  return "'" .. text:gsub("'", "''") .. "'"
end

--- A number as SQL and Lua write it: a float has a point or an exponent, and no more digits than
--- it needs.
---@param value number finite
---@return string
function M.number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then return text:find("[.e]") and text or text .. ".0" end
  end
end

--- Joins pieces with spaces between them; what is nil or false is left out.
---@param ... string|false|nil
---@return string
function M.words(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if word then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

--- A name that needs no quotes compares equal to itself in quotes.
local function plain_name(token)
  local name = M.unquote(token)
  local bare = name:find("^[%a_][%w_]*$") and not keywords[name:lower()]
  return bare and name or '"' .. name:gsub('"', '""') .. '"'
end

--- The form that texts of one meaning have in common: without comments, white space and needless
--- quotes, and without capitals unless they are kept.
---@param text string
---@param keep_case boolean? for a query, whose columns are named by it
---@return string
function M.canonical(text, keep_case)
  local kinds, texts = core.tokens(text, either)
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    if kind == QUOTED then token = plain_name(token) end
    local exact = keep_case or kind == STRING or token:find('"', 1, true) == 1
    texts[i] = exact and token or token:lower()
  end
  return table.concat(texts, " ")
end

--- A text without what surrounds its first and last token: white space, comments, and semicolons
--- behind it.
---@param text string
---@return string
function M.trimmed(text)
  local _, texts, starts = core.tokens(text, either)
  local last = #texts
  while last > 0 and texts[last] == ";" do last = last - 1 end
  if last == 0 then return "" end
  return text:sub(starts[1], starts[last] + #texts[last] - 1)
end

local closing = { ["'"] = "'", ['"'] = '"', ["`"] = "`" }

--- Whether a quote at the beginning of a token is closed at its end.
local function is_closed(token)
  local quote = closing[token:sub(1, 1)]
  if not quote then return true end
  local _, count = token:gsub(quote, "")
  return count % 2 == 0
end

--- What would make more of a text than it says, where it stands in a statement; nil: nothing.
---@param text string
---@param statements boolean? whether it is several statements
---@return string? flaw
function M.flaw(text, statements)
  local kinds, texts = core.tokens(text, either)
  local depth = 0
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    if (kind == QUOTED or kind == STRING) and not is_closed(token) then return "a quote is open" end
    depth = depth + (token == "(" and 1 or token == ")" and -1 or 0)
    if depth < 0 then return "a parenthesis is closed that was not opened" end
    if token == ";" and not statements then return "a semicolon ends it" end
  end
  if depth > 0 then return "a parenthesis is open" end
  return #texts == 0 and "it says nothing" or nil
end

--- The columns to which `a = 1, (b, c) = (2, 3)` gives values.
---@param text string what stands behind SET
---@return string[] names
function M.assigned(text)
  local kinds, texts = core.tokens(text, either)
  local names, depth, left = {}, 0, true
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    depth = depth + (token == "(" and 1 or token == ")" and -1 or 0)
    if depth == 0 and (token == "," or token == "=") then left = token == "," end
    if left and (kind == WORD or kind == QUOTED) then names[#names + 1] = M.unquote(token) end
  end
  return names
end

--- The items of a text between which commas stand, commas in parentheses apart.
---@param text string
---@return string[]
function M.list(text)
  local _, texts, starts = core.tokens(text, either)
  local items, depth, first = {}, 0, nil
  for i = 1, #texts + 1 do
    local token = texts[i]
    if token == nil or token == "," and depth == 0 then
      local last = i - 1
      items[#items + 1] = first and text:sub(starts[first], starts[last] + #texts[last] - 1) or nil
      first = nil
    else
      first = first or i
      depth = depth + (token == "(" and 1 or token == ")" and -1 or 0)
    end
  end
  return items
end

--- The strings in a text, without their quotes.
---@param text string
---@return string[]
function M.strings(text)
  local kinds, texts = core.tokens(text, either)
  local found = {}
  for i, token in ipairs(texts) do
    if kinds:byte(i) == STRING then found[#found + 1] = M.unquote(token) end
  end
  return found
end

--- The names and words in a text, without quotes.
---@param text string
---@return string[]
function M.names(text)
  local kinds, texts = core.tokens(text, either)
  local found = {}
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    if kind == WORD or kind == QUOTED then found[#found + 1] = M.unquote(token) end
  end
  return found
end

--- Words after which a name is no column.
local names_other = { collate = true, as = true, ["::"] = true }

--- What an expression names: columns of its table, as far as words tell, and of `new` and `old`.
---@param text string
---@return { name: string, quoted: boolean }[] in the order of the text
function M.columns(text)
  local kinds, texts = core.tokens(text, either)
  local found = {}
  for i, token in ipairs(texts) do
    local kind, next_kind = kinds:byte(i, i + 1)
    local before, behind = (texts[i - 1] or ""):lower(), texts[i + 1]
    local owner = before == "." and (texts[i - 2] or ""):lower()
    local is_name = kind == QUOTED
      or kind == WORD and next_kind ~= STRING and not keywords[token:lower()]
    local other = names_other[before] or behind == "(" or behind == "." or before == "["
    local owned = not owner or owner == "new" or owner == "old"
    if is_name and not other and owned then
      found[#found + 1] = { name = M.unquote(token), quoted = kind == QUOTED }
    end
  end
  return found
end

--- A text in which columns are not named together with this table, which is the only one there is.
---@param text string
---@param name string of the table
---@return string
function M.unqualified(text, name)
  local kinds, texts, starts = core.tokens(text, either)
  local pieces, from = {}, 1
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    local is_name = kind == WORD or kind == QUOTED
    local is_owner = is_name and texts[i + 1] == "." and texts[i - 1] ~= "." and starts[i + 2]
    if is_owner and M.unquote(token):lower() == name:lower() then
      pieces[#pieces + 1] = text:sub(from, starts[i] - 1)
      from = starts[i + 2]
    end
  end
  pieces[#pieces + 1] = text:sub(from)
  return table.concat(pieces)
end

--- All names in a text, without their quotes and capitals: what it may speak of.
---@param text string
---@return table<string, boolean>
function M.mentions(text)
  local kinds, texts = core.tokens(text, either)
  local found = {}
  for i, token in ipairs(texts) do
    local kind = kinds:byte(i)
    if kind == WORD or kind == QUOTED then found[M.unquote(token):lower()] = true end
  end
  return found
end

return M
