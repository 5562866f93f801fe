--- A disk that is soon full: a small tmpfs, mounted by root or in a namespace of one's own.
--
-- What uses it runs in a child process, since only a child can live in such a namespace.
-- `fixture.clean_up` releases it after each test, before the temporary directories go.

local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local disk = {}

local mounted = {}

--- Offers a disk of a given size.
---@param size string as `mount -o size=` takes it, such as "1m"
---@return { directory: string, wrap: string }|nil place wrap is for `process.start`
---@return string|nil reason why there is none
function disk.small(size)
  local directory = temporary.directory()
  local word = process.quote(directory)
  local mount = ("mount -t tmpfs -o size=%s,mode=0777 tmpfs "):format(size)
  if process.is_root() and process.succeeds(mount .. word) then
    mounted[#mounted + 1] = word
    return { directory = directory, wrap = "" }
  end
  local wrap = ("unshare -rm sh -c '%s \"$0\" && exec \"$@\"' %s"):format(mount, word)
  if process.succeeds(wrap .. " true") then
    return { directory = directory, wrap = wrap }
  end
  return nil, "a full disk needs a tmpfs of its own, and neither mount nor unshare -rm works"
end

--- Unmounts what was mounted.
function disk.release()
  local words = mounted
  mounted = {}
  for _, word in ipairs(words) do
    if not process.succeeds("umount " .. word) then process.succeeds("umount -l " .. word) end
  end
end

return disk
