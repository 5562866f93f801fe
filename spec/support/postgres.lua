--- PostgreSQL servers for tests: each a cluster of its own in a temporary directory, reached by a
--- socket there, and ended with this process, however that ends. Nothing else on the machine is
--- used: neither its clusters nor their ports.
--
--     local url, reason = postgres.url()           -- of the server that all specs share
--     local server = postgres.start { settings = { max_connections = 5 } }        -- one's own
--     fixture.on_server("what", { tls = true }, function(server) … end)  -- that of a `describe`
--     tuff.open(server:url { user = "…", password = "…", tcp = true, query = "sslmode=require" })
--     server:stop()    server:start()    server:crash()    server:freeze()    server:remove()

local lfs = require "lfs"
local daemon = require "spec.support.daemon"
local eventually = require "spec.support.eventually"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local postgres = {}

local USER = "postgres" -- of the system: the server refuses to run as root

local programs -- the directory of initdb and postgres
for version = 20, 13, -1 do
  local directory = ("/usr/lib/postgresql/%d/bin"):format(version)
  if not programs and lfs.attributes(directory .. "/postgres") then programs = directory end
end

local function run(words)
  words[1] = programs .. "/" .. words[1]
  return daemon.run(words, USER)
end

local Server = {}
Server.__index = Server

-- ---- making a cluster --------------------------------------------------------------------

--- A port that nobody listens to; somebody may a moment later.
local function free_port()
  local socket = require "socket"
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return port
end

--- A key and the certificate that it has signed itself, for 127.0.0.1.
local function make_certificate(data)
  daemon.run({
    "openssl", "req", "-x509", "-nodes", "-days", "2",
    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
    "-keyout", data .. "/server.key", "-out", data .. "/server.crt",
  }, USER)
end

---@class spec.ServerOptions
---@field settings table<string, any>? of postgresql.conf
---@field hba string? what stands in pg_hba.conf, which else trusts everybody
---@field tcp boolean? it also listens at a free port of 127.0.0.1
---@field tls boolean? with TLS there, see its .certificate

--- A server that is yet to be made.
---@param options spec.ServerOptions?
---@return table server
function postgres.server(options)
  return setmetatable({ options = options or {} }, Server)
end

--- Makes its cluster, and starts it.
function Server:make()
  local options = self.options
  local directory = daemon.directory(USER)
  self.directory, self.data = directory, directory .. "/data"
  run { "initdb", "-D", self.data, "-A", "trust", "-N", "--locale=C.UTF-8", "-U", "tester" }
  if options.hba then temporary.write(self.data .. "/pg_hba.conf", options.hba) end
  if options.tls then
    make_certificate(self.data)
    self.certificate = self.data .. "/server.crt"
  end
  self.port = (options.tcp or options.tls) and free_port() or 5432
  self.settings = {
    unix_socket_directories = directory, port = self.port, ssl = options.tls and "on" or "off",
    listen_addresses = (options.tcp or options.tls) and "127.0.0.1" or "",
    fsync = "off", max_connections = 20, lc_messages = "C",
  }
  for name, value in pairs(options.settings or {}) do self.settings[name] = value end
  self:start()
end

--- Starts a server of its own.
---@param options spec.ServerOptions?
---@return table server
function postgres.start(options)
  local server = postgres.server(options)
  server:make()
  return server
end

-- ---- its life ----------------------------------------------------------------------------

--- What pg_ctl waits for: the last line of the file of the server's number.
local function is_ready(self, pid)
  local text = temporary.read(self.data .. "/postmaster.pid") or ""
  return math.tointeger(text:match("^%d+")) == pid and text:find("\nready *\n$")
end

--- Starts it again on the data that it has.
function Server:start()
  local words = { programs .. "/postgres", "-D", self.data }
  for name, value in pairs(self.settings) do
    words[#words + 1] = "-c"
    words[#words + 1] = name .. "=" .. tostring(value)
  end
  self.daemon = daemon.start {
    directory = self.directory, command = words, user = USER, signal = "QUIT",
    ready = function(pid) return is_ready(self, pid) end,
  }
end

--- Stops it in good order, as an administrator does who waits for nobody.
function Server:stop()
  daemon.signal("INT", self.daemon.pid)
  eventually("the server stops", function() return not self.daemon:is_running() end)
  self.daemon:stop()
end

--- Kills it with all its processes, as a machine does that loses its power.
function Server:crash()
  daemon.signal("STOP", self.daemon.pid) -- so that it makes no more of them
  daemon.signal("KILL", self.daemon.pid, table.unpack(daemon.processes_in(self.data)))
  self:bury()
end

--- Waits for the end of a server that was killed by something else, after which it can be started.
function Server:bury()
  eventually("the server ends", function() return not self.daemon:is_running() end)
  self.daemon:stop()
  eventually("its processes end", function() return #daemon.processes_in(self.data) == 0 end)
end

--- Stops all of it, as a machine does that does not answer any more.
function Server:freeze()
  daemon.signal("STOP", self.daemon.pid, table.unpack(daemon.processes_in(self.data)))
end

--- Lets all of it go on.
function Server:thaw()
  daemon.signal("CONT", self.daemon.pid, table.unpack(daemon.processes_in(self.data)))
end

--- Ends it, and removes all that it has. May be called twice, and where it could not be made.
function Server:remove()
  if self.daemon then self.daemon:remove() end
end

-- ---- talking to it -----------------------------------------------------------------------

local function encoded(text)
  return (text:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The URL of a database on it.
---@param parts table? user, password, database; tcp: not by the socket; query: more parameters, as
---   they stand in a URL
---@return string
function Server:url(parts)
  parts = parts or {}
  local who = encoded(parts.user or "tester")
  if parts.password then who = who .. ":" .. encoded(parts.password) end
  local database = encoded(parts.database or "postgres")
  local query = parts.query
  if parts.tcp then
    return ("postgres://%s@127.0.0.1:%d/%s%s"):format(
      who, self.port, database, query and "?" .. query or "")
  end
  return ("postgres://%s@/%s?host=%s&port=%d%s"):format(
    who, database, self.directory, self.port, query and "&" .. query or "")
end

local function begin_psql(url, script)
  local command = "env -u LD_PRELOAD %s/psql -XqAt -v ON_ERROR_STOP=1 %s -c %s 2>&1"
  return assert(io.popen(command:format(programs, process.quote(url), process.quote(script))))
end

--- Runs a script by psql, which is no client of ours, and waits for its end.
---@param url string
---@param script string
---@return string output
function postgres.psql(url, script)
  local pipe = begin_psql(url, script)
  local output = pipe:read("a")
  if not pipe:close() then error("psql failed: " .. output, 2) end
  return (output:gsub("\n$", ""))
end

--- The same on this server.
---@param script string
---@return string output
function Server:sql(script)
  return postgres.psql(self:url(), script)
end

--- Waits until it takes connections: after one of its processes was killed it ends them all, and
--- recovers by itself.
function Server:wait()
  eventually("the server has recovered", function() return (pcall(self.sql, self, "select 1")) end)
end

--- What `Server:when` can do with the process of a connection, in PL/pgSQL.
local actions = {
  terminate = "perform pg_terminate_backend(process)",
  cancel = "perform pg_cancel_backend(process)",
  kill = "execute format('copy (select) to program %L', 'kill -KILL ' || process)",
}

local watch = [[
  do $watch$
  declare process int;
  begin
    for try in 1..3000 loop
      perform pg_stat_clear_snapshot();
      select pid into process from pg_stat_activity where %s;
      if found then
        %s;
        return;
      end if;
      perform pg_sleep(0.005);
    end loop;
    raise 'waited in vain';
  end $watch$]]

--- Does something with a connection as soon as it is in a certain state, while this process does
--- something else. Each `when` needs its `wait`.
---@param condition string SQL about a row of pg_stat_activity: "wait_event = 'SyncRep'"
---@param action "terminate"|"cancel"|"kill"
---@return { wait: fun(self: table) } watcher wait: until it is done; an error if it never was
function Server:when(condition, action)
  local pipe = begin_psql(self:url(), watch:format(condition, actions[action]))
  return {
    wait = function()
      local output = pipe:read("a")
      -- Who kills a process of the server ends its own connection by that.
      if not pipe:close() and action ~= "kill" then error("the watcher failed: " .. output, 2) end
    end,
  }
end

-- ---- the one that is shared --------------------------------------------------------------

--- It stands in the registry: busted forgets all modules between two files.
local registry, SHARED = debug.getregistry(), "tuff.spec.postgres"

local function shared()
  registry[SHARED] = registry[SHARED] or postgres.start()
  return registry[SHARED]
end

--- Why there is no server, or nil.
---@return string|nil
function postgres.missing()
  if not programs then return "PostgreSQL is not installed" end
  if not package.searchpath("tuff.postgres", package.cpath) then
    return "the driver for PostgreSQL was not built"
  end
  return nil
end

--- The URL of a database on the server that all specs share, which the first call starts.
---@return string|nil url
---@return string|nil reason why there is none
function postgres.url()
  local reason = postgres.missing()
  if reason then return nil, reason end
  return shared():url()
end

--- Makes an empty database on the shared server; one of that name is removed.
---@param name string a word
---@return string|nil url
---@return string|nil reason why there is none
function postgres.create(name)
  local reason = postgres.missing()
  if reason then return nil, reason end
  postgres.drop(name)
  shared():sql("create database " .. name)
  -- The directory as a host: what a page writes behind the name still fits.
  return ("postgres://tester@%s/%s"):format(encoded(shared().directory), name)
end

--- Removes a database of the shared server, whoever is connected to it.
---@param name string
function postgres.drop(name)
  shared():sql(("drop database if exists %s with (force)"):format(name))
end

return postgres
