--- The methods of a connection that are choices rather than mechanism. The C core brings
--- the rest: see meta/core.lua.
local core = require "tuff.core"
local catalog = require "tuff.catalog"
local errors = require "tuff.error"
local functions = require "tuff.functions"
local hooks = require "tuff.hooks"
local identifier = require "tuff.identifier"
local insert = require "tuff.insert"
local messages = require "tuff.messages"
local options_of = require "tuff.options"
local settings = require "tuff.settings"
local transaction = require "tuff.transaction"

---@class tuff.Database
---@field engine "sqlite"|"postgres"
---@field path string the file, absolute and without links; ":memory:"; or the URL without secrets
---@field corrupted boolean
---@field settings tuff.Settings
local Database = core.connection

local M = {}

--- Modules that bring the driver of a URL's scheme: each is a library and a rock of its own.
local drivers = { postgres = "postgres", postgresql = "postgres" }

--- Refuses what was meant to name a server, and would name a file that shows a password.
local function check_file(path)
  local keywords = path:find("^%s*%l+%s*=") and path:find("%f[%w]password%s*=")
  if not keywords and not path:find("^postgres%l*:") then return end
  errors.raise("misuse", "the path given to tuff.open is neither a file nor a URL",
    { hint = "a server is named by postgres://user:password@host:port/database" })
end

--- The library of the driver for this path; nil: it is a file of SQLite.
local function driver_of(path)
  local scheme = path:match("^(%a[%w+.-]+)://")
  if not scheme then return check_file(path) end
  local name = drivers[scheme]
  local library = name and package.searchpath("tuff." .. name, package.cpath)
  if library then return library end
  errors.raise("unsupported", ("no driver for %s:// URLs is installed"):format(scheme),
    { hint = name and ("install the rock tuff-%s"):format(name) })
end

--- Opens a connection with options that were checked.
---@param options table
---@return tuff.Database
function M.open(options)
  local given = options_of.for_core(options)
  given.driver = driver_of(options.path)
  local db = core.open(given)
  -- A second connection finds a file where this one did, and needs a URL with its secrets.
  if not given.driver then options.path, options.follow = db.path, nil end
  local state = core.state(db)
  state.options, state.retry, state.path = options, options.retry, db.path
  state.dialect = require("tuff.dialect." .. db.engine)
  state.settings = settings.of(db)
  hooks.on_notice(db, nil)
  return db
end

--- A second connection to the same database that only reads. It sees what is committed, and
--- nothing of what was attached here.
---@return tuff.Database
function Database:reader()
  errors.check_open(self, "reader")
  if self.path == ":memory:" then
    errors.raise("unsupported", "a database in memory has one connection only")
  end
  local options = { readonly = true, create = false }
  for name, value in pairs(core.state(self).options) do
    if options[name] == nil then options[name] = value end
  end
  return M.open(options)
end

--- One value as a stream, for values larger than memory. In a transaction it sees what the
--- transaction sees; outside of one it ends when the connection writes something.
---@param table string of the main database
---@param column string
---@param row integer the rowid: the value of the integer primary key
---@return tuff.Stream
function Database:blob(table, column, row)
  errors.check_self(self, "tuff.connection", "blob")
  errors.check(table, "string", "the table given to db:blob")
  errors.check(column, "string", "the column given to db:blob")
  if math.type(row) == "float" then row = math.tointeger(row) or row end
  if math.type(row) ~= "integer" then
    errors.raise("misuse", "the row given to db:blob must be its rowid, an integer, not a "
      .. type(row))
  end
  for _, name in ipairs { table, column } do identifier.quote(name) end
  return core.blob_stream(self, nil, table, column, row)
end

local boolean = options_of.checks.boolean
local attach_options = { readonly = boolean, create = boolean, follow = boolean }

---@class tuff.AttachOptions
---@field readonly boolean? (as the connection)
---@field create boolean? make a missing file (true)
---@field follow boolean? open a symbolic link (false)

--- Opens another database beside this one, by the same rules: its tables are then `name.table`
--- in SQL. A transaction over several files is all or nothing, unless its commit itself is cut
--- off, by a power failure or a full disk: then some files may have it and others not.
---@param path string or ":memory:"
---@param name string a plain word
---@param options tuff.AttachOptions?
function Database:attach(path, name, options)
  errors.check_self(self, "tuff.connection", "attach")
  errors.check(path, "string", "the path given to db:attach")
  errors.check(name, "string", "the name given to db:attach")
  options = options_of.given(options, attach_options, "db:attach")
  core.attach(self, name, path, options.readonly, options.create ~= false, options.follow)
  core.state(self).schema_version = nil
end

--- Closes what was attached.
---@param name string
function Database:detach(name)
  errors.check_self(self, "tuff.connection", "detach")
  errors.check(name, "string", "the name given to db:detach")
  core.detach(self, name)
  core.state(self).schema_version = nil
end

-- ---- methods of other modules -------------------------------------------------------------

--- A method whose module is loaded by its first call: most programs call few of these, once, and
--- only who has migrations needs luafilesystem.
local function later(module, name)
  return function(...) return require(module)[name](...) end
end

Database.schema = catalog.schema
Database.diff = later("tuff.schema.apply", "diff")
Database.apply = later("tuff.schema.apply", "apply")
Database.tables = catalog.tables
Database.has_table = catalog.has_table
Database.drop_table = catalog.drop_table
Database.next_id = catalog.next_id
Database.insert = insert.one
Database.insert_many = insert.many
Database.backup = later("tuff.backup.copy", "backup")
Database.migrations = later("tuff.migrate", "new")
Database.upgrade = later("tuff.migrate.upgrade", "run")
Database.define = functions.define
Database.define_aggregate = functions.define_aggregate
Database.define_collation = functions.define_collation
Database.load_extension = functions.load_extension
Database.trace = hooks.trace
Database.progress = hooks.progress
Database.on_notice = hooks.on_notice
Database.on_warning = hooks.on_warning
Database.warn = hooks.warn
Database.listen = messages.listen
Database.notify = messages.notify
Database.poll = messages.poll
Database.close = transaction.close
Database.transaction = transaction.transaction
Database.read = transaction.read
Database.begin = transaction.begin
Database.after_commit = transaction.after_commit
Database.after_rollback = transaction.after_rollback

-- ---- options for one call ----------------------------------------------------------------

local milliseconds = options_of.checks.milliseconds
local per_call = { timeout = milliseconds, busy_timeout = milliseconds }

---@class tuff.Using
local Using = { __metatable = "tuff.using" }
Using.__index = Using

for _, name in ipairs {
  "exec", "run", "rows", "tuples", "all", "row", "value", "column", "arrays", "exists",
} do
  Using[name] = function(self, ...)
    errors.check_self(self, "tuff.using", name)
    core.limit(self.db, self.options.timeout, self.options.busy_timeout)
    return self.db[name](self.db, ...)
  end
end

--- The same connection with other options for one call: db:using { timeout = 200 }:all(…).
---@param options { timeout: number?, busy_timeout: number? } milliseconds
---@return tuff.Using
function Database:using(options)
  errors.check_self(self, "tuff.connection", "using")
  errors.check(options, "table", "the options given to db:using")
  options_of.check(options, per_call, "db:using")
  return setmetatable({ db = self, options = options }, Using)
end

return M
