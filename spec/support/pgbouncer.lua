--- A pgbouncer in front of a server for tests: transaction pooling over one connection, by a socket
--- in a temporary directory, and ended with this process. It is configured as a stranger would:
--- nothing that a client sends beyond its protocol is forgiven.

local daemon = require "spec.support.daemon"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local pgbouncer = {}

local USER = "postgres" -- of the system: it refuses to run as root

local configuration = [[
[databases]
* = host=%s port=%d user=tester
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = 1
]]

local program
for _, directory in ipairs { "/usr/sbin", "/usr/bin", "/usr/local/bin" } do
  local path = directory .. "/pgbouncer"
  if not program and process.succeeds("test -x " .. path) then program = path end
end

--- Why there is none, or nil.
---@return string|nil
function pgbouncer.missing()
  return not program and "pgbouncer is not installed" or nil
end

local Pooler = {}
Pooler.__index = Pooler

--- Starts one.
---@param server table of spec.support.postgres
---@return table pooler url: of the database postgres through it; remove(): ends it
function pgbouncer.start(server)
  local directory = daemon.directory(USER)
  local file, socket = directory .. "/pgbouncer.ini", directory .. "/.s.PGSQL.6432"
  temporary.write(file, configuration:format(server.directory, server.port, directory))
  local self = setmetatable({}, Pooler)
  self.url = ("postgres://tester@/postgres?host=%s&port=6432"):format(directory)
  self.daemon = daemon.start {
    directory = directory, command = { program, file }, user = USER, signal = "TERM",
    ready = function() return process.succeeds("test -S " .. socket) end,
  }
  return self
end

--- Ends it. May be called twice.
function Pooler:remove()
  self.daemon:remove()
end

return pgbouncer
