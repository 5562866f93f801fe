--- Reads format, size and text metadata out of the header of an image file.
-- The contents decide which format it is, not the name. Nothing is decoded: a file with a good
-- header and bad pixels counts as whole, as far as its chunks can be followed to the end.

local Header = require "image_library.header"
local Source = require "image_library.source"

local M = {}

local FORMATS = {
  require "image_library.formats.png",
  require "image_library.formats.jpeg",
  require "image_library.formats.gif",
  -- In brackets, for `require` returns the name of the file as well.
  (require "image_library.formats.webp"),
}

local EXTENSIONS = { png = true, jpg = true, jpeg = true, gif = true, webp = true }

---Whether a file of that name is to be opened at all.
---@param name string
---@return boolean
function M.is_image_name(name)
  local extension = name:match("%.(%w+)$")
  return extension ~= nil and EXTENSIONS[extension:lower()] == true
end

---Reads the header of an image file. A damaged file is no failure: it has a header with a
---`problem`, and perhaps no format and no size.
---@param path string
---@return Header? header nil if the file cannot be read
---@return string? reason
function M.read(path)
  local source <close>, reason = Source.open(path)
  if not source then
    return nil, reason
  end
  local header = Header.new()
  if source.size == 0 then
    header.problem = "the file is empty"
    return header
  end
  local start = source:at(0, math.min(source.size, 16))
  for _, format in ipairs(FORMATS) do
    if start and format.matches(start) then
      header.format = format.name
      header.problem = format.read(source, header)
      return header
    end
  end
  header.problem = "no PNG, JPEG, GIF or WebP file"
  return header
end

return M
