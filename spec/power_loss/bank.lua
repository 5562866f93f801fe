--- Accounts with a history that is told by its length: after k transactions the tables hold
--- just this, so that whoever finds them can say whether a transaction was lost or halved.

local bank = {}

local ACCOUNTS = 30

--- The k-th transaction: how much goes from where to where, and a note of so many bytes.
local function transfer(k)
  local from, to = k * 7 % ACCOUNTS + 1, k * 13 % ACCOUNTS + 1
  return from, to, k * 31 % 50, k * 577 % 2500
end

--- Makes the tables, in one transaction.
---@param db tuff.Database
function bank.found(db)
  db:transaction(function()
    db:exec [[
      create table accounts(id integer primary key, balance integer not null, note text);
      create table history(k integer primary key, source integer, target integer, amount integer);
      create index rich on accounts(balance);
    ]]
    for id = 1, ACCOUNTS do db:insert("accounts", { id = id, balance = 1000, note = "" }) end
  end)
end

--- Makes the k-th transaction. Now and then a part of it fails and is undone.
---@param db tuff.Database
---@param k integer
function bank.transfer(db, k)
  local from, to, amount, size = transfer(k)
  db:transaction(function()
    if k % 7 == 0 then
      pcall(db.transaction, db, function()
        db:run("update accounts set balance = 0, note = 'spoilt'")
        error("undo this")
      end)
    end
    db:run("update accounts set balance = balance - ? where id = ?", amount, from)
    db:run("update accounts set balance = balance + ?, note = ? where id = ?", amount,
      ("%04d "):format(k % 10000):rep(size // 5), to)
    db:insert("history", { k = k, source = from, target = to, amount = amount })
    if k % 10 == 0 then db:run("delete from history where k between ? and ?", k - 9, k - 5) end
    if k % 15 == 0 then db:exec(("create table extra_%d(x)"):format(k)) end
  end)
end

--- The tables as they must be after k transactions, as text.
---@param k integer
---@return string
local function expected(k)
  local balance, note, lines = {}, {}, {}
  for id = 1, ACCOUNTS do balance[id], note[id] = 1000, "" end
  for i = 1, k do
    local from, to, amount, size = transfer(i)
    balance[from] = balance[from] - amount
    balance[to] = balance[to] + amount
    note[to] = ("%04d "):format(i % 10000):rep(size // 5)
  end
  for id = 1, ACCOUNTS do lines[id] = ("%d %d %s"):format(id, balance[id], note[id]) end
  for i = 1, k do
    local deleted = i % 10 >= 1 and i % 10 <= 5 and i - i % 10 + 10 <= k
    if not deleted then
      local from, to, amount = transfer(i)
      lines[#lines + 1] = ("%d %d %d %d"):format(i, from, to, amount)
    end
  end
  lines[#lines + 1] = ("%d more"):format(k // 15)
  return table.concat(lines, "\n")
end

local function found(db)
  local lines = {}
  for _, id, balance, note in db:tuples("select id, balance, note from accounts order by id") do
    lines[#lines + 1] = ("%d %d %s"):format(id, balance, note)
  end
  for _, k, source, target, amount in db:tuples("select * from history order by k") do
    lines[#lines + 1] = ("%d %d %d %d"):format(k, source, target, amount)
  end
  lines[#lines + 1] = ("%d more"):format(
    db:value("select count(*) from sqlite_schema where name like 'extra%'"))
  return table.concat(lines, "\n")
end

local known = {}

--- What is wrong with the tables.
---@param db tuff.Database
---@param acknowledged integer how many transactions were; -1: not even the tables
---@param begun integer how many had begun
---@return string "ok", or "lost …", "halved …", "corrupt …"
function bank.check(db, acknowledged, begun)
  local integrity = db:value("pragma integrity_check(1)")
  if integrity ~= "ok" then return "corrupt: " .. integrity:gsub("\n", " ") end
  if not db:exists("select 1 from sqlite_schema where name = 'accounts'") then
    return acknowledged < 0 and "ok" or "lost: all tables"
  end
  local k = db:value("select max(k) from history") or 0
  if k > begun then return ("halved: %d is there, %d was begun"):format(k, begun) end
  known[k] = known[k] or expected(k)
  if found(db) ~= known[k] then return ("halved: at %d"):format(k) end
  local tx = db:begin() -- it can be written to; this is not committed
  db:run("update accounts set balance = balance + 1")
  tx:rollback()
  if k < acknowledged then return ("lost: %d of %d are there"):format(k, acknowledged) end
  return "ok"
end

return bank
