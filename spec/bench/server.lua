-- A private PostgreSQL server and the databases in it, gone afterwards. Its settings are the
-- default ones, but that no disk is waited for and that nothing is vacuumed behind one's back.

local process = require "bench.process"
local server = require "spec.support.postgres"
local tuff = require "tuff"
local workload = require "bench.workload"

local Server = {}
Server.__index = Server

local M = {}

local table_sql = [[
  CREATE TABLE t(id bigint PRIMARY KEY, name text, score double precision, tag text, n bigint)]]

local rows_sql = [[
  INSERT INTO t SELECT i, 'user_name_' || i, i * 0.5 + 0.25, 'tag' || (i % 16), (i * 7919) % 1000003
  FROM generate_series(1, ?::bigint) i]]

-- The order of the rows is no part of a sum. A row's text tells every bit of its values.
local checksum_sql = [[
  SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM t]]

--- Makes a database, of which others can be made.
local function make_template(self, name, fill)
  self.admin:run("CREATE DATABASE " .. name)
  local db <close> = tuff.open(self:url(name))
  db:run(table_sql)
  fill(db)
  db:run("VACUUM (ANALYZE) t")
end

---@return table place  to be closed; the server itself ends with this program's state
function M.open()
  local url, reason = server.url(tuff)
  if not url then error(reason, 0) end
  local self = setmetatable({ base = url, admin = tuff.open(url) }, Server)
  local directory = self.admin:value("SHOW data_directory"):match("(.*)/") -- holds all of it
  process.remove_afterwards(directory)
  self.admin:run("ALTER SYSTEM SET autovacuum = off")
  self.admin:run("SELECT pg_reload_conf()")
  make_template(self, "empty", function() end)
  make_template(self, "large", function(db) db:run(rows_sql, workload.table_rows) end)
  self.note = ("The server: PostgreSQL %s, its files in %s."):format(
    self.admin:value("SHOW server_version"), directory:match("^/[^/]*"))
  return self
end

--- The URL of a database on the server.
---@param name string
---@return string
function Server:url(name)
  return (self.base:gsub("/[^/?]*%?", "/" .. name .. "?", 1))
end

--- A database for one run of a work. What was written before does not burden it: the pages of it
--- are handed to the system by a checkpoint.
---@param work table
---@return string url
function Server:database(work)
  if work.data == "large" then return self:url("large") end
  self.admin:run("DROP DATABASE IF EXISTS work")
  self.admin:run("CREATE DATABASE work TEMPLATE " .. (work.data == "copy" and "large" or "empty"))
  self.admin:run("CHECKPOINT")
  return self:url("work")
end

--- What a work has written, as one line.
---@param url string
---@return string
function Server.checksum(_, url)
  local db <close> = tuff.open(url)
  return db:value(checksum_sql)
end

function Server:close() self.admin:close() end
Server.__close = Server.close

return M
