--- PNG: a signature, then chunks of length, type, data and checksum; IHDR first, IEND last.
-- Left out: compressed text (zTXt, and iTXt with its flag set), since Lua has no inflate; the
-- checksums, since reading every pixel is not what a catalogue is for.

local M = { name = "png" }

local SIGNATURE = "\x89PNG\r\n\x1A\n"
-- Longer than any file a camera or a program writes (64 MB in IDATs of 8 kB are 8192).
local MAX_CHUNKS = 20000
local MAX_LENGTH = 0x7FFFFFFF

---@param start string the first bytes of the file
---@return boolean
function M.matches(start)
  return start:sub(1, 8) == SIGNATURE
end

local function read_text(source, header, kind, offset, length)
  local data = source:at(offset, length)
  if not data then
    return header:omit(kind, "too long")
  end
  -- The standard allows a keyword 79 bytes.
  local keyword, rest = data:sub(1, 80):match("^([^\0]+)\0()")
  if not keyword then
    header:omit(kind, "no keyword")
  elseif kind == "tEXt" then
    header:add_text(keyword, data:sub(rest))
  elseif kind == "zTXt" then
    header:omit(keyword, "compressed")
  else
    local flag, value = data:match("^(.).[^\0]*\0[^\0]*\0()", rest)
    if not flag then
      header:omit(keyword, "no text")
    elseif flag ~= "\0" then
      header:omit(keyword, "compressed")
    else
      header:add_text(keyword, data:sub(value))
    end
  end
end

local TEXT = { tEXt = true, iTXt = true, zTXt = true }

---@param source Source
---@param header Header
---@return string? problem
function M.read(source, header)
  local length, kind, width, height = source:unpack(">I4c4I4I4", 8)
  if not length then
    return "it ends within IHDR"
  elseif kind ~= "IHDR" or length ~= 13 then
    return "IHDR does not come first"
  elseif width > MAX_LENGTH or height > MAX_LENGTH then
    return "a size beyond the standard"
  end
  local problem = header:set_size(width, height)
  if problem then
    return problem
  end

  local offset = 8 + 12 + length
  for _ = 1, MAX_CHUNKS do
    length, kind = source:unpack(">I4c4", offset)
    if not length then
      return "it ends without IEND"
    elseif length > MAX_LENGTH or offset + 12 + length > source.size then
      return ("it ends within %s"):format(kind:match("^%a+$") or "a chunk")
    elseif kind == "IEND" then
      return nil
    elseif TEXT[kind] then
      read_text(source, header, kind, offset + 8, length)
    end
    offset = offset + 12 + length
  end
  header:omit("the rest", "too many chunks")
end

return M
