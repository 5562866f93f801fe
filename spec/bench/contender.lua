-- A contender written in Lua. It is called as
--     contender.lua NAME describe         prints its title, its version of the engine's library
--                                         if it tells, and the works it knows, or `absent`
--     contender.lua NAME WORK DATABASE COUNT
--                                         does one work, with so many rows or keys if it has any,
--                                         and prints what it measured
-- and prints lines of a key and a value, which the runner reads. A name may have a folder, as in
-- postgres.tuff; a database is a path or a URL.
--
-- What is particular to a library stands in contenders/NAME.lua, which returns a table of
--     identify()      its title and the version of the engine's library, if it can tell; raises
--                     where it is not installed
--     open(database)  a database with the settings of workload.lua
--     run(db, sql)    one statement, its rows fetched and dropped
-- and of works: each is called with the database and what it works with, and the time of that
-- call is what counts. One that reads returns its checksum, or what it has kept.

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "../?.lua"

local checksum = require "bench.checksum"
local stopwatch = require "bench.stopwatch"
local workload = require "bench.workload"

local function the_watch(_, watch) return watch end

-- `with`: makes what the work is called with, from the count. `cold`: the database is not read
-- before. `writes`: closing belongs to the work, so that a checkpoint that was put off is counted.
-- `sums`: the checksum of what was kept.
local frames = {
  insert = { with = workload.rows, cold = true, writes = true },
  insert_named = { with = workload.rows, cold = true, writes = true },
  insert_many = { with = workload.rows, cold = true, writes = true },
  insert_transaction = { with = workload.rows, cold = true, writes = true },
  upsert = { with = workload.rows_to_upsert, writes = true },
  tuples = {},
  rows = {},
  point_prepared = { with = workload.keys },
  point_text = { with = workload.keys },
  point_transaction = { with = workload.keys },
  update = { with = workload.keys, writes = true },
  all = { sums = checksum.kept },
  arrays = { sums = checksum.arrays },
  stream = { with = the_watch, cold = true },
}

--- The same reads between BEGIN and COMMIT, for a library that knows nothing else.
local function add_transaction(contender)
  local run, read = contender.run, contender.point_text
  contender.point_transaction = contender.point_transaction or read and function(db, keys)
    run(db, "BEGIN")
    local integers, reals = read(db, keys)
    run(db, "COMMIT")
    return integers, reals
  end
end

local function describe(contender)
  local found, title, library = pcall(contender.identify)
  if not found then
    print("absent " .. tostring(title):match("[^\n]*"))
    return
  end
  print("title " .. title)
  if library then print("library " .. library) end
  for name in pairs(frames) do
    if contender[name] then print("work " .. name) end
  end
end

local function perform(contender, name, database, count)
  local frame, work, watch = frames[name], contender[name], stopwatch.new()
  local db = contender.open(database)
  if not frame.cold then contender.run(db, workload.sql.warm) end
  local given = frame.with and frame.with(count, watch)
  watch:start()
  local integers, reals = work(db, given)
  if frame.writes then db:close() end
  watch:stop()
  if frame.sums then integers, reals = frame.sums(integers) end
  return watch, integers, reals
end

local function measure(...)
  local watch, integers, reals = perform(...)
  print(("seconds %.6f"):format(watch.cpu))
  if watch.elapsed then print(("elapsed %.6f"):format(watch.elapsed)) end
  if watch.memory then print(("memory %d"):format(watch.memory)) end
  if integers then print(("checksum %d %.2f"):format(integers, reals)) end
end

local contender = require("bench.contenders." .. arg[1])
local name, database, count = arg[2], arg[3], tonumber(arg[4])
add_transaction(contender)
if name == "describe" then
  describe(contender)
elseif frames[name] and contender[name] and database then
  measure(contender, name, database, count)
else
  io.stderr:write("usage: ", arg[0], " ", arg[1], " describe | WORK DATABASE [COUNT]\n")
  os.exit(2)
end
