--- check.lua OPTIONS: for each line `DIRECTORY<tab>MARK` says whether the bank in the directory is
--- as the mark of the workload promises; see csrc/test/disk/replayer.c.

local answers = require "spec.power_loss.answers"
local bank = require "spec.power_loss.bank"
local tuff = require "tuff"

local options = assert(load("return " .. arg[1]))()

answers(function(directory, said, begun)
  local db <close> = tuff.open(directory .. "/library.db", options)
  local acknowledged = said == "done" and begun or begun - 1
  return bank.check(db, acknowledged, begun)
end)
