--- Writes image files for tests: tiny valid ones of each format with metadata, and broken ones.
-- The valid ones can be opened by any viewer; each is of one colour, which lets their pixels be
-- written without a compressor.

local lfs = require "lfs"

local M = {}

local CRC = {}
for byte = 0, 255 do
  local value = byte
  for _ = 1, 8 do
    value = value & 1 == 1 and 0xEDB88320 ~ value >> 1 or value >> 1
  end
  CRC[byte] = value
end

local function crc32(bytes)
  local value = 0xFFFFFFFF
  for index = 1, #bytes do
    value = CRC[(value ~ bytes:byte(index)) & 0xFF] ~ value >> 8
  end
  return value ~ 0xFFFFFFFF
end

local function adler32(bytes)
  local a, b = 1, 0
  for index = 1, #bytes do
    a = (a + bytes:byte(index)) % 65521
    b = (b + a) % 65521
  end
  return b << 16 | a
end

-- Deflate allows data to stand in it as it is, in blocks of up to 65535 bytes.
local function stored(bytes)
  local parts = { "\x78\x01" }
  for first = 1, #bytes, 65535 do
    local block = bytes:sub(first, first + 65534)
    local last = first + 65535 > #bytes and 1 or 0
    parts[#parts + 1] = string.pack("<BI2I2", last, #block, ~#block & 0xFFFF) .. block
  end
  parts[#parts + 1] = string.pack(">I4", adler32(bytes))
  return table.concat(parts)
end

---One chunk of a PNG file.
---@param kind string four letters
---@param data string
---@return string
function M.png_chunk(kind, data)
  return string.pack(">I4", #data) .. kind .. data .. string.pack(">I4", crc32(kind .. data))
end

---A PNG file in grey.
---@param width integer
---@param height integer
---@param chunks? string what stands between header and pixels, from the functions below
---@return string
function M.png(width, height, chunks)
  return table.concat {
    "\x89PNG\r\n\x1A\n",
    M.png_chunk("IHDR", string.pack(">I4I4BBBBB", width, height, 8, 0, 0, 0, 0)),
    chunks or "",
    M.png_chunk("IDAT", stored(("\0" .. ("\x80"):rep(width)):rep(height))),
    M.png_chunk("IEND", ""),
  }
end

---A chunk of Latin-1 text.
---@param keyword string
---@param value string
---@return string
function M.png_text(keyword, value)
  return M.png_chunk("tEXt", keyword .. "\0" .. value)
end

---A chunk of UTF-8 text.
---@param keyword string
---@param value string
---@return string
function M.png_international_text(keyword, value)
  return M.png_chunk("iTXt", keyword .. "\0\0\0\0\0" .. value)
end

---A chunk of compressed text.
---@param keyword string
---@param value string
---@return string
function M.png_compressed_text(keyword, value)
  return M.png_chunk("zTXt", keyword .. "\0\0" .. stored(value))
end

---A block of EXIF.
---@param texts table<integer, string> by number of tag
---@param order? "<" | ">" default "<"
---@return string
function M.exif(texts, order)
  order = order or "<"
  local tags = {}
  for tag in pairs(texts) do
    tags[#tags + 1] = tag
  end
  table.sort(tags)
  local entries, values, offset = {}, {}, 8 + 2 + #tags * 12 + 4
  for index, tag in ipairs(tags) do
    local value = texts[tag] .. "\0"
    local place
    if #value <= 4 then
      place = value .. ("\0"):rep(4 - #value)
    else
      place = string.pack(order .. "I4", offset)
      values[#values + 1] = value
      offset = offset + #value
    end
    entries[index] = string.pack(order .. "I2I2I4", tag, 2, #value) .. place
  end
  return table.concat {
    order == "<" and "II" or "MM",
    string.pack(order .. "I2I4I2", 42, 8, #tags),
    table.concat(entries),
    string.pack(order .. "I4", 0),
    table.concat(values),
  }
end

---One segment of a JPEG file.
---@param marker integer
---@param data string
---@return string
function M.jpeg_segment(marker, data)
  return string.pack(">BBI2", 0xFF, marker, #data + 2) .. data
end

---A JPEG file in grey.
---@param width integer
---@param height integer
---@param segments? string what stands in front of the tables, from jpeg_segment
---@return string
function M.jpeg(width, height, segments)
  -- One code of one bit for "no difference", one for "nothing more": two bits of 0 for a block.
  local one_code = "\1" .. ("\0"):rep(15) .. "\0"
  local bits = 2 * ((width + 7) // 8) * ((height + 7) // 8)
  local rest = bits % 8
  return table.concat {
    "\xFF\xD8",
    segments or "",
    M.jpeg_segment(0xDB, "\0" .. ("\1"):rep(64)),
    M.jpeg_segment(0xC0, string.pack(">BI2I2BBBB", 8, height, width, 1, 1, 0x11, 0)),
    M.jpeg_segment(0xC4, "\x00" .. one_code),
    M.jpeg_segment(0xC4, "\x10" .. one_code),
    M.jpeg_segment(0xDA, "\1\1\0\0\x3F\0"),
    ("\0"):rep(bits // 8),
    rest > 0 and string.char(0xFF >> rest) or "",
    "\xFF\xD9",
  }
end

---A GIF file in black.
---@param width integer
---@param height integer
---@param comment? string
---@return string
function M.gif(width, height, comment)
  -- Pixels of 3 bits; a "clear" (4) before every second one keeps the codes from growing.
  local codes = {}
  for pixel = 1, width * height do
    if pixel % 2 == 1 then
      codes[#codes + 1] = 4
    end
    codes[#codes + 1] = 0
  end
  codes[#codes + 1] = 5
  local packed, bits, held = {}, 0, 0
  for _, code in ipairs(codes) do
    held, bits = held | code << bits, bits + 3
    if bits >= 8 then
      packed[#packed + 1] = string.char(held & 0xFF)
      held, bits = held >> 8, bits - 8
    end
  end
  packed[#packed + 1] = string.char(held & 0xFF)

  local function blocks(data)
    local parts = {}
    for first = 1, #data, 255 do
      parts[#parts + 1] = string.pack("s1", data:sub(first, first + 254))
    end
    return table.concat(parts) .. "\0"
  end
  return table.concat {
    "GIF89a",
    string.pack("<I2I2BBB", width, height, 0x80, 0, 0),
    "\0\0\0\xFF\xFF\xFF",
    comment and "\x21\xFE" .. blocks(comment) or "",
    string.pack("<BI2I2I2I2B", 0x2C, 0, 0, width, height, 0),
    "\2",
    blocks(table.concat(packed)),
    "\x3B",
  }
end

---One chunk of a WebP file.
---@param kind string four letters
---@param data string
---@return string
function M.webp_chunk(kind, data)
  return kind .. string.pack("<I4", #data) .. data .. ("\0"):rep(#data & 1)
end

---A WebP file of some chunks.
---@param chunks string from webp_chunk
---@return string
function M.webp_file(chunks)
  return "RIFF" .. string.pack("<I4", #chunks + 4) .. "WEBP" .. chunks
end

---The chunk of a lossless image in black.
---@param width integer
---@param height integer
---@return string
function M.webp_lossless(width, height)
  -- Behind the size: five codes of one symbol each, so that a pixel takes no bits at all. From the
  -- lowest bit: no transform, no cache, no groups; green 0, red 0, blue 0, alpha 255, distance 0.
  local size = width - 1 | height - 1 << 14
  return M.webp_chunk("VP8L", string.pack("<BI4", 0x2F, size)
    .. string.pack("<I4", 1 << 3 | 1 << 7 | 1 << 11 | (1 | 1 << 2 | 0xFF << 3) << 15 | 1 << 26))
end

---The chunk of a lossy image of one pixel.
---@return string
function M.webp_lossy()
  return M.webp_chunk("VP8 ", "\x30\x01\x00\x9D\x01\x2A\x01\x00\x01\x00\x0E\xC0\xFE\x25\xA4\x00"
    .. "\x03\x70\x00\x00\x00\x00")
end

---A WebP file in the extended form.
---@param width integer
---@param height integer
---@param exif string from `exif`
---@param xmp string
---@return string
function M.webp_extended(width, height, exif, xmp)
  local flags = 0x08 | 0x04
  return M.webp_file(table.concat {
    M.webp_chunk("VP8X", string.pack("<I4I3I3", flags, width - 1, height - 1)),
    M.webp_lossless(width, height),
    M.webp_chunk("EXIF", exif),
    M.webp_chunk("XMP ", xmp),
  })
end

---Writes a file, and the folders that it needs.
---@param path string
---@param contents string
function M.write(path, contents)
  for parent in path:gmatch("()/") do
    -- Those that are there already are refused, which is as good.
    lfs.mkdir(path:sub(1, parent - 1))
  end
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(contents))
end

M.PROMPT = [[{
  "3": { "class_type": "KSampler", "_meta": { "title": "The sampler" }, "is_changed": [NaN],
    "inputs": { "seed": 1125899906842624, "cfg": 7.5, "model": ["4", 0], "text": "NaN \" stays" } },
  "4": { "class_type": "CheckpointLoaderSimple",
    "inputs": { "ckpt_name": "dream.safetensors", "enabled": true } }
}]]

M.DRAWING = [[{ "nodes": [
  { "id": 7, "type": "SaveImage", "title": "Out", "widgets_values": ["ComfyUI", null] },
  { "id": 9, "type": "LoadImage", "widgets_values": { "image": "cat.png" } }
] }]]

local EXIF = M.exif({ [0x010E] = "A harbour #sea", [0x013B] = "Zo\xC3\xAB", [0x010F] = "abc" })

local VALID = {
  ["icons/16x16/actions/document-open.png"] = M.png(16, 16),
  ["icons/16x16/actions/document-save.png"] = M.png(16, 16),
  ["icons/48x48/actions/document-open.png"] = M.png(48, 48),
  ["photos/harbour.jpg"] = M.jpeg(640, 480,
    M.jpeg_segment(0xE1, "Exif\0\0" .. EXIF) .. M.jpeg_segment(0xFE, "Taken at noon #boats")),
  ["photos/motorola.JPEG"] = M.jpeg(33, 17,
    M.jpeg_segment(0xE1, "Exif\0\0" .. M.exif({ [0x010E] = "Big endian" }, ">"))),
  ["photos/keywords.png"] = M.png(20, 10, M.png_text("Keywords", "Summer, Beach")
    .. M.png_text("Author", "Ren\xE9")
    .. M.png_international_text("Title", "caf\u{E9} \u{263A}")
    .. M.png_compressed_text("Comment", "cannot be read")),
  ["animations/wait.gif"] = M.gif(12, 30, ("A long comment. "):rep(20) .. "#spinner"),
  ["animations/plain.gif"] = M.gif(1, 1),
  ["web/lossy.webp"] = M.webp_file(M.webp_lossy()),
  ["web/lossless.webp"] = M.webp_file(M.webp_lossless(300, 200)),
  ["web/extended.webp"] = M.webp_extended(64, 32, EXIF, "<x:xmpmeta/>"),
  ["generated/prompt.png"] = M.png(512, 512, M.png_text("prompt", M.PROMPT)
    .. M.png_text("workflow", M.DRAWING)),
  ["generated/drawing.png"] = M.png(8, 8, M.png_text("workflow", M.DRAWING)),
  ["generated/words.png"] = M.png(8, 8, M.png_text("prompt", "a cat, in plain words")),
  ["misnamed/jpeg.png"] = M.jpeg(9, 9),
  ["names/caf\xE9.png"] = M.png(4, 4),
  ["names/caf\\xE9.png"] = M.png(5, 5),
  ["names/\27[31mred\n.png"] = M.png(6, 6),
}

local PNG = M.png(16, 16)
local BROKEN = {
  ["empty.png"] = "",
  ["words.png"] = "this is a text",
  ["signature.png"] = PNG:sub(1, 8),
  ["half.png"] = PNG:sub(1, #PNG // 2),
  ["zero.png"] = M.png(0, 16),
  ["endless text.png"] = PNG:sub(1, 33) .. "\x7F\xFF\xFF\xFFtEXtComment\0",
  ["start.jpg"] = "\xFF\xD8\xFF",
  ["short segment.jpg"] = "\xFF\xD8\xFF\xE0\0\1",
  ["fill.jpg"] = "\xFF\xD8" .. ("\xFF"):rep(100000),
  ["no pixels.jpg"] = "\xFF\xD8\xFF\xD9",
  ["half.gif"] = M.gif(20, 20):sub(1, 40),
  ["screen.gif"] = "GIF89a\1\0",
  ["huge chunk.webp"] = "RIFF\xFF\xFF\xFF\xFFWEBPVP8X\xFF\xFF\xFF\xFF",
  ["wrong code.webp"] = M.webp_file(M.webp_chunk("VP8 ", ("\0"):rep(10))),
}

---Writes a tree of images: valid ones in several folders, broken ones in `broken`, and beside them
---what a walk has to cope with: a text file, an empty folder, links in circles and to nothing.
---@param directory string is made if it is not there
---@return { images: integer, folders: integer, broken: integer, bytes: integer } counts
function M.tree(directory)
  local counts = { images = 0, folders = 0, broken = 0, bytes = 0 }
  local folders = {}
  local function add(path, contents)
    M.write(directory .. "/" .. path, contents)
    counts.images = counts.images + 1
    counts.bytes = counts.bytes + #contents
    folders[path:match("^(.*)/")] = true
  end
  for path, contents in pairs(VALID) do
    add(path, contents)
  end
  for name, contents in pairs(BROKEN) do
    add("broken/" .. name, contents)
    counts.broken = counts.broken + 1
  end
  for _ in pairs(folders) do
    counts.folders = counts.folders + 1
  end
  M.write(directory .. "/photos/notes.txt", "not an image")
  lfs.mkdir(directory .. "/nothing")
  lfs.link("..", directory .. "/photos/loop", true)
  lfs.link("circle.png", directory .. "/photos/circle.png", true)
  lfs.link("gone.png", directory .. "/photos/dangling.png", true)
  return counts
end

return M
