local tuff = require "tuff"
local errors = require "spec.support.errors"
local instances = require "spec.support.instances"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local function collect()
  for _ = 1, 4 do collectgarbage() end
end

describe("a stream", function()
  local path, db
  local bytes = ("0123456789"):rep(1000)

  before_each(function()
    path = temporary.directory() .. "/library.db"
    db = tuff.open(path, { durability = "normal" })
    db:exec("create table files(id integer primary key, data blob, name text, n integer)")
    db:run("insert into files values (1, ?, 'one', 7), (2, x'', 'two', null)", tuff.blob(bytes))
    db:run("insert into files values (3, null, 'three', 1.5), (4, zeroblob(5000), '', 0)")
  end)
  after_each(function()
    db:close()
    process.stop_all()
    temporary.remove_all()
  end)
  teardown(instances.none_left)

  local function data(id, connection)
    return (connection or db):value("select data from files where id = ?", id or 1)
  end

  local function sound()
    assert.are.equal("ok", db:value("pragma integrity_check"))
  end

  describe("reads", function()
    it("all that is left, as often as asked", function()
      local stream <close> = db:blob("files", "data", 1)
      assert.are.equal(bytes, stream:read())
      assert.are.equal("", stream:read())
      assert.is_nil(stream:read(1))
      assert.are.equal("", stream:read(0))
    end)

    it("in pieces, and nil at the end", function()
      for _, size in ipairs { 1, 7, 4096, 9999, 10000, 10001, math.maxinteger } do
        local stream <close> = db:blob("files", "data", 1)
        local pieces = {}
        for piece in function() return stream:read(size) end do pieces[#pieces + 1] = piece end
        assert.are.equal(bytes, table.concat(pieces))
        assert.are.equal(math.ceil(#bytes / size), #pieces)
      end
    end)

    it("from where seek has put it, like a file", function()
      local stream <close> = db:blob("files", "data", 1)
      assert.are.equal(0, stream:seek())
      assert.are.equal(15, stream:seek("set", 15))
      assert.are.equal("56", stream:read(2))
      assert.are.equal(17, stream:seek("cur"))
      assert.are.equal(14, stream:seek("cur", -3))
      assert.are.equal("4", stream:read(1))
      assert.are.equal(9998, stream:seek("end", -2))
      assert.are.equal("89", stream:read())
      assert.are.equal(10000, stream:seek("end"))
      assert.are.equal(0, stream:seek("set"))
      for _, case in ipairs { { "set", -1 }, { "set", 10001 }, { "end", 1 }, { "end", -10001 },
        { "cur", -1 }, { "set", math.maxinteger }, { "set", math.mininteger },
        { "end", math.mininteger } } do
        errors.expect("range", stream.seek, stream, table.unpack(case))
      end
      assert.are.equal(0, stream:seek())
    end)

    it("its length, which is a number of bytes", function()
      local stream <close> = db:blob("files", "data", 1)
      assert.are.equal(10000, stream:length())
      assert.are.equal(10000, #stream)
      stream:read(10)
      assert.are.equal(10000, #stream)
    end)

    it("empty values", function()
      local stream <close> = db:blob("files", "data", 2)
      assert.are.equal(0, #stream)
      assert.are.equal("", stream:read())
      assert.is_nil(stream:read(1))
      assert.are.equal(0, stream:seek("end"))
      stream:write("")
      errors.expect("range", stream.write, stream, "x")
    end)

    it("text, of which it counts the bytes", function()
      db:run("update files set name = 'größe' where id = 1")
      local stream <close> = db:blob("files", "name", 1)
      assert.are.equal(7, #stream)
      assert.are.equal("größe", stream:read())
    end)

    it("a row whose key is negative, or a float that is whole", function()
      db:run("insert into files(id, data) values (-5, x'01'), (?, x'02')", math.mininteger)
      for id, value in pairs { [-5] = "\1", [math.mininteger] = "\2" } do
        local stream <close> = db:blob("files", "data", id)
        assert.are.equal(value, stream:read())
      end
      local stream <close> = db:blob("files", "data", 1.0)
      assert.are.equal(10000, #stream)
    end)

    it("several at once, of one value too", function()
      local one <close> = db:blob("files", "data", 1)
      local two <close> = db:blob("files", "data", 1)
      one:seek("set", 5)
      assert.are.equal("0", two:read(1))
      assert.are.equal("5", one:read(1))
      assert.are.equal("1", two:read(1))
    end)
  end)

  describe("writes", function()
    it("over what is there, and nothing else", function()
      local stream = db:blob("files", "data", 1)
      assert.are.equal(stream, stream:write("abc", "", "def"))
      assert.are.equal(6, stream:seek())
      stream:seek("end", -1)
      stream:write("z")
      stream:seek("set", 100)
      assert.are.equal("01", stream:read(2))
      stream:write("\0\xff")
      stream:close()
      assert.are.equal("abcdef" .. bytes:sub(7, 102) .. "\0\xff" .. bytes:sub(105, -2) .. "z",
        data())
      sound()
    end)

    it("and reads back what it has written", function()
      local stream <close> = db:blob("files", "data", 4)
      stream:write(("x"):rep(5000))
      stream:seek("set", 0)
      assert.are.equal(("x"):rep(5000), stream:read())
    end)

    it("never past the end", function()
      local stream = db:blob("files", "data", 1)
      stream:seek("set", 9999)
      errors.mentions(errors.expect("range", stream.write, stream, "ab"), "zeroblob")
      assert.are.equal(9999, stream:seek())
      stream:write("a")
      errors.expect("range", stream.write, stream, "b")
      stream:close()
      assert.are.equal(bytes:sub(1, -2) .. "a", data())
    end)

    it("into blobs only, not into text", function()
      local stream <close> = db:blob("files", "name", 1)
      errors.mentions(errors.expect("type", stream.write, stream, "x"), "text")
      assert.are.equal("one", db:value("select name from files where id = 1"))
    end)

    it("strings only", function()
      local stream <close> = db:blob("files", "data", 1)
      for _, value in ipairs { 1, true, {}, tuff.blob("x"), tuff.null } do
        errors.expect("misuse", stream.write, stream, value)
      end
      errors.expect("misuse", stream.write, stream, nil)
      assert.are.equal(bytes, data())
    end)

    it("outside of a transaction when it is closed, at the end of its scope too", function()
      local other <close> = tuff.open(path, { busy_timeout = 20 })
      do
        local stream <close> = db:blob("files", "data", 1)
        stream:write("abc")
        assert.are.equal(bytes, data(1, other))
        errors.expect("busy", other.run, other, "delete from files")
      end
      assert.are.equal("abc", data(1, other):sub(1, 3))
      other:run("delete from files where id = 4")
    end)

    it("outside of a transaction when the connection writes something else", function()
      local stream = db:blob("files", "data", 1)
      stream:write("abc")
      db:run("update files set n = 8 where id = 2")
      local other <close> = tuff.open(path)
      assert.are.equal("abc", data(1, other):sub(1, 3))
      errors.mentions(errors.expect("closed", stream.write, stream, "x"), "db:transaction")
    end)

    it("within a transaction, and with its commit", function()
      db:transaction(function()
        local stream <close> = db:blob("files", "data", 1)
        stream:write("abc")
        db:run("update files set n = 8 where id = 2")
        stream:write("def")
      end)
      assert.are.equal("abcdef", data():sub(1, 6))
      sound()
    end)

    it("nothing of a transaction that is rolled back", function()
      local stream
      pcall(db.transaction, db, function()
        stream = db:blob("files", "data", 1)
        stream:write("abc")
        error("out")
      end)
      assert.are.equal(bytes, data())
      errors.expect("closed", stream.read, stream)
      sound()
    end)

    it("nothing of a nested transaction that is rolled back", function()
      db:transaction(function()
        local outer <close> = db:blob("files", "data", 1)
        outer:write("abc")
        local inner
        pcall(db.transaction, db, function()
          inner = db:blob("files", "data", 4)
          inner:write("inner")
          outer:write("def")
          error("out")
        end)
        errors.expect("closed", inner.read, inner)
        assert.are.equal("abc3", data():sub(1, 4))
        db:transaction(function() outer:write("ghi") end)
        outer:seek("set", 0)
        assert.are.equal("abc345ghi9", outer:read(10))
        db:exec("update files set n = 1 where id = 2; update files set n = 2 where id = 2")
        outer:write("x")
      end)
      assert.are.equal("abc345ghi9x1", data():sub(1, 12))
      assert.are.equal(("\0"):rep(5000), data(4))
      sound()
    end)

    it("by a transaction of BEGIN by hand", function()
      db:run("begin")
      local stream = db:blob("files", "data", 1)
      stream:write("abc")
      db:run("update files set n = 0 where id = 2")
      stream:write("def")
      db:run("rollback")
      assert.are.equal(bytes, data())
      errors.expect({ "closed", "conflict", "transaction_aborted" }, stream.read, stream)
    end)

    it("never where only reading is allowed", function()
      local reader <close> = tuff.open(path, { readonly = true })
      local stream <close> = reader:blob("files", "data", 1)
      errors.expect("readonly", stream.write, stream, "x")
      assert.are.equal("0", stream:read(1))
      db:read(function()
        local inner <close> = db:blob("files", "data", 1)
        errors.expect("readonly", inner.write, inner, "x")
        assert.are.equal("0", inner:read(1))
      end)
      assert.are.equal(bytes, data())
    end)

    it("never into what an index or a foreign key is made of", function()
      db:exec([[
        create table i(a blob, b blob, c blob, d blob, e blob unique);
        create index ia on i(a);
        create index ib on i(length(b));
        create index ic on i(a) where c is not x'00';
        insert into i values (x'00', x'00', x'00', x'00', x'00');
        create table p(k blob primary key);
        create table f(k blob references p);
        insert into p values (x'00');
        insert into f values (x'00');
      ]])
      for _, place in ipairs { { "i", "a" }, { "i", "b" }, { "i", "c" }, { "i", "e" }, { "p", "k" },
        { "f", "k" } } do
        local stream <close> = db:blob(place[1], place[2], 1)
        errors.expect("unsupported", stream.write, stream, "\1")
      end
      local stream = db:blob("i", "d", 1)
      local good = pcall(stream.write, stream, "\1") -- an index of an expression: SQLite refuses
      stream:close()
      assert.are.equal(good and "\1" or "\0", db:value("select d from i"))
      sound()
    end)

    it("and needs the lock like any other write", function()
      local other <close> = tuff.open(path, { busy_timeout = 20 })
      local stream = other:blob("files", "data", 1)
      local tx = db:begin()
      db:run("update files set n = 9 where id = 2")
      errors.expect("busy", stream.write, stream, "x")
      tx:rollback()
      stream:close()
      local again <close> = other:blob("files", "data", 1)
      again:write("x")
    end)
  end)

  describe("whose row is changed meanwhile", function()
    it("here, within the transaction, raises conflict", function()
      for _, change in ipairs { "update files set data = zeroblob(3) where id = 1",
        "update files set n = n + 1 where id = 1", "delete from files where id = 1",
        "replace into files(id, data) values (1, x'00')" } do
        local tx = db:begin()
        local reading, writing = db:blob("files", "data", 1), db:blob("files", "data", 1)
        reading:read(1)
        writing:write("a")
        db:run(change)
        errors.expect("conflict", reading.read, reading, 1)
        errors.expect("conflict", writing.write, writing, "b")
        reading:close()
        writing:close()
        tx:rollback()
      end
      assert.are.equal(bytes, data())
      sound()
    end)

    it("here, outside of a transaction, is closed", function()
      local stream = db:blob("files", "data", 1)
      db:run("update files set data = x'00' where id = 1")
      errors.expect("closed", stream.read, stream)
      errors.expect("closed", stream.write, stream, "x")
    end)

    it("by another connection goes on reading what it began with", function()
      local stream <close> = db:blob("files", "data", 1)
      stream:read(10)
      local other <close> = tuff.open(path)
      other:run("update files set data = x'00' where id = 1")
      other:run("delete from files where id = 2")
      assert.are.equal(bytes:sub(11), stream:read())
    end)

    it("by another connection, to another size, raises conflict when it writes", function()
      local stream = db:blob("files", "data", 1)
      local other <close> = tuff.open(path)
      other:run("update files set data = x'00' where id = 1")
      errors.expect("conflict", stream.write, stream, "x")
      errors.expect("closed", stream.read, stream)
      assert.are.equal("\0", data())
    end)

    it("by another connection that deletes it, cannot write", function()
      local stream = db:blob("files", "data", 1)
      local other <close> = tuff.open(path)
      other:run("delete from files where id = 1")
      errors.expect({ "not_found", "conflict" }, stream.write, stream, "x")
    end)

    it("as its table is dropped or altered within the transaction says so", function()
      for _, change in ipairs { "drop table files", "alter table files drop column data",
        "alter table files rename column data to bytes" } do
        local tx = db:begin()
        local stream = db:blob("files", "data", 1)
        stream:write("abc")
        local good, err = pcall(db.exec, db, change)
        if not good then assert.is_true(tuff.is_error(err)) end
        good, err = pcall(stream.write, stream, "def")
        if not good then assert.is_true(tuff.is_error(err)) end
        pcall(stream.close, stream)
        tx:rollback()
        assert.are.equal(bytes, data())
      end
      sound()
    end)
  end)

  describe("is refused", function()
    it("for a place that there is not", function()
      errors.mentions(errors.expect("not_found", db.blob, db, "nowhere", "data", 1), "nowhere")
      errors.mentions(errors.expect("not_found", db.blob, db, "files", "nothing", 1), "nothing")
      errors.mentions(errors.expect("not_found", db.blob, db, "files", "data", 99), "99")
    end)

    it("for a value that is neither blob nor text", function()
      errors.mentions(errors.expect("type", db.blob, db, "files", "data", 3), "null")
      errors.mentions(errors.expect("type", db.blob, db, "files", "n", 1), "integer")
      errors.mentions(errors.expect("type", db.blob, db, "files", "n", 3), "real")
    end)

    it("for arguments that are none", function()
      for _, case in ipairs { {}, { "files" }, { "files", "data" }, { "files", "data", "1" },
        { "files", "data", 1.5 }, { "files", "data", 2 ^ 63 }, { "files", "data", 0 / 0 },
        { 1, "data", 1 }, { "files", {}, 1 }, { "", "data", 1 }, { "files", "", 1 },
        { "files\0x", "data", 1 }, { "files", "data\0", 1 } } do
        errors.expect("misuse", db.blob, db, table.unpack(case))
      end
      errors.expect("misuse", db.blob, nil, "files", "data", 1)
      local stream <close> = db:blob("files", "data", 1)
      errors.expect("misuse", stream.read, stream, -1)
      errors.expect("misuse", stream.read, stream, "all")
      errors.expect("misuse", stream.read, stream, 1.5)
      errors.expect("misuse", stream.read, db)
      errors.expect("misuse", stream.seek, stream, "begin")
      errors.expect("misuse", stream.seek, stream, {})
      errors.expect("misuse", stream.seek, stream, "set", "1")
      errors.expect("misuse", stream.seek, stream, "set", 1.5)
      assert.are.equal("0", stream:read(1))
    end)

    it("for a view, a virtual table and a table without rowid", function()
      db:exec("create view v as select * from files;"
        .. "create table w(k primary key, data) without rowid;"
        .. "insert into w values (1, x'00')")
      errors.expect("unsupported", db.blob, db, "v", "data", 1)
      errors.expect("unsupported", db.blob, db, "w", "data", 1)
      errors.expect({ "unsupported", "not_found" }, db.blob, db, "pragma_table_list", "name", 1)
    end)

    it("for a table with generated columns, whose columns SQLite would mix up", function()
      db:exec([[
        create table g(id integer primary key, v as (x'00'), a blob, b blob);
        insert into g(a, b) values (x'61', x'62');
        create table s(a blob, v as (a) stored);
        insert into s(a) values (x'61');
      ]])
      errors.expect("unsupported", db.blob, db, "g", "a", 1)
      errors.expect({ "unsupported", "type" }, db.blob, db, "g", "b", 1) -- it looks behind the row
      errors.expect("unsupported", db.blob, db, "s", "a", 1)
    end)
  end)

  it("takes names as they are, whatever they hold", function()
    local function quote(name) return '"' .. name:gsub('"', '""') .. '"' end
    for _, name in ipairs { 'a"b', "a'b", "a;drop table files;--", "%s", "größe", "select", "a.b",
      "[x]", "a\nb" } do
      db:exec(("create table %s(%s blob)"):format(quote(name), quote(name)))
      db:insert(name, { [name] = tuff.blob("abc") })
      do
        local stream <close> = db:blob(name, name, 1)
        assert.are.equal("abc", stream:read())
        stream:seek("set")
        stream:write("x")
      end
      assert.are.equal("xbc", db:value(("select %s from %s"):format(quote(name), quote(name))))
    end
    assert.are.equal(4, db:value("select count(*) from files"))
    errors.expect("not_found", db.blob, db, 'files" --', "data", 1)
    errors.expect("not_found", db.blob, db, "main.files", "data", 1)
  end)

  it("finds its row where a column is called rowid", function()
    db:exec("create table r(rowid text, data blob);"
      .. "insert into r values ('2', 'text'), ('1', x'01')")
    do
      local stream <close> = db:blob("r", "data", 2)
      stream:write("\7")
      local text <close> = db:blob("r", "data", 1)
      errors.expect("type", text.write, text, "x")
    end
    assert.are.same({ "text", "\7" }, db:column("select data from r"))
    db:exec("create table q(rowid, _rowid_, oid, data blob); insert into q values (1, 1, 1, x'01')")
    local stream <close> = db:blob("q", "data", 1)
    assert.are.equal("\1", stream:read())
    stream:seek("set")
    errors.expect("unsupported", stream.write, stream, "x")
  end)

  it("works in a function that SQL calls, for reading", function()
    db:define("first_byte", function(id)
      local stream <close> = db:blob("files", "data", id)
      return stream:read(1)
    end)
    assert.are.equal("0", db:value("select first_byte(1)"))
    db:define("scribble", function(id)
      local stream <close> = db:blob("files", "data", id)
      stream:write("x")
    end)
    errors.expect("misuse", db.value, db, "select scribble(1)")
    local open <close> = db:blob("files", "data", 1)
    db:define("scrawl", function() open:write("x") end)
    open:write("y")
    errors.expect("misuse", db.value, db, "select scrawl()")
    assert.are.equal("y123", data():sub(1, 4))
  end)

  it("keeps open loops as they began when it begins to write", function()
    local seen = {}
    for row in db:rows("select id from files order by id") do
      seen[#seen + 1] = row.id
      local stream <close> = db:blob("files", "data", 4)
      stream:write("x")
    end
    assert.are.same({ 1, 2, 3, 4 }, seen)
    sound()
  end)

  describe("comes to its end", function()
    it("by close, as often as one likes", function()
      local stream = db:blob("files", "data", 1)
      assert.are.equal(2, tuff.instances())
      stream:close()
      stream:close()
      assert.are.equal(1, tuff.instances())
      errors.expect("closed", stream.read, stream)
      errors.expect("closed", stream.write, stream, "x")
    end)

    it("with its connection", function()
      local own = tuff.open(path)
      local stream = own:blob("files", "data", 1)
      stream:write("abc")
      own:close()
      assert.are.equal(1, tuff.instances())
      errors.expect("closed", stream.read, stream)
      errors.expect("closed", stream.write, stream, "x")
      stream:close()
      errors.expect("closed", own.blob, own, "files", "data", 1)
    end)

    it("by the collector, alone or with its connection", function()
      for _ = 1, 20 do db:blob("files", "data", 1):read(1) end
      collect()
      assert.are.equal(1, tuff.instances())
      do
        local own = tuff.open(path)
        own:blob("files", "data", 1):read(1)
        own = nil -- luacheck: ignore 311
      end
      collect()
      assert.are.equal(1, tuff.instances())
      db:run("delete from files")
    end)

    it("by the collector in the middle of a transaction", function()
      db:transaction(function()
        db:blob("files", "data", 1):write("abc")
        collect()
        db:run("update files set n = 5 where id = 2")
      end)
      assert.are.equal("abc", data():sub(1, 3))
    end)

    it("with a coroutine that nobody resumes", function()
      local thread = coroutine.wrap(function()
        local stream <close> = db:blob("files", "data", 1)
        coroutine.yield(stream:read(1))
      end)
      assert.are.equal("0", thread())
      thread = nil -- luacheck: ignore 311
      collect()
      assert.are.equal(1, tuff.instances())
    end)
  end)

  it("moves 300 MB in pieces with little memory", function()
    -- A sanitizer keeps what was freed, which would count too.
    local child = process.start { arguments = { path },
      wrap = 'env ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=10"', chunk = [[
      local tuff = require "tuff"
      local size, piece = 300 * 1000 * 1000, ("0123456789"):rep(100000)
      local function resident()
        for line in io.lines("/proc/self/status") do
          local kb = line:match("^VmHWM:%s*(%d+)")
          if kb then return tonumber(kb) end
        end
      end
      local db <close> = tuff.open((...), { durability = "normal" })
      db:run("insert into files(id, data) values (9, zeroblob(?))", size)
      local before = resident()
      do
        local stream <close> = db:blob("files", "data", 9)
        assert(#stream == size)
        for _ = 1, size // #piece do stream:write(piece) end
      end
      local stream <close> = db:blob("files", "data", 9)
      local total = 0
      for bytes in function() return stream:read(1000000) end do
        assert(bytes == piece)
        total = total + #bytes
      end
      assert(total == size)
      print(resident() - before < 100000 and "little" or resident() - before)
    ]] }
    assert.are.equal("little", child:finish())
  end)

  it("that is killed while it writes leaves all or nothing", function()
    for round = 1, 4 do
      local child = process.start { arguments = { path, round }, chunk = [[
        local tuff = require "tuff"
        local path, round = ...
        local db = tuff.open(path)
        db:run("update files set data = zeroblob(3000000) where id = 1")
        local function write()
          local stream = db:blob("files", "data", 1)
          for i = 1, 30 do
            stream:write(("x"):rep(100000))
            if i == 20 then
              print("half")
              if tonumber(round) % 2 == 0 then io.read() end
            end
          end
        end
        if tonumber(round) <= 2 then
          db:transaction(function()
            write()
            io.read()
          end)
        else
          write()
          io.read()
        end
      ]] }
      child:expect("half")
      child:kill()
      child:wait()
      local value = data()
      assert.are.equal(3000000, #value)
      assert.is_true(value == ("\0"):rep(3000000) or value == ("x"):rep(3000000))
      sound()
    end
  end)
end)
