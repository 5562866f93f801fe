-- LuaSQL. It binds no parameters and prepares nothing for later, so that values are written into
-- the SQL, as its manual shows; the works that ask for a prepared statement do that too.

package.path = package.path .. ";" .. (arg[0]:gsub("[^/]*$", "")) .. "../../?.lua"

local contender = require "bench.contender"
local checksum = require "bench.checksum"
local workload = require "bench.workload"

local sql = workload.sql
local works = {}

local function open(path)
  local db = assert(require("luasql.sqlite3").sqlite3():connect(path))
  for _, setting in ipairs(workload.settings) do
    local cursor = assert(db:execute(setting))
    if type(cursor) == "userdata" then
      cursor:fetch()
      cursor:close()
    end
  end
  return db
end

local function open_warm(path)
  local db = open(path)
  local cursor = assert(db:execute(sql.warm))
  cursor:fetch()
  cursor:close()
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

function works.insert(path, watch)
  local rows = workload.rows(workload.inserts)
  local db = open(path)
  local insert = template(sql.insert, "%d", "'%s'", "%.17g", "'%s'", "%d")
  watch:start()
  assert(db:execute("BEGIN"))
  for i = 1, #rows do
    local row = rows[i]
    assert(db:execute(insert:format(row.id, db:escape(row.name), row.score,
      db:escape(row.tag), row.n)))
  end
  assert(db:execute("COMMIT"))
  db:close()
  watch:stop()
end

function works.tuples(path, watch)
  local db = open_warm(path)
  local integers, reals = 0, 0.0
  watch:start()
  local cursor = assert(db:execute(sql.scan))
  local id, name, score, tag, n = cursor:fetch()
  while id do
    integers = integers + id + #name + #tag + n
    reals = reals + score
    id, name, score, tag, n = cursor:fetch()
  end
  cursor:close()
  watch:stop()
  return integers, reals
end

-- fetch can fill one table again and again; a table of its own for each row is what the work asks.
function works.rows(path, watch)
  local db = open_warm(path)
  local integers, reals = 0, 0.0
  watch:start()
  local cursor = assert(db:execute(sql.scan))
  local row = cursor:fetch({}, "a")
  while row do
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  watch:stop()
  return integers, reals
end

local function read_by_text(db, keys)
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
  assert(db:execute("BEGIN"))
  local integers, reals = read_by_text(db, keys)
  assert(db:execute("COMMIT"))
  watch:stop()
  return integers, reals
end

function works.update(path, watch)
  local db = open_warm(path)
  local keys = workload.keys(workload.updates)
  local update = template(sql.update, "%d", "%.17g", "%d")
  watch:start()
  assert(db:execute("BEGIN"))
  for i = 1, #keys do assert(db:execute(update:format(i, i * 0.5, keys[i]))) end
  assert(db:execute("COMMIT"))
  db:close()
  watch:stop()
end

function works.all(path, watch)
  local db = open_warm(path)
  watch:start()
  local cursor = assert(db:execute(sql.scan))
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  watch:stop()
  return checksum.kept(rows)
end

function works.stream(path, watch)
  local db = open(path)
  watch:start()
  local cursor = assert(db:execute(sql.stream))
  local function fetch() return cursor:fetch({}, "a") end
  local integers, reals = checksum.streamed(watch, workload.stream_mark, fetch)
  watch:stop()
  return integers, reals
end

contender.main {
  identify = function()
    local db = require("luasql.sqlite3").sqlite3():connect(":memory:")
    local version = db:execute("SELECT sqlite_version()"):fetch()
    return require("luasql.sqlite3")._VERSION:match("^LuaSQL [%d.]+"), version
  end,
  works = works,
}
