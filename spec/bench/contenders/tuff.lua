-- The works by tuff, as a script would write them.

local checksum = require "bench.checksum"
local workload = require "bench.workload"

local sql = workload.sql
local M = {}

function M.identify()
  local tuff = require "tuff"
  return "tuff " .. tuff.version, tuff.sqlite_version
end

function M.open(path)
  return require("tuff").open(path, {
    durability = "normal",
    cache_bytes = workload.cache_bytes,
  })
end

function M.run(db, text) db:row(text) end

function M.insert(db, rows)
  db:transaction(function()
    local insert <close> = db:prepare(sql.insert)
    for i = 1, #rows do
      local row = rows[i]
      insert:run(row.id, row.name, row.score, row.tag, row.n)
    end
  end)
end

function M.insert_named(db, rows)
  db:transaction(function()
    local insert <close> = db:prepare(sql.insert_named)
    for i = 1, #rows do insert:run(rows[i]) end
  end)
end

function M.insert_many(db, rows) db:insert_many("t", rows) end

function M.upsert(db, rows)
  db:insert_many("t", rows, { on_conflict = "update", key = { "id" } })
end

function M.insert_transaction(db, rows)
  local insert <close> = db:prepare(sql.insert)
  for i = 1, #rows do
    local row = rows[i]
    db:transaction(function() insert:run(row.id, row.name, row.score, row.tag, row.n) end)
  end
end

function M.tuples(db)
  local integers, reals = 0, 0.0
  for _, id, name, score, tag, n in db:tuples(sql.scan) do
    integers = integers + id + #name + #tag + n
    reals = reals + score
  end
  return integers, reals
end

function M.rows(db) return checksum.named(db:rows(sql.scan)) end

function M.point_prepared(db, keys)
  local integers, reals = 0, 0.0
  local get <close> = db:prepare(sql.get)
  for i = 1, #keys do
    local row = get:row(keys[i])
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  return integers, reals
end

function M.point_text(db, keys)
  local integers, reals = 0, 0.0
  for i = 1, #keys do
    local row = db:row(sql.get, keys[i])
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  return integers, reals
end

function M.point_transaction(db, keys)
  return db:read(function() return M.point_text(db, keys) end)
end

function M.update(db, keys)
  db:transaction(function()
    local update <close> = db:prepare(sql.update)
    for i = 1, #keys do update:run(i, i * 0.5, keys[i]) end
  end)
end

function M.all(db) return db:all(sql.scan) end

function M.arrays(db) return db:arrays(sql.scan) end

function M.stream(db, watch)
  return checksum.streamed(watch, workload.stream_mark, db:rows(sql.stream))
end

return M
