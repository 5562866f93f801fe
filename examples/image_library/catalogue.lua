--- The image library's database: everything that reads or writes its tables during a scan.
-- Every function that writes does so in one transaction, which may be replayed from its start: what
-- it learns inside, such as the id of a new tag, it keeps nowhere else.

local tuff = require "tuff"
local schema = require "image_library.schema"

local M = {}
M.__index = M

---@class Entry an image to be stored
---@field folder_id integer
---@field name string
---@field bytes integer
---@field modified_at string
---@field header Header
---@field nodes Node[]?
---@field tags string[]
---@field metadata table<string, string>?
---@field generation Generation

---@class Catalogue
---@field db tuff.Database

---The time now, or a given one, as a TIMESTAMP TEXT column holds it. Times that a four-digit year
---cannot say become the nearest one that it can.
---@param seconds? integer since 1970
---@return string
function M.timestamp(seconds)
  seconds = math.max(-30610224000, math.min(seconds or os.time(), 253402300799))
  return os.date("!%Y-%m-%dT%H:%M:%S.000000Z", seconds) --[[@as string]]
end

-- They stand beside this file, wherever the program is started from.
local MIGRATIONS = package.searchpath("image_library.schema", package.path)
  :gsub("schema%.lua$", "migrations")

-- A migration may have asked for every file to be read again. That is noted with each image, so
-- that it is not forgotten where a scan is interrupted, or reads only one of several trees.
local function note_rescan(db)
  if db.settings:get("rescan") then
    db:transaction(function()
      db:run("update Images set stale = true")
      db.settings:set("rescan", nil)
    end)
  end
end

---@class Watcher who is told of an upgrade, see db:upgrade
---@field notify fun(plan: table): any
---@field progress fun(event: table)
---@field complete fun(handle: any, err: any)

---Opens a library; a new or empty database becomes one, and one of an older version a newer one.
---Before that, a copy is made of it, in a directory beside it.
---@param path string of a file, or a URL
---@param watcher? Watcher
---@return Catalogue
function M.open(path, watcher)
  local self = setmetatable({ db = tuff.open(path) }, M)
  watcher = watcher or {}
  self.db:upgrade {
    schema = schema,
    migrations = MIGRATIONS,
    backup = self.db:supports("backup") and path .. ".backups" or nil,
    notify = watcher.notify,
    progress = watcher.progress,
    complete = watcher.complete,
  }
  note_rescan(self.db)
  return self
end

function M:close()
  self.db:close()
end

M.__close = M.close

-- Paths beneath a root are the range from "root/" to "root0", for "0" is the character after "/".
-- A range can use the index of the paths, where `like` would read every one of them.
local function range_of(root)
  local prefix = root.path:gsub("/$", "")
  return { root = root.path, first = prefix .. "/", last = prefix .. "0" }
end

---The folders known in a tree, by path.
---@param root Folder
---@return table<string, { id: integer, parent_id: integer? }>
function M:folders(root)
  local known = {}
  for _, path, id, parent_id in self.db:tuples([[
      select path, id, parent_id from Folders
      where path = :root or path >= :first and path < :last]], range_of(root)) do
    known[path] = { id = id, parent_id = parent_id }
  end
  return known
end

---Adds the folders that are new, and hangs those that have found a parent onto it.
---@param folders Folder[] parents first
---@param known table<string, { id: integer, parent_id: integer? }> from `folders`
---@return table<string, integer> ids by path, of all of them
function M:add_folders(folders, known)
  local function same(folder)
    local row = known[folder.path]
    local parent = folder.parent and known[folder.parent.path]
    return row and (not folder.parent or parent and row.parent_id == parent.id)
  end

  local news = {}
  for _, folder in ipairs(folders) do
    if not same(folder) then
      news[#news + 1] = folder
    end
  end
  local function ids()
    local result = {}
    for path, row in pairs(known) do
      result[path] = row.id
    end
    return result
  end
  if #news == 0 then
    return ids()
  end
  return self.db:transaction(function(db)
    local result = ids()
    for _, folder in ipairs(news) do
      -- The root of a tree may lie within one that was catalogued earlier: it keeps its parent.
      result[folder.path] = db:value([[
        insert into Folders (parent_id, name, path) values (:parent_id, :name, :path)
        on conflict (path) do update set parent_id = coalesce(excluded.parent_id, Folders.parent_id)
        returning id]], {
          parent_id = folder.parent and result[folder.parent.path] or tuff.null,
          name = folder.name,
          path = folder.path,
        })
    end
    return result
  end)
end

---@class Known an image as the catalogue has it
---@field id integer
---@field bytes integer
---@field modified_at string
---@field unread boolean it is to be read, whatever its size and its time

---The images known in a folder, by name.
---@param folder_id integer
---@return table<string, Known>
function M:images(folder_id)
  local known = {}
  for _, name, id, bytes, modified_at, stale, unavailable in self.db:tuples([[
      select name, id, bytes, modified_at, stale, unavailable
      from Images where folder_id = ?]], folder_id) do
    known[name] = {
      id = id, bytes = bytes, modified_at = modified_at, unread = stale or unavailable,
    }
  end
  return known
end

local STORE_IMAGE = [[
insert into Images (folder_id, name, format, width, height, bytes, modified_at, added_at, broken,
                    problem, metadata, model_hash, seed, sampler)
values (:folder_id, :name, :format, :width, :height, :bytes, :modified_at, :added_at, :broken,
        :problem, :metadata, :model_hash, :seed, :sampler)
on conflict (folder_id, name) do update set
  format = excluded.format, width = excluded.width, height = excluded.height,
  bytes = excluded.bytes, modified_at = excluded.modified_at, broken = excluded.broken,
  problem = excluded.problem, metadata = excluded.metadata, model_hash = excluded.model_hash,
  seed = excluded.seed, sampler = excluded.sampler, unavailable = false, stale = false
returning id]]

-- A changed image keeps its row, and so its place in albums; its tags and nodes are made anew.
local function store_images(db, entries)
  local now, ids = M.timestamp(), {}
  for index, entry in ipairs(entries) do
    local header, generation = entry.header, entry.generation
    ids[index] = db:value(STORE_IMAGE, {
      folder_id = entry.folder_id,
      name = entry.name,
      format = header.format or tuff.null,
      width = header.width or tuff.null,
      height = header.height or tuff.null,
      bytes = entry.bytes,
      modified_at = entry.modified_at,
      added_at = now,
      broken = header.problem ~= nil,
      problem = header.problem or tuff.null,
      metadata = entry.metadata or tuff.null,
      model_hash = generation.model_hash or tuff.null,
      seed = generation.seed or tuff.null,
      sampler = generation.sampler or tuff.null,
    })
  end
  db:run("delete from ImageTags where image_id in ?", ids)
  db:run("delete from Nodes where image_id in ?", ids)
  return ids
end

local function store_tags(db, entries, image_ids)
  local names, rows, seen = {}, {}, {}
  for _, entry in ipairs(entries) do
    for _, name in ipairs(entry.tags) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1], rows[#rows + 1] = name, { name = name }
      end
    end
  end
  db:insert_many("Tags", rows, { on_conflict = "ignore" })
  local tag_ids = {}
  for _, name, id in db:tuples("select name, id from Tags where name in ?", names) do
    tag_ids[name] = id
  end

  local pairs_of_ids = {}
  for index, entry in ipairs(entries) do
    for _, name in ipairs(entry.tags) do
      pairs_of_ids[#pairs_of_ids + 1] = { image_id = image_ids[index], tag_id = tag_ids[name] }
    end
  end
  db:insert_many("ImageTags", pairs_of_ids)
end

local function store_nodes(db, entries, image_ids)
  for index, entry in ipairs(entries) do
    for _, node in ipairs(entry.nodes or {}) do
      local node_id = db:insert("Nodes", {
        image_id = image_ids[index],
        key = node.key,
        class_type = node.class_type,
        title = node.title,
      })
      local rows = {}
      for place, property in ipairs(node.properties) do
        rows[place] = {
          node_id = node_id,
          name = property.name,
          value = property.value,
          is_link = property.is_link,
        }
      end
      db:insert_many("NodeProperties", rows)
    end
  end
end

---Stores new and changed images with their tags and workflows, all or none of them.
---@param entries Entry[]
function M:store(entries)
  self.db:transaction(function(db)
    local image_ids = store_images(db, entries)
    store_tags(db, entries, image_ids)
    store_nodes(db, entries, image_ids)
  end)
end

---Marks images whose files cannot be read at the moment; all else of them stays as it was.
---@param ids integer[]
function M:mark_unavailable(ids)
  self.db:run("update Images set unavailable = true where not unavailable and id in ?", ids)
end

---Marks all images in folders that cannot be read at the moment.
---@param ids integer[]
function M:mark_folders_unavailable(ids)
  self.db:run("update Images set unavailable = true where not unavailable and folder_id in ?", ids)
end

---Removes images, with all that hangs on them.
---@param ids integer[]
---@return integer removed
function M:remove_images(ids)
  return self.db:run("delete from Images where id in ?", ids)
end

---Removes folders, with their images.
---@param ids integer[]
---@return integer removed how many images
function M:remove_folders(ids)
  return self.db:transaction(function(db)
    local images = db:value("select count(*) from Images where folder_id in ?", ids)
    db:run("delete from Folders where id in ?", ids)
    return images
  end)
end

---Removes the tags that no image has any more.
function M:remove_unused_tags()
  self.db:run("delete from Tags where id not in (select tag_id from ImageTags)")
end

---Fills an album with the `size` images of the most pixels, unless `only_if_missing` and it exists.
---@param name string
---@param size integer
---@param only_if_missing boolean
function M:fill_album(name, size, only_if_missing)
  if only_if_missing and self.db:exists("select 1 from Albums where name = ?", name) then
    return
  end
  self.db:transaction(function(db)
    local album_id = db:value([[
      insert into Albums (name, automatic, created_at) values (?, true, ?)
      on conflict (name) do update set automatic = true returning id]], name, M.timestamp())
    db:run("delete from AlbumImages where album_id = ?", album_id)
    db:run([[
      insert into AlbumImages (album_id, image_id, position)
      select ?, id, row_number() over (order by pixels desc, bytes desc, id)
      from Images where pixels is not null
      order by pixels desc, bytes desc, id limit ?]], album_id, size)
  end)
end

---How many images a tree has, and how many folders hold them.
---@param root Folder
---@return integer images
---@return integer folders
function M:count(root)
  local row = self.db:row([[
    select count(*) as images, count(distinct i.folder_id) as folders
    from Images i join Folders f on f.id = i.folder_id
    where f.path = :root or f.path >= :first and f.path < :last]], range_of(root))
  return row.images, row.folders
end

return M
