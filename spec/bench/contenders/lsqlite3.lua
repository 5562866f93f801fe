-- lsqlite3.

local checksum = require "bench.checksum"
local workload = require "bench.workload"

local sql = workload.sql
local M = {}

function M.identify()
  local lsqlite3 = require "lsqlite3"
  return "lsqlite3 " .. lsqlite3.lversion(), lsqlite3.version()
end

function M.run(db, text)
  if db:exec(text) ~= 0 then error(text .. ": " .. db:errmsg()) end
end

function M.open(path)
  local db = assert(require("lsqlite3").open(path))
  for _, setting in ipairs(workload.settings) do M.run(db, setting) end
  return db
end

function M.insert(db, rows)
  local done = require("lsqlite3").DONE
  M.run(db, "BEGIN")
  local insert = assert(db:prepare(sql.insert))
  for i = 1, #rows do
    local row = rows[i]
    insert:bind_values(row.id, row.name, row.score, row.tag, row.n)
    assert(insert:step() == done)
    insert:reset()
  end
  insert:finalize()
  M.run(db, "COMMIT")
end

function M.tuples(db)
  local integers, reals = 0, 0.0
  for id, name, score, tag, n in db:urows(sql.scan) do
    integers = integers + id + #name + #tag + n
    reals = reals + score
  end
  return integers, reals
end

function M.rows(db) return checksum.named(db:nrows(sql.scan)) end

function M.point_prepared(db, keys)
  local found = require("lsqlite3").ROW
  local integers, reals = 0, 0.0
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
  return integers, reals
end

function M.point_text(db, keys)
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

function M.update(db, keys)
  local done = require("lsqlite3").DONE
  M.run(db, "BEGIN")
  local update = assert(db:prepare(sql.update))
  for i = 1, #keys do
    update:bind_values(i, i * 0.5, keys[i])
    assert(update:step() == done)
    update:reset()
  end
  update:finalize()
  M.run(db, "COMMIT")
end

function M.all(db)
  local rows = {}
  for row in db:nrows(sql.scan) do rows[#rows + 1] = row end
  return rows
end

function M.stream(db, watch)
  return checksum.streamed(watch, workload.stream_mark, db:nrows(sql.stream))
end

return M
