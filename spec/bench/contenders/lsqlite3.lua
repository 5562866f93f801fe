-- lsqlite3.

package.path = package.path .. ";" .. (arg[0]:gsub("[^/]*$", "")) .. "../../?.lua"

local checksum = require "bench.checksum"
local contender = require "bench.contender"
local workload = require "bench.workload"

local sql = workload.sql
local works = {}

local function run(db, text)
  if db:exec(text) ~= 0 then error(text .. ": " .. db:errmsg()) end
end

local function open(path)
  local db = assert(require("lsqlite3").open(path))
  for _, setting in ipairs(workload.settings) do run(db, setting) end
  return db
end

local function open_warm(path)
  local db = open(path)
  run(db, sql.warm)
  return db
end

function works.insert(path, watch)
  local done = require("lsqlite3").DONE
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  watch:start()
  run(db, "BEGIN")
  local insert = assert(db:prepare(sql.insert))
  for i = 1, #rows do
    local row = rows[i]
    insert:bind_values(row.id, row.name, row.score, row.tag, row.n)
    assert(insert:step() == done)
    insert:reset()
  end
  insert:finalize()
  run(db, "COMMIT")
  db:close()
  watch:stop()
end

function works.tuples(path, watch)
  local db = open_warm(path)
  local integers, reals = 0, 0.0
  watch:start()
  for id, name, score, tag, n in db:urows(sql.scan) do
    integers = integers + id + #name + #tag + n
    reals = reals + score
  end
  watch:stop()
  return integers, reals
end

function works.rows(path, watch)
  local db = open_warm(path)
  watch:start()
  local integers, reals = checksum.named(db:nrows(sql.scan))
  watch:stop()
  return integers, reals
end

function works.point_prepared(path, watch)
  local found = require("lsqlite3").ROW
  local db = open_warm(path)
  local keys = workload.keys(workload.reads)
  local integers, reals = 0, 0.0
  watch:start()
  local get = assert(db:prepare(sql.get))
  for i = 1, #keys do
    get:bind_values(keys[i])
    assert(get:step() == found)
    local row = get:get_named_values()
    get:reset()
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  get:finalize()
  watch:stop()
  return integers, reals
end

local function read_by_text(db, keys)
  local found = require("lsqlite3").ROW
  local integers, reals = 0, 0.0
  for i = 1, #keys do
    local get = assert(db:prepare(sql.get))
    get:bind_values(keys[i])
    assert(get:step() == found)
    local row = get:get_named_values()
    get:finalize()
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
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
  local done = require("lsqlite3").DONE
  local db = open_warm(path)
  local keys = workload.keys(workload.updates)
  watch:start()
  run(db, "BEGIN")
  local update = assert(db:prepare(sql.update))
  for i = 1, #keys do
    update:bind_values(i, i * 0.5, keys[i])
    assert(update:step() == done)
    update:reset()
  end
  update:finalize()
  run(db, "COMMIT")
  db:close()
  watch:stop()
end

function works.all(path, watch)
  local db = open_warm(path)
  local rows = {}
  watch:start()
  for row in db:nrows(sql.scan) do rows[#rows + 1] = row end
  watch:stop()
  return checksum.kept(rows)
end

function works.stream(path, watch)
  local db = open(path)
  watch:start()
  local integers, reals = checksum.streamed(watch, workload.stream_mark, db:nrows(sql.stream))
  watch:stop()
  return integers, reals
end

contender.main {
  identify = function()
    local lsqlite3 = require "lsqlite3"
    return "lsqlite3 " .. lsqlite3.lversion(), lsqlite3.version()
  end,
  works = works,
}
