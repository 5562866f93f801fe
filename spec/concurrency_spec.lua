local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local property = require "spec.support.property"
local temporary = require "spec.support.temporary"

local soak = os.getenv("TUFF_SOAK") == "1"

--- A child that opens the database, waits until all are ready, works and says "done".
local function worker(work, options)
  return ([[
    local path, count = ...
    local tuff = require "tuff"
    local db <close> = tuff.open(path, { %s })
    count = math.tointeger(count)
    print("ready")
    io.read("l")
    %s
    print("done")
  ]]):format(options or 'durability = "normal"', work)
end

--- Reads a number, adds one and writes it back, as often as it is told to.
local counting = [[
  for _ = 1, count do
    db:transaction(function()
      local n = db:value("select n from counter")
      db:run("update counter set n = ?", n + 1)
    end)
  end
]]

--- The same by hand.
local counting_by_hand = [[
  for _ = 1, count do
    local tx <close> = db:begin()
    local n = db:value("select n from counter")
    db:run("update counter set n = ?", n + 1)
    tx:commit()
  end
]]

--- The same without a word of transactions.
local counting_alone = [[
  for _ = 1, count do db:run("update counter set n = n + 1") end
]]

--- Transactions of 5 ms, one after the other, by many at once.
local queueing = [[
  local system = require "system"
  for _ = 1, count do
    db:transaction(function()
      db:run("update counter set n = n + 1")
      system.sleep(0.005)
    end)
  end
]]

--- Moves money from one account to the other.
local moving = [[
  for n = 1, count do
    db:transaction(function()
      db:run("update accounts set amount = amount - ? where id = 1", n % 7)
      db:run("update accounts set amount = amount + ? where id = 2", n % 7)
    end)
  end
]]

--- Looks whether all money is there, in one statement and in two.
local auditing = [[
  for _ = 1, count do
    local sum = db:value("select sum(amount) from accounts")
    assert(sum == 2000, "half a transaction: " .. sum)
    db:read(function()
      local one = db:value("select amount from accounts where id = 1")
      local two = db:value("select amount from accounts where id = 2")
      assert(one + two == 2000, "two snapshots: " .. one .. " " .. two)
    end)
  end
]]

--- Commits pairs of rows for ever, and says the number of each when it is committed.
local writer = [[
  local path, first = ...
  local tuff = require "tuff"
  local db = tuff.open(path, { durability = "normal" })
  local number = math.tointeger(first)
  while true do
    number = number + 1
    db:transaction(function()
      db:run("insert into pairs(number, half) values (?, 1)", number)
      db:run("insert into pairs(number, half) values (?, 2)", number)
    end)
    print(number)
  end
]]

--- Takes the lock, says so, and holds it until it is told to commit.
local holder = [[
  local tuff = require "tuff"
  local db <close> = tuff.open((...))
  db:transaction(function()
    db:run("update counter set n = n + 100")
    print("held")
    io.read("l")
  end)
  print("released")
]]

describe("several processes", function()
  local path, db

  before_each(function()
    path, db = fixture.database [[
      create table counter(n integer not null);
      insert into counter values (0);
      create table pairs(number integer, half integer, primary key (number, half)) without rowid;
    ]]
  end)
  fixture.clean_up()

  local function start(count, chunk, ...)
    local children = {}
    for n = 1, count do
      children[n] = process.start({ chunk = chunk, arguments = { path, ... } })
    end
    return children
  end

  local function gather(children)
    for _, child in ipairs(children) do child:expect("ready") end
    for _, child in ipairs(children) do child:send("go") end
  end

  local function finish(children)
    for _, child in ipairs(children) do assert.are.equal("done", child:finish()) end
  end

  --- Lets children work at once, to their end.
  local function work(children)
    gather(children)
    finish(children)
  end

  describe("that write", function()
    it("make 8 times 500 transactions, and none fails", function()
      work(start(8, worker(counting), 500))
      assert.are.equal(4000, db:value("select n from counter"))
    end)

    it("and one that begins by hand and one that never says transaction, lose nothing", function()
      local children = start(2, worker(counting), 300)
      children[3] = start(1, worker(counting_by_hand), 300)[1]
      children[4] = start(1, worker(counting_alone), 300)[1]
      work(children)
      assert.are.equal(1200, db:value("select n from counter"))
    end)

    -- How long they wait is for `make bench` to say.
    it("keep the lock for 5 ms, 16 at once, and none fails", function()
      local each = soak and 100 or 10
      work(start(16, worker(queueing), each))
      assert.are.equal(16 * each, db:value("select n from counter"))
    end)

    it("may all create the same file at once", function()
      for _ = 1, soak and 100 or 10 do
        local fresh = temporary.directory() .. "/fresh.db"
        local children = {}
        for n = 1, 16 do
          children[n] = process.start({ arguments = { fresh, n }, chunk = [[
            local path, n = ...
            local tuff = require "tuff"
            print("ready")
            io.read("l")
            local db <close> = tuff.open(path)
            db:exec("create table if not exists t(id integer primary key)")
            db:run("insert into t values (?)", math.tointeger(n))
            print("done")
          ]] })
        end
        work(children)
        local own <close> = tuff.open(fresh)
        assert.are.equal(16, own:value("select count(*) from t"))
        assert.are.equal("rw-------", lfs.attributes(fresh, "permissions"))
      end
    end)

    it("lose nothing in the old journal either", function()
      path = temporary.directory() .. "/journal.db"
      local own = fixture.open(path, { journal = "delete" })
      own:exec("create table counter(n integer not null); insert into counter values (0)")
      work(start(4, worker(counting, 'journal = "delete", durability = "normal"'), 50))
      assert.are.equal(200, own:value("select n from counter"))
    end)

    it("keep their queue to themselves", function()
      work(start(4, worker(counting), 50))
      local mode = lfs.attributes(path .. "-queue", "permissions")
      assert.is_true(mode == nil or mode == "rw-------")
    end)
  end)

  describe("that wait for the lock", function()
    local function hold()
      local child = process.start({ chunk = holder, arguments = { path } })
      child:expect("held")
      return child
    end

    it("get busy when it is held for longer than they want to wait", function()
      local child = hold()
      local quick <close> = tuff.open(path, { busy_timeout = 30 })
      local err = errors.expect("busy", quick.run, quick, "update counter set n = 5")
      errors.mentions(err, "busy")
      errors.expect("busy", quick.transaction, quick, function() error("not reached") end)
      assert.are.equal(0, quick:value("select n from counter"))
      child:send("commit")
      child:expect("released")
      child:finish()
      quick:run("update counter set n = n + 1")
      assert.are.equal(101, quick:value("select n from counter"))
    end)

    it("get it when it is released", function()
      local first = hold()
      local waiting = start(4, worker(counting), 1)
      gather(waiting)
      first:send("commit")
      first:finish()
      finish(waiting)
      assert.are.equal(104, db:value("select n from counter"))
    end)

    it("get it when its holder is killed, and see nothing of what that one did", function()
      local first = hold()
      local waiting = start(2, worker(counting), 1)
      gather(waiting)
      first:kill()
      assert.is_false(first:wait().ok)
      finish(waiting)
      db:run("update counter set n = n + 1")
      assert.are.equal(3, db:value("select n from counter"))
    end)
  end)

  describe("that read while others write", function()
    it("see whole transactions, and never fail", function()
      db:exec("create table accounts(id integer primary key, amount integer);"
        .. "insert into accounts values (1, 1000), (2, 1000)")
      local children = start(2, worker(moving), 300)
      table.move(start(2, worker(auditing, "readonly = true"), 1000), 1, 2, 3, children)
      work(children)
    end)

    it("walk through a loop while every row of it changes", function()
      for n = 1, 200 do db:run("insert into pairs values (?, 1)", n) end
      local child = process.start({ arguments = { path }, chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open((...), { durability = "normal" })
        for line in io.lines() do
          if line == "end" then break end
          db:run("update pairs set number = number + 1000")
          print("done")
        end
      ]] })
      local seen = 0
      for row in db:rows("select number from pairs order by number") do
        seen = seen + 1
        assert.are.equal(seen, row.number)
        if seen % 50 == 0 then
          child:send("go")
          child:expect("done")
        end
      end
      assert.are.equal(200, seen)
      assert.are.equal(4001, db:value("select min(number) from pairs"))
      child:send("end")
      child:finish()
    end)
  end)

  describe("that are killed", function()
    it("lose nothing that they acknowledged, and leave no half of a transaction", function()
      local rounds = soak and 200 or 20
      local acknowledged, total, written = {}, 0, 0
      local function note(line)
        acknowledged[#acknowledged + 1] = assert(math.tointeger(line))
      end
      for round = 1, rounds do
        local random, first = property.random(round), #acknowledged + 1
        local children = {}
        for n = 1, 4 do
          children[n] = process.start({ chunk = writer,
            arguments = { path, (round * 4 + n) * 1000000 } })
        end
        for _, child in ipairs(children) do
          for _ = 1, random(40) do note(assert(child:read(), "a writer ended by itself")) end
        end
        for _, child in ipairs(children) do child:kill() end
        for _, child in ipairs(children) do
          local result = child:wait()
          assert.are.equal("signal", result.how, result.errors)
          assert.are.equal(9, result.code)
          for line in result.output:gmatch("(%d+)\n") do note(line) end
        end
        local fresh = table.move(acknowledged, first, #acknowledged, 1, {})
        assert.are.equal(#fresh,
          db:value("select count(*) from pairs where half = 1 and number in ?", fresh))
        total = db:value("select count(*) from pairs where half = 1")
        assert.are.equal(total, db:value("select count(*) from pairs where half = 2"))
        written = written + #fresh
      end
      assert.are.equal(written,
        db:value("select count(*) from pairs where half = 1 and number in ?", acknowledged))
      assert.are.equal("ok", db:value("pragma integrity_check"))
      assert.is_true(total >= written)
      assert.is_true(total - written <= 4 * rounds)
    end)

    it("leave a database that opens, and whose log goes when it is closed", function()
      local child = process.start({ chunk = writer, arguments = { path, 0 } })
      for _ = 1, 5 do assert(child:read()) end
      child:kill()
      child:wait()
      db:close()
      db = fixture.open(path)
      assert.is_true(db:value("select count(*) from pairs") >= 10)
      db:close()
      assert.is_nil(lfs.attributes(path .. "-wal"))
      db = fixture.open(path)
    end)
  end)
end)
