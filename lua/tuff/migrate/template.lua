--- New migrations: a file whose name says when it was begun and what it is about, with what it
--- takes to write the rest.
local lfs = require "tuff.filesystem"
local errors = require "tuff.error"
local name_of = require "tuff.migrate.name"
local options_of = require "tuff.options"
local source = require "tuff.migrate.source"

local M = {}

local LONGEST = 100 -- bytes of a title in the name of a file

--- A title as it stands in the name of a file: "Add score, to images" is add_score_to_images.
local function slug_of(title)
  local slug = title:gsub("[A-Z]", string.lower):gsub("[^a-z0-9\x80-\xff]+", "_")
  if #slug > LONGEST then slug = slug:sub(1, utf8.offset(slug, 0, LONGEST + 1) - 1) end
  return slug:match("^_*(.-)_*$")
end

local function check_title(title)
  errors.check(title, "string", "the title of a migration")
  if not utf8.len(title) or slug_of(title) == "" then
    errors.raise("misuse", "the title of a migration must have a letter or a digit, in UTF-8",
      { hint = 'say what it does: "add score to images"' })
  end
end

local NOT_WRITTEN = [[
    error "this migration is not written yet"]]

local NO_DOWN = [[
  -- Takes back what up does. Without it, the migration cannot be taken back.
  -- down = function(db, step)
  -- end,]]

---@class tuff.migrate.TemplateOptions
---@field preface string? what stands before the table
---@field up string? the lines of the function, as they are to stand there
---@field down string?
---@field phase "pre"|"main"|"post"|nil (main)

local allowed = {
  preface = options_of.checks.text, up = options_of.checks.text, down = options_of.checks.text,
  phase = options_of.checks.one_of("pre", "main", "post"),
}

--- The text of a migration that a person goes on to write, or that is written already.
---@param title string "add score to images"
---@param options tuff.migrate.TemplateOptions?
---@return string
function M.text(title, options)
  check_title(title)
  options = options_of.given(options, allowed, "the template of a migration")
  local parts = { "--- " .. title:gsub("%c+", " ") }
  parts[#parts + 1] = options.preface
  parts[#parts + 1] = "return {"
  if options.phase then parts[#parts + 1] = ('  phase = "%s",\n'):format(options.phase) end
  parts[#parts + 1] = "  up = function(db, step)"
  parts[#parts + 1] = options.up or NOT_WRITTEN
  parts[#parts + 1] = "  end,\n"
  if options.down then
    parts[#parts + 1] = "  down = function(db, step)"
    parts[#parts + 1] = options.down
    parts[#parts + 1] = "  end,"
  else
    parts[#parts + 1] = NO_DOWN
  end
  parts[#parts + 1] = "}\n"
  return table.concat(parts, "\n")
end

--- The name of the file: behind all that there are, so that it is run after them.
---@param title string
---@param newest string? the name of the last one that exists, without .lua
---@return string
function M.file_name(title, newest)
  check_title(title)
  local time = newest and name_of.parts(newest)
  return name_of.next_time(time) .. "_" .. slug_of(title) .. ".lua"
end

local function refuse(path, reason)
  errors.raise("migration", ("the migration %s cannot be written: %s"):format(
    errors.shown(path), reason))
end

--- Writes a new migration, beside those that there are; no file is written over. The directory is
--- made where it is missing.
---@param directory string
---@param title string "add score to images"
---@param options tuff.migrate.TemplateOptions?
---@return string path
function M.write(directory, title, options)
  local text = M.text(title, options)
  errors.check(directory, "string", "the directory of migrations")
  lfs.mkdir(directory)
  local files = source.files(directory)
  local newest = files[#files] and files[#files].key
  local path = directory:gsub("/*$", "/") .. M.file_name(title, newest)
  if lfs.symlinkattributes(path) then refuse(path, "there is such a file") end
  local file <close>, reason = io.open(path, "wb")
  if not file then refuse(path, reason) end
  file:setvbuf("no") -- writing tells of a full disk
  local good, flaw = file:write(text)
  if not good then
    os.remove(path)
    refuse(path, flaw)
  end
  return path
end

return M
