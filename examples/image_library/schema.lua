--- What the database of an image library is to be, on both engines.
--
-- The names of tables are in lower case, and SQL writes them as it likes: Images is images to
-- SQLite, which takes no notice of capitals, and to PostgreSQL, which makes small letters of them.

local s = require "tuff.schema"

-- Names and paths are compared by their bytes, as SQLite does it anyway: the folders beneath
-- another one are a range of paths then, and both engines list them in the same order.
local function text(name)
  return s.text(name):collate("binary")
end

local function flag(name)
  return s.boolean(name):not_null():default(false)
end

local function belongs_to(name, table)
  return s.integer(name):not_null():references(table, { on_delete = "cascade" })
end

return s.define {
  s.table("folders", {
    s.id(),
    s.integer("parent_id"):references("folders", { on_delete = "cascade" }):index(),
    text("name"):not_null(),
    text("path"):not_null():unique(),
  }),
  s.table("images", {
    s.id(),
    belongs_to("folder_id", "folders"),
    text("name"):not_null(),
    s.enum("format", { "png", "jpeg", "gif", "webp" }),
    s.integer("width"):check("width > 0"),
    s.integer("height"):check("height > 0"),
    s.integer("pixels"):generated("width * height", { stored = true }):index(),
    s.integer("bytes"):not_null():check("bytes >= 0"),
    s.timestamp("modified_at"):not_null(),
    s.timestamp("added_at"):not_null(),
    flag("broken"),
    text("problem"),
    s.json("metadata", { verbatim = true }),
    -- What people say of an image; a scan leaves it alone.
    s.integer("rating"):check("rating between 0 and 10"):index { where = "rating is not null" },
    flag("favorite"),
    flag("nsfw"),
    flag("for_deletion"),
    -- What its generator says of it.
    text("model_hash"):index { where = "model_hash is not null" },
    s.integer("seed"):index { where = "seed is not null" },
    text("sampler"),
    -- What the scan knows of the file: it could not be read; it is to be read again.
    flag("unavailable"),
    flag("stale"),
    -- An index and no constraint: a start-up adds it by itself, when the first migrations have
    -- removed what is there twice.
    s.index { "folder_id", "name", unique = true },
    s.index { "folder_id", where = "broken", name = "images_broken" },
    s.index { s.desc "added_at", where = "favorite", name = "images_favorite" },
    s.index { s.desc "added_at", where = "nsfw", name = "images_nsfw" },
    s.index { s.desc "bytes", where = "for_deletion", name = "images_for_deletion" },
    s.index { s.desc "added_at", where = "unavailable", name = "images_unavailable" },
  }),
  s.table("tags", {
    s.id(),
    text("name"):not_null():unique(),
  }),
  s.table("imagetags", {
    belongs_to("image_id", "images"),
    belongs_to("tag_id", "tags"):index(),
    s.primary_key { "image_id", "tag_id" },
    without_rowid = true,
  }),
  s.table("albums", {
    s.id(),
    text("name"):not_null():unique(),
    flag("automatic"),
    s.timestamp("created_at"):not_null(),
  }),
  s.table("albumimages", {
    belongs_to("album_id", "albums"),
    belongs_to("image_id", "images"):index(),
    s.integer("position"):not_null(),
    s.primary_key { "album_id", "image_id" },
    without_rowid = true,
  }),
  s.table("nodes", {
    s.id(),
    belongs_to("image_id", "images"),
    text("key"):not_null(),
    text("class_type"):not_null():index(),
    text("title"),
    s.unique { "image_id", "key" },
  }),
  s.table("nodeproperties", {
    belongs_to("node_id", "nodes"),
    text("name"):not_null(),
    s.json("value", { verbatim = true }):not_null(),
    flag("is_link"),
    s.primary_key { "node_id", "name" },
    without_rowid = true,
  }),
  s.table("queries", {
    s.id(),
    text("name"):not_null():unique(),
    text("sql"):not_null(),
    s.timestamp("created_at"):not_null(),
  }),
}
