--- workload.lua OPTIONS TRANSACTIONS: keeps the bank in library.db of the directory it runs in,
--- and says what it begins and what was acknowledged. OPTIONS is a Lua table for tuff.open.

local bank = require "spec.power_loss.bank"
local tuff = require "tuff"

local options = assert(load("return " .. arg[1]))()
local transactions = math.tointeger(arg[2])

local function say(text, k) io.write(("%s %d\n"):format(text, k)) end

local db = tuff.open("library.db", options)
say("begin", 0)
bank.found(db)
say("done", 0)
for k = 1, transactions do
  say("begin", k)
  bank.transfer(db, k)
  say("done", k)
  -- The last one to close moves the log into the database.
  if k == transactions // 2 then
    db:close()
    db = tuff.open("library.db", options)
  end
end
db:close()
