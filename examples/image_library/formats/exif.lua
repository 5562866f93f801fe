--- EXIF: a small TIFF file within a JPEG or WebP file. Only the plain texts of its first directory
-- are read, where the description, the artist and the names of camera and program stand.

local M = {}

local NAMES = {
  [0x010E] = "ImageDescription",
  [0x010F] = "Make",
  [0x0110] = "Model",
  [0x0131] = "Software",
  [0x013B] = "Artist",
  [0x8298] = "Copyright",
}
local ASCII = 2
local MAX_ENTRIES = 512

---Adds the texts that are found. All offsets are checked against the block itself, so a damaged one
---only says less.
---@param block string from the byte order mark on
---@param header Header
function M.read(block, header)
  local order = ({ II = "<", MM = ">" })[block:sub(1, 2)]
  if not order or #block < 8 then
    return header:omit("EXIF", "damaged")
  end
  local magic, directory = string.unpack(order .. "I2I4", block, 3)
  if magic ~= 42 or directory + 2 > #block then
    return header:omit("EXIF", "damaged")
  end
  local count = string.unpack(order .. "I2", block, directory + 1)
  for index = 0, math.min(count, MAX_ENTRIES) - 1 do
    local entry = directory + 2 + index * 12
    if entry + 12 > #block then
      return header:omit("EXIF", "damaged")
    end
    local tag, kind, length, offset = string.unpack(order .. "I2I2I4I4", block, entry + 1)
    local name = NAMES[tag]
    if name and kind == ASCII then
      -- Up to four bytes stand in the entry itself.
      if length <= 4 then
        offset = entry + 8
      end
      if offset + length > #block then
        header:omit(name, "damaged")
      else
        local value = block:sub(offset + 1, offset + length)
        -- Cameras write empty or blank descriptions.
        if value:find("[^%s\0]") then
          header:add_text(name, value)
        end
      end
    end
  end
end

return M
