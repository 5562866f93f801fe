--- copy.lua: copies of the bank, each in place of the one before. `workload OPTIONS TRANSACTIONS`
--- makes them in the directory it runs in; `check OPTIONS` answers for images as check.lua does.

local answers = require "spec.power_loss.answers"
local bank = require "spec.power_loss.bank"
local tuff = require "tuff"

local verb, options = arg[1], assert(load("return " .. arg[2]))()

local EVERY = 5 -- transactions there is a copy

local function work(transactions)
  local db <close> = tuff.open("library.db", options)
  bank.found(db)
  for k = 1, transactions do
    bank.transfer(db, k)
    if k % EVERY == 0 then
      io.write(("begin %d\n"):format(k))
      db:backup("copy.db", { file = true, replace = true })
      io.write(("done %d\n"):format(k))
    end
  end
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

--- What was left behind is not in the way of the next copy, which takes it away.
local function copies_again(directory)
  if not exists(directory .. "/library.db") then return "ok" end
  local db <close> = tuff.open(directory .. "/library.db", options)
  db:backup(directory .. "/copy.db", { file = true, replace = true })
  return exists(directory .. "/copy.db.tmp") and "littered" or "ok"
end

local function answer(directory, said, begun)
  local path = directory .. "/copy.db"
  local acknowledged = said == "done" and begun or begun - EVERY
  if not exists(path) then
    return acknowledged <= 0 and copies_again(directory) or "lost: there is no copy"
  end
  tuff.verify(path, { level = 3 })
  do
    local copy <close> = tuff.open(path, { journal = "delete" })
    -- One that is made in a recovery may hold what came after the last of the workload.
    local found = bank.check(copy, acknowledged, begun + EVERY)
    if found ~= "ok" then return found end
  end
  return copies_again(directory)
end

if verb == "workload" then
  work(math.tointeger(arg[3]))
else
  answers(answer)
end
