--- What an image file says about itself, filled in by the parser of its format.

local text = require "image_library.text"

local M = {}
M.__index = M

-- A photograph has a handful of texts of some kilobytes; a workflow may have some hundred
-- kilobytes. What is larger is not what a catalogue wants, or not honest.
M.MAX_TEXTS = 64
M.MAX_TEXT_BYTES = 1 << 20

---@class Header
---@field format string? "png" | "jpeg" | "gif" | "webp"
---@field width integer? pixels
---@field height integer? pixels
---@field texts table<string, string> metadata by name, valid UTF-8
---@field text_bytes integer the size of all texts together
---@field omitted string[] metadata that is in the file and was not taken, each with the reason
---@field problem string? what is wrong with the file; nil if it looks whole

---@return Header
function M.new()
  return setmetatable({ texts = {}, text_count = 0, text_bytes = 0, omitted = {} }, M)
end

---Sets the size in pixels. A size of nothing is a problem of the file.
---@param width integer
---@param height integer
---@return string? problem
function M:set_size(width, height)
  if width < 1 or height < 1 then
    return ("a size of %d x %d pixels"):format(width, height)
  end
  self.width, self.height = width, height
end

---Adds a text of the metadata. The first one of a name stays.
---@param name string
---@param bytes string in whatever encoding
function M:add_text(name, bytes)
  name = text.from_bytes(name)
  if self.texts[name] then
    self:omit(name, "the name comes twice")
  elseif self.text_count >= M.MAX_TEXTS then
    self:omit(name, "too many texts")
  elseif self.text_bytes + #bytes > M.MAX_TEXT_BYTES then
    self:omit(name, "too long")
  else
    local value = text.from_bytes(bytes)
    self.texts[name] = value
    self.text_count = self.text_count + 1
    self.text_bytes = self.text_bytes + #value
  end
end

---Notes that some metadata was not taken.
---@param name string
---@param reason string
function M:omit(name, reason)
  -- A hostile file must not fill the memory with complaints about itself.
  if #self.omitted < M.MAX_TEXTS then
    self.omitted[#self.omitted + 1] = ("%s: %s"):format(text.from_bytes(name), reason)
  end
end

return M
