-- LuaSQL. It binds no parameters and prepares nothing for later, so that values are written into
-- the SQL, as its manual shows; the works that ask for a prepared statement do that too.

local checksum = require "bench.checksum"
local workload = require "bench.workload"

local sql = workload.sql
local M = {}

function M.identify()
  local db = require("luasql.sqlite3").sqlite3():connect(":memory:")
  local version = db:execute("SELECT sqlite_version()"):fetch()
  return require("luasql.sqlite3")._VERSION:match("^LuaSQL [%d.]+"), version
end

function M.run(db, text)
  local cursor = assert(db:execute(text))
  if type(cursor) == "userdata" then
    cursor:fetch()
    cursor:close()
  end
end

function M.open(path)
  local db = assert(require("luasql.sqlite3").sqlite3():connect(path))
  for _, setting in ipairs(workload.settings) do M.run(db, setting) end
  return db
end

--- The SQL with `%d`, `%s` and `%.17g` in the place of its parameters, in their order.
local function template(text, ...)
  local formats, at = { ... }, 0
  return (text:gsub("%?", function()
    at = at + 1
    return formats[at]
  end))
end

local function row_template(text) return template(text, "%d", "'%s'", "%.17g", "'%s'", "%d") end

local function write(db, text, row)
  assert(db:execute(text:format(row.id, db:escape(row.name), row.score, db:escape(row.tag), row.n)))
end

local function write_all(db, text, rows)
  text = row_template(text)
  M.run(db, "BEGIN")
  for i = 1, #rows do write(db, text, rows[i]) end
  M.run(db, "COMMIT")
end

function M.insert(db, rows) write_all(db, sql.insert, rows) end

function M.upsert(db, rows) write_all(db, sql.upsert, rows) end

function M.insert_transaction(db, rows)
  local insert = row_template(sql.insert)
  for i = 1, #rows do
    M.run(db, "BEGIN")
    write(db, insert, rows[i])
    M.run(db, "COMMIT")
  end
end

function M.tuples(db)
  local integers, reals = 0, 0.0
  local cursor = assert(db:execute(sql.scan))
  local id, name, score, tag, n = cursor:fetch()
  while id do
    integers = integers + id + #name + #tag + n
    reals = reals + score
    id, name, score, tag, n = cursor:fetch()
  end
  cursor:close()
  return integers, reals
end

-- fetch can fill one table again and again; a table of its own for each row is what the work asks.
function M.rows(db)
  local integers, reals = 0, 0.0
  local cursor = assert(db:execute(sql.scan))
  local row = cursor:fetch({}, "a")
  while row do
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  return integers, reals
end

function M.point_text(db, keys)
  local get = template(sql.get, "%d")
  local integers, reals = 0, 0.0
  for i = 1, #keys do
    local cursor = assert(db:execute(get:format(keys[i])))
    local row = cursor:fetch({}, "a")
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
    cursor:close()
  end
  return integers, reals
end

function M.update(db, keys)
  local update = template(sql.update, "%d", "%.17g", "%d")
  M.run(db, "BEGIN")
  for i = 1, #keys do assert(db:execute(update:format(i, i * 0.5, keys[i]))) end
  M.run(db, "COMMIT")
end

function M.all(db)
  local cursor = assert(db:execute(sql.scan))
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  return rows
end

function M.stream(db, watch)
  local cursor = assert(db:execute(sql.stream))
  local function fetch() return cursor:fetch({}, "a") end
  return checksum.streamed(watch, workload.stream_mark, fetch)
end

return M
