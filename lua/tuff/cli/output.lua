--- What a command says: lines, tables, colours where somebody looks at them, JSON, and one line
--- on a terminal that tells how far it is.
local core = require "tuff.core"
local json = require "tuff.json"

local M = {}

---@class tuff.cli.Output
---@field json boolean one object of JSON is said in the end, and nothing else
---@field colourful boolean
---@field width integer? of the terminal that shows how far it is; nil: there is none
---@field failed string? why nothing more can be written
local Output = {}
Output.__index = Output

local codes = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33" }

local BROKEN_PIPE = 32

local function wants_colours()
  local none = os.getenv("NO_COLOR")
  return (none == nil or none == "") and os.getenv("TERM") ~= "dumb" and core.terminal(1) ~= nil
end

---@param options { json: boolean }
---@return tuff.cli.Output
function M.new(options)
  return setmetatable({
    json = options.json, colourful = wants_colours(), width = core.terminal(2),
  }, Output)
end

--- A text that may come from anywhere, without what would steer a terminal.
---@param text any
---@return string
function M.plain(text)
  return (tostring(text):gsub("[^\n\t\x20-\x7e\x80-\xff]", "?"))
end

--- A time for people.
---@param ms number
---@return string "12 ms", "1.4 s", "3 min 5 s"
function M.duration(ms)
  if ms < 999.5 then return ("%.0f ms"):format(ms) end
  if ms < 59950 then return ("%.1f s"):format(ms / 1000) end
  local seconds = math.floor(ms / 1000 + 0.5)
  if seconds < 3600 then return ("%d min %d s"):format(seconds // 60, seconds % 60) end
  return ("%d h %d min"):format(seconds // 3600, seconds % 3600 // 60)
end

--- "1 migration", "2 migrations".
---@param number integer
---@param what string
---@return string
function M.count(number, what)
  return ("%d %s%s"):format(number, what, number == 1 and "" or "s")
end

--- "1 migration is", "2 migrations are".
---@param number integer
---@param what string
---@return string
function M.count_are(number, what)
  return M.count(number, what) .. (number == 1 and " is" or " are")
end

-- ---- lines -------------------------------------------------------------------------------

--- Whoever reads a pipe may leave when he has seen enough; a full disk is a failure.
local function write(self, text)
  if self.failed then return end
  local good, reason, number = io.stdout:write(text)
  if good then good, reason, number = io.stdout:flush() end
  if not good then
    self.failed = number == BROKEN_PIPE and "" or reason
  end
end

--- Says a line, unless JSON is wanted.
---@param text string? (an empty line)
function Output:line(text)
  if self.json then return end
  self:clear()
  write(self, (text or "") .. "\n")
end

--- Says something on the standard error.
---@param text string
function Output:complain(text)
  self:clear()
  io.stderr:write(text, "\n")
end

--- A text in a colour, where colours are shown.
---@param name "bold"|"dim"|"red"|"green"|"yellow"|nil
---@param text string
---@return string
function Output:colour(name, text)
  if not name or not self.colourful then return text end
  return ("\27[%sm%s\27[0m"):format(codes[name], text)
end

--- Whether all could be written, or was wanted no more.
---@return boolean
function Output:finish()
  self:clear()
  if not self.failed or self.failed == "" then return true end
  io.stderr:write("tuff: the output cannot be written: ", self.failed, "\n")
  return false
end

-- ---- tables ------------------------------------------------------------------------------

local function length(text)
  return utf8.len(text) or #text
end

---@class tuff.cli.Column
---@field title string
---@field right boolean? its texts stand at the right
---@field colour (fun(text: string): string?)?

--- Says rows under their titles. A column in which nothing stands is left out.
---@param columns tuff.cli.Column[]
---@param rows string[][] "" where there is nothing
function Output:table(columns, rows)
  local widths, lines = {}, { {} }
  for i, column in ipairs(columns) do
    for _, row in ipairs(rows) do
      row[i] = M.plain(row[i] or ""):gsub("[\n\t]", " ")
      if row[i] ~= "" then
        widths[i] = math.max(widths[i] or length(column.title), length(row[i]))
      end
    end
  end
  local function add(line, i, text, colour)
    if not widths[i] then return end
    local blanks = (" "):rep(widths[i] - length(text))
    local shown = self:colour(colour, text)
    line[#line + 1] = columns[i].right and blanks .. shown or shown .. blanks
  end
  for i, column in ipairs(columns) do add(lines[1], i, column.title, "bold") end
  for number, row in ipairs(rows) do
    local line = {}
    for i, column in ipairs(columns) do
      add(line, i, row[i], column.colour and column.colour(row[i]))
    end
    lines[number + 1] = line
  end
  for _, line in ipairs(lines) do self:line((table.concat(line, "  "):gsub("%s+$", ""))) end
end

-- ---- JSON --------------------------------------------------------------------------------

--- The tables of facts that are empty are lists.
local function marked(value)
  if type(value) ~= "table" then return type(value) == "string" and M.utf8(value) or value end
  if next(value) == nil then return setmetatable({}, json.array) end
  local copy = {}
  for key, each in pairs(value) do copy[key] = marked(each) end
  return copy
end

--- A text with each byte that is no UTF-8 replaced.
---@param text string
---@return string
function M.utf8(text)
  if utf8.len(text) then return text end
  return (text:gsub("[\x80-\xff]", "?"))
end

--- Says facts as an object of JSON.
---@param facts table
function Output:encode(facts)
  self:clear()
  write(self, json.encode(marked(facts)) .. "\n")
end

-- ---- how far it is -----------------------------------------------------------------------

--- Shows a line on the terminal in place of the one before; nothing where there is none.
---@param text string
function Output:show(text)
  if not self.width then return end
  text = M.plain(text):gsub("[\n\t]", " ")
  if length(text) >= self.width then
    text = text:sub(1, (utf8.offset(text, self.width) or self.width) - 1)
  end
  io.stderr:write("\r\27[K", text)
  io.stderr:flush()
  self.shown = true
end

--- Takes that line away.
function Output:clear()
  if not self.shown then return end
  io.stderr:write("\r\27[K")
  io.stderr:flush()
  self.shown = nil
end

return M
