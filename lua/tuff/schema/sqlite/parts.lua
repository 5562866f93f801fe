--- The parts of keys and indexes in statements that SQLite has stored.
local path = require "tuff.schema.sqlite.path"
local sql = require "tuff.schema.sql"

local M = {}

--- A collation that the column has anyway is none.
---@param part table
---@param column table? nil: the part is an expression
function M.settle_collation(part, column)
  local own = column and column.collate or "BINARY"
  if part.collate and part.collate:upper() == own:upper() then part.collate = nil end
end

--- Passes ASC, DESC and NULLS …; says whether the order is descending.
local function order(c)
  local descending = c:accept("DESC")
  if not descending then c:accept("ASC") end
  if c:accept("NULLS") then c.at = c.at + 1 end
  return descending or nil
end

--- A column of a key.
---@param c tuff.schema.Cursor
---@return table part
function M.key_part(c)
  local part = { column = c:name() }
  if c:accept("COLLATE") then part.collate = c:name() end
  part.descending = order(c)
  return part
end

--- A column of a foreign key: SQLite takes no notice of what else may stand there.
---@param c tuff.schema.Cursor
---@return string
function M.name_only(c) return M.key_part(c).column end

local endings = { ASC = true, DESC = true, COLLATE = true, NULLS = true }

--- Whether what comes is no expression any more: COLLATE may also stand in the middle of one.
local function ends_part(c)
  local text = c.texts[c.at]
  if text == "," or text == ")" then return true end
  local word = c:word()
  if not endings[word] then return false end
  local size = word == "COLLATE" and 2 or 1
  local behind = c.texts[c.at + size]
  return behind == "," or behind == ")" or c:word(size) ~= nil
end

--- A part of an index: a column, or an expression.
---@param c tuff.schema.Cursor
---@return table part with its text in `written`
function M.index_part(c)
  local first = c.at
  local text = c:up_to(ends_part)
  if text == "" then c:fail("a part of an index") end
  local part = { expression = text }
  if c.at == first + 1 and c.kinds:byte(first) ~= 110 then -- not a number
    part = { column = sql.unquote(text) }
  else
    local column, steps = path.read(text)
    if column then part = { column = column, path = steps } end
  end
  part.written = text
  if c:accept("COLLATE") then part.collate = c:name() end
  part.descending = order(c)
  return part
end

return M
