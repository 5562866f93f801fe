--- migration.lua: migrations, one after the other: tables made anew, rows worked on in pieces, rows
--- added. `workload OPTIONS MIGRATIONS` runs them in the directory it runs in; `check OPTIONS`
--- answers for images as check.lua does: each migration is there whole or not at all, as the ledger
--- says, and the next run ends the rest.

local answers = require "spec.power_loss.answers"
local tuff = require "tuff"

local verb, options = arg[1], assert(load("return " .. arg[2]))()

local ROWS, SIZE = 30, 10

local kinds = {
  function(db) -- a table is made anew, with children that refer to it
    db:exec [[create table new(id integer primary key, total integer not null);
      insert into new select id, total from parent;
      drop table parent;
      alter table new rename to parent]]
  end,
  function(db, k) db:run("insert into log values (?)", k) end,
  function(_, k, step)
    step.batch { table = "parent", size = SIZE, set = ("total = total + %d"):format(k) }
  end,
}

local function kind(k) return (k - 1) % #kinds + 1 end

local function migrations(count)
  local list = {}
  for k = 1, count do
    list[k] = {
      id = ("%04d"):format(k), transaction = kind(k) ~= 3,
      up = function(db, step) kinds[kind(k)](db, k, step) end,
    }
  end
  return list
end

local function found(db)
  db:exec(([[
    create table if not exists parent(id integer primary key, total integer not null);
    create table if not exists child(parent_id integer references parent(id) on delete cascade);
    create table if not exists log(k integer);
    insert or ignore into parent with recursive c(n) as (
      select 1 union all select n + 1 from c where n < %d) select n, 0 from c;
    insert into child select id from parent where not exists (select 1 from child)]])
    :format(ROWS))
end

local function work(count)
  local db <close> = tuff.open("library.db", options)
  found(db)
  local m = db:migrations(migrations(count))
  for k = 1, count do
    io.write(("begin %d\n"):format(k))
    m:up { to = ("%04d"):format(k) }
    io.write(("done %d\n"):format(k))
  end
end

--- What is wrong after the first `applied` migrations, while the next may have begun.
local function flaw(db, applied, over)
  local total, logged = 0, 0
  for k = 1, applied do
    if kind(k) == 3 then total = total + k end
    if kind(k) == 2 then logged = logged + 1 end
  end
  local other = not over and kind(applied + 1) == 3 and total + applied + 1 or total
  if db:value "select count(*) from parent" ~= ROWS then return "rows are missing" end
  if db:value "select count(*) from child" ~= ROWS then return "children are missing" end
  if db:value "select count(*) from log" ~= logged then return "a row is too much, or missing" end
  if db:exists("select 1 from parent where total not in (?, ?)", total, other) then
    return "a piece was done twice, or not"
  end
  if db:has_table "new" then return "a table was left" end
end

local function answer(directory, said, k)
  local db <close> = tuff.open(directory .. "/library.db", options)
  local integrity = db:value "pragma integrity_check(1)"
  if integrity ~= "ok" then return "corrupt: " .. integrity:gsub("\n", " ") end
  if k == 0 then return "ok" end
  local m, applied = db:migrations(migrations(k + 1)), 0
  for _, status in ipairs(m:status()) do
    if status.state == "applied" then applied = applied + 1 end
  end
  local acknowledged = k - (said == "begin" and 1 or 0)
  if applied < acknowledged then return ("lost: %d of %d"):format(applied, acknowledged) end
  local wrong = flaw(db, applied)
  if wrong then return "halved: " .. wrong end
  m:up()
  wrong = flaw(db, k + 1, true)
  return wrong and "corrupt: after the next run " .. wrong or "ok"
end

if verb == "workload" then
  work(math.tointeger(arg[3]))
else
  answers(answer)
end
