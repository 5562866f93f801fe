--- A file read by offset, in bounds.
-- A parser of hostile files asks for "n bytes at offset o" and gets exactly them or nil; no length
-- that stands in a file can make it read past the end or allocate more than MAX_READ.

local M = {}
M.__index = M

---Most that one call of `at` returns, in bytes.
M.MAX_READ = 1 << 20

-- The headers of most images fit into one block, which then costs one read.
local WINDOW = 4096

---@class Source
---@field size integer bytes in the file

---Opens a file for reading.
---@param path string
---@return Source? source nil if it cannot be opened
---@return string? reason
function M.open(path)
  local file, reason = io.open(path, "rb")
  if not file then
    -- io.open puts the path in front, and whoever reports this names the file already.
    return nil, (reason:gsub("^.*: ", ""))
  end
  -- A window that is a whole block makes C's buffer a second copy for nothing.
  file:setvbuf("no")
  local window, failure = file:read(WINDOW)
  local size = file:seek("end")
  if failure or not size then
    file:close()
    return nil, failure or "it has no size"
  end
  return setmetatable({ file = file, size = size, window = window or "", start = 0 }, M)
end

---The `count` bytes that begin at `offset` (0 is the first byte), or nil if the file has not got
---them all or `count` is over MAX_READ.
---@param offset integer
---@param count integer
---@return string?
function M:at(offset, count)
  local first = offset - self.start
  if first < 0 or first + count > #self.window then
    if offset < 0 or count > M.MAX_READ or offset + count > self.size then return nil end
    if not self.file:seek("set", offset) then return nil end
    self.window = self.file:read(math.max(count, WINDOW)) or ""
    self.start, first = offset, 0
    -- The file may have shrunk since its size was asked for.
    if count > #self.window then return nil end
  end
  return self.window:sub(first + 1, first + count)
end

---Numbers (or whatever `format` of string.unpack says) at `offset`; nothing if the file ends first.
---@param format string of fixed size
---@param offset integer
---@return any ...
function M:unpack(format, offset)
  local bytes = self:at(offset, string.packsize(format))
  if bytes then
    return string.unpack(format, bytes)
  end
end

function M:close()
  self.file:close()
end

M.__close = M.close

return M
