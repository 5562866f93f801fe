--- What went wrong, as a person and as a program is told, and the exit status that says so.
local errors = require "tuff.error"
local output = require "tuff.cli.output"

local M = {}

M.FAILED, M.WRONG_USE, M.REFUSED, M.INTERRUPTED = 1, 2, 3, 130

--- Lua's own interpreter raises a string on Ctrl-C, which a migration may hand on as a cause.
local function is_interruption(err)
  if type(err) == "string" then return err:find("interrupted!$") ~= nil end
  if not errors.is_error(err) then return false end
  return err.code == "interrupted" or is_interruption(err.cause)
end

--- What must be decided before anything is done; not what is wrong with a file.
local function is_refusal(err)
  return err.code == "migration" and not err.migration and not err.of_files
end

---@param err any
---@return integer status
function M.status(err)
  if is_interruption(err) then return M.INTERRUPTED end
  if not errors.is_error(err) then return M.FAILED end
  if err.code == "misuse" then return M.WRONG_USE end
  return is_refusal(err) and M.REFUSED or M.FAILED
end

--- A text without the passwords of the URLs in it.
local function conceal(text)
  text = text:gsub("(%a[%w+.-]*://[^%s/@:]*:)[^%s/]*@", "%1***@")
  return (text:gsub("(password=)[^%s&\"']*", "%1***"))
end

--- Options of the Lua functions, and how the command calls them.
local words = {
  ["by (allow_[%l_]+) = true"] = function(name) return "by --" .. name:gsub("_", "-") end,
  ['allow_drop = { "([^"]*)" }'] = "--allow-drop %1",
  ['renames = { %["([^"]*)"%] = "([^"]*)" }'] = "--rename %1=%2",
  ["open it with {[^}]*}, or "] = "",
  ["more time by wait"] = "more time by --wait",
}

local function hint_of(err)
  local hint = err.hint
  if not hint then return nil end
  for pattern, word in pairs(words) do hint = hint:gsub(pattern, word) end
  return hint
end

local function text_of(value)
  return conceal(output.utf8(output.plain(value)))
end

--- The innermost error that knows where in its SQL it is.
local function with_sql(err)
  local found
  while errors.is_error(err) do
    if err.sql and err.sql_line then found = err end
    err = err.cause
  end
  return found
end

--- The file, or the line of the migration, that the error comes from: those of tuff help nobody.
local function source_of(err)
  local single = errors.is_error(err) and err.mistakes and #err.mistakes == 1
  local source = single and err.source
  while errors.is_error(err) and err.migration do
    err = err.cause
    source = errors.is_error(err) and err.source
  end
  return source or nil
end

--- What is told of an error, by names.
---@param err any
---@return { code: string, message: string, hint: string?, migration: string?, source: string? }
local function facts_of(err)
  if is_interruption(err) then return { code = "interrupted", message = "ended by Ctrl-C" } end
  if not errors.is_error(err) then return { code = "error", message = text_of(err) } end
  local at = with_sql(err)
  return {
    code = err.code, message = text_of(err.message), hint = err.hint and text_of(hint_of(err)),
    migration = err.migration, sql = at and text_of(at.sql),
    sql_line = at and at.sql_line, sql_column = at and at.sql_column,
    source = source_of(err),
  }
end

local function excerpt(facts)
  local number = 0
  for line in ((facts.sql or "") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if number == facts.sql_line then
      return ("  %s\n  %s^"):format(line:gsub("\t", " "), (" "):rep(facts.sql_column - 1))
    end
  end
end

--- Says what went wrong: on the standard error, or as a part of the facts.
---@param out tuff.cli.Output
---@param err any
---@param facts table what the command has done until then
function M.tell(out, err, facts)
  local told = facts_of(err)
  facts.error = told
  if out.json then return end
  local lines = {}
  if errors.is_error(err) and err.usage then lines[1] = err.usage .. "\n" end
  local place = told.source and (" (%s)"):format(told.source) or ""
  lines[#lines + 1] = out:colour("red", "tuff: ") .. told.message .. place
  lines[#lines + 1] = excerpt(told)
  for _, note in ipairs(facts.notes or {}) do lines[#lines + 1] = note end
  if told.hint then lines[#lines + 1] = "hint: " .. told.hint end
  out:complain(table.concat(lines, "\n"))
end

return M
