local lfs = require "lfs"
local tuff = require "tuff"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local megabyte = 1 << 20

--- The upper bound of the log, and what one transaction of a megabyte may add to it.
local bound = 18 * megabyte

describe("the log", function()
  local path, db

  before_each(function()
    path, db = fixture.database("create table t(id integer primary key, data blob)")
  end)
  fixture.clean_up()

  local function log_size()
    return temporary.size(path .. "-wal")
  end

  local function assert_bounded()
    assert.is_true(log_size() <= bound, ("the log has %d bytes"):format(log_size()))
  end

  local function assert_gone()
    assert.is_nil(lfs.attributes(path .. "-wal"))
  end

  local function write_megabyte()
    db:transaction(function()
      for _ = 1, 16 do db:run("insert into t(data) values (zeroblob(65536))") end
    end)
  end

  local function put()
    db:run("insert into t(data) values (null)")
  end

  local function count(connection)
    return (connection or db):value("select count(*) from t")
  end

  describe("does not grow without end", function()
    it("while one connection writes much", function()
      local largest = 0
      for _ = 1, 60 do
        write_megabyte()
        largest = math.max(largest, log_size())
      end
      assert.is_true(largest > 0)
      assert.is_true(largest <= bound, ("the log grew to %d bytes"):format(largest))
      assert.is_true(temporary.size(path) > 40 * megabyte)
    end)

    it("after one transaction that is larger than its bound", function()
      db:transaction(function()
        for _ = 1, 640 do db:run("insert into t(data) values (zeroblob(65536))") end
      end)
      for _ = 1, 3 do put() end
      assert_bounded()
      assert.are.equal(643, count())
    end)

    it("after a reader that held it is gone", function()
      write_megabyte()
      local reader <close> = db:reader()
      reader:read(function()
        assert.are.equal(16, count(reader))
        for _ = 1, 30 do write_megabyte() end
        assert.are.equal(16, count(reader))
      end)
      for _ = 1, 10 do write_megabyte() end
      assert_bounded()
    end)

    it("while several processes write", function()
      local children = {}
      for n = 1, 3 do
        children[n] = process.start({ arguments = { path }, chunk = [[
          local tuff = require "tuff"
          local db <close> = tuff.open((...), { durability = "normal" })
          for _ = 1, 20 do
            db:transaction(function()
              for _ = 1, 16 do db:run("insert into t(data) values (zeroblob(65536))") end
            end)
          end
        ]] })
      end
      for _, child in ipairs(children) do child:finish() end
      write_megabyte()
      assert_bounded()
      assert.are.equal(61 * 16, count())
      assert.are.equal("ok", db:value("pragma integrity_check"))
    end)
  end)

  describe("is gone", function()
    it("when the only connection closes", function()
      write_megabyte()
      assert.is_true(log_size() > 0)
      db:close()
      assert_gone()
      db = fixture.open(path)
      assert.are.equal(16, count())
    end)

    it("when the last of several closes, and not before", function()
      local second, reader = tuff.open(path), db:reader()
      put()
      assert.are.equal(1, count(reader))
      db:close()
      assert.is_truthy(lfs.attributes(path .. "-wal"))
      second:run("insert into t(data) values (null)")
      assert.are.equal(2, count(reader))
      reader:close()
      second:close()
      assert_gone()
    end)

    it("when the process that closes last is another", function()
      local child = process.start({ arguments = { path }, chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open((...))
        db:run("insert into t(data) values (null)")
        print("ready")
        io.read("l")
      ]] })
      child:expect("ready")
      put()
      db:close()
      assert.is_truthy(lfs.attributes(path .. "-wal"))
      child:send("end")
      child:finish()
      assert_gone()
      db = fixture.open(path)
      assert.are.equal(2, count())
    end)

    it("though a connection with an open loop and an open transaction closes", function()
      db:run("insert into t(data) values (null), (null)")
      local step, state, first = db:rows("select id from t")
      step(state, first)
      db:begin()
      put()
      db:close()
      assert_gone()
      db = fixture.open(path)
      assert.are.equal(2, count())
    end)
  end)

  describe("keeps what was committed", function()
    it("by a connection that was only collected", function()
      do
        local own = tuff.open(path)
        own:run("insert into t(data) values (zeroblob(10000))")
      end
      for _ = 1, 4 do collectgarbage() end
      db:close()
      db = fixture.open(path)
      assert.are.equal(1, count())
    end)

    it("by a program that ended without closing", function()
      for _, close in ipairs { "true", "false" } do
        process.run([[
          local path, close = ...
          db = require "tuff".open(path)
          db:run("insert into t(data) values (null)")
          os.exit(0, close == "true")
        ]], path, close)
      end
      assert.are.equal(2, count())
    end)
  end)

  describe("gets no byte", function()
    local function nothing(work)
      for _ = 1, 2 do
        put()
        local before = { temporary.read(path), temporary.read(path .. "-wal") }
        local time = lfs.attributes(path .. "-wal", "modification")
        work()
        assert.is_true(before[1] == temporary.read(path))
        assert.is_true(before[2] == temporary.read(path .. "-wal"))
        assert.are.equal(time, lfs.attributes(path .. "-wal", "modification"))
      end
    end

    it("from a transaction that changes nothing", function()
      nothing(function()
        db:transaction(function() end)
        db:transaction(function() db:value("select count(*) from t") end)
        db:transaction(function() db:run("update t set data = 1 where id = -1") end)
        db:transaction(function() db:transaction(function() end) end)
        db:read(function() db:value("select count(*) from t") end)
        local tx = db:begin()
        tx:commit()
        db:run("delete from t where id = -1")
      end)
    end)

    it("from a transaction that is rolled back", function()
      nothing(function()
        pcall(db.transaction, db, function()
          put()
          error("out")
        end)
      end)
    end)

    it("and neither does any other file, as the system counts", function()
      local io_counts = temporary.read("/proc/self/io")
      if not (io_counts and io_counts:find("wchar: %d")) then
        pending("counting written bytes: this system has no /proc/self/io")
      end
      local seen = process.run([[
        local tuff = require "tuff"
        local function written()
          local file <close> = assert(io.open("/proc/self/io"))
          return math.tointeger(file:read("a"):match("wchar: (%d+)"))
        end
        local db <close> = tuff.open((...))
        local function work()
          db:transaction(function() end)
          db:transaction(function() db:value("select count(*) from t") end)
          db:transaction(function() db:run("update t set data = 1 where id = -1") end)
          db:transaction(function() db:transaction(function() end) end)
          db:read(function() db:value("select count(*) from t") end)
          local tx = db:begin()
          tx:commit()
        end
        db:run("insert into t(data) values (null)")
        work()
        local before = written()
        for _ = 1, 100 do work() end
        local after = written()
        db:run("insert into t(data) values (null)")
        print(after - before, written() > after)
      ]], path)
      assert.are.equal("0\ttrue", seen)
    end)
  end)
end)
