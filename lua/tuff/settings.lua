--- Settings that a database carries with it: values by names, in a table of tuff.
local core = require "tuff.core"
local errors = require "tuff.error"
local transaction = require "tuff.transaction"

local M = {}

local TABLE = "tuff_settings"
local OWN = "tuff." -- begins the keys of tuff itself

--- Settings of a database. They belong to it, not to the connection, and to the transaction that is
--- open.
---@class tuff.Settings
local Settings = { __metatable = "tuff.settings" }
Settings.__index = Settings

--- The settings of a connection.
---@param db tuff.Database
---@return tuff.Settings
function M.of(db)
  return setmetatable({ db = db }, Settings)
end

local function own(db, method, sql, ...)
  core.own(db)
  return db[method](db, sql, ...)
end

local function check_key(key, method)
  errors.check(key, "string", "the key given to db.settings:" .. method)
  if key == "" then
    errors.raise("misuse", ("the key given to db.settings:%s is empty"):format(method))
  end
end

--- The value of a setting.
---@param key string
---@return any value nil where it was never set
function Settings:get(key)
  errors.check_self(self, "tuff.settings", "get")
  check_key(key, "get")
  local db = self.db
  errors.check_open(db, "get")
  local dialect = core.state(db).dialect
  if not dialect.has_own_table(db, TABLE) then return nil end
  return own(db, "value",
    ("select value from %s where key = ?"):format(dialect.own_table(TABLE)), key)
end

--- Sets a setting: any value that JSON can say. nil removes it.
---@param key string not one that begins with "tuff."
---@param value any
function Settings:set(key, value)
  errors.check_self(self, "tuff.settings", "set")
  check_key(key, "set")
  if key:sub(1, #OWN) == OWN then
    errors.raise("misuse", ("the setting %s is one of tuff itself"):format(errors.shown(key)),
      { hint = 'keys of scripts do not begin with "tuff."' })
  end
  M.put(self.db, key, value)
end

--- A value is written without a look at what was there: of two that do so at once one is the later.
local blind = { isolation = "read committed" }

--- Sets any setting, also one of tuff itself.
---@param db tuff.Database
---@param key string
---@param value any nil removes it
function M.put(db, key, value)
  errors.check_open(db, "set")
  local dialect = core.state(db).dialect
  local name = dialect.own_table(TABLE)
  local text = value ~= nil and require("tuff.json").encode(value)
  transaction.transaction(db, db:in_transaction() and {} or blind, function()
    local there = dialect.has_own_table(db, TABLE)
    if not text then
      if there then own(db, "run", ("delete from %s where key = ?"):format(name), key) end
      return
    end
    if not there then
      dialect.create_own_table(db, ("create table if not exists %s(key text not null primary key, "
        .. "value %s not null)"):format(name, dialect.json))
    end
    own(db, "run", ("insert into %s(key, value) values (?, ?) "
      .. "on conflict(key) do update set value = excluded.value"):format(name), key, text)
  end)
end

return M
