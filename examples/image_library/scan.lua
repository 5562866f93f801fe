--- Brings the catalogue in line with a directory tree, and touches only what is not.
-- An image counts as unchanged while its size and its time of modification are. Files are read
-- outside transactions: the lock on the database is held only while rows are written.

local generation = require "image_library.generation"
local image = require "image_library.image"
local tags = require "image_library.tags"
local workflow = require "image_library.workflow"
local Catalogue = require "image_library.catalogue"

local M = {}

-- Enough to make the cost of a commit disappear, little enough to lose when interrupted.
local BATCH = 1000
-- A thousand images may carry a gigabyte of metadata; a batch waits for no more than this.
local BATCH_BYTES = 16 << 20

---@class Changes
---@field new integer
---@field changed integer
---@field removed integer
---@field problems { path: string, reason: string }[] what was left out of the catalogue

-- The metadata less what the tables of nodes hold already.
local function remaining_metadata(header, nodes)
  local metadata = {}
  for name, value in pairs(header.texts) do
    if not (nodes and (name == "prompt" or name == "workflow")) then
      metadata[name] = value
    end
  end
  return next(metadata) and metadata or nil
end

-- What the catalogue is to hold of a file; or nil and the reason why it cannot be read.
local function examine(root, folder, file, folder_id)
  local header, reason = image.read(file.disk)
  if not header then
    return nil, reason
  end
  local nodes, problem = workflow.read(header.texts)
  if problem then
    header:omit("workflow", problem)
  end
  return {
    folder_id = folder_id,
    name = file.name,
    bytes = file.bytes,
    modified_at = Catalogue.timestamp(file.modified),
    header = header,
    nodes = nodes,
    tags = tags.of(root.path, folder.path, file.name, header, nodes ~= nil),
    metadata = remaining_metadata(header, nodes),
    generation = generation.read(header.texts, nodes),
  }
end

-- The folders that have vanished, and those that cannot be read at the moment: what lies in one, or
-- beneath it, is unknown and not gone.
local function missing(tree, known)
  local present, unknown = {}, {}
  for _, folder in ipairs(tree.folders) do
    present[folder.path] = true
    unknown[folder.path] = not folder.complete or nil
  end
  local function is_unknown(path)
    while path and #path > #tree.root.path do
      path = path:match("^(.*)/[^/]*$")
      if unknown[path] then
        return true
      end
    end
    return unknown[tree.root.path]
  end
  local gone, unavailable = {}, {}
  for path, row in pairs(known) do
    if not present[path] then
      table.insert(is_unknown(path) and unavailable or gone, row.id)
    end
  end
  return gone, unavailable
end

local function each_batch(list, fn)
  for first = 1, #list, BATCH do
    fn(table.move(list, first, math.min(first + BATCH - 1, #list), 1, {}))
  end
end

---@class Scan the state of one run
---@field catalogue Catalogue
---@field root Folder
---@field changes Changes
---@field entries Entry[] the batch that waits to be stored
---@field text_bytes integer of metadata in the batch
---@field unavailable integer[] images that could not be read
local Scan = {}
Scan.__index = Scan

function Scan:note(path, reason)
  self.changes.problems[#self.changes.problems + 1] = { path = path, reason = reason }
end

function Scan:flush()
  if #self.entries > 0 then
    self.catalogue:store(self.entries)
    self.entries, self.text_bytes = {}, 0
  end
end

function Scan:add(entry, kind)
  self.changes[kind] = self.changes[kind] + 1
  self.entries[#self.entries + 1] = entry
  self.text_bytes = self.text_bytes + entry.header.text_bytes
  if #self.entries >= BATCH or self.text_bytes >= BATCH_BYTES then
    self:flush()
  end
end

function Scan:visit(folder, file, known, folder_id)
  if known and not known.unread and known.bytes == file.bytes
    and known.modified_at == Catalogue.timestamp(file.modified) then
    return
  end
  local path = folder.path:gsub("/$", "") .. "/" .. file.name
  local entry, reason = examine(self.root, folder, file, folder_id)
  if not entry then
    -- A known image stays as it was when it could be read.
    self.unavailable[#self.unavailable + 1] = known and known.id
    return self:note(path, "file cannot be read: " .. reason)
  end
  for _, omission in ipairs(entry.header.omitted) do
    self:note(path, "metadata left out: " .. omission)
  end
  self:add(entry, known and "changed" or "new")
end

---Stores what is new or changed in a tree, and removes what has vanished from it.
---@param catalogue Catalogue
---@param tree Tree
---@param on_image? fun(done: integer) called for each image, with the number of images so far
---@return Changes
function M.run(catalogue, tree, on_image)
  local changes = { new = 0, changed = 0, removed = 0, problems = tree.problems }
  local scan = setmetatable({
    catalogue = catalogue,
    root = tree.root,
    changes = changes,
    entries = {},
    text_bytes = 0,
    unavailable = {},
  }, Scan)

  local known_folders = catalogue:folders(tree.root)
  local folder_ids = catalogue:add_folders(tree.folders, known_folders)
  local gone, done = {}, 0
  for _, folder in ipairs(tree.folders) do
    local folder_id = folder_ids[folder.path]
    local known = catalogue:images(folder_id)
    for _, file in ipairs(folder.files) do
      scan:visit(folder, file, known[file.name], folder_id)
      known[file.name] = nil
      done = done + 1
      if on_image then
        on_image(done)
      end
    end
    for _, image_row in pairs(known) do
      table.insert(folder.complete and gone or scan.unavailable, image_row.id)
    end
  end
  scan:flush()

  each_batch(gone, function(ids)
    changes.removed = changes.removed + catalogue:remove_images(ids)
  end)
  local gone_folders, closed_folders = missing(tree, known_folders)
  each_batch(gone_folders, function(ids)
    changes.removed = changes.removed + catalogue:remove_folders(ids)
  end)
  each_batch(scan.unavailable, function(ids)
    catalogue:mark_unavailable(ids)
  end)
  each_batch(closed_folders, function(ids)
    catalogue:mark_folders_unavailable(ids)
  end)
  if changes.changed + changes.removed > 0 then
    catalogue:remove_unused_tags()
  end
  return changes
end

return M
