--- Fresh temporary directories for a test, removed when it is over.
--
-- A spec calls `temporary.directory()` as often as it likes; `fixture.clean_up` calls
-- `temporary.remove_all` after each test.

local lfs = require "lfs"

local temporary = {}

local made = {}

local function random_name()
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  return (source:read(8):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- Makes an empty directory that whoever asked for it removes.
---@param base string? another place for it
---@return string path
function temporary.lasting_directory(base)
  base = base or os.getenv("TMPDIR")
  if not base or base == "" then base = "/tmp" end
  local path = ("%s/tuff-spec-%s"):format(base:gsub("(.)/+$", "%1"), random_name())
  assert(lfs.mkdir(path))
  return path
end

--- Makes an empty directory in $TMPDIR, or in /tmp.
---@param base string? another place for it
---@return string path
function temporary.directory(base)
  local path = temporary.lasting_directory(base)
  made[#made + 1] = path
  return path
end

--- Removes a file, a link, or a directory with all that it holds. Links are not followed.
---@param path string
function temporary.remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then temporary.remove(path .. "/" .. name) end
    end
    lfs.rmdir(path)
  else
    os.remove(path)
  end
end

--- Removes every directory made so far.
function temporary.remove_all()
  local paths = made
  made = {}
  for _, path in ipairs(paths) do temporary.remove(path) end
end

--- Writes a file.
---@param path string
---@param bytes string
function temporary.write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

--- Reads a whole file.
---@param path string
---@return string|nil bytes nil when there is no such file
function temporary.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

--- The size of a file in bytes, 0 when there is none.
---@param path string
---@return integer
function temporary.size(path)
  return lfs.attributes(path, "size") or 0
end

--- The names in a directory, sorted.
---@param path string
---@return string[]
function temporary.list(path)
  local names = {}
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

return temporary
