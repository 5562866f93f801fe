--- Readable tables of text.

local json = require "tuff.json"
local text = require "image_library.text"

local M = {}

local MAX_CELL = 52

---A number of bytes for people: "512 B", "1.5 KiB".
---@param bytes number
---@return string
function M.size(bytes)
  local units, index = { "B", "KiB", "MiB", "GiB", "TiB" }, 1
  while bytes >= 1024 and index < #units do
    bytes, index = bytes / 1024, index + 1
  end
  return (index == 1 and "%d %s" or "%.1f %s"):format(bytes, units[index])
end

---"1 image", "2 images".
---@param number integer
---@param noun string
---@return string
function M.count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

local function cell(value, format)
  if value == nil then
    return ""
  elseif format then
    value = format(value)
  elseif math.type(value) == "float" then
    value = ("%.6g"):format(value)
  elseif type(value) == "table" then
    value = json.encode(value)
  end
  local shown = text.printable(tostring(value))
  local length = utf8.len(shown)
  if not length then
    return "(bytes)"
  elseif length > MAX_CELL then
    -- The end of a path or a name says more than its beginning.
    shown = "…" .. shown:sub(utf8.offset(shown, length - MAX_CELL + 2))
  end
  return shown
end

local function padded(shown, width, to_the_right)
  local space = (" "):rep(width - utf8.len(shown))
  return to_the_right and space .. shown or shown .. space
end

---A table with a title, a line of names and one line per row; numbers stand at the right.
---@param title string
---@param columns string[] names of the columns, in order
---@param rows table<string, any>[] each keyed by name of column; an absent value is blank
---@param formats? table<string, fun(value: any): string> by name of column
---@return string lines each ended by a newline
function M.table(title, columns, rows, formats)
  local lines = { ("\n%s\n"):format(text.printable(title)) }
  if #rows == 0 then
    return lines[1] .. "  (nothing)\n"
  end
  local widths, numeric, cells = {}, {}, {}
  for _, column in ipairs(columns) do
    widths[column], numeric[column] = utf8.len(column), true
  end
  for index, row in ipairs(rows) do
    cells[index] = {}
    for _, column in ipairs(columns) do
      local shown = cell(row[column], formats and formats[column])
      cells[index][column] = shown
      widths[column] = math.max(widths[column], utf8.len(shown))
      numeric[column] = numeric[column] and (row[column] == nil or math.type(row[column]) ~= nil)
    end
  end

  local function add(content_of)
    local parts = {}
    for index, column in ipairs(columns) do
      parts[index] = padded(content_of(column), widths[column], numeric[column])
    end
    lines[#lines + 1] = "  " .. table.concat(parts, "  "):gsub("%s+$", "") .. "\n"
  end
  add(function(column) return column end)
  add(function(column) return ("-"):rep(widths[column]) end)
  for index in ipairs(rows) do
    add(function(column) return cells[index][column] end)
  end
  return table.concat(lines)
end

return M
