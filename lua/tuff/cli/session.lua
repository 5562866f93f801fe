--- What a command works with: the database, the migrations and the schema that it was given, by
--- arguments, by the environment, or by a file tuff.config.lua.
local lfs = require "tuff.filesystem"
local errors = require "tuff.error"
local model = require "tuff.schema.model"
local options_of = require "tuff.options"
local tuff = require "tuff"

local M = {}

---@class tuff.cli.Session
---@field options table<string, any> what was given on the command line
---@field out tuff.cli.Output
---@field db tuff.Database? when it was opened
local Session = {}
Session.__index = Session

local CONFIGURATION = "tuff.config.lua"

--- Runs a file of Lua, and returns what it returns.
local function run_file(path, what)
  local chunk, reason = loadfile(path, "t")
  if not chunk then
    errors.raise("io", ("%s cannot be read: %s"):format(what, reason))
  end
  local good, result = pcall(chunk)
  if good then return result end
  if errors.is_error(result) then error(result, 0) end
  errors.raise("io", ("%s raises an error: %s"):format(what, tostring(result)))
end

-- ---- tuff.config.lua ----------------------------------------------------------------------------

local function is_schema_or_path(value)
  return type(value) == "string" or model.is_schema(value), "a file, or what s.define returns"
end

local allowed = {
  database = options_of.checks.text, migrations = options_of.checks.text,
  schema = is_schema_or_path,
}

local function read_configuration()
  if not lfs.attributes(CONFIGURATION) then return {} end
  local given = run_file(CONFIGURATION, CONFIGURATION)
  if type(given) ~= "table" then
    errors.raise("misuse", CONFIGURATION .. " must return a table, not " .. type(given),
      { hint = 'return { database = "library.db", migrations = "migrations" }' })
  end
  options_of.check(given, allowed, CONFIGURATION)
  return given
end

--- What tuff.config.lua says.
---@return { database: string?, migrations: string?, schema: string|tuff.Schema|nil }
function Session:configuration()
  self.configured = self.configured or read_configuration()
  return self.configured
end

-- ---- the database ------------------------------------------------------------------------

--- Which one is meant.
local function place_of(self)
  local options = self.options
  if options.place and options.database then
    errors.raise("misuse", "the database is given twice, by itself and by --database")
  end
  local variable = os.getenv("TUFF_DATABASE")
  local place = options.place or options.database or variable ~= "" and variable
    or self:configuration().database
  if place then return place end
  errors.raise("misuse", "no database is given", { hint = "name it behind the command, by "
    .. "--database, by the variable TUFF_DATABASE, or in tuff.config.lua" })
  return place
end

--- Opens the database, once.
---@param how { readonly: boolean? }?
---@return tuff.Database
function Session:open(how)
  if self.db then return self.db end
  local place = place_of(self)
  local create = self.options.create == true
  local good, db = pcall(tuff.open, place, {
    readonly = how and how.readonly or nil, create = create, follow = true,
  })
  if not good then
    if errors.is_error(db) and db.code == "not_found" and not create then
      db.hint = "is its name right? It counts from " .. (lfs.currentdir() or "here")
        .. '; "tuff up --create" makes a new database'
    end
    error(db, 0)
  end
  self.db = db
  db:on_warning(function(text) self.out:complain("tuff: warning: " .. tostring(text)) end)
  return db
end

--- Opens the database to compare its schema: a server makes the declared one for that, and rolls
--- it back.
---@return tuff.Database
function Session:open_to_compare()
  return self:open { readonly = not place_of(self):find("^%a+://") }
end

--- What fn returns. Its error is one of files, and nothing that somebody could decide.
---@generic T
---@param fn fun(...): T
---@param ... any
---@return T
function M.with_files(fn, ...)
  local good, result = pcall(fn, ...)
  if good then return result end
  if errors.is_error(result) then result.of_files = true end
  error(result, 0)
end

-- ---- migrations and the schema -----------------------------------------------------------

--- The directory of migrations.
---@return string
function Session:directory()
  return self.options.migrations or self:configuration().migrations or "migrations"
end

--- The migrations, of the database, loaded once.
---@param how { readonly: boolean? }?
---@return tuff.Migrations
function Session:migrations(how)
  if self.loaded then return self.loaded end
  local directory = self:directory()
  place_of(self) -- is asked for its errors, which come first
  if directory ~= "" and not lfs.attributes(directory) then
    errors.raise("not_found", ("there is no directory of migrations %s"):format(
      errors.shown(directory)), { hint = "name it by --migrations; "
      .. '"tuff new TITLE" makes it, with the first migration' })
  end
  local db = self:open(how)
  self.loaded = M.with_files(db.migrations, db, directory)
  return self.loaded
end

--- The schema that a file declares.
---@return tuff.Schema
function Session:schema()
  local given = self.options.schema or self:configuration().schema
  if not given then
    errors.raise("misuse", "no schema is given",
      { hint = "name its file by --schema FILE, or in tuff.config.lua; it returns s.define { … }" })
  end
  local schema = given
  if type(given) == "string" then schema = run_file(given, "the schema " .. errors.shown(given)) end
  if model.is_schema(schema) then return schema end
  errors.raise("misuse", ("the file %s returns no schema"):format(errors.shown(given)),
    { hint = "it ends with: return s.define { … }" })
  return schema
end

---@param options table
---@param out tuff.cli.Output
---@return tuff.cli.Session
function M.new(options, out)
  return setmetatable({ options = options, out = out }, Session)
end

function Session:__close()
  if self.db then self.db:close() end
end

return M
