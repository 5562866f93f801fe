--- Tags for an image, out of its path and its metadata.

local text = require "image_library.text"

local M = {}

-- A file with a thousand words in its name is not better described by a thousand tags.
local MAX_TAGS = 32
local MAX_BYTES = 64

-- Metadata that holds a list of keywords, and metadata in which people write #hashtags.
local KEYWORDS = { "Keywords", "keywords" }
local PROSE = { "Comment", "Description", "ImageDescription", "Title" }

---The tags of an image: the folders beneath the root, the words of its name, its format, "comfyui"
---for an image with a workflow, its keywords and hashtags. In lower case and each one once.
---@param root string path of the catalogued tree
---@param folder string path of the image's folder, the root or beneath it
---@param name string
---@param header Header
---@param has_workflow boolean
---@return string[]
function M.of(root, folder, name, header, has_workflow)
  local tags, seen = {}, {}

  local function add(tag)
    tag = tag:lower():match("^%s*(.-)%s*$")
    if tag ~= "" and #tag <= MAX_BYTES and not seen[tag] and #tags < MAX_TAGS then
      seen[tag] = true
      tags[#tags + 1] = tag
    end
  end

  if header.format then
    add(header.format)
  end
  if has_workflow then
    add("comfyui")
  end
  for _, key in ipairs(KEYWORDS) do
    for keyword in (header.texts[key] or ""):gmatch("[^,;\n]+") do
      add(keyword)
    end
  end
  for _, key in ipairs(PROSE) do
    for hashtag in (header.texts[key] or ""):gmatch("#([%w_\x80-\xFF]+)") do
      add(hashtag)
    end
  end
  for part in folder:sub(#root + 1):gmatch("[^/]+") do
    add(part)
  end
  for word in text.words((name:gsub("%.%w+$", ""))) do
    -- Numbers and short words are in every name and tell nothing.
    if #word >= 3 and word:find("%D") then
      add(word)
    end
  end
  return tags
end

return M
