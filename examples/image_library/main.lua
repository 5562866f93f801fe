--- Catalogues the image files of a directory tree in a database, and says what it has found.

-- The modules of this program stand beside this file, wherever it is started from.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = ("%s/../?.lua;%s"):format(here, package.path)

local argparse = require "argparse"
local attempt = require "image_library.attempt"
local progress = require "image_library.progress"
local questions = require "image_library.questions"
local report = require "image_library.report"
local scan = require "image_library.scan"
local selections = require "image_library.selections"
local walk = require "image_library.walk"
local Catalogue = require "image_library.catalogue"

local ALBUM, ALBUM_SIZE = "Largest images", 50

local DESCRIPTION = [[
Catalogues the PNG, JPEG, GIF and WebP files beneath a directory in a database, and prints what it
has found. Run it again and it reads only what has changed since.]]

local DETAILS = [[
What it stores
  Folders         the tree of folders that hold images
  Images          format, size in pixels and bytes, time of modification, metadata (JSON), and
                  of generated images the model, seed and sampler; rating, favorite, nsfw and
                  for_deletion are yours to set
  Tags, ImageTags from folders and file names, formats, keywords and #hashtags
  Albums, AlbumImages
                  one album is made here, "Largest images"; your own stay as they are
  Nodes, NodeProperties
                  the ComfyUI workflow within a PNG file
  Queries         saved SQL queries: run each time on a connection that cannot write;
                  change them, add your own

What counts
  An image is a file named .png, .jpg, .jpeg, .gif or .webp; its contents decide on the format.
  A damaged file is catalogued with what can be read of it, and marked as broken. An image is read
  again when its size in bytes or its time of modification has changed. What has vanished is
  removed; what cannot be read at the moment is not, but marked as unavailable. Links to files are
  followed, links to folders are not. Compressed PNG text, XMP and IPTC are left out; what is left
  out of a file at hand is listed.
  Names are stored as text. A byte that is no UTF-8 is stored as \xHH, a literal \x as \x5Cx.

A database of an older version is upgraded, once a copy of it was made in DATABASE.backups.
Several directories may share one database; each run brings one of them up to date.
The exit status is 0 when all went well and 1 after an error or Ctrl-C. Then the database holds what
was stored up to that moment, in whole batches, and the next run goes on from there.]]

local function arguments()
  local parser = argparse("image_library", DESCRIPTION, DETAILS)
  parser:argument("directory", "The directory to catalogue.")
  parser:option("-d --database", "The database: a file, made if there is none, or a URL.",
    "image_library.db")
  parser:option("-s --show", "Also list a selection of images; may be given several times.")
    :choices(selections.names):count("*")
  return parser:parse()
end

local function watch_upgrade()
  local bar = progress.new("upgrading the library")
  return {
    progress = function(event)
      bar:update(event.done or 0, event.total)
    end,
    complete = function()
      bar:finish()
    end,
  }
end

local function list_images(root)
  local bar <close> = progress.new("looking for images")
  return walk.tree(root, function(files)
    bar:update(files)
  end)
end

local function update(catalogue, tree)
  local bar <close> = progress.new("reading images", tree.files)
  return scan.run(catalogue, tree, function(done)
    bar:update(done)
  end)
end

local function run(options)
  local root, reason = walk.real_path(options.directory)
  if not root then
    error(("%s: %s"):format(options.directory, reason), 0)
  end
  local catalogue <close> = Catalogue.open(options.database, watch_upgrade())
  local tree = list_images(root)
  local changes = update(catalogue, tree)
  local same = changes.new + changes.changed + changes.removed == 0
  catalogue:fill_album(ALBUM, ALBUM_SIZE, same)

  io.write(("%d new, %d changed, %d removed\n"):format(
    changes.new, changes.changed, changes.removed))
  io.write(questions.overview(catalogue.db, ALBUM))
  io.write(questions.saved(catalogue.db))
  for _, name in ipairs(options.show) do
    io.write(questions.selection(catalogue.db, name))
  end
  io.write(questions.left_out(changes.problems))
  local images, folders = catalogue:count(tree.root)
  io.write(("\ncatalogued %s in %s\n"):format(
    report.count(images, "image"), report.count(folders, "folder")))
end

local ok, err = pcall(run, arguments())
if not ok then
  io.stderr:write("image_library: ", attempt.explain(err), "\n")
  os.exit(1, true)
end
