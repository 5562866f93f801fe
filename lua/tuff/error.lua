--- Errors: what every failure raises. The C core makes them; Lua code makes them here.
local core = require "tuff.core"

---@class tuff.Error
---@field code string one of the codes in doc/errors.md, such as "busy" or "constraint"
---@field message string what happened
---@field constraint string? "unique", "not_null", "check", "foreign_key" or "primary_key"
---@field constraint_name string? where the engine tells it
---@field table string? where the engine tells it
---@field columns string[]? where the engine tells them
---@field fields table<string, string>? messages by column, of a validation
---@field row integer? the number of the row, from 1, where many were given
---@field sql string? the statement or the script
---@field sql_line integer? where in it, from 1
---@field sql_column integer? where in that line, in characters from 1
---@field hint string? what to do about it
---@field cause tuff.Error? the error that this one follows from
---@field native integer|string|nil SQLite's extended result code, or PostgreSQL's SQLSTATE
---@field retryable boolean whether running the whole transaction again may succeed
---@field outcome "unknown"? when a commit may have happened all the same
---@field source string? "script.lua:12", the line of the caller
---@field migration string? the id of the migration that has failed
---@field committed boolean? that migration is done all the same; a function of after_commit failed
---@field mistakes tuff.Mistake[]? where several may be found at once
local Error = core.error

Error.__index = Error
Error.__name = "tuff.Error"

local LONGEST_LINE = 160 -- of SQL that is shown; longer lines are cut around the caret

--- The line of the SQL that the error is in, and a caret under its column.
local function excerpt(sql, line, column)
  local number = 0
  for text in (sql .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if number == line then
      text = text:gsub("[\t\r]", " ")
      if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "?") end
      local length = utf8.len(text)
      column = math.min(column, length + 1)
      if length > LONGEST_LINE then
        local start = math.max(1, column - LONGEST_LINE // 2)
        local stop = math.min(length, start + LONGEST_LINE)
        text = text:sub(utf8.offset(text, start), utf8.offset(text, stop + 1) - 1)
        column = column - start + 1
      end
      return ("  %s\n  %s^"):format(text, (" "):rep(column - 1))
    end
  end
end

--- What a value that was raised says of itself: a script may raise anything.
local function tell(value)
  local good, text = pcall(tostring, value)
  return good and text or "an error that cannot be told"
end

---@return string
function Error:__tostring()
  local lines = {}
  local place = self.source and self.source .. ": " or ""
  lines[1] = ("%s%s (%s)"):format(place, self.message or "", self.code or "?")
  if self.sql and self.sql_line then
    lines[#lines + 1] = excerpt(self.sql, self.sql_line, self.sql_column)
  end
  if self.hint then lines[#lines + 1] = "hint: " .. self.hint end
  if self.cause then lines[#lines + 1] = "cause: " .. tell(self.cause) end
  return table.concat(lines, "\n")
end

local M = { tell = tell }

local own_code = debug.getinfo(1, "S").source:match("^(.*)error%.lua$") or "@tuff/"
core.own_code(own_code)

--- The innermost line that is no code of tuff.
---@return string? source "script.lua:12"
function M.source()
  for level = 2, math.huge do
    local info = debug.getinfo(level, "Sl")
    if not info then return nil end
    if info.currentline > 0 and info.source:sub(1, #own_code) ~= own_code then
      return info.short_src .. ":" .. info.currentline
    end
  end
end

--- Makes an error without raising it.
---@param code string
---@param message string
---@param fields table? more fields of the error, taken over as it is
---@return tuff.Error
function M.new(code, message, fields)
  local err = fields or {}
  err.code, err.message, err.source = code, message, M.source()
  err.retryable = err.retryable or false
  return setmetatable(err, Error)
end

--- Raises an error.
---@param code string
---@param message string
---@param fields table?
function M.raise(code, message, fields)
  error(M.new(code, message, fields), 0)
end

--- Raises `misuse` unless the argument has this type.
---@param value any
---@param wanted string a type of Lua, or several with a bar between them: "string|table"
---@param what string what the argument is, as in "the path given to tuff.open"
function M.check(value, wanted, what)
  local got = type(value)
  if ("|" .. wanted .. "|"):find("|" .. got .. "|", 1, true) then return end
  M.raise("misuse", ("%s must be a %s, not %s"):format(what, wanted:gsub("|", " or a "),
    got == "nil" and "nil" or "a " .. got))
end

---@class tuff.Mistake
---@field message string
---@field hint string?
---@field source string? "script.lua:12", or a file
---@field cause tuff.Error?

--- Raises one error for all that is wrong with something, `mistakes` of the error.
---@param code string
---@param what string "the schema"
---@param mistakes tuff.Mistake[] not empty
---@param fields table? more fields of the error
function M.raise_mistakes(code, what, mistakes, fields)
  local lines = {}
  for i, mistake in ipairs(mistakes) do
    lines[i] = ("\n  %s: %s%s"):format(mistake.source or "?", mistake.message,
      mistake.hint and "; " .. mistake.hint or "")
  end
  local first = mistakes[1]
  local single = #mistakes == 1
  local message = single and first.message
    or ("%d mistakes in %s:%s"):format(#mistakes, what, table.concat(lines))
  local err = M.new(code, message, fields)
  err.mistakes = mistakes
  if single then
    err.hint, err.cause, err.source = first.hint, first.cause, first.source or err.source
  end
  error(err, 0)
end

local kinds = {
  ["tuff.connection"] = "a tuff connection",
  ["tuff.transaction"] = "a transaction",
  ["tuff.migrations"] = "what db:migrations returns",
  ["tuff.using"] = "what db:using returns",
  ["tuff.settings"] = "db.settings",
}

--- Raises `misuse` unless a method was called on an object of its kind.
---@param self any
---@param kind string what its `__metatable` says: "tuff.connection"
---@param method string the name of the method
function M.check_self(self, kind, method)
  if getmetatable(self) == kind then return end
  M.raise("misuse", ("%s is a method of %s, and was called on %s; is a dot written where a "
    .. "colon is meant?"):format(method, kinds[kind], type(self)))
end

--- Raises `misuse` unless a method was called on a connection, and `closed` unless it is open.
---@param self any
---@param method string the name of the method
function M.check_open(self, method)
  M.check_self(self, "tuff.connection", method)
  self:in_transaction() -- is asked for its error alone
end

local LONGEST_NAME = 100 -- bytes of a name that are shown

--- A name that may be anything, as a message shows it: cut where it is long, NUL as \0.
---@param name any
---@return string
function M.shown(name)
  name = tostring(name)
  if #name > LONGEST_NAME then
    name = name:sub(1, utf8.offset(name, 0, LONGEST_NAME + 1) - 1) .. "..."
  end
  return (name:gsub("\0", "\\0"))
end

---@param value any
---@return boolean
function M.is_error(value)
  return type(value) == "table" and debug.getmetatable(value) == Error
end

--- How many letters have to change to make one word the other, for "did you mean".
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The word that was probably meant, as a hint.
---@param word any what was written
---@param known string[] what could have been
---@return string? hint 'did you mean "busy_timeout"?', or nil where nothing is close
function M.did_you_mean(word, known)
  if type(word) ~= "string" or #word > 64 then return nil end
  local best, least = nil, math.max(2, #word // 3) + 1
  for _, candidate in ipairs(known) do
    local far = distance(word:lower(), candidate:lower())
    if far < least or (far == least and best and candidate < best) then
      best, least = candidate, far
    end
  end
  return best and ('did you mean "%s"?'):format(best) or nil
end

return M
