--- A table in a declaration: its pieces put together into the model.
local column = require "tuff.schema.column"
local declaration = require "tuff.schema.declaration"
local model = require "tuff.schema.model"
local types = require "tuff.schema.types"

local M = {}

local checks = declaration.checks

local Table = declaration.class("table")

local options_of = {
  strict = checks.boolean, without_rowid = checks.boolean, checks = checks.boolean,
  comment = checks.string,
}

-- ---- columns -----------------------------------------------------------------------------

--- The value of a default as the model has it: "1.5" in a column with two digits is "1.50".
local function settle_default(piece)
  local default, kind = piece.model.default, types.types[piece.model.type]
  if default.kind == "expression" then return end
  if default.kind == "literal" then
    default.value = kind.default(default.value, piece.model)
    if default.value ~= nil then return end
  elseif kind.timely then
    return
  end
  piece.model.default = nil
  table.insert(piece.mistakes, {
    message = ("the default of %s must be %s"):format(piece.model.name, kind.wanted),
    source = declaration.place_of(default),
  })
end

local function add_column(piece, item, all_checked)
  local of = piece.model
  local copy = declaration.copy(item)
  local settled = copy.model
  if settled.default then settle_default(copy) end
  local certain = types.types[settled.type].certain
  settled.checked = not certain and (settled.checked or all_checked) or nil
  of.columns[#of.columns + 1] = settled
  if item.nullable_key then piece.nullable[settled.name] = true end
  for _, mistake in ipairs(copy.mistakes) do mistake.column = settled.name end
  declaration.adopt(piece, copy)
  return copy.constraints
end

-- ---- constraints -------------------------------------------------------------------------

local function add_constraint(piece, kind, object)
  local of = piece.model
  if model.lists[kind] then
    table.insert(of[model.lists[kind]], object)
  elseif not of[kind] then
    of[kind] = object
  elseif kind == "search" then
    declaration.mistake(piece, "a table has one s.search", "it takes several columns")
  else
    table.insert(piece.mistakes, {
      message = "a table has one primary key", source = declaration.place_of(object),
      hint = "s.primary_key { … } takes several columns; s.id is one already",
    })
  end
end

--- Columns of a primary key are not NULL, but for those that say so.
local function settle_key(piece)
  local of = piece.model
  for _, part in ipairs(of.primary_key and of.primary_key.parts or {}) do
    local found = model.find(of.columns, part.column)
    if found and not piece.nullable[found.name] then found.not_null = true end
  end
end

-- ---- the table ---------------------------------------------------------------------------

local kinds = {
  column = true, unknown = true, primary_key = true, unique = true, foreign_key = true,
  check = true, index = true, search = true,
}

local function add_item(piece, item, number, all_checked)
  if not declaration.is_piece(item) or not kinds[item.kind] then
    declaration.mistake(piece, ("item %d is no column, key, check or index"):format(number),
      item == column.now and "s.now is what a column may default to" or nil)
  elseif item.kind == "unknown" then
    declaration.adopt(piece, item)
  elseif item.kind == "column" then
    for _, each in ipairs(add_column(piece, item, all_checked)) do
      add_constraint(piece, each.kind, each.model)
    end
  else
    declaration.adopt(piece, item)
    add_constraint(piece, item.kind, declaration.copy(item.model))
  end
end

--- Declares a table.
---@param name string
---@param given table columns, keys, checks and indexes; strict, without_rowid, checks, comment
---@return tuff.schema.Piece
function M.new(name, given)
  local piece = declaration.piece(Table, "table", model.new_table(name))
  piece.nullable = {}
  if not declaration.name(piece, name, "the name of a table") then piece.model.name = "" end
  if type(given) ~= "table" or declaration.is_piece(given) then
    declaration.mistake(piece, "s.table takes its columns as a table, { … }")
    return piece
  end
  local options = declaration.options(piece, given, options_of, "s.table", true)
  piece.model.strict = options.strict or nil
  piece.model.without_rowid = options.without_rowid or nil
  piece.model.comment = options.comment
  for number = 1, declaration.last(given) do
    add_item(piece, given[number], number, options.checks)
  end
  settle_key(piece)
  for _, mistake in ipairs(piece.mistakes) do mistake.table = mistake.table or name end
  return piece
end

return M
