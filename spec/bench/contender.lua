-- A contender written in Lua. It is called as
--     contender.lua NAME describe         prints its title, its version of the engine's library
--                                         if it tells, and the works it knows, or `absent`
--     contender.lua NAME WORK DATABASE    does one work and prints what it measured
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

local function rows_to_insert() return workload.rows(workload.inserts) end
local function rows_to_load() return workload.rows(workload.loaded) end
local function rows_of_transactions() return workload.rows(workload.transactions) end
local function keys_to_read() return workload.keys(workload.reads) end
local function keys_to_update() return workload.keys(workload.updates) end
local function the_watch(watch) return watch end

-- `with`: makes what the work is called with. `cold`: the database is not read before.
-- `writes`: closing belongs to the work, so that a checkpoint that was put off is counted.
-- `sums`: the checksum of what was kept.
local frames = {
  insert = { with = rows_to_insert, cold = true, writes = true },
  insert_named = { with = rows_to_insert, cold = true, writes = true },
  insert_many = { with = rows_to_insert, cold = true, writes = true },
  load = { with = rows_to_load, cold = true, writes = true },
  upsert = { with = workload.rows_to_upsert, writes = true },
  insert_transaction = { with = rows_of_transactions, cold = true, writes = true },
  tuples = {},
  rows = {},
  point_prepared = { with = keys_to_read },
  point_text = { with = keys_to_read },
  point_transaction = { with = keys_to_read },
  update = { with = keys_to_update, writes = true },
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

local function perform(contender, name, database)
  local frame, work, watch = frames[name], contender[name], stopwatch.new()
  local db = contender.open(database)
  if not frame.cold then contender.run(db, workload.sql.warm) end
  local given = frame.with and frame.with(watch)
  watch:start()
  local integers, reals = work(db, given)
  if frame.writes then db:close() end
  watch:stop()
  if frame.sums then integers, reals = frame.sums(integers) end
  return watch, integers, reals
end

local function measure(contender, name, database)
  local watch, integers, reals = perform(contender, name, database)
  print(("seconds %.6f"):format(watch.cpu))
  if watch.elapsed then print(("elapsed %.6f"):format(watch.elapsed)) end
  if watch.memory then print(("memory %d"):format(watch.memory)) end
  if integers then print(("checksum %d %.2f"):format(integers, reals)) end
end

local contender = require("bench.contenders." .. arg[1])
local name, database = arg[2], arg[3]
add_transaction(contender)
if name == "describe" then
  describe(contender)
elseif frames[name] and contender[name] and database then
  measure(contender, name, database)
else
  io.stderr:write("usage: ", arg[0], " ", arg[1], " describe | WORK DATABASE\n")
  os.exit(2)
end
