--- Reads CREATE TABLE as SQLite has stored it into a table of the model. Types are left as text in
--- `declared`, and defaults too: what they mean is for others to say.
local cursor = require "tuff.schema.sqlite.cursor"
local model = require "tuff.schema.model"
local parts = require "tuff.schema.sqlite.parts"
local sql = require "tuff.schema.sql"

local M = {}

-- ---- comments ----------------------------------------------------------------------------

--- The first comment in a text that holds nothing else but white space.
local function comment_in(gap)
  local start = gap:find("[-/]")
  if not start then return nil end
  local text = gap:match("^/%*(.-)%*/", start) or gap:match("^/%*(.*)$", start)
    or gap:match("^%-%-([^\n]*)", start)
  text = text and text:gsub("%*/", "* /"):gsub("^%s+", ""):gsub("%s+$", "")
  return text ~= "" and text or nil
end

--- The comment that follows in the same line: the comma behind a definition, or the parenthesis
--- before the first one.
local function comment_in_line(gap)
  local line = gap:match("^[ \t]*(%-%-[^\n]*)") or gap:match("^[ \t]*(/%*.-%*/)[ \t]*\r?\n")
  return line and comment_in(line)
end

-- ---- pieces ------------------------------------------------------------------------------

local conflicts = { ROLLBACK = true, ABORT = true, FAIL = true, IGNORE = true, REPLACE = true }

local function conflict(c)
  if not c:accept("ON", "CONFLICT") then return nil end
  local word = c:word()
  if not conflicts[word] then c:fail("a way to resolve a conflict") end
  c.at = c.at + 1
  return word ~= "ABORT" and word:lower() or nil
end

local function action(c)
  if c:accept("SET", "NULL") then return "set null" end
  if c:accept("SET", "DEFAULT") then return "set default" end
  if c:accept("CASCADE") then return "cascade" end
  if c:accept("RESTRICT") then return "restrict" end
  c:expect("NO", "ACTION")
end

--- Passes [NOT] DEFERRABLE [INITIALLY …]. NOT DEFERRABLE is never deferred, whatever follows.
local function deferrable(c, key)
  local negated = c:accept("NOT", "DEFERRABLE")
  if not negated and not c:accept("DEFERRABLE") then return end
  local deferred = c:accept("INITIALLY", "DEFERRED")
  if not deferred then c:accept("INITIALLY", "IMMEDIATE") end
  key.deferrable = not negated and (deferred and "deferred" or "immediate") or nil
end

--- What comes behind REFERENCES, but for DEFERRABLE.
local function references(c, key)
  key.table = c:name()
  if c.texts[c.at] == "(" then
    key.references = c:list(parts.name_only)
  end
  while true do
    if c:accept("ON", "DELETE") then
      key.on_delete = action(c)
    elseif c:accept("ON", "UPDATE") then
      key.on_update = action(c)
    elseif c:accept("ON", "INSERT") then
      action(c) -- SQLite takes no notice of it
    elseif c:accept("MATCH") then
      key.match = c:name()
    else
      return key
    end
  end
end

-- ---- columns -----------------------------------------------------------------------------

--- The words of a type, and what stands in parentheses behind them.
local function type_text(c)
  local first = c.at
  while c:is_name() and not c:is("GENERATED", "ALWAYS", "AS") do c.at = c.at + 1 end
  if c.at > first and c.texts[c.at] == "(" then c:group() end
  return c:slice(first, c.at - 1)
end

local function default_text(c)
  if c.texts[c.at] == "(" then return c:expression() end
  local first = c.at
  if c.texts[c.at] == "+" or c.texts[c.at] == "-" then c.at = c.at + 1 end
  if c:is_at_end() then c:fail("a default") end
  if c:word() and c.kinds:sub(c.at + 1, c.at + 1) == "s" and c:word():lower() == "x" then
    c.at = c.at + 1 -- x'00'
  end
  c.at = c.at + 1
  return c:slice(first, c.at - 1)
end

local function generated(c)
  local of = { expression = c:expression() }
  if c:accept("STORED") then of.stored = true else c:accept("VIRTUAL") end
  return of
end

--- The constraints of a column by the word that they begin with.
local column_constraints = {}

function column_constraints.PRIMARY(c, of, column, name)
  c:expect("PRIMARY", "KEY")
  local descending = c:accept("DESC")
  if not descending then c:accept("ASC") end
  of.primary_key = {
    name = name, parts = { { column = column.name, descending = descending or nil } },
    on_conflict = conflict(c),
  }
  of.autoincrement = c:accept("AUTOINCREMENT")
end

function column_constraints.NOT(c, of, column)
  if c:is("NOT", "DEFERRABLE") then return column_constraints.DEFERRABLE(c, of) end
  c:expect("NOT", "NULL")
  column.not_null, column.not_null_conflict = true, conflict(c)
end

function column_constraints.NULL(c)
  c:expect("NULL")
  conflict(c)
end

function column_constraints.UNIQUE(c, of, column, name)
  c:expect("UNIQUE")
  table.insert(of.uniques, {
    name = name, parts = { { column = column.name } }, on_conflict = conflict(c),
  })
end

function column_constraints.CHECK(c, of, column, name)
  c:expect("CHECK")
  table.insert(of.checks, {
    name = name, expression = sql.unqualified(c:expression(), of.name), column = column.name,
  })
end

function column_constraints.REFERENCES(c, of, column, name)
  c:expect("REFERENCES")
  table.insert(of.foreign_keys, references(c, { name = name, columns = { column.name } }))
end

function column_constraints.DEFERRABLE(c, of)
  deferrable(c, of.foreign_keys[#of.foreign_keys] or {})
end

function column_constraints.COLLATE(c, _, column)
  c:expect("COLLATE")
  column.collate = c:name()
end

function column_constraints.DEFAULT(c, _, column)
  c:expect("DEFAULT")
  column.default = default_text(c)
end

function column_constraints.GENERATED(c, of, column)
  c:expect("GENERATED", "ALWAYS")
  column_constraints.AS(c, of, column)
end

function column_constraints.AS(c, _, column)
  c:expect("AS")
  column.generated = generated(c)
end

--- A constraint may be named, and a name may name nothing.
local function named(c)
  local name
  while c:accept("CONSTRAINT") do name = c:name() end
  return name
end

local function column(c, of)
  local definition = { name = c:name() }
  definition.comment = comment_in(c:gap(c.at))
  definition.declared = type_text(c)
  definition.comment = definition.comment or comment_in(c:gap(c.at))
  of.columns[#of.columns + 1] = definition
  local name = named(c)
  while column_constraints[c:word()] do
    column_constraints[c:word()](c, of, definition, name)
    name = named(c)
  end
  definition.comment = definition.comment or comment_in(c:gap(c.at))
  return definition
end

-- ---- constraints of the table ------------------------------------------------------------

--- Those of the table by the word that they begin with.
local table_constraints = {}

function table_constraints.PRIMARY(c, of, name)
  c:expect("PRIMARY", "KEY")
  of.primary_key = { name = name, parts = c:list(function(each)
    local part = parts.key_part(each)
    of.autoincrement = each:accept("AUTOINCREMENT") or of.autoincrement
    return part
  end) }
  of.primary_key.on_conflict = conflict(c)
  of.key_apart = true
end

function table_constraints.UNIQUE(c, of, name)
  c:expect("UNIQUE")
  table.insert(of.uniques, {
    name = name, parts = c:list(parts.key_part), on_conflict = conflict(c),
  })
end

function table_constraints.CHECK(c, of, name)
  c:expect("CHECK")
  table.insert(of.checks, {
    name = name, expression = sql.unqualified(c:expression(), of.name), on_conflict = conflict(c),
  })
end

function table_constraints.FOREIGN(c, of, name)
  c:expect("FOREIGN", "KEY")
  local key = { name = name, columns = c:list(parts.name_only) }
  c:expect("REFERENCES")
  references(c, key)
  deferrable(c, key)
  table.insert(of.foreign_keys, key)
end

local function table_constraint(c, of)
  local name = named(c)
  local pass = table_constraints[c:word()]
  if pass then pass(c, of, name) end
  return pass ~= nil or name ~= nil
end

-- ---- the statement -----------------------------------------------------------------------

local function options(c, of)
  if c:is_at_end() then return end
  repeat
    if c:accept("WITHOUT", "ROWID") then
      of.without_rowid = true
    else
      c:expect("STRICT")
      of.strict = true
    end
  until not c:accept_char(",")
end

--- Constraints need no commas between them.
local function definitions(c, of)
  c:expect_char("(")
  repeat
    local last = column(c, of)
    if c.texts[c.at] == "," then
      last.comment = last.comment or comment_in_line(c:gap(c.at + 1))
    end
    local more = c:accept_char(",")
  until not more or c:is("CONSTRAINT") or table_constraints[c:word()]
  while table_constraint(c, of) do c:accept_char(",") end
  c:expect_char(")")
end

--- Reads a statement.
---@param text string
---@return table? of nil: it is not understood
---@return string? reason
function M.parse(text)
  return cursor.parse(text, function(c)
    c:expect("CREATE")
    if not c:accept("TEMP") then c:accept("TEMPORARY") end
    c:expect("TABLE")
    c:accept("IF", "NOT", "EXISTS")
    local of = model.new_table(c:table_name())
    of.comment = comment_in(c:gap(c.at)) or comment_in_line(c:gap(c.at + 1))
    definitions(c, of)
    options(c, of)
    if not c:is_at_end() then c:fail("the end") end
    return of
  end)
end

return M
