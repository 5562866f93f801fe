--- two_files.lua: a transaction over two files. `workload OPTIONS TRANSACTIONS` makes them in
--- the directory it runs in; `check OPTIONS` answers for images as check.lua does, but says
--- "apart" where one file has a transaction that the other has not.

local answers = require "spec.power_loss.answers"
local tuff = require "tuff"

local verb, options = arg[1], assert(load("return " .. arg[2]))()

local function open(directory)
  local db = tuff.open(directory .. "/main.db", options)
  db:attach(directory .. "/beside.db", "beside")
  return db
end

local function work(transactions)
  local db <close> = open(".")
  db:exec("create table m(k, filling)")
  db:exec("create table beside.b(k, filling)")
  for k = 1, transactions do
    io.write(("begin %d\n"):format(k))
    db:transaction(function()
      db:run("insert into m values (?, zeroblob(?))", k, k * 577 % 9000)
      db:run("insert into b values (?, zeroblob(?))", k, k * 983 % 9000)
    end)
    io.write(("done %d\n"):format(k))
  end
end

local function last(db, name, of)
  if not db:exists(("select 1 from %s.sqlite_schema where name = ?"):format(of), name) then
    return 0
  end
  local count = db:value(("select count(*) from %s"):format(name))
  local greatest = db:value(("select max(k) from %s"):format(name)) or 0
  return count == greatest and count or -1
end

local function answer(directory, said, k)
  local db <close> = open(directory)
  for _, of in ipairs { "main", "beside" } do
    local integrity = db:value(("pragma %s.integrity_check(1)"):format(of))
    if integrity ~= "ok" then return "corrupt: " .. integrity:gsub("\n", " ") end
  end
  local m, b = last(db, "m", "main"), last(db, "b", "beside")
  local acknowledged = k - (said == "begin" and 1 or 0)
  if m < 0 or b < 0 then return ("halved: %d and %d"):format(m, b) end
  if m < acknowledged or b < acknowledged then
    return ("lost: %d and %d of %d"):format(m, b, acknowledged)
  end
  return m == b and "ok" or ("apart: %d and %d"):format(m, b)
end

if verb == "workload" then
  work(math.tointeger(arg[3]))
else
  answers(answer)
end
