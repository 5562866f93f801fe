--- Reads what CREATE INDEX, VIEW, TRIGGER and VIRTUAL TABLE have left in SQLite's schema.
local cursor = require "tuff.schema.sqlite.cursor"
local parts = require "tuff.schema.sqlite.parts"

local M = {}

local function create(c, ...)
  c:expect("CREATE")
  if not c:accept("TEMP") then c:accept("TEMPORARY") end
  c:expect(...)
  c:accept("IF", "NOT", "EXISTS")
  return c:table_name()
end

local function at_end() return false end

--- The rest of the statement; there must be one.
local function rest(c, what)
  local text = c:up_to(at_end):gsub("[;%s]+$", "")
  if text == "" then c:fail(what) end
  return text
end

--- CREATE INDEX.
---@param text string
---@return table? index with the name of its table in `table`
---@return string? reason
function M.index(text)
  return cursor.parse(text, function(c)
    local unique = c:is("CREATE", "UNIQUE")
    local index = { unique = unique or nil }
    index.name = unique and create(c, "UNIQUE", "INDEX") or create(c, "INDEX")
    c:expect("ON")
    index.table = c:name()
    index.parts = c:list(parts.index_part)
    if c:accept("WHERE") then index.where = rest(c, "a condition") end
    if not c:is_at_end() then c:fail("the end") end
    return index
  end)
end

--- CREATE VIEW.
---@param text string
---@return table? view
---@return string? reason
function M.view(text)
  return cursor.parse(text, function(c)
    local view = { name = create(c, "VIEW") }
    if c.texts[c.at] == "(" then view.columns = c:list(parts.name_only) end
    c:expect("AS")
    view.select = rest(c, "a query")
    return view
  end)
end

--- CREATE VIRTUAL TABLE.
---@param text string
---@return table? virtual
---@return string? reason
function M.virtual_table(text)
  return cursor.parse(text, function(c)
    local virtual = { name = create(c, "VIRTUAL", "TABLE") }
    c:expect("USING")
    virtual.module = c:name()
    if c.texts[c.at] == "(" then
      virtual.arguments = c:group()
      if virtual.arguments == "" then virtual.arguments = nil end
    end
    if not c:is_at_end() then c:fail("the end") end
    return virtual
  end)
end

-- ---- triggers ----------------------------------------------------------------------------

local function timing(c)
  if c:accept("AFTER") then return "after" end
  if c:accept("INSTEAD", "OF") then return "instead of" end
  c:accept("BEFORE") -- what is meant where nothing is said
  return "before"
end

local events = { INSERT = "insert", UPDATE = "update", DELETE = "delete" }

local statements = {
  INSERT = true, UPDATE = true, DELETE = true, REPLACE = true, SELECT = true, WITH = true,
}

--- Whether the statements of a trigger begin here: `begin` may also be a column in its condition.
local function is_body(c)
  return c:is("BEGIN") and statements[c:word(1)] ~= nil
end

--- The statements up to END, which is the last token.
local function body(c)
  c:expect("BEGIN")
  local first, last = c.at, #c.texts
  while last > first and c.texts[last] == ";" do last = last - 1 end
  if c.kinds:byte(last) ~= 119 or c.texts[last]:upper() ~= "END" then c:fail("END") end
  last = last - 1
  while last > first and c.texts[last] == ";" do last = last - 1 end
  if last < first then c:fail("a statement") end
  return c:slice(first, last)
end

--- CREATE TRIGGER.
---@param text string
---@return table? trigger
---@return string? reason
function M.trigger(text)
  return cursor.parse(text, function(c)
    local trigger = { name = create(c, "TRIGGER") }
    trigger.timing = timing(c)
    trigger.event = events[c:word()]
    if not trigger.event then c:fail("an event") end
    c.at = c.at + 1
    if c:accept("OF") then
      trigger.columns = {}
      repeat table.insert(trigger.columns, c:name()) until not c:accept_char(",")
    end
    c:expect("ON")
    trigger.table = c:table_name()
    c:accept("FOR", "EACH", "ROW")
    if c:accept("WHEN") then trigger.condition = c:up_to(is_body) end
    trigger.body = body(c)
    return trigger
  end)
end

return M
