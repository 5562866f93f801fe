--- Walks a directory tree and lists the image files in it.
-- A symbolic link to a file is a file; one to a folder is not followed, so no loop can be entered
-- and no image is found twice. Only regular files are listed: a pipe would block whoever opens it.

local lfs = require "lfs"
local attempt = require "image_library.attempt"
local image = require "image_library.image"
local text = require "image_library.text"

local M = {}

---@class File
---@field name string as the catalogue stores it (see text.escape)
---@field disk string the path to open, byte for byte
---@field bytes integer
---@field modified integer seconds since 1970

---@class Folder
---@field path string as the catalogue stores it
---@field name string its last part
---@field disk string the path to open, byte for byte
---@field prefix string what comes in front of the names in it
---@field parent Folder? nil for the root
---@field files File[] its images, in the order of their names
---@field complete boolean false: it could not be read to the end

---@class Tree
---@field root Folder
---@field folders Folder[] parents first: those with images in them or beneath, and the incomplete
---@field files integer how many images there are in all
---@field problems { path: string, reason: string }[] what had to be left out

---The path of a directory without links, dots and doubled slashes.
---@param path string
---@return string? path nil if it is no directory, or a closed one
---@return string? reason
function M.real_path(path)
  -- Lua has no realpath, but the system knows where it is.
  local here = assert(lfs.currentdir())
  local entered, reason = lfs.chdir(path)
  if not entered then
    -- Its message has a first line of its own, which names the path.
    return nil, (reason:gsub("%s+$", ""):gsub("^.*\n", ""))
  end
  local real = lfs.currentdir()
  assert(lfs.chdir(here))
  return real
end

-- The messages of lfs begin with the path, which stands beside them in the report.
local function cause(reason)
  return (tostring(reason):gsub("^.*: ", ""))
end

local function list(disk)
  local names = {}
  -- lfs.dir is the one function of lfs that raises instead of returning nil and a reason.
  local ok, reason = attempt.call(function()
    for name in lfs.dir(disk) do
      if name ~= "." and name ~= ".." then
        names[#names + 1] = name
      end
    end
  end)
  -- Sorted, so that two runs do the same in the same order.
  table.sort(names)
  return names, not ok and cause(reason) or nil
end

-- What errno says of a name that leads nowhere (ENOENT) or in a circle (ELOOP).
local MISSING = { [2] = true, [40] = true }

---The attributes of what a name stands for.
---@return table? attributes nil if there is nothing to look at
---@return string? reason if that is worth a word
---@return boolean? unknown something may be there, but it cannot be looked at
local function inspect(disk, name)
  local found, reason, errno = lfs.symlinkattributes(disk)
  if not found then
    -- A file may vanish between being listed and being looked at.
    return nil, not MISSING[errno] and cause(reason) or nil, not MISSING[errno]
  elseif found.mode ~= "link" then
    return found
  end
  found, reason, errno = lfs.attributes(disk)
  if found and found.mode == "directory" then
    return nil, "link to a folder, not followed"
  elseif found or not image.is_image_name(name) then
    return found
  elseif MISSING[errno] then
    return nil, "link to nothing"
  end
  return nil, cause(reason), true
end

local function new_folder(disk, parent)
  return {
    path = text.escape(disk),
    name = text.escape(disk:match("([^/]+)$") or disk),
    disk = disk,
    -- The root of the file system ends in its slash already.
    prefix = disk:gsub("/$", "") .. "/",
    parent = parent,
    files = {},
    complete = true,
  }
end

---Lists the images beneath a directory. What cannot be read is noted in `problems` and passed over.
---@param root string a path from real_path
---@param on_folder? fun(files: integer) called for each folder, with the number of images so far
---@return Tree
function M.tree(root, on_folder)
  local tree = { folders = {}, files = 0, problems = {} }

  local function note(disk, reason)
    tree.problems[#tree.problems + 1] = { path = text.escape(disk), reason = reason }
  end

  local function visit(folder)
    local names, failure = list(folder.disk)
    if failure then
      note(folder.disk, "folder cannot be read: " .. failure)
      folder.complete = false
    end
    local place = #tree.folders + 1
    tree.folders[place] = folder
    local subfolders = {}
    for _, name in ipairs(names) do
      local disk = folder.prefix .. name
      local found, reason, unknown = inspect(disk, name)
      if found and found.mode == "directory" then
        subfolders[#subfolders + 1] = name
      elseif found and found.mode == "file" and image.is_image_name(name) then
        folder.files[#folder.files + 1] = {
          name = text.escape(name),
          disk = disk,
          bytes = found.size,
          modified = found.modification,
        }
      elseif reason then
        note(disk, reason)
        folder.complete = folder.complete and not unknown
      end
    end
    tree.files = tree.files + #folder.files
    if on_folder then
      on_folder(tree.files)
    end
    local wanted = not folder.complete or #folder.files > 0
    for _, name in ipairs(subfolders) do
      wanted = visit(new_folder(folder.prefix .. name, folder)) or wanted
    end
    if not wanted then
      -- Nothing was added behind it, for nothing beneath it was wanted.
      tree.folders[place] = nil
    end
    return wanted
  end

  tree.root = new_folder(root)
  visit(tree.root)
  return tree
end

return M
