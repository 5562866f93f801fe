-- What test_lua_allocation.c tries on SQLite while memory fails.

local tuff = require "tuff"
local Works = dofile("csrc/test/works.lua")

local count, nothing_new, ROWS = Works.count, Works.nothing_new, Works.ROWS

local path -- of the database

local function open(directory)
  path = directory .. "/a.db"
  local db = tuff.open(path, { durability = "normal" })
  db:exec [[
    create table t(id integer primary key, name text not null, price decimal integer(10,2),
      data json text, bytes blob);
    create table u(x);
  ]]
  db:insert_many("t", {
    { id = 1, name = "a", price = "1.25", data = { list = { 1, 2, tuff.null } } },
    { id = 2, name = "b", price = "2.25", data = { "text" }, bytes = tuff.blob("\0\xff") },
    { id = 3, name = "c" },
  })
  return db
end

local function probe(db)
  db:transaction(function() db:run("insert into u values (1000)") end)
  db:run("delete from u where x = 1000")
  assert(db:value("pragma integrity_check") == "ok")
  assert(#db:all("select * from t where id <= ?", 3) == 3)
end

local works = Works.new(open, probe)
local expect_code = Works.expect_code

local all_inserted = Works.all_inserted(
  "price = 150 and json_extract(data, '$[1].deep') and length(bytes) = 2")

works:add("opening a database", function()
  local other = tuff.open(path .. "-other")
  other:close()
  local memory <close> = tuff.open { path = ":memory:", page_size = 8192 }
  assert(memory:value("select 1") == 1)
end)

works:add("a query for all rows", function(db)
  local rows = db:all("select id, name, price, data, bytes, printf('%.*c', 500, 'a') as long "
    .. "from t where id in ? order by id", { 1, 2, 3 })
  assert(#rows == 3 and rows[3].name == "c" and rows[2].price == "2.25" and #rows[1].long == 500)
  assert(rows[1].data.list[2] == 2 and rows[2].bytes == "\0\xff")
end)

works:add("a query for a row", function(db)
  local row = db:row("select * from t where name = :name and id in :list and :data <> ''",
    { name = "a", list = { 1, 3 }, data = { 1, "two", { 3.5 } } })
  assert(row.id == 1 and row.data.list[3] == tuff.null and row.price == "1.25")
  assert(db:exists("select 1 from t where name = ?", "b"))
  assert(db:value("select data from t where id = ?", 2)[1] == "text")
end)

works:add("queries for columns", function(db)
  local names = db:column("select name from t order by id")
  local arrays = db:arrays("select id, name, data from t order by id")
  assert(#names == 3 and arrays.n == 3 and arrays.name[3] == "c" and arrays.data[3] == tuff.null)
end)

works:add("loops", function(db)
  local seen = 0
  for row in db:rows("select * from t where id > ? order by id", 0) do
    seen = seen + 1
    assert(row.id == seen)
    for n, id, name in db:tuples("select id, name from t where id >= :id", { id = row.id }) do
      assert(id == row.id + n - 1 and #name == 1)
    end
  end
  assert(seen == 3)
end)

works:add("a loop whose body writes", function(db)
  local seen = 0
  db:transaction(function()
    for row in db:rows("select id, name from t order by id") do
      seen = seen + 1
      assert(row.id == seen)
      db:run("insert into u values (?)", row.name)
    end
  end)
  assert(seen == 3)
end, function(db) return count(db, "u") == 3 end)

works:add("a loop that is left", function(db)
  for row in db:rows("select id, name from t order by id") do
    if row.id == 2 then break end
  end
  assert(db:run("insert into u values (1)") == 1)
end, function(db) return count(db, "u") == 1 end)

works:add("inserting a row", function(db)
  local id = db:insert("t", { name = "d", data = { 1, 2 }, price = "3.75", bytes = tuff.blob("b") })
  assert(id == 4)
end, function(db) return count(db, "t", "id = 4 and data = '[1,2]' and price = 375") == 1 end)

works:add("inserting many rows", function(db)
  assert(db:insert_many("t", Works.rows()) == ROWS)
end, all_inserted)

works:add("inserting many rows of an iterator, which are returned", function(db)
  local written = Works.insert_returning(db)
  assert(written[ROWS].id == 3 + ROWS)
end, all_inserted)

works:add("nested transactions", function(db, called)
  db:transaction(function()
    db:after_commit(function() called.outer = true end)
    db:after_rollback(function() called.undone = true end)
    db:run("insert into u values (1)")
    db:transaction(function()
      db:after_commit(function() called.inner = true end)
      db:run("insert into u values (2)")
    end)
    local good, err = pcall(db.transaction, db, function()
      db:after_commit(function() called.wrong = true end)
      db:run("insert into u values (3)")
      error("stop", 0)
    end)
    assert(not good)
    if err ~= "stop" then error(err, 0) end
  end)
  assert(called.outer and called.inner and not called.undone)
end, function(db, called)
  return not called.wrong and count(db, "u") == 2 and count(db, "u", "x in (1, 2)") == 2
end, function(db, called)
  return nothing_new(db) and next(called) == (called.undone and "undone" or nil)
end)

works:add("a transaction whose error is swallowed inside", function(db, called)
  db:transaction(function()
    db:run("insert into u values (1)")
    local good = pcall(db.transaction, db, function()
      db:after_commit(function() called.inner = true end)
      db:run("insert into u values (2)")
      db:run("insert into u values (3)")
    end)
    called.good = good
    db:run("insert into u values (4)")
  end)
end, function(db, called)
  local inner = count(db, "u", "x in (2, 3)")
  return count(db, "u", "x in (1, 4)") == 2 and inner == (called.inner and 2 or inner)
    and (inner == 2 or inner == 0 and not called.good and not called.inner)
end, function(db, called) return nothing_new(db) and not called.inner end)

works:add("a transaction begun by hand", function(db, called)
  local tx <close> = db:begin()
  db:run("insert into u values (1)")
  do
    local inner <close> = db:begin()
    db:after_rollback(function() called.inner = true end)
    db:run("insert into u values (2)")
    assert(inner:is_open())
  end
  tx:commit()
  assert(called.inner)
end, function(db) return count(db, "u") == 1 end, nothing_new)

works:add("a script", function(db)
  db:exec "insert into u values (1); create table w(x); insert into u select x + 1 from u"
end, function(db) return count(db, "u") == 2 and count(db, "w") == 0 end)

works:add("a prepared statement", function(db)
  local statement <close> = db:prepare("insert into u values (:x) returning x, :y as y")
  db:transaction(function()
    for i = 1, 3 do
      local row = statement:row { x = i, y = "y" }
      assert(row.x == i and row.y == "y")
    end
  end)
  assert(statement:names()[2] == "y" and tostring(statement):find("insert", 1, true))
end, function(db) return count(db, "u") == 3 end)

works:add("functions that SQL calls", function(db)
  db:define("pair", function(a, b) return { a, b, "text" } end, { deterministic = true })
  db:define("nested", function(id) return db:value("select name from t where id = ?", id) end)
  db:define("shout", function(text) return text:upper() .. "!" end)
  assert(db:value("select json_array_length(pair(1, 'b'))") == 3)
  local names = db:column("select shout(nested(id)) from t order by id")
  assert(#names == 3 and names[3] == "C!")
  db:run("insert into u select shout(name) from t")
end, function(db) return count(db, "u", "x in ('A!', 'B!', 'C!')") == 3 end)

works:add("aggregates and a collation", function(db)
  db:define_aggregate("list", {
    start = function() return {} end,
    step = function(state, value) state[#state + 1] = value end,
    inverse = function(state) table.remove(state, 1) end,
    final = function(state) return table.concat(state, ",") end,
  })
  db:define_collation("backwards", function(a, b) return a < b and 1 or a > b and -1 or 0 end)
  assert(db:value("select list(name) from (select name from t order by name collate backwards)")
    == "c,b,a")
  local windows = db:column("select list(name) over (order by id rows 1 preceding) from t")
  assert(windows[1] == "a" and windows[3] == "b,c")
  db:run("insert into u select list(name) from t group by id")
end, function(db) return count(db, "u", "x in ('a', 'b', 'c')") == 3 end)

works:add("a function that fails", function(db)
  local thrown = {}
  db:define("fails", function(id) if id == 2 then error(thrown) end return id end)
  local good, err = pcall(db.transaction, db, function()
    db:run("insert into u values (1)")
    db:run("insert into u select fails(id) from t")
  end)
  assert(not good)
  if err ~= thrown then error(err, 0) end
end)

works:add("a stream", function(db)
  db:transaction(function()
    local stream <close> = db:blob("t", "bytes", 2)
    assert(stream:read() == "\0\xff" and stream:seek("set", 1) == 1)
    stream:write("\1")
    db:run("insert into u values (1)")
  end)
end, function(db) return count(db, "u") == 1 and count(db, "t", "hex(bytes) = '0001'") == 1 end,
function(db) return nothing_new(db) and count(db, "t", "hex(bytes) = '0001'") == 0 end)

works:add("a trace", function(db, called)
  local seen = 0
  db:trace(function(run) seen = seen + #run.sql end)
  db:all("select * from t")
  db:trace(nil)
  called.seen = seen
end)

works:add("attaching", function(db)
  db:attach(":memory:", "other")
  db:exec("create table other.w(x)")
  db:detach("other")
end)

works:add("reading errors", function(db)
  expect_code("constraint", db.insert, db, "t", { id = 1, name = "again" })
  expect_code("syntax", db.run, db, "select\n  from from")
  expect_code("misuse", db.run, db, "select :a", { b = 1 })
  expect_code("not_found", db.insert, db, "t", { nam = 1 })
  expect_code("misuse", db.run, db, "select ?", 1, 2)
  expect_code("type", db.all, db, "select ?", print)
end)

return works
