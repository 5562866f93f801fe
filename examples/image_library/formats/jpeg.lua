--- JPEG: segments of a marker and a length; the size stands in the start of the frame (SOFn).
-- Left out: whatever comes after the start of the pixels (SOS), XMP, IPTC, and of EXIF all but the
-- texts of the main image.

local exif = require "image_library.formats.exif"

local M = { name = "jpeg" }

local MAX_SEGMENTS = 4096
-- Fill bytes are legal before a marker; nobody writes more than a few.
local MAX_FILL = 4096

local SOS, EOI, COM, APP1 = 0xDA, 0xD9, 0xFE, 0xE1

---@param start string the first bytes of the file
---@return boolean
function M.matches(start)
  return start:sub(1, 3) == "\xFF\xD8\xFF"
end

-- SOF0 to SOF15 without the three that share the range: DHT, JPG and DAC.
local function starts_frame(marker)
  return marker >= 0xC0 and marker <= 0xCF
    and marker ~= 0xC4 and marker ~= 0xC8 and marker ~= 0xCC
end

-- RSTn and TEM are markers without a length.
local function stands_alone(marker)
  return marker >= 0xD0 and marker <= 0xD7 or marker == 0x01
end

local function read_marker(source, offset)
  if source:unpack("B", offset) ~= 0xFF then
    return nil
  end
  for skipped = 1, MAX_FILL do
    local marker = source:unpack("B", offset + skipped)
    if marker ~= 0xFF then
      return marker, offset + skipped + 1
    end
  end
end

---@param source Source
---@param header Header
---@return string? problem
function M.read(source, header)
  local offset = 2
  for _ = 1, MAX_SEGMENTS do
    local marker, data = read_marker(source, offset)
    if not marker then
      return header.width and "it ends before its pixels" or "it ends before its size"
    elseif marker == SOS then
      return not header.width and "the pixels come before the size" or nil
    elseif marker == EOI then
      return "it has no pixels"
    elseif stands_alone(marker) then
      offset = data
    else
      local length = source:unpack(">I2", data)
      if not length or length < 2 or data + length > source.size then
        return ("it ends within segment %02X"):format(marker)
      end
      if starts_frame(marker) and not header.width then
        local _, height, width = source:unpack(">BI2I2", data + 2)
        if not width or length < 7 then
          return "the start of the frame is too short"
        end
        local problem = header:set_size(width, height)
        if problem then
          return problem
        end
      elseif marker == COM then
        header:add_text("Comment", source:at(data + 2, length - 2))
      elseif marker == APP1 then
        local block = source:at(data + 2, length - 2):match("^Exif\0\0(.*)")
        if block then
          exif.read(block, header)
        end
      end
      offset = data + length
    end
  end
  return "it has too many segments"
end

return M
