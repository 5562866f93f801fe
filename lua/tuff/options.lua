--- Options: those of `tuff.open`, which there are, what they may be, and how the core wants
--- them; and checks for those of other functions.
local errors = require "tuff.error"

local M = {}

local function integer(least, most, wanted)
  return function(value)
    return math.type(value) == "integer" and value >= least and value <= most, wanted
  end
end

local count = integer(0, math.maxinteger, "an integer, 0 or more")

--- A time, as the core counts it in microseconds: less than one would be none at all.
local function milliseconds(value)
  local fits = type(value) == "number" and value < 2 ^ 53 and (value == 0 or value >= 0.001)
  return fits, "a number of milliseconds, 0 or 0.001 and more"
end

local function duration(value)
  local fits = milliseconds(value) and value > 0
  return fits, "a number of milliseconds, 0.001 and more"
end

local function boolean(value)
  return type(value) == "boolean", "true or false"
end

local function text(value)
  return type(value) == "string", "a string"
end

local function callback(value)
  return type(value) == "function", "a function"
end

local function one_of(...)
  local allowed = { ... }
  local wanted = '"' .. table.concat(allowed, '", "', 1, #allowed - 1)
    .. '" or "' .. allowed[#allowed] .. '"'
  return function(value)
    for _, word in ipairs(allowed) do
      if value == word then return true end
    end
    return false, wanted
  end
end

--- Checks that the options of other functions have too: each tells whether the value is good,
--- and what is wanted. `one_of` makes one.
M.checks = {
  boolean = boolean, text = text, milliseconds = milliseconds, duration = duration, count = count,
  callback = callback, one_of = one_of,
}

local function page_size(value)
  local power = math.type(value) == "integer" and value >= 512 and value <= 65536
    and value & (value - 1) == 0
  return power, "a power of two from 512 to 65536"
end

local bytes = integer(1, (1 << 31) - 1, "a positive integer below 2^31")

local limits = {
  value_bytes = bytes, sql_bytes = bytes,
  result_rows = integer(1, math.maxinteger, "a positive integer"),
}

local known = {
  path = text,
  readonly = boolean,
  create = boolean,
  durability = one_of("full", "normal"),
  busy_timeout = milliseconds,
  timeout = milliseconds,
  connect_timeout = milliseconds,
  retry = count,
  statement_cache = integer(0, 1000000, "an integer from 0 to 1000000"),
  page_size = page_size,
  -- SQLite keeps whole pages, the largest of which has 64 KB.
  cache_bytes = integer(1 << 16, 1 << 40, "an integer from 65536 (64 KB) to 2^40 (1 TB)"),
  follow = boolean,
  journal = one_of("wal", "delete"),
  legacy_quotes = boolean,
  pooler = boolean,
  root = text,
}

local function names(of)
  local list = {}
  for name in pairs(of) do list[#list + 1] = name end
  table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
  return list
end

--- What is wrong with one option, and what may help; nil: nothing.
local function mistake_in(name, value, allowed, what)
  local check = allowed[name]
  if not check then
    return ("%s has no option %s"):format(what, errors.shown(name)),
      errors.did_you_mean(name, names(allowed))
  end
  local good, wanted = check(value)
  if good then return nil end
  local given = type(value) == "table" and "a table" or tostring(value):sub(1, 40)
  return ("option %s of %s must be %s, not %s"):format(name, what, wanted, given)
end

--- Checks a table of options against what is known.
---@param options table
---@param allowed table<string, fun(value: any): boolean, string> a check for each name
---@param what string whose options they are, for the message: "tuff.open"
function M.check(options, allowed, what)
  for name, value in pairs(options) do
    local message, hint = mistake_in(name, value, allowed, what)
    if message then errors.raise("misuse", message, { hint = hint }) end
  end
end

--- All that is wrong with a table of options, in the order of their names.
---@param options table
---@param allowed table<string, fun(value: any): boolean, string>
---@param what string
---@return { message: string, hint: string? }[]
function M.mistakes(options, allowed, what)
  local found = {}
  for _, name in ipairs(names(options)) do
    local message, hint = mistake_in(name, options[name], allowed, what)
    if message then found[#found + 1] = { message = message, hint = hint } end
  end
  return found
end

--- The options given to a method, checked, or an empty table.
---@param options table? what the method was given
---@param allowed table<string, fun(value: any): boolean, string>
---@param what string the method: "db:begin"
---@return table
function M.given(options, allowed, what)
  if options == nil then return {} end
  errors.check(options, "table", "the options of " .. what)
  M.check(options, allowed, what)
  return options
end

known.limits = function(value)
  if type(value) ~= "table" then return false, "a table" end
  M.check(value, limits, "limits")
  return true
end

--- The arguments of `tuff.open` as one table that is the caller's no more.
---@param path string|table
---@param options table?
---@return table
local function merge(path, options)
  if type(path) == "table" then
    if options ~= nil then
      errors.raise("misuse", "tuff.open takes one table, or a path and a table")
    end
    options, path = path, path.path
  end
  errors.check(path, "string", "the path given to tuff.open")
  errors.check(options or {}, "table", "the options given to tuff.open")
  local merged = {}
  for name, value in pairs(options or {}) do merged[name] = value end
  merged.path = path
  return merged
end

---@class tuff.OpenOptions
--- Those that say SQLite are ignored on a server, which decides these things itself; those that say
--- PostgreSQL are ignored for a file.
---@field path string? the file, ":memory:", or a URL; where it is not given by itself
---@field readonly boolean? only read; a file must exist
---@field create boolean? SQLite: make a missing file (true)
---@field durability "full"|"normal"|nil SQLite: "full": an acknowledged commit survives power loss
---@field busy_timeout number? milliseconds to wait for a lock (5000)
---@field timeout number? milliseconds that one statement may take (none)
---@field connect_timeout number? PostgreSQL: milliseconds to reach the server (none)
---@field retry integer? how often a transaction is run again (3)
---@field statement_cache integer? how many prepared statements are kept (128)
---@field page_size integer? SQLite: of a new database, a power of two from 512 to 65536
---@field cache_bytes integer? SQLite: memory for pages (16 MB)
---@field follow boolean? SQLite: open a symbolic link (false)
---@field journal "wal"|"delete"|nil SQLite: a write-ahead log ("wal"), or a journal
---@field legacy_quotes boolean? SQLite: accept "text" in double quotes as a string (false)
---@field pooler boolean? PostgreSQL: reached through a pooler that shares its sessions (false)
---@field root string? SQLite: a directory that the path may not leave
---@field limits { value_bytes: integer?, sql_bytes: integer?, result_rows: integer? }?

--- Checks what was given to `tuff.open`.
---@param path string|tuff.OpenOptions
---@param options tuff.OpenOptions?
---@return table options as given, in a table of their own
function M.read(path, options)
  local merged = merge(path, options)
  M.check(merged, known, "tuff.open")
  return merged
end

--- The same as the core wants them.
---@param options table what `read` returned
---@return table
function M.for_core(options)
  local limit = options.limits or {}
  return {
    path = options.path,
    readonly = options.readonly,
    create = options.create,
    follow = options.follow,
    legacy_quotes = options.legacy_quotes,
    normal = options.durability == "normal",
    delete_journal = options.journal == "delete",
    pooler = options.pooler,
    busy_timeout = options.busy_timeout,
    connect_timeout = options.connect_timeout,
    timeout = options.timeout,
    statement_cache = options.statement_cache,
    page_size = options.page_size,
    cache_bytes = options.cache_bytes,
    root = options.root,
    value_bytes = limit.value_bytes,
    sql_bytes = limit.sql_bytes,
    result_rows = limit.result_rows,
  }
end

return M
