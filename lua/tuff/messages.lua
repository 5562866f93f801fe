--- Notifications: a short text that one connection sends to all that listen, by way of the server.
local core = require "tuff.core"
local errors = require "tuff.error"
local options_of = require "tuff.options"

local M = {}

-- What the server takes, in bytes. A name of a channel that is longer would be cut in silence.
local LONGEST_CHANNEL, LONGEST_TEXT = 63, 7999

--- Raises `unsupported` where nobody sends anything.
---@param db tuff.Database
---@param method string
---@return table dialect
local function server_of(db, method)
  errors.check_open(db, method)
  local dialect = core.state(db).dialect
  if dialect.notify then return dialect end
  errors.raise("unsupported", ("db:%s needs a server, and %s is none"):format(method, db.engine), {
    hint = "look for new rows now and then, or keep the data in PostgreSQL",
  })
end

local function check_channel(channel, method)
  errors.check(channel, "string", "the channel given to db:" .. method)
  if channel == "" or #channel > LONGEST_CHANNEL or channel:find("\0", 1, true)
    or not utf8.len(channel) then
    errors.raise("misuse", ("the name of a channel has 1 to %d bytes of UTF-8, without NUL")
      :format(LONGEST_CHANNEL))
  end
end

--- Listens to a channel: db:poll calls fn with what is sent there from now on, by this connection
--- too. A channel has one function; another one replaces it, nil ends the listening. Raises
--- `misuse` inside a transaction.
---@param db tuff.Database
---@param channel string any text of 1 to 63 bytes
---@param fn fun(payload: string, channel: string, pid: integer)? pid: the server's process that
---   serves the sender, as pg_backend_pid() tells it there
function M.listen(db, channel, fn)
  server_of(db, "listen")
  check_channel(channel, "listen")
  errors.check(fn, "function|nil", "the function given to db:listen")
  core.listen(db, channel, fn ~= nil)
  local state = core.state(db)
  state.listeners = state.listeners or {}
  state.listeners[channel] = fn
end

--- Sends a text to all that listen to a channel. Inside a transaction it is sent when that has
--- committed, and forgotten when it is rolled back; equal ones of a transaction are sent once.
---@param db tuff.Database
---@param channel string any text of 1 to 63 bytes
---@param text string? at most 7999 bytes ("")
function M.notify(db, channel, text)
  local dialect = server_of(db, "notify")
  check_channel(channel, "notify")
  errors.check(text, "string|nil", "the text given to db:notify")
  text = text or ""
  if #text > LONGEST_TEXT then
    errors.raise("range", ("the text given to db:notify has %d bytes, at most %d can be sent")
      :format(#text, LONGEST_TEXT), { hint = "send the key of a row that holds it" })
  end
  core.own(db)
  db:value(dialect.notify, channel, text)
end

--- Hands out the oldest notification. Whether a function got it: nobody may listen any more.
local function hand_out(db)
  local channel, payload, pid = core.notification(db)
  local fn = channel and (core.state(db).listeners or {})[channel]
  if fn then fn(payload, channel, pid) end
  return fn ~= nil
end

--- Waits for notifications, and calls the functions that listen to them, in order. They may do
--- whatever a script does. What one raises comes out of here; the notifications behind it are
--- handed out by the next call, as are those that come meanwhile. Raises `misuse` inside a
--- transaction, `interrupted` on Ctrl-C.
---@param db tuff.Database
---@param ms number? how long to wait for the first one, in milliseconds (0)
---@return integer handled how many were handed out
function M.poll(db, ms)
  server_of(db, "poll")
  if ms == nil then ms = 0 end
  local fits, wanted = options_of.checks.milliseconds(ms)
  if not fits then errors.raise("misuse", "the time given to db:poll must be " .. wanted) end
  local deadline = core.now() + ms
  local handled = 0
  repeat
    for _ = 1, core.wait(db, math.max(deadline - core.now(), 0)) do
      if hand_out(db) then handled = handled + 1 end
    end
  until handled > 0 or core.now() >= deadline
  return handled
end

return M
