-- How long writers wait for one another: many processes, each with its transactions.

local process = require "bench.process"
local statistics = require "bench.statistics"

local M = {}

local PROCESSES, EACH, HOLD = 16, 100, 5 -- HOLD in milliseconds

--- Prints how many milliseconds each transaction waited for the lock, or why it failed.
local worker = [[
  local path, each, hold = ...
  local now = require("tuff.core").now
  local db <close> = require("tuff").open(path, { durability = "normal" })
  print("ready")
  db:transaction(function() end) -- all begin when the parent lets go of the lock
  for _ = 1, each do
    local asked = now()
    local got
    local good, err = pcall(db.transaction, db, function()
      got = now()
      db:run("update counter set n = n + 1")
      repeat until now() >= got + hold
    end)
    print(good and got - asked or "failed: " .. tostring(err))
  end
]]

--- Takes a minute at most, if all goes well.
---@param path string  of a database that is not there yet
---@return { processes: integer, each: integer, hold: number, failed: integer, p99: number,
---  longest: number }  times in milliseconds
function M.measure(path)
  local db <close> = require("tuff").open(path, { durability = "normal" })
  db:exec("create table counter(n integer); insert into counter values (0)")
  local words = { process.interpreter(), "-e", ("local function work(...) %s end work(%q, %d, %g)")
    :format(worker, path, EACH, HOLD) }
  local pipes, waits = {}, {}
  db:transaction(function()
    for n = 1, PROCESSES do pipes[n] = process.start(words) end
    for _, pipe in ipairs(pipes) do pipe:read("l") end
  end)
  for _, pipe in ipairs(pipes) do
    for line in pipe:lines() do waits[#waits + 1] = tonumber(line) end
    pipe:close()
  end
  return {
    processes = PROCESSES,
    each = EACH,
    hold = HOLD,
    failed = PROCESSES * EACH - #waits,
    p99 = statistics.quantile(waits, 0.99) or 0,
    longest = statistics.quantile(waits, 1) or 0,
  }
end

return M
