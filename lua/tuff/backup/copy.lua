--- A copy of the whole database in one file, made while the database is used. The core makes
--- it; here is who hears of it, and what is told of it in the end.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"
local verify = require "tuff.backup.verify"

local M = {}

local boolean, callback = options_of.checks.boolean, options_of.checks.callback
local allowed = {
  file = boolean, replace = boolean, level = verify.level, progress = callback,
}

local function check(path, options)
  if options.file ~= true then
    errors.raise("unsupported", "db:backup makes plain copies only, so far",
      { hint = "db:backup(path, { file = true }) copies the database into that file" })
  end
  errors.check(path, "string", "the path given to db:backup")
  if path == ":memory:" then
    errors.raise("misuse", "a copy goes to a file, and :memory: is none")
  end
end

--- Every step, with all that the script does in between. Gives what is known in the end.
local function finish(copy, progress)
  while true do
    local what, done, total = copy:step()
    if not what then return done end
    if progress and progress(done, total, what) == false then
      errors.raise("interrupted", "the progress function has stopped the copy")
    end
  end
end

local function timestamp(microseconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", microseconds // 1000000)
    .. (".%06dZ"):format(microseconds % 1000000)
end

---@class tuff.CopyOptions
---@field file true one file that is a database itself
---@field replace boolean? a file that has the name already (false)
---@field level 2|3|nil how closely the copy is looked at, as by tuff.verify (2)
---@field progress (fun(done: integer, total: integer, what: "copy"|"check"): boolean?)? in bytes;
---  false stops the copy; it may use the connection, and yield

---@class tuff.Copy
---@field path string absolute and without links
---@field bytes integer
---@field pages integer
---@field created_at string UTC, ISO-8601 with microseconds: what was committed by then is in it
---@field seconds number that it took
---@field foreign_key_violations integer? at level 3

--- Copies the main database, as it is now, into a file that is a database itself, with mode 0600
--- and a rollback journal. Others, and this connection, may go on to use the database; only with
--- `journal = "delete"` they cannot write until the copy is made. The file is there when it is
--- complete, checked and on the disk, and not before: whatever goes wrong, nothing is left of it,
--- and a file that it was to replace stays as it was.
---@param db tuff.Database
---@param path string of the copy
---@param options tuff.CopyOptions
---@return tuff.Copy
function M.backup(db, path, options)
  errors.check_self(db, "tuff.connection", "backup")
  options = options_of.given(options, allowed, "db:backup")
  check(path, options)
  local began = core.now()
  local copy <close> = core.backup(db, path, core.state(db).options.root, options.replace,
    options.level or 2)
  local good, result = pcall(finish, copy, options.progress)
  copy:close() -- <close> does it in a coroutine that is closed, but not in one that fails
  if not good then error(result, 0) end
  return {
    path = result.path, bytes = result.bytes, pages = result.pages,
    created_at = timestamp(result.created_us), seconds = (core.now() - began) / 1000,
    foreign_key_violations = result.dangling,
  }
end

return M
