--- Functions of Lua that SQL can call, on one connection.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"

local M = {}

local boolean, text = options_of.checks.boolean, options_of.checks.text

---@class tuff.FunctionOptions
--- Deterministic: equal arguments give equal results, and so SQL may call it less often, and use
--- it in indexes. Schema: a database that somebody else made can call it, too.
---@field deterministic boolean? (false)
---@field schema boolean? triggers, views, checks and indexes may call it (false)

local definition_options = { deterministic = boolean, schema = boolean }

--- Defines a function, or replaces one. It takes any number of arguments, and returns what can
--- be stored. What it raises comes out of the query, the same object. It may read from the
--- connection, but not write, and not yield.
---@param db tuff.Database
---@param name string
---@param fn fun(...): any arguments: integer, number, string (also for a blob), or nil for NULL
---@param options tuff.FunctionOptions?
function M.define(db, name, fn, options)
  errors.check_self(db, "tuff.connection", "define")
  errors.check(name, "string", "the name given to db:define")
  errors.check(fn, "function", "the function given to db:define")
  options = options_of.given(options, definition_options, "db:define")
  core.define(db, name, fn, options.deterministic, options.schema)
  core.state(db).extended = true
end

---@class tuff.Aggregate
---@field start any the state of a new group: a value, or a function that makes one (nil)
---@field step fun(state, ...): any a row joins: returns the new state; nil: it changed in place
---@field final (fun(state): any)? the result (the state itself)
---@field inverse (fun(state, ...): any)? the oldest row leaves: makes it a window function
---@field value (fun(state): any)? the result so far, for a window (`final`)

local parts = { "step", "final", "start", "inverse", "value" } -- as the core numbers them

local function identity(state) return state end

local function check_aggregate(definition)
  errors.check(definition, "table", "the definition given to db:define_aggregate")
  local allowed = {}
  for _, part in ipairs(parts) do allowed[part] = options_of.checks.callback end
  allowed.start = function(value)
    return type(value) ~= "table",
      "a value or a function that makes one: all groups would share a table"
  end
  options_of.check(definition, allowed, "db:define_aggregate")
  errors.check(definition.step, "function", "step of db:define_aggregate")
end

--- Defines an aggregate function: sum, median and the like.
---@param db tuff.Database
---@param name string
---@param definition tuff.Aggregate
---@param options tuff.FunctionOptions?
function M.define_aggregate(db, name, definition, options)
  errors.check_self(db, "tuff.connection", "define_aggregate")
  errors.check(name, "string", "the name given to db:define_aggregate")
  check_aggregate(definition)
  options = options_of.given(options, definition_options, "db:define_aggregate")
  local final = definition.final or identity
  core.define_aggregate(db, name, { definition.step, final, definition.start,
    definition.inverse or false, definition.value or final }, options.deterministic, options.schema)
  core.state(db).extended = true
end

--- Defines how texts are ordered by `collate name`. It must order any two texts the same way
--- every time: an index is only as good as that.
---@param db tuff.Database
---@param name string
---@param fn fun(a: string, b: string): number below 0 where a comes first, 0, or above 0
function M.define_collation(db, name, fn)
  errors.check_self(db, "tuff.connection", "define_collation")
  errors.check(name, "string", "the name given to db:define_collation")
  errors.check(fn, "function", "the function given to db:define_collation")
  core.define_collation(db, name, fn)
  core.state(db).extended = true
end

---@class tuff.ExtensionOptions
---@field optional boolean? a library that cannot be loaded is a warning, and false (false)
---@field entry string? the function that it begins with, where its name does not tell

--- Loads a library of functions. It runs with all the rights of this program.
---@param db tuff.Database
---@param path string of the library; ".so" may be left out
---@param options tuff.ExtensionOptions?
---@return boolean loaded
function M.load_extension(db, path, options)
  errors.check_self(db, "tuff.connection", "load_extension")
  errors.check(path, "string", "the path given to db:load_extension")
  options = options_of.given(options, { optional = boolean, entry = text }, "db:load_extension")
  for _, given in ipairs { path, options.entry } do
    if given == "" or given:find("\0", 1, true) then
      errors.raise("misuse", "the path and the entry given to db:load_extension are not empty, "
        .. "and hold no NUL byte")
    end
  end
  local good, err = pcall(core.load_extension, db, path, options.entry)
  if good then
    core.state(db).extended = true
    return true
  end
  if not options.optional or not errors.is_error(err)
    or (err.code ~= "not_found" and err.code ~= "unsupported") then
    error(err, 0)
  end
  db:warn(err)
  return false
end

return M
