--- GIF: a screen size, then images and extensions, each a chain of blocks of up to 255 bytes.
-- Left out: comments behind the first MAX_BLOCKS blocks, since a long animation has its text, if
-- any, in front.

local M = { name = "gif" }

local MAX_BLOCKS = 4096

local EXTENSION, IMAGE, TRAILER, COMMENT = 0x21, 0x2C, 0x3B, 0xFE

---@param start string the first bytes of the file
---@return boolean
function M.matches(start)
  return start:find("^GIF8[79]a") ~= nil
end

local function colour_table_bytes(flags)
  return flags & 0x80 ~= 0 and 3 << ((flags & 7) + 1) or 0
end

---Follows a chain of blocks; a block of no bytes ends it.
---@return integer? offset behind the chain; nil if the file ends first or the budget is used up
---@return integer budget how many blocks are left
---@return string text what was in the blocks, if `keep`
local function follow(source, offset, budget, keep)
  local parts = {}
  while budget > 0 do
    budget = budget - 1
    local length = source:unpack("B", offset)
    local data = length and source:at(offset + 1, length)
    if not data then
      return nil, budget, ""
    elseif length == 0 then
      return offset + 1, budget, table.concat(parts)
    elseif keep then
      parts[#parts + 1] = data
    end
    offset = offset + 1 + length
  end
  return nil, 0, table.concat(parts)
end

---@param source Source
---@param header Header
---@return string? problem
function M.read(source, header)
  local width, height, flags = source:unpack("<I2I2B", 6)
  if not width then
    return "it ends within its size"
  end
  local problem = header:set_size(width, height)
  if problem then
    return problem
  end

  local offset = 13 + colour_table_bytes(flags)
  local budget, images = MAX_BLOCKS, 0
  while offset and budget > 0 do
    local kind = source:unpack("B", offset)
    if kind == TRAILER then
      return images == 0 and "it has no pixels" or nil
    elseif kind == EXTENSION then
      local label = source:unpack("B", offset + 1)
      local comment
      offset, budget, comment = follow(source, offset + 2, budget, label == COMMENT)
      if label == COMMENT and comment ~= "" then
        header:add_text("Comment", comment)
      end
    elseif kind == IMAGE then
      images = images + 1
      local local_flags = source:unpack("B", offset + 9)
      if not local_flags then
        return "it ends within an image"
      end
      offset, budget = follow(source, offset + 11 + colour_table_bytes(local_flags), budget)
    else
      return kind and "an unknown block" or "it ends without its trailer"
    end
  end
  if budget > 0 then
    return "it ends within a block"
  end
  header:omit("the rest", "too many blocks")
end

return M
