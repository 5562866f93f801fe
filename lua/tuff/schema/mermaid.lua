--- Draws a schema: an entity relationship diagram in the language of Mermaid.
local model = require "tuff.schema.model"

local M = {}

--- Names and comments stand in double quotes, in which no double quote can stand.
local function quoted(text)
  return '"' .. text:gsub('"', "'"):gsub("%c", " ") .. '"'
end

--- Names of columns and types are made of letters, digits and a few signs.
local function word(text)
  text = text:gsub("[^%w_()%[%]-]", "_")
  return text:find("^%a") and text or "_" .. text
end

local function type_of(column)
  if column.type == "other" then return word(column.declared ~= "" and column.declared or "any") end
  if column.type == "decimal" then
    return ("decimal(%d_%d)"):format(column.precision, column.scale)
  end
  if column.max_length then return ("%s(%d)"):format(column.type, column.max_length) end
  return column.type
end

local function has_part(key, name)
  for _, part in ipairs(key and key.parts or {}) do
    if part.column == name then return true end
  end
  return false
end

local function is_alone(key, name)
  return key ~= nil and #key.parts == 1 and key.parts[1].column == name
end

local function marks_of(of, column)
  local marks = {}
  if has_part(of.primary_key, column.name) then marks[#marks + 1] = "PK" end
  for _, key in ipairs(of.foreign_keys) do
    for _, name in ipairs(key.columns) do
      if name == column.name and marks[#marks] ~= "FK" then marks[#marks + 1] = "FK" end
    end
  end
  for _, key in ipairs(of.uniques) do
    if is_alone(key, column.name) then
      marks[#marks + 1] = "UK"
      break
    end
  end
  return table.concat(marks, ", ")
end

local function column_line(of, column)
  local line = ("    %s %s"):format(type_of(column), word(column.name))
  local marks = marks_of(of, column)
  if marks ~= "" then line = line .. " " .. marks end
  local said = {}
  if word(column.name) ~= column.name then said[#said + 1] = column.name end
  if column.comment then said[#said + 1] = column.comment end
  return #said > 0 and line .. " " .. quoted(table.concat(said, ": ")) or line
end

--- How many rows of the other table belong to a row (one, or none), and the other way round.
local function line_of(of, key)
  local optional, single = false, false
  for _, name in ipairs(key.columns) do
    local column = model.find(of.columns, name)
    optional = optional or not (column and column.not_null)
  end
  local lists = { of.uniques, of.primary_key and { of.primary_key } or {} }
  for _, list in ipairs(lists) do
    for _, each in ipairs(list) do
      single = single or model.equal(model.columns_of(each.parts) or {}, key.columns)
    end
  end
  return (optional and "|o" or "||") .. "--" .. (single and "o|" or "o{")
end

--- Draws a schema.
---@param schema tuff.Schema
---@return string
function M.write(schema)
  local out = { "erDiagram" }
  for _, of in ipairs(schema.tables) do
    out[#out + 1] = ("  %s {"):format(quoted(of.name))
    for _, column in ipairs(of.columns) do out[#out + 1] = column_line(of, column) end
    out[#out + 1] = "  }"
  end
  for _, of in ipairs(schema.tables) do
    for _, key in ipairs(of.foreign_keys) do
      out[#out + 1] = ("  %s %s %s : %s"):format(quoted(key.table), line_of(of, key),
        quoted(of.name), quoted(table.concat(key.columns, ", ")))
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
