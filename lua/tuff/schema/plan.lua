--- A plan: what would be changed in a database, and how, so that it can be read before anything is
--- done.
local M = {}

---@class tuff.Plan
---@field changes tuff.schema.Change[]
---@field destructive boolean whether data would be lost
---@field unmanaged table[] what is left alone: { kind, name, table?, reason, sql? }
---@field refused tuff.schema.Refusal[] why it cannot be applied
---@field rebuilt string[] tables that are built anew, sorted
---@field touched string[] tables that are changed in any way, sorted
---@field steps table[] what the engine does
---@field want tuff.Schema what the schema is to be
---@field state string what the schema was when the plan was made
local Plan = { __name = "tuff.Plan" }
Plan.__index = Plan

-- ---- words -------------------------------------------------------------------------------

local fields = {
  max_length = "longest value", values = "values", declared = "type", verbatim = "type",
  not_null = "not null", not_null_conflict = "not null", checked = "check of the type",
  generated = "expression", collate = "collation", without_rowid = "rowid", precision = "digits",
  scale = "digits",
}

local kinds = {
  primary_key = "primary key", foreign_key = "foreign key", virtual_table = "virtual table",
}

--- The words for fields that differ, each once.
local function words_of(what)
  local list, seen = {}, {}
  for _, field in ipairs(what) do
    local word = fields[field] or field
    if not seen[word] then list[#list + 1] = word end
    seen[word] = true
  end
  return table.concat(list, " and ")
end

local verbs = { add = "adds", drop = "drops", change = "changes", rename = "renames",
  remake = "remakes" }

--- What a constraint is told apart by: the columns it is about, or its name.
local function about(kind, object)
  if kind == "foreign_key" then return " of " .. table.concat(object.columns, ", ") end
  if kind == "primary_key" then return "" end
  if kind == "unique" then
    local list = {}
    for i, part in ipairs(object.parts) do list[i] = part.column end
    return " of " .. table.concat(list, ", ")
  end
  return " " .. object.name
end

--- A change within a table that is built anew: "type of score".
local function piece(change)
  local verb, kind = change.kind:match("^(%l+)_(.*)$")
  if kind == "table" then return words_of(change.what) end
  if kind == "column" then
    local loss = change.destructive and " and its values" or ""
    if verb == "change" then return words_of(change.what) .. " of " .. change.name end
    return (verb == "add" and "new column " or "without column ") .. change.name .. loss
  end
  local prefix = verb == "drop" and "without " or ""
  return prefix .. (kinds[kind] or kind) .. about(kind, change.new or change.old)
end

local function line(change)
  local verb, kind = change.kind:match("^(%l+)_(.*)$")
  local words = { verbs[verb] }
  if kind == "table" and verb == "change" then
    return ("changes table %s: %s"):format(change.table, words_of(change.what))
  end
  if kind == "search" then
    words[2] = "search of " .. change.table
  elseif kind == "table" then
    words[2] = "table " .. (verb == "rename" and change.name or change.table)
  else
    words[2] = (kinds[kind] or kind) .. (change.name and " " .. change.name or "")
    words[3] = change.table and "of " .. change.table
  end
  if verb == "rename" then words[#words + 1] = "to " .. change.to end
  local text = table.concat(words, " ")
  if change.what then text = text .. ": " .. words_of(change.what) end
  return change.destructive and text .. ", with all that it holds" or text
end

-- ---- methods -----------------------------------------------------------------------------

--- One line for each change, and one for each table that is built anew.
---@return string
function Plan:__tostring()
  local lines, rebuilds = {}, {}
  for _, change in ipairs(self.changes) do
    local parts = change.rebuild and rebuilds[change.table]
    if parts then
      parts[#parts + 1] = piece(change)
    elseif change.rebuild then
      parts = { piece(change) }
      rebuilds[change.table] = parts
      lines[#lines + 1] = { table = change.table, parts = parts }
    else
      lines[#lines + 1] = line(change)
    end
  end
  for i, each in ipairs(lines) do
    if type(each) == "table" then
      lines[i] = ("rebuilds %s: %s"):format(each.table, table.concat(each.parts, ", "))
    end
  end
  for _, object in ipairs(self.unmanaged) do
    lines[#lines + 1] = ("leaves %s %s alone: %s"):format(object.kind, object.name, object.reason)
  end
  for _, refusal in ipairs(self.refused) do
    lines[#lines + 1] = "is refused: " .. refusal.message
  end
  return #lines > 0 and table.concat(lines, "\n") or "nothing to change"
end

--- The statements, in the order in which they run.
---@return string
function Plan:sql()
  local lines = {}
  for _, step in ipairs(self.steps) do
    if step.sql then lines[#lines + 1] = step.sql .. ";\n" end
  end
  return table.concat(lines)
end

---@param value any
---@return boolean
function M.is_plan(value)
  return getmetatable(value) == Plan
end

---@param fields_of_plan table
---@return tuff.Plan
function M.new(fields_of_plan)
  local plan = setmetatable(fields_of_plan, Plan)
  plan.destructive = false
  for _, change in ipairs(plan.changes) do
    plan.destructive = plan.destructive or change.destructive or false
  end
  return plan
end

return M
