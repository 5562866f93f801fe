--- WebP: a RIFF container whose first chunk (VP8, VP8L or VP8X) holds the size.
-- Left out: the contents of XMP, of which only the size is kept.

local exif = require "image_library.formats.exif"

local M = { name = "webp" }

-- Every frame of an animation is a chunk.
local MAX_CHUNKS = 4096

---@param start string the first bytes of the file
---@return boolean
function M.matches(start)
  return start:find("^RIFF....WEBP") ~= nil
end

-- What each kind of first chunk says of the size in pixels.
local SIZES = {
  -- Lossy: three bytes of frame tag, a start code, 14 bits each beneath 2 bits of scaling.
  ["VP8 "] = function(source, offset)
    local code, width, height = source:unpack("<c3I2I2", offset + 3)
    if code == "\x9D\x01\x2A" then
      return width & 0x3FFF, height & 0x3FFF
    end
  end,
  -- Lossless: a signature, then 14 bits each, less one.
  VP8L = function(source, offset)
    local signature, bits = source:unpack("<BI4", offset)
    if signature == 0x2F then
      return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    end
  end,
  -- Extended: flags, then the canvas in 24 bits each, less one.
  VP8X = function(source, offset)
    local width, height = source:unpack("<I3I3", offset + 4)
    if width then
      return width + 1, height + 1
    end
  end,
}

local function read_metadata(source, header, kind, offset, length)
  if kind == "XMP " then
    header:add_text("xmp_bytes", tostring(length))
  elseif kind == "EXIF" then
    local block = source:at(offset, length)
    if block then
      -- Some writers keep the prefix that only JPEG needs.
      exif.read((block:gsub("^Exif\0\0", "")), header)
    else
      header:omit("EXIF", "too long")
    end
  end
end

---@param source Source
---@param header Header
---@return string? problem
function M.read(source, header)
  local offset = 12
  for index = 1, MAX_CHUNKS do
    if index > 1 and offset >= source.size then
      return nil
    end
    local kind, length = source:unpack("<c4I4", offset)
    if not kind then
      return index == 1 and "it ends before its size" or "it ends within a chunk"
    end
    local data = offset + 8
    if index == 1 then
      local size_of = SIZES[kind]
      if not size_of then
        return "an unknown first chunk"
      end
      local width, height = size_of(source, data)
      if not width then
        return "a damaged first chunk"
      end
      local problem = header:set_size(width, height)
      if problem then
        return problem
      end
    end
    if data + length > source.size then
      return ("it ends within %s"):format(kind:match("^%w+") or "a chunk")
    end
    read_metadata(source, header, kind, data, length)
    -- Chunks begin at even offsets.
    offset = data + length + (length & 1)
  end
  header:omit("the rest", "too many chunks")
end

return M
