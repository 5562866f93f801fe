-- The frame of a contender written in Lua. A contender is called as
--     contender describe          prints its title, its SQLite and the works it knows, or `absent`
--     contender WORK DATABASE     does one work and prints what it measured
-- and prints lines of a key and a value, which the runner reads.

local stopwatch = require "bench.stopwatch"

local M = {}

local function describe(contender)
  local found, title, sqlite = pcall(contender.identify)
  if not found then
    print("absent " .. tostring(title):match("[^\n]*"))
    return
  end
  print("title " .. title)
  print("sqlite " .. sqlite)
  for name in pairs(contender.works) do print("work " .. name) end
end

local function measure(work, path)
  local watch = stopwatch.new()
  local integers, reals = work(path, watch)
  print(("seconds %.6f"):format(watch.cpu))
  if watch.elapsed then print(("elapsed %.6f"):format(watch.elapsed)) end
  if watch.memory then print(("memory %d"):format(watch.memory)) end
  if integers then print(("checksum %d %.2f"):format(integers, reals)) end
end

--- `identify` returns the title and the version of SQLite, and raises where the library is not
--- installed. A work starts and stops the stopwatch itself; one that reads returns its checksum.
---@param contender { identify: function, works: table<string, function> }
function M.main(contender)
  local name, path = arg[1], arg[2]
  if name == "describe" then return describe(contender) end
  local work = contender.works[name]
  if not (work and path) then
    io.stderr:write("usage: ", arg[0], " describe | WORK DATABASE\n")
    os.exit(2)
  end
  measure(work, path)
end

return M
