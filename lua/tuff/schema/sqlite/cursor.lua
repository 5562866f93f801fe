--- Goes through the tokens of a statement that SQLite has stored. What is not as expected is
--- raised as a table { reason }, which `parse` turns into nil and the reason.
local core = require "tuff.core"
local sql = require "tuff.schema.sql"

local M = {}

local WORD, QUOTED, STRING = ("wqs"):byte(1, 3)

local dialect = { brackets = true, backticks = true }

--- Words that are no name of a column or a type unless they are quoted, because the grammar of a
--- definition goes on with them.
local reserved = {}
for word in ([[AS CHECK COLLATE CONSTRAINT DEFAULT DEFERRABLE FOREIGN NOT NULL PRIMARY
  REFERENCES UNIQUE]]):gmatch("%S+") do
  reserved[word] = true
end

---@class tuff.schema.Cursor
---@field text string
---@field texts string[]
---@field starts integer[]
---@field kinds string
---@field at integer the number of the next token
---@field words table<integer, string|false> bare words in capitals, as far as they were asked for
local Cursor = {}
Cursor.__index = Cursor

---@param text string
---@return tuff.schema.Cursor
function M.new(text)
  local kinds, texts, starts = core.tokens(text, dialect)
  return setmetatable({
    text = text, kinds = kinds, texts = texts, starts = starts, at = 1, words = {},
  }, Cursor)
end

--- Runs a parser over a text.
---@generic T
---@param text string
---@param parser fun(cursor: tuff.schema.Cursor): T
---@return T? result
---@return string? reason why it is not understood
function M.parse(text, parser)
  if text:find("\0", 1, true) then return nil, "it holds a NUL byte" end
  local cursor = M.new(text)
  local good, result = pcall(parser, cursor)
  if good then return result end
  if type(result) ~= "table" or not result.reason then error(result, 0) end
  return nil, result.reason
end

--- Gives up.
---@param expected string
function Cursor:fail(expected)
  local found = self.texts[self.at]
  error({ reason = ("expected %s, found %s"):format(expected, found or "the end") }, 0)
end

---@return boolean
function Cursor:is_at_end() return self.texts[self.at] == nil end

--- The next token if it is a bare word, in capitals.
---@param ahead integer? so many tokens further
---@return string?
function Cursor:word(ahead)
  local at = self.at + (ahead or 0)
  local word = self.words[at]
  if word == nil then
    word = self.kinds:byte(at) == WORD and self.texts[at]:upper()
    self.words[at] = word
  end
  return word or nil
end

--- Whether the next tokens are these words.
---@param first string
---@param ... string
---@return boolean
function Cursor:is(first, ...)
  if self:word() ~= first then return false end
  for i = 1, select("#", ...) do
    if self:word(i) ~= (select(i, ...)) then return false end
  end
  return true
end

--- Passes these words if they are next.
---@param ... string
---@return boolean passed
function Cursor:accept(...)
  if not self:is(...) then return false end
  self.at = self.at + select("#", ...)
  return true
end

---@param ... string
function Cursor:expect(...)
  if not self:accept(...) then self:fail(table.concat({ ... }, " ")) end
end

--- Passes this one character of punctuation.
---@param character string
---@return boolean passed
function Cursor:accept_char(character)
  if self.texts[self.at] ~= character then return false end
  self.at = self.at + 1
  return true
end

---@param character string
function Cursor:expect_char(character)
  if not self:accept_char(character) then self:fail(character) end
end

--- Whether a name may be next: a word, a quoted name, or a string.
---@return boolean
function Cursor:is_name()
  local kind = self.kinds:byte(self.at)
  return kind == WORD and not reserved[self:word()] or kind == QUOTED or kind == STRING
end

--- Passes a name.
---@return string
function Cursor:name()
  local kind = self.kinds:byte(self.at)
  if kind ~= WORD and kind ~= QUOTED and kind ~= STRING then self:fail("a name") end
  local name = sql.unquote(self.texts[self.at])
  self.at = self.at + 1
  return name
end

--- Passes the name of a table, with or without its schema in front.
---@return string
function Cursor:table_name()
  local name = self:name()
  return self:accept_char(".") and self:name() or name
end

--- The text of tokens, from one to another, with what stands between them.
---@param first integer
---@param last integer
---@return string
function Cursor:slice(first, last)
  if last < first then return "" end
  return self.text:sub(self.starts[first], self.starts[last] + #self.texts[last] - 1)
end

--- White space and comments in front of a token, which may be the end; nothing where there is no
--- room for a comment.
---@param at integer
---@return string
function Cursor:gap(at)
  local before = self.texts[at - 1]
  if not before then return "" end
  local from, behind = self.starts[at - 1] + #before, self.starts[at] or #self.text + 1
  return behind - from > 2 and self.text:sub(from, behind - 1) or ""
end

--- Passes what stands in parentheses, and these.
---@return string inner
function Cursor:group()
  self:expect_char("(")
  local first, depth = self.at, 1
  while depth > 0 do
    local token = self.texts[self.at]
    if token == nil then self:fail(")") end
    if token == "(" then depth = depth + 1 elseif token == ")" then depth = depth - 1 end
    self.at = self.at + 1
  end
  return self:slice(first, self.at - 2)
end

--- Passes an expression in parentheses, and these.
---@return string
function Cursor:expression()
  local text = self:group()
  return text ~= "" and text or self:fail("an expression")
end

--- Passes tokens up to one for which `stops` is true outside of parentheses, or to the end.
---@param stops fun(cursor: tuff.schema.Cursor): boolean
---@return string text
function Cursor:up_to(stops)
  local first, depth = self.at, 0
  while not self:is_at_end() and not (depth == 0 and stops(self)) do
    local token = self.texts[self.at]
    if token == "(" then depth = depth + 1 elseif token == ")" then depth = depth - 1 end
    if depth < 0 then self:fail("what closes no parenthesis") end
    self.at = self.at + 1
  end
  return self:slice(first, self.at - 1)
end

--- Passes a list in parentheses.
---@generic T
---@param item fun(cursor: tuff.schema.Cursor): T
---@return T[]
function Cursor:list(item)
  local items = {}
  self:expect_char("(")
  repeat items[#items + 1] = item(self) until not self:accept_char(",")
  self:expect_char(")")
  return items
end

---@return string[]
function Cursor:names() return self:list(Cursor.name) end

return M
