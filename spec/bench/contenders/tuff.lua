-- The works by tuff, as a script would write them.

package.path = package.path .. ";" .. (arg[0]:gsub("[^/]*$", "")) .. "../../?.lua"

local checksum = require "bench.checksum"
local contender = require "bench.contender"
local workload = require "bench.workload"

local sql = workload.sql
local works = {}

local function open(path)
  return require("tuff").open(path, {
    durability = "normal",
    cache_bytes = workload.cache_bytes,
  })
end

local function open_warm(path)
  local db = open(path)
  db:row(sql.warm)
  return db
end

function works.insert(path, watch)
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  watch:start()
  db:transaction(function()
    local insert <close> = db:prepare(sql.insert)
    for i = 1, #rows do
      local row = rows[i]
      insert:run(row.id, row.name, row.score, row.tag, row.n)
    end
  end)
  db:close()
  watch:stop()
end

function works.insert_named(path, watch)
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  watch:start()
  db:transaction(function()
    local insert <close> = db:prepare(sql.insert_named)
    for i = 1, #rows do insert:run(rows[i]) end
  end)
  db:close()
  watch:stop()
end

function works.insert_many(path, watch)
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  watch:start()
  db:insert_many("t", rows)
  db:close()
  watch:stop()
end

function works.tuples(path, watch)
  local db <close> = open_warm(path)
  local integers, reals = 0, 0.0
  watch:start()
  for _, id, name, score, tag, n in db:tuples(sql.scan) do
    integers = integers + id + #name + #tag + n
    reals = reals + score
  end
  watch:stop()
  return integers, reals
end

function works.rows(path, watch)
  local db <close> = open_warm(path)
  watch:start()
  local integers, reals = checksum.named(db:rows(sql.scan))
  watch:stop()
  return integers, reals
end

function works.point_prepared(path, watch)
  local db <close> = open_warm(path)
  local keys = workload.keys(workload.reads)
  local integers, reals = 0, 0.0
  watch:start()
  local get <close> = db:prepare(sql.get)
  for i = 1, #keys do
    local row = get:row(keys[i])
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  watch:stop()
  return integers, reals
end

local function read_by_text(db, keys)
  local integers, reals = 0, 0.0
  for i = 1, #keys do
    local row = db:row(sql.get, keys[i])
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  return integers, reals
end

function works.point_text(path, watch)
  local db <close> = open_warm(path)
  local keys = workload.keys(workload.reads)
  watch:start()
  local integers, reals = read_by_text(db, keys)
  watch:stop()
  return integers, reals
end

function works.point_transaction(path, watch)
  local db <close> = open_warm(path)
  local keys = workload.keys(workload.reads)
  watch:start()
  local integers, reals = db:read(function() return read_by_text(db, keys) end)
  watch:stop()
  return integers, reals
end

function works.update(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.updates)
  watch:start()
  db:transaction(function()
    local update <close> = db:prepare(sql.update)
    for i = 1, #keys do update:run(i, i * 0.5, keys[i]) end
  end)
  db:close()
  watch:stop()
end

function works.all(path, watch)
  local db <close> = open_warm(path)
  watch:start()
  local rows = db:all(sql.scan)
  watch:stop()
  return checksum.kept(rows)
end

function works.arrays(path, watch)
  local db <close> = open_warm(path)
  watch:start()
  local columns = db:arrays(sql.scan)
  watch:stop()
  local integers, reals = 0, 0.0
  for i = 1, columns.n do
    integers = integers + columns.id[i] + #columns.name[i] + #columns.tag[i] + columns.n_2[i]
    reals = reals + columns.score[i]
  end
  return integers, reals
end

function works.stream(path, watch)
  local db <close> = open(path)
  watch:start()
  local integers, reals = checksum.streamed(watch, workload.stream_mark, db:rows(sql.stream))
  watch:stop()
  return integers, reals
end

contender.main {
  identify = function()
    local tuff = require "tuff"
    return "tuff " .. tuff.version, tuff.sqlite_version
  end,
  works = works,
}
