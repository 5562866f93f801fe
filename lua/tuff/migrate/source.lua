--- The migrations that a program brings: files of a directory, or tables of Lua. They are found,
--- loaded and checked here, all mistakes at once; what they do is not done.
local lfs = require "tuff.filesystem"
local core = require "tuff.core"
local errors = require "tuff.error"
local lexer = require "tuff.migrate.lexer"
local name_of = require "tuff.migrate.name"
local options_of = require "tuff.options"

local M = {}

--- What the file of a migration returns.
---@class tuff.Migration
---@field id string? what it is known by (the name of its file without .lua)
---@field phase "pre"|"main"|"post"|nil before the declared tables are made, after that, or last
---  (main)
---@field up fun(db: tuff.Database, step: table)
---@field down fun(db: tuff.Database, step: table)? takes back what up has done
---@field transaction boolean? false: it works in batches, each a transaction of its own (true)
---@field done (fun(db: tuff.Database): boolean)? where it has no transaction: whether it was done.
---  Asked when it has run, and before it is run again
---@field fresh boolean? it runs on an empty database too (false)
---@field repeatable boolean? it runs again when its text has changed (false)

--- A migration, as the engine wants it.
---@class tuff.migrate.Source
---@field id string
---@field order string where it comes: the name of its file, or the key or id it was given by
---@field name string the same without the time
---@field path string? its file
---@field phase "pre"|"main"|"post"
---@field kind "script"|"batch"|"repeatable"
---@field up fun(db: tuff.Database, step: table)
---@field down fun(db: tuff.Database, step: table)?
---@field transaction boolean
---@field done (fun(db: tuff.Database): boolean)?
---@field fresh boolean
---@field checksum string? of the text of its file, however its lines end
---@field tokens string? of its tokens: still the same where the text was only formatted anew

--- What was found so far, and what is wrong with it.
---@class tuff.migrate.Collection
---@field found tuff.migrate.Source[]
---@field mistakes tuff.Mistake[]

---@param collection tuff.migrate.Collection
---@param source string? the file; nil: the line of the script that gives the migrations
---@param message string
---@param hint string?
---@param cause tuff.Error?
local function mistake(collection, source, message, hint, cause)
  table.insert(collection.mistakes,
    { source = source or errors.source(), message = message, hint = hint, cause = cause })
end

-- ---- one migration -----------------------------------------------------------------------

local boolean, callback = options_of.checks.boolean, options_of.checks.callback

local function is_id(value)
  local fits = type(value) == "string" and value:find("%S") and #value <= 200
    and utf8.len(value) and not value:find("%c")
  return fits and true or false, "a line of text, 200 bytes at most"
end

local allowed = {
  id = is_id, phase = options_of.checks.one_of("pre", "main", "post"), up = callback,
  down = callback, transaction = boolean, done = callback, fresh = boolean, repeatable = boolean,
}

--- What is wrong though every option by itself is good.
local function contradictions(given, what)
  local found = {}
  if given.up == nil then
    found[1] = { message = what .. " has no up",
      hint = "up = function(db, step) … end does what there is to do" }
  end
  if given.transaction == false and given.repeatable then
    found[#found + 1] = { message = what .. " has no transaction and is repeatable",
      hint = "leave out one of the two: only what runs in a transaction can run again" }
  end
  if given.transaction ~= false and given.done then
    found[#found + 1] = { message = what .. " has done, but not transaction = false",
      hint = "leave out done: whether a transaction was committed is known without it" }
  end
  return found
end

--- Where a migration comes from.
---@class tuff.migrate.Origin
---@field what string how messages call it
---@field key string? the name of its file, or what it was given by
---@field path string?
---@field checksum string?
---@field tokens string?

--- Adds a migration, unless something is wrong with it.
---@param collection tuff.migrate.Collection
---@param given any what its file returned
---@param origin tuff.migrate.Origin
local function add(collection, given, origin)
  local what = origin.what
  if type(given) ~= "table" then
    return mistake(collection, origin.path, ("%s must be a table, not %s"):format(what,
      given == nil and "nil" or "a " .. type(given)), "{ up = function(db, step) … end } is one")
  end
  local found = options_of.mistakes(given, allowed, what)
  if #found == 0 then found = contradictions(given, what) end
  local id = given.id or origin.key
  if id == nil then
    table.insert(found, { message = what .. " has no id",
      hint = 'a table by itself says it: id = "20261121114500_add_score"' })
  elseif not given.id and not is_id(id) then
    table.insert(found, { message = ("the name of %s must be %s"):format(what,
      select(2, is_id(id))) })
  end
  for _, each in ipairs(found) do mistake(collection, origin.path, each.message, each.hint) end
  if #found > 0 then return end
  local order = origin.key or id
  local _, name = name_of.parts(order)
  table.insert(collection.found, {
    id = id, order = order, name = name or order, path = origin.path,
    phase = given.phase or "main",
    kind = given.transaction == false and "batch" or given.repeatable and "repeatable" or "script",
    up = given.up, down = given.down, transaction = given.transaction ~= false,
    done = given.done, fresh = given.fresh == true,
    checksum = origin.checksum, tokens = origin.tokens,
  })
end

-- ---- files -------------------------------------------------------------------------------

local BYTE_ORDER_MARK = "\xEF\xBB\xBF"

--- The text as it is compared: editors and version control change the rest by themselves.
local function normalised(text)
  if text:sub(1, 3) == BYTE_ORDER_MARK then text = text:sub(4) end
  return (text:gsub("\r\n?", "\n"))
end

local function read(path)
  local file <close>, reason = io.open(path, "rb")
  if not file then return nil, reason end
  return file:read("a")
end

--- Raises what is no mistake of the file that ran.
local function keep_interruption(err)
  if errors.is_error(err) and (err.code == "interrupted" or err.code == "memory") then
    error(err, 0)
  end
end

local function load_file(collection, path, key)
  local bytes, reason = read(path)
  if not bytes then
    return mistake(collection, path, "the file cannot be read: " .. reason:gsub("^.*: ", ""))
  end
  local text = normalised(bytes)
  local chunk, flaw = load(text, "@" .. path, "t")
  if not chunk then
    local line, what = flaw:match("%.lua:(%d+): (.*)$")
    return mistake(collection, line and path .. ":" .. line or path,
      "the file is no Lua: " .. (what or flaw))
  end
  local good, given = pcall(chunk)
  if not good then
    keep_interruption(given)
    local cause = errors.is_error(given) and given or nil
    return mistake(collection, path, cause and "the file raises an error"
      or "the file raises an error: " .. tostring(given), nil, cause)
  end
  add(collection, given, { what = "a migration", key = key, path = path,
    checksum = core.sha256(text), tokens = lexer.digest(text) })
end

--- What the name should be of a file that has fewer digits than a time.
local function hint_of(base)
  local digits, about = base:match("^(%d%d%d%d%d%d%d%d%d*)[_-]?(.*)$")
  local time = digits and #digits < 14 and digits .. ("0"):rep(14 - #digits)
  if time and about ~= "" and name_of.is_time(time) then
    return ("name it %s_%s.lua"):format(time, about)
  end
  return "name it YYYYMMDDHHMMSS_name.lua, or put it elsewhere if it is no migration"
end

--- The name of a migration that a file has, without .lua; nil: it is something else. What was
--- probably meant to be a migration is a mistake.
local function key_of(collection, path, file)
  local base, extension = file:match("^(.+)%.(%w+)$")
  if not base or file:find("^[.#]") then return nil end
  local time = name_of.parts(base)
  local kind = extension:lower()
  if kind == "sql" and time then
    mistake(collection, path, "a migration is a file of Lua",
      "return { up = function(db) db:exec [[ … ]] end } from a file that ends in .lua")
  elseif kind ~= "lua" then
    return nil
  elseif not time then
    mistake(collection, path, "the file has no time in front of its name", hint_of(base))
  elseif not name_of.is_time(time) then
    mistake(collection, path, "the name of the file begins with " .. time .. ", which is no time",
      "a time is YYYYMMDDHHMMSS, in UTC")
  elseif extension ~= "lua" then
    mistake(collection, path, "the name of the file does not end in .lua",
      ("name it %s.lua"):format(base))
  else
    return base
  end
end

local function refuse_directory(directory, reason)
  errors.raise("migration", ("the directory of migrations %s cannot be read: %s"):format(
    errors.shown(directory), reason:match("[^:]*$"):match("%S.*")),
    { hint = "its path counts from " .. (lfs.currentdir() or "the current directory") })
end

--- The names in a directory, sorted.
---@param directory string
---@return string[]
local function names_in(directory)
  if directory == "" or directory:find("\0", 1, true) then
    errors.raise("misuse", "the directory of migrations must have a name that is not empty "
      .. "and holds no NUL byte")
  end
  local mode, reason = lfs.attributes(directory, "mode")
  if not mode then refuse_directory(directory, reason) end
  if mode ~= "directory" then refuse_directory(directory, "it is a " .. mode) end
  local names = {}
  local good, err = pcall(function()
    for name in lfs.dir(directory) do names[#names + 1] = name end
  end)
  if not good then refuse_directory(directory, tostring(err)) end
  table.sort(names)
  return names
end

--- The migrations that there are in a directory, by their names alone.
---@param directory string
---@return { path: string, key: string }[] files sorted
---@return tuff.migrate.Collection collection with the mistakes in names
function M.files(directory)
  local collection, files = { found = {}, mistakes = {} }, {}
  local prefix = directory:gsub("/*$", "/")
  for _, name in ipairs(names_in(directory)) do
    local path = prefix .. name
    local key = key_of(collection, path, name)
    if key then files[#files + 1] = { path = path, key = key } end
  end
  return files, collection
end

-- ---- all of them -------------------------------------------------------------------------

local function from_directory(directory)
  local files, collection = M.files(directory)
  for _, file in ipairs(files) do load_file(collection, file.path, file.key) end
  return collection
end

--- Those that a program gives by itself, in a list, or by their ids.
local function from_tables(tables)
  local collection = { found = {}, mistakes = {} }
  for key, given in pairs(tables) do
    local named = type(key) == "string"
    if named and type(given) == "function" then given = { up = given } end
    add(collection, given, {
      what = "migration " .. errors.shown(key), key = named and key or nil,
    })
  end
  return collection
end

local function by_order(a, b)
  if a.order ~= b.order then return a.order < b.order end
  return a.id < b.id
end

--- Two of one id cannot be told apart when it was noted that one has run.
local function check_ids(collection)
  local seen = {}
  for _, each in ipairs(collection.found) do
    local other = seen[each.id]
    if other then
      mistake(collection, each.path, ("the id %s is that of %s too"):format(errors.shown(each.id),
        other.path or "another migration"), "give one of them an id of its own")
    end
    seen[each.id] = each
  end
end

--- The migrations of a directory, or those that are given, in the order of their names. Raises
--- `migration` with all that is wrong with them: `mistakes` is a list of { message, hint, source }.
---@param from string|table<integer|string, tuff.Migration|function> a directory; or a list, or a
---  table by ids
---@return tuff.migrate.Source[]
function M.load(from)
  errors.check(from, "string|table", "what migrations are loaded from")
  local collection = type(from) == "string" and from_directory(from) or from_tables(from)
  table.sort(collection.found, by_order)
  check_ids(collection)
  if #collection.mistakes > 0 then
    table.sort(collection.mistakes, function(a, b)
      if a.source ~= b.source then return (a.source or "") < (b.source or "") end
      return a.message < b.message
    end)
    errors.raise_mistakes("migration", "the migrations", collection.mistakes)
  end
  return collection.found
end

return M
