--- A PostgreSQL server for tests: a cluster of its own in a temporary directory, reached by a
--- socket there, and ended with this process, however that ends.

local lfs = require "lfs"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local postgres = {}

local programs -- the directory of initdb and postgres
for version = 20, 13, -1 do
  local directory = ("/usr/lib/postgresql/%d/bin"):format(version)
  if not programs and lfs.attributes(directory .. "/postgres") then programs = directory end
end

--- The server refuses to run as root. A sanitizer that watches this process is not for it.
local function as_server(words)
  local command = {}
  for i, word in ipairs(words) do command[i] = process.quote(word) end
  local user = process.is_root() and "--reuid=postgres --regid=postgres --clear-groups " or ""
  return "env -u LD_PRELOAD setpriv --pdeathsig INT " .. user .. table.concat(command, " ")
end

local server -- of this process

--- Ends the server when this process closes its state; if it is killed, --pdeathsig does.
local function stop(self)
  os.execute(("kill -INT %d"):format(self.pid))
  self.pipe:close() -- waits for it
  temporary.remove(self.directory)
end

local function start()
  local directory = temporary.lasting_directory()
  local data, log = directory .. "/data", process.quote(directory .. "/log")
  if process.is_root() then
    assert(os.execute("chown postgres " .. process.quote(directory)))
  end
  assert(os.execute(("cd / && %s > %s 2>&1"):format(as_server {
    programs .. "/initdb", "-D", data, "-A", "trust", "-N", "--locale=C.UTF-8", "-U", "tester",
  }, log)), "initdb failed")
  local pipe = assert(io.popen(("cd / && echo $$ && exec %s > %s 2>&1"):format(as_server {
    programs .. "/postgres", "-D", data, "-k", directory, "-c", "listen_addresses=",
    "-c", "fsync=off", "-c", "max_connections=20",
  }, log)))
  local pid = assert(math.tointeger(pipe:read("l")))
  return setmetatable({ directory = directory, pipe = pipe, pid = pid }, { __gc = stop })
end

local function wait_until_ready(tuff, url)
  for _ = 1, 100 do
    local good, db = pcall(tuff.open, url)
    if good then return db:close() end
    process.succeeds("sleep 0.1") -- initdb is done: it only has to open its socket
  end
  error("the server did not start: " .. (temporary.read(server.directory .. "/log") or ""))
end

--- The URL of a database on the server, which is started with the first call.
---@param tuff table
---@return string|nil url
---@return string|nil reason why there is none
function postgres.url(tuff)
  if not programs then return nil, "PostgreSQL is not installed" end
  if not package.searchpath("tuff.postgres", package.cpath) then
    return nil, "the driver for PostgreSQL was not built"
  end
  if server then return server.url end
  server = start()
  server.url = "postgres://tester@/postgres?host=" .. server.directory
  wait_until_ready(tuff, server.url)
  return server.url
end

--- Makes an empty database on the server; one of that name is removed.
---@param tuff table
---@param name string a word
---@return string|nil url
---@return string|nil reason why there is none
function postgres.create(tuff, name)
  local url, reason = postgres.url(tuff)
  if not url then return nil, reason end
  postgres.drop(tuff, name)
  local db <close> = tuff.open(url)
  db:run("create database " .. name)
  -- The directory as a host: what a page writes behind the name still fits.
  return "postgres://tester@" .. server.directory:gsub("/", "%%2F") .. "/" .. name
end

--- Removes a database, whoever is connected to it.
---@param tuff table
---@param name string
function postgres.drop(tuff, name)
  local db <close> = tuff.open(postgres.url(tuff))
  db:run(("drop database if exists %s with (force)"):format(name))
end

return postgres
