--- Whether a file is what it should be.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"

local M = {}

--- Checks the option `level`, of a copy too.
---@param value any
---@return boolean good
---@return string wanted
function M.level(value)
  return value == 2 or value == 3, "2 or 3"
end

local allowed = { level = M.level, follow = options_of.checks.boolean }

---@class tuff.VerifyOptions
---@field level 2|3|nil 2: every page can be read and is in its place. 3: indexes hold what their
---  tables hold, too, and foreign keys are counted that lead nowhere (2)
---@field follow boolean? look at what a symbolic link leads to (false)

---@class tuff.Report
---@field path string as it was given
---@field kind "file"
---@field level integer
---@field ok true
---@field bytes integer of the file
---@field pages integer
---@field page_size integer
---@field tables integer how many
---@field foreign_key_violations integer? at level 3
---@field ms number that it took

--- Checks a database file, or raises `corrupt`, `notadb` or `not_found`. The file is only read, and
--- may be in use; nothing is made beside it, so that it may lie where nothing can be written.
---@param path string
---@param options tuff.VerifyOptions?
---@return tuff.Report
function M.verify(path, options)
  errors.check(path, "string", "the path given to tuff.verify")
  options = options_of.given(options, allowed, "tuff.verify")
  if path:find("^%a[%w+.-]*://") then
    errors.raise("unsupported", "tuff.verify looks at files, not at databases of a server")
  end
  local began, level = core.now(), options.level or 2
  local found = core.verify(path, level, options.follow)
  return {
    path = path, kind = "file", level = level, ok = true, bytes = found.bytes,
    pages = found.pages, page_size = found.page_size, tables = found.tables,
    foreign_key_violations = found.dangling, ms = core.now() - began,
  }
end

return M
