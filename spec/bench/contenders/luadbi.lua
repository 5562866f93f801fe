-- LuaDBI. It has no rows without a table, so that `tuples` is not among its works.

package.path = package.path .. ";" .. (arg[0]:gsub("[^/]*$", "")) .. "../../?.lua"

local checksum = require "bench.checksum"
local contender = require "bench.contender"
local workload = require "bench.workload"

local sql = workload.sql
local works = {}

local function run(db, text)
  local statement = assert(db:prepare(text))
  assert(statement:execute())
  statement:close()
end

-- Without autocommit it begins a transaction by itself, which the settings do not survive. The
-- switch answers false where no transaction is open, as here, and works none the less.
local function open(path)
  local db = assert(require("DBI").Connect("SQLite3", path))
  db:autocommit(true)
  for _, setting in ipairs(workload.settings) do run(db, setting) end
  return db
end

local function open_warm(path)
  local db = open(path)
  run(db, sql.warm)
  return db
end

local function query(db, text)
  local statement = assert(db:prepare(text))
  assert(statement:execute())
  return statement
end

function works.insert(path, watch)
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  watch:start()
  run(db, "BEGIN")
  local insert = assert(db:prepare(sql.insert))
  for i = 1, #rows do
    local row = rows[i]
    assert(insert:execute(row.id, row.name, row.score, row.tag, row.n))
  end
  insert:close()
  run(db, "COMMIT")
  db:close()
  watch:stop()
end

function works.rows(path, watch)
  local db = open_warm(path)
  watch:start()
  local statement = query(db, sql.scan)
  local integers, reals = checksum.named(statement:rows(true))
  statement:close()
  watch:stop()
  return integers, reals
end

function works.point_prepared(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.reads)
  local integers, reals = 0, 0.0
  watch:start()
  local get = assert(db:prepare(sql.get))
  for i = 1, #keys do
    assert(get:execute(keys[i]))
    local row = get:fetch(true)
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  get:close()
  watch:stop()
  return integers, reals
end

local function read_by_text(db, keys)
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

function works.point_text(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.reads)
  watch:start()
  local integers, reals = read_by_text(db, keys)
  watch:stop()
  return integers, reals
end

function works.point_transaction(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.reads)
  watch:start()
  run(db, "BEGIN")
  local integers, reals = read_by_text(db, keys)
  run(db, "COMMIT")
  watch:stop()
  return integers, reals
end

function works.update(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.updates)
  watch:start()
  run(db, "BEGIN")
  local update = assert(db:prepare(sql.update))
  for i = 1, #keys do assert(update:execute(i, i * 0.5, keys[i])) end
  update:close()
  run(db, "COMMIT")
  db:close()
  watch:stop()
end

function works.all(path, watch)
  local db = open_warm(path)
  watch:start()
  local statement = query(db, sql.scan)
  local rows = {}
  for row in statement:rows(true) do rows[#rows + 1] = row end
  statement:close()
  watch:stop()
  return checksum.kept(rows)
end

function works.stream(path, watch)
  local db = open(path)
  watch:start()
  local rows = query(db, sql.stream):rows(true)
  local integers, reals = checksum.streamed(watch, workload.stream_mark, rows)
  watch:stop()
  return integers, reals
end

contender.main {
  identify = function()
    local dbi = require "DBI"
    local db = assert(dbi.Connect("SQLite3", ":memory:"))
    local version = query(db, "SELECT sqlite_version()"):fetch()[1]
    return "LuaDBI " .. dbi._VERSION, version
  end,
  works = works,
}
