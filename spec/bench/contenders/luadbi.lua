-- LuaDBI. It has no rows without a table, so that `tuples` is not among its works.

local checksum = require "bench.checksum"
local workload = require "bench.workload"

local sql = workload.sql
local M = {}

local function query(db, text)
  local statement = assert(db:prepare(text))
  assert(statement:execute())
  return statement
end

function M.identify()
  local dbi = require "DBI"
  local db = assert(dbi.Connect("SQLite3", ":memory:"))
  local version = query(db, "SELECT sqlite_version()"):fetch()[1]
  return "LuaDBI " .. dbi._VERSION, version
end

function M.run(db, text) query(db, text):close() end

-- Without autocommit it begins a transaction by itself, which the settings do not survive. The
-- switch answers false where no transaction is open, as here, and works none the less.
function M.open(path)
  local db = assert(require("DBI").Connect("SQLite3", path))
  db:autocommit(true)
  for _, setting in ipairs(workload.settings) do M.run(db, setting) end
  return db
end

local function write(statement, row)
  assert(statement:execute(row.id, row.name, row.score, row.tag, row.n))
end

local function write_all(db, text, rows)
  M.run(db, "BEGIN")
  local statement = assert(db:prepare(text))
  for i = 1, #rows do write(statement, rows[i]) end
  statement:close()
  M.run(db, "COMMIT")
end

function M.insert(db, rows) write_all(db, sql.insert, rows) end

function M.upsert(db, rows) write_all(db, sql.upsert, rows) end

function M.insert_transaction(db, rows)
  local insert = assert(db:prepare(sql.insert))
  for i = 1, #rows do
    M.run(db, "BEGIN")
    write(insert, rows[i])
    M.run(db, "COMMIT")
  end
  insert:close()
end

function M.rows(db) return checksum.named(query(db, sql.scan):rows(true)) end

function M.point_prepared(db, keys)
  local integers, reals = 0, 0.0
  local get = assert(db:prepare(sql.get))
  for i = 1, #keys do
    assert(get:execute(keys[i]))
    local row = get:fetch(true)
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  get:close()
  return integers, reals
end

function M.point_text(db, keys)
  local integers, reals = 0, 0.0
  for i = 1, #keys do
    local get = assert(db:prepare(sql.get))
    assert(get:execute(keys[i]))
    local row = get:fetch(true)
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
    get:close()
  end
  return integers, reals
end

function M.update(db, keys)
  M.run(db, "BEGIN")
  local update = assert(db:prepare(sql.update))
  for i = 1, #keys do assert(update:execute(i, i * 0.5, keys[i])) end
  update:close()
  M.run(db, "COMMIT")
end

function M.all(db)
  local rows = {}
  for row in query(db, sql.scan):rows(true) do rows[#rows + 1] = row end
  return rows
end

function M.stream(db, watch)
  return checksum.streamed(watch, workload.stream_mark, query(db, sql.stream):rows(true))
end

return M
