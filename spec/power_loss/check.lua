--- check.lua OPTIONS: for each line `DIRECTORY<tab>MARK` says whether the bank in the directory is
--- as the mark of the workload promises; see csrc/test/disk/replayer.c.

local bank = require "spec.power_loss.bank"
local tuff = require "tuff"

local options = assert(load("return " .. arg[1]))()

local function check(directory, mark)
  local verb, k = mark:match("^(%a+) (%d+)$")
  local begun = math.tointeger(k or 0)
  local acknowledged = verb == "done" and begun or begun - 1
  local good, answer = pcall(function()
    local db <close> = tuff.open(directory .. "/library.db", options)
    return bank.check(db, verb and acknowledged or -1, begun)
  end)
  return good and answer or "corrupt: " .. tostring(answer):gsub("\n", " ")
end

for line in io.lines() do
  io.write(check(line:match("^(.-)\t(.*)$")), "\n")
  io.stdout:flush()
end
