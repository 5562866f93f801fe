-- The directory of database files, on tmpfs so that no disk is measured, and gone afterwards.

local process = require "bench.process"

local Arena = {}
Arena.__index = Arena

local M = {}

local function directory()
  if process.test("-d", "/dev/shm") and process.test("-w", "/dev/shm") then return "/dev/shm" end
  local other = os.getenv("TMPDIR") or "/tmp"
  return other, ("Files lay in %s, for /dev/shm cannot be written: the disk was measured too.")
    :format(other)
end

---@param raw string  the raw C program, which makes the files
---@return table arena  to be closed
function M.open(raw)
  local parent, note = directory()
  local made = process.must { "mktemp", "-d", parent .. "/tuff-bench.XXXXXX" }
  local arena = setmetatable({ path = made:match("[^\n]+"), note = note, raw = raw }, Arena)
  process.remove_afterwards(arena.path)
  process.must { raw, "create", arena.path .. "/empty.db" }
  process.must { raw, "generate", arena.path .. "/large.db" }
  return arena
end

--- A database for one run of a work.
---@param work table
---@return string path
function Arena:database(work)
  local large = self.path .. "/large.db"
  if work.data == "large" then return large end
  local path = self.path .. "/work.db"
  self:clear()
  process.must { "cp", work.data == "copy" and large or self.path .. "/empty.db", path }
  return path
end

--- What a work has written, as one line.
---@return string
function Arena:checksum(path)
  return process.must({ self.raw, "checksum", path }):match("checksum ([^\n]*)")
end

--- Removes the file of the last run with all that stands beside it.
function Arena:clear()
  os.execute("rm -f '" .. self.path .. "'/work.db*")
end

function Arena:close()
  process.must { "rm", "-rf", self.path }
end
Arena.__close = Arena.close

return M
