--- What the pieces of a declaration have in common while a script writes it: where each stands,
--- and what is wrong with it. Nothing is raised before the whole schema is known.
local errors = require "tuff.error"
local options_of = require "tuff.options"
local sql = require "tuff.schema.sql"

local M = {}

--- The lines of the objects of models that are being declared.
local places = setmetatable({}, { __mode = "k" })

--- Remembers the line that an object of the model was declared in.
---@generic T: table
---@param object T
---@return T object
function M.place(object)
  places[object] = errors.source()
  return object
end

--- The line that it was declared in.
---@param object table
---@return string? source "script.lua:12"
function M.place_of(object)
  return places[object]
end

--- A copy of a piece or a part of the model, declared where the original was: the same piece may
--- stand in two tables.
---@generic T
---@param value T
---@return T
function M.copy(value)
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))
  for key, each in pairs(value) do copy[key] = M.copy(each) end
  places[copy] = places[value]
  return copy
end

---@class tuff.schema.Mistake
---@field message string
---@field hint string?
---@field source string? "script.lua:12"
---@field table string?
---@field column string?

--- A piece of a declaration: `model` is what it stands for, `mistakes` what is wrong with it.
---@class tuff.schema.Piece
---@field kind string
---@field model table
---@field mistakes tuff.schema.Mistake[]

--- Makes a piece.
---@param class table its methods
---@param kind string
---@param model table
---@return tuff.schema.Piece
function M.piece(class, kind, model)
  return setmetatable({ kind = kind, model = M.place(model), mistakes = {} }, class)
end

--- Notes a mistake in the line of the script that runs.
---@param piece tuff.schema.Piece
---@param message string
---@param hint string?
function M.mistake(piece, message, hint)
  table.insert(piece.mistakes, { message = message, hint = hint, source = errors.source() })
end

--- Takes over the mistakes of a piece that is a part of this one.
---@param piece tuff.schema.Piece
---@param part tuff.schema.Piece
function M.adopt(piece, part)
  table.move(part.mistakes, 1, #part.mistakes, #piece.mistakes + 1, piece.mistakes)
end

--- Makes a class whose unknown methods are mistakes too.
---@param kind string
---@return table class
function M.class(kind)
  local class = { __name = "tuff.schema." .. kind }
  class.__index = function(self, name)
    local method = rawget(class, name)
    if method ~= nil or type(name) ~= "string" then return method end
    local known = {}
    for each, value in pairs(class) do
      if type(value) == "function" and not each:find("^__") then known[#known + 1] = each end
    end
    return function()
      M.mistake(self, ("there is no method %s"):format(errors.shown(name)),
        errors.did_you_mean(name, known))
      return self
    end
  end
  return class
end

--- Whether a value is such a piece.
---@param value any
---@param kind string? of this kind
---@return boolean
function M.is_piece(value, kind)
  return type(value) == "table" and rawget(value, "mistakes") ~= nil
    and (kind == nil or value.kind == kind)
end

local function shown(value)
  if type(value) == "string" then return '"' .. errors.shown(value) .. '"' end
  if type(value) == "table" then return "a table" end
  return tostring(value)
end

--- The number of the last item of a list, which may come after a hole.
---@param list table
---@return integer
function M.last(list)
  local last = #list
  for key in pairs(list) do
    if math.type(key) == "integer" and key > last then last = key end
  end
  return last
end

--- Whether a name is one that SQL can write; notes the mistake if not.
---@param piece tuff.schema.Piece
---@param name any
---@param what string "the name of a column"
---@return boolean
function M.name(piece, name, what)
  if type(name) == "string" and name ~= "" and utf8.len(name) and not name:find("\0", 1, true) then
    return true
  end
  M.mistake(piece, ("%s must be a string that is not empty, not %s"):format(what, shown(name)))
  return false
end

local function is_text(value)
  return type(value) == "string" and value:find("%S") ~= nil and utf8.len(value) ~= nil
    and not value:find("\0", 1, true)
end

--- Whether a text says something; notes the mistake if not.
---@param piece tuff.schema.Piece
---@param text any
---@param what string
---@return boolean
function M.text(piece, text, what)
  if is_text(text) then return true end
  M.mistake(piece, ("%s must be a text, not %s"):format(what, shown(text)))
  return false
end

--- A piece of SQL without what surrounds it; nil, and a mistake, where it is no text.
---@param piece tuff.schema.Piece
---@param text any
---@param what string
---@return string?
function M.sql(piece, text, what)
  if M.text(piece, text, what) then return sql.trimmed(text) end
end

local function sorted_keys(of)
  local keys = {}
  for key in pairs(of) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

--- The words in quotes of what was wanted: one of them may have been meant.
local function quoted_words(wanted)
  local words = {}
  for word in wanted:gmatch('"([^"]+)"') do words[#words + 1] = word end
  return words
end

--- The options among what was given, without those that are wrong, which are noted.
---@param piece tuff.schema.Piece
---@param given any a table, or nil
---@param allowed table<string, fun(value: any): boolean, string>
---@param what string "s.text"
---@param list boolean? whether the table has a list beside its options
---@return table
function M.options(piece, given, allowed, what, list)
  local good = {}
  if given == nil then return good end
  if type(given) ~= "table" or M.is_piece(given) then
    M.mistake(piece, ("the options of %s must be a table, not %s"):format(what, shown(given)))
    return good
  end
  for _, name in ipairs(sorted_keys(given)) do
    local check, value = allowed[name], given[name]
    local fits, wanted = false, nil
    if check then fits, wanted = check(value) end
    if fits then
      good[name] = value
    elseif check then
      M.mistake(piece, ("option %s of %s must be %s, not %s"):format(name, what, wanted,
        shown(value)), errors.did_you_mean(value, quoted_words(wanted)))
    elseif not (list and math.type(name) == "integer") then
      M.mistake(piece, ("%s has no option %s"):format(what, errors.shown(name)),
        errors.did_you_mean(name, sorted_keys(allowed)))
    end
  end
  return good
end

-- ---- what options may be -----------------------------------------------------------------

local checks = { boolean = options_of.checks.boolean, one_of = options_of.checks.one_of }
M.checks = checks

function checks.string(value) return is_text(value), "a string that is not empty" end

--- A name, or a list of names.
function checks.names(value)
  local wanted = "a name or a list of names"
  if type(value) == "string" then return checks.string(value), wanted end
  if type(value) ~= "table" or #value == 0 then return false, wanted end
  for _, name in ipairs(value) do
    if not checks.string(name) then return false, wanted end
  end
  return true, wanted
end

--- Always a list.
---@param value string|string[]|nil
---@return string[]?
function M.list(value)
  if type(value) == "string" then return { value } end
  return value and { table.unpack(value) }
end

return M
