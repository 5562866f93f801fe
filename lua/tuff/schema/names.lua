--- Names of constraints and indexes that a declaration does not name: the same on every engine,
--- those that PostgreSQL itself would give where it can, and never longer than it allows.
local sql = require "tuff.schema.sql"

local M = {}

local LONGEST = 63 -- bytes

--- FNV-1a, 64 bits: a number that differs where long texts do.
---@param text string
---@return integer
function M.hash(text)
  local hash = 0xcbf29ce484222325
  for from = 1, #text, 4096 do
    for _, byte in ipairs { text:byte(from, from + 4095) } do
      hash = (hash ~ byte) * 0x100000001b3
    end
  end
  return hash
end

--- A name with the hash of a text at its end, cut so that it fits.
---@param name string
---@param text string
---@return string
function M.with_hash(name, text)
  local suffix = ("_%08x"):format(M.hash(text) >> 32)
  local room = LONGEST - #suffix
  if #name > room then
    while room > 0 and name:byte(room + 1) & 0xC0 == 0x80 do room = room - 1 end
    name = name:sub(1, room)
  end
  return name .. suffix
end

--- A name of several words.
---@param ... string
---@return string
function M.join(...)
  local name = table.concat({ ... }, "_")
  return #name > LONGEST and M.with_hash(name, name) or name
end

--- Whether a name may be that of a rule: the check that enforces a part of a column's type
--- (max_length: "length"). The table may have had another name when it was made.
---@param name string
---@param owner string the table
---@param column string
---@param suffix string
---@return boolean
function M.is_rule(name, owner, column, suffix)
  local ending = "_" .. column .. "_" .. suffix
  return name:sub(-#ending) == ending or name == M.join(owner, column, suffix)
end

--- The words for a part of a key or an index: its column, or what its expression is made of.
local function word_of(part)
  if part.path then return part.column .. "_" .. table.concat(part.path, "_") end
  if part.column then return part.column end
  local words = {}
  for word in sql.canonical(part.expression):gmatch("[%w_\x80-\xff]+") do
    words[#words + 1] = word
  end
  return #words > 0 and table.concat(words, "_") or "expr"
end

local function words_of(parts)
  local words = {}
  for i, part in ipairs(parts) do words[i] = word_of(part) end
  return table.concat(words, "_")
end

--- The name of a constraint or an index, by its kind, made of the name of its table and of what it
--- is about.
---@type table<string, fun(owner: string, object: table): string>
M.of = {
  primary_key = function(owner) return M.join(owner, "pkey") end,
  unique = function(owner, key) return M.join(owner, words_of(key.parts), "key") end,
  foreign_key = function(owner, key)
    return M.join(owner, table.concat(key.columns, "_"), "fkey")
  end,
  check = function(owner, check)
    if check.column then return M.join(owner, check.column, "check") end
    return M.join(owner, "check")
  end,
  index = function(owner, index) return M.join(owner, words_of(index.parts), "idx") end,
}

return M
