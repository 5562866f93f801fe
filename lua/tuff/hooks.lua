--- Functions of the script that are told what a connection does.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"

local M = {}

local function check_hook(db, fn, method)
  errors.check_self(db, "tuff.connection", method)
  errors.check(fn, "function|nil", "the function given to db:" .. method)
end

--- Sets the function that hears of warnings, or nil for Lua's own `warn`.
---@param db tuff.Database
---@param fn fun(warning: tuff.Error|string)?
function M.on_warning(db, fn)
  check_hook(db, fn, "on_warning")
  core.state(db).on_warning = fn
end

--- Warns of something that is no failure of what the script asked for.
---@param db tuff.Database
---@param warning tuff.Error|string
function M.warn(db, warning)
  errors.check_self(db, "tuff.connection", "warn")
  local handler = core.state(db).on_warning
  if handler then return handler(warning) end
  warn("tuff: ", tostring(warning))
end

---@class tuff.Run
---@field sql string as the script wrote it, without values; or "begin", "commit" and the like
---@field ms number how long it took, until its last row was read
---@field rows integer that it returned
---@field changes integer rows that it changed
---@field failed string? the code of its error
---@field own boolean tuff has written it, to look something up or for what it keeps itself

--- Sets the function that hears of every statement when it has ended; nil for none. An error
--- in it becomes a warning. It may read from the connection, which is not traced, but not write,
--- begin or end anything there.
---@param db tuff.Database
---@param fn fun(run: tuff.Run)?
function M.trace(db, fn)
  check_hook(db, fn, "trace")
  core.state(db).traced_by = fn
  core.trace(db, fn and function(run)
    local good, err = pcall(fn, run)
    if not good then pcall(M.warn, db, err) end
  end or false)
end

---@class tuff.Notice
---@field severity string "NOTICE", "INFO", "WARNING", "LOG" or "DEBUG"; "FATAL" of a server that
---   ends the connection
---@field message string
---@field detail string?
---@field hint string?
---@field native string? its SQLSTATE

--- A notice as the text of a warning.
local function text_of(notice)
  local lines = { notice.message, notice.detail }
  if notice.hint then lines[#lines + 1] = "hint: " .. notice.hint end
  return table.concat(lines, "\n")
end

--- Sets the function that hears what a server says beside the results, when the statement has
--- ended during which it said it; nil: warnings become warnings of db:warn, and the rest is
--- dropped. An error in it becomes a warning. It may read from the connection, but not write,
--- begin or end anything there. Where there is no server, as with SQLite, it is never called.
---@param db tuff.Database
---@param fn fun(notice: tuff.Notice)?
function M.on_notice(db, fn)
  check_hook(db, fn, "on_notice")
  local hear = fn or function(notice) M.warn(db, text_of(notice)) end
  core.notice(db, function(notice)
    local good, err = pcall(hear, notice)
    if not good then pcall(M.warn, db, err) end
  end, fn ~= nil)
end

---@class tuff.ProgressOptions
---@field every number? milliseconds between two calls (100)

--- Sets the function that is called now and then while a statement runs or waits for a lock;
--- nil for none. It may draw a bar; it cannot use the connection. Where it returns false, the
--- statement ends with `interrupted`.
---@param db tuff.Database
---@param fn (fun(ms: number): boolean?)? ms: how long it has taken so far
---@param options tuff.ProgressOptions?
function M.progress(db, fn, options)
  check_hook(db, fn, "progress")
  options = options_of.given(options, { every = options_of.checks.duration }, "db:progress")
  core.progress(db, fn or false, options.every or 100)
end

return M
