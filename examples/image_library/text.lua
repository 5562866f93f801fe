--- Text as a database takes it: valid UTF-8 without NUL.
-- File names and metadata are bytes that nobody has checked. Names must survive exactly, because
-- they are the way back to the file; metadata only has to be readable.

local M = {}

local function hexadecimal(byte)
  return ("\\x%02X"):format(byte:byte())
end

---A file name as text. A byte that is not UTF-8 becomes `\xHH`, and so does the backslash of a
---literal `\x`: two names never become one, and `unescape` gives the bytes back.
---@param name string the bytes of a name, or of a whole path
---@return string
function M.escape(name)
  local parts, position = { }, 1
  name = name:gsub("\\x", "\\x5Cx")
  while true do
    local valid, wrong = utf8.len(name, position)
    if valid then break end
    parts[#parts + 1] = name:sub(position, wrong - 1) .. hexadecimal(name:sub(wrong, wrong))
    position = wrong + 1
  end
  parts[#parts + 1] = name:sub(position)
  return table.concat(parts)
end

---The bytes of a name that `escape` has made.
---@param name string
---@return string
function M.unescape(name)
  return (name:gsub("\\x(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

---Metadata as text. The formats say Latin-1 and the writers say UTF-8, so what is valid UTF-8 is
---taken for that. A trailing NUL is C's end of a string; one in the middle becomes U+FFFD.
---@param bytes string
---@return string
function M.from_bytes(bytes)
  bytes = bytes:gsub("[%s\0]+$", "")
  if not utf8.len(bytes) then
    bytes = bytes:gsub("[\128-\255]", function(byte)
      return utf8.char(byte:byte())
    end)
  end
  return (bytes:gsub("\0", "\u{FFFD}"))
end

---Text for a terminal: a name from a stranger's disk must not move the cursor or set colours.
---@param text string valid UTF-8
---@return string
function M.printable(text)
  return (text:gsub("%c", "?"):gsub("\xC2[\x80-\x9F]", "?"))
end

---The words of a name: runs of letters and digits in lower case. Letters beyond ASCII belong to
---words, escaped bytes do not.
---@param name string
---@return fun(): string?
function M.words(name)
  return name:gsub("\\x%x%x", " "):lower():gmatch("[%w\x80-\xFF]+")
end

return M
