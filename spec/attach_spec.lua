local lfs = require "lfs"
local tuff = require "tuff"
local disk = require "spec.support.disk"
local errors = require "spec.support.errors"
local instances = require "spec.support.instances"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local megabyte = 1 << 20

describe("attaching another database", function()
  local directory, path, db

  before_each(function()
    directory = temporary.directory()
    path = directory .. "/other.db"
    db = tuff.open(directory .. "/library.db")
    db:exec("create table t(id integer primary key, name text); insert into t values (1, 'main')")
  end)
  after_each(function()
    db:close()
    process.stop_all()
    disk.release()
    temporary.remove_all()
  end)
  teardown(instances.none_left)

  local function make(options)
    local other <close> = tuff.open(path, options)
    other:exec [[
      create table books(id integer primary key, title text unique, read boolean integer,
        price decimal integer(10,2), data json text, bytes blob);
      insert into books(id, title) values (1, 'Lua')
    ]]
  end

  local function names()
    local found = {}
    for _, _, name in db:tuples("pragma database_list") do found[#found + 1] = name end
    return found
  end

  describe("of a file", function()
    it("makes a missing one that only its owner can read", function()
      db:attach(path, "other")
      assert.are.equal("rw-------", lfs.attributes(path, "permissions"))
      db:exec("create table other.t(x)")
      assert.are.equal("rw-------", lfs.attributes(path .. "-wal", "permissions"))
      assert.are.equal("rw-------", lfs.attributes(path .. "-shm", "permissions"))
    end)

    it("makes none where create is false or readonly is true", function()
      for _, options in ipairs { { create = false }, { readonly = true } } do
        local err = errors.expect("not_found", db.attach, db, path, "other", options)
        errors.mentions(err, "other.db")
      end
      assert.is_nil(lfs.attributes(path))
    end)

    it("leaves the mode of an existing one as it is", function()
      make()
      assert(process.succeeds("chmod 640 " .. process.quote(path)))
      db:attach(path, "other")
      db:run("insert into other.books(title) values ('x')")
      assert.are.equal("rw-r-----", lfs.attributes(path, "permissions"))
      assert.are.equal("rw-r-----", lfs.attributes(path .. "-wal", "permissions"))
    end)

    it("refuses a symbolic link unless it is told to follow it", function()
      make()
      assert(lfs.link(path, directory .. "/link.db", true))
      local err = errors.expect("misuse", db.attach, db, directory .. "/link.db", "other")
      assert.is_truthy(err.hint:find("other.db", 1, true))
      db:attach(directory .. "/link.db", "other", { follow = true })
      assert.are.equal("Lua", db:value("select title from other.books"))
    end)

    it("refuses a directory, a device, and names of files beside a database", function()
      errors.expect("misuse", db.attach, db, directory, "other")
      errors.expect("misuse", db.attach, db, "/dev/null", "other")
      errors.expect("misuse", db.attach, db, directory .. "/library.db-wal", "other")
      errors.expect("misuse", db.attach, db, "", "other")
      errors.expect("not_found", db.attach, db, directory .. "/none/x.db", "other")
      assert.are.same({ "main" }, names())
    end)

    it("refuses a file that is no database, leaves its bytes alone, and keeps the name free",
      function()
        for _, text in ipairs { ("plain text\n"):rep(1000), "short" } do
          temporary.write(path, text)
          errors.mentions(errors.expect("notadb", db.attach, db, path, "other"), "other.db")
          assert.are.equal(text, temporary.read(path))
        end
        assert.are.same({ "main" }, names())
        assert(os.remove(path))
        db:attach(path, "other")
      end)

    it("stays within the root that was given at open", function()
      local root = directory .. "/root"
      assert(lfs.mkdir(root))
      make()
      local own <close> = tuff.open(root .. "/a.db", { root = root })
      errors.expect("auth", own.attach, own, path, "other")
      errors.expect("auth", own.attach, own, root .. "/../new.db", "other")
      own:attach(root .. "/b.db", "other")
      assert.is_nil(lfs.attributes(directory .. "/new.db"))
    end)

    it("refuses one that this connection has open, under whatever name", function()
      make()
      db:attach(path, "other")
      assert(lfs.link(path, directory .. "/link.db", true))
      assert(lfs.link(path, directory .. "/hard.db"))
      for _, again in ipairs { path, directory .. "/./other.db", directory .. "/link.db",
        directory .. "/hard.db" } do
        errors.mentions(errors.expect("misuse", db.attach, db, again, "again", { follow = true }),
          "as other")
      end
      errors.mentions(errors.expect("misuse", db.attach, db, directory .. "/library.db", "again"),
        "as main")
      db:transaction(function() db:run("insert into other.books(title) values ('x')") end)
    end)

    it("opens names with spaces, quotes, percent signs and letters of any script", function()
      for _, name in ipairs { "a b.db", "it's.db", 'say "x".db', "50%41.db", "a?mode=memory.db",
        "a#b.db", "größe.db", "file:x" } do
        local file = directory .. "/" .. name
        db:attach(file, "other")
        db:exec("create table other.mark(x)")
        db:detach("other")
        assert.is_true(temporary.size(file) > 0, name)
        db:attach(file, "other", { readonly = true })
        assert.are.equal(0, db:value("select count(*) from other.mark"))
        db:detach("other")
      end
    end)

    it("takes a database in memory, under several names", function()
      db:attach(":memory:", "one")
      db:attach(":memory:", "two")
      db:exec("create table one.x(a); insert into one.x values (1)")
      errors.expect("not_found", db.value, db, "select * from two.x")
      assert.are.equal(1, db:value("select a from one.x"))
    end)

    it("says how many there may be, and makes no file then", function()
      for n = 1, 10 do db:attach(":memory:", "m" .. n) end
      errors.mentions(errors.expect("range", db.attach, db, path, "other"), "10")
      assert.is_nil(lfs.attributes(path))
      db:detach("m5")
      db:attach(path, "other")
    end)
  end)

  describe("has the settings of the connection", function()
    local function settings(options)
      local own <close> = tuff.open(directory .. "/own.db", options)
      local other = directory .. "/own-other.db"
      own:attach(other, "other")
      own:exec("create table other.t(x)")
      local found = { own:value("pragma other.journal_mode"),
        own:value("pragma other.synchronous"), own:value("pragma other.mmap_size"),
        own:value("pragma wal_autocheckpoint"), own:value("pragma other.page_size") }
      own:close()
      temporary.remove(other)
      temporary.remove(directory .. "/own.db")
      return found
    end

    it("of its journal and durability", function()
      assert.are.same({ "wal", 2, 0, 0, 4096 }, settings {})
      assert.are.same({ "wal", 1, 0, 0, 4096 }, settings { durability = "normal" })
      assert.are.same({ "delete", 3, 0, 0, 4096 }, settings { journal = "delete" })
      assert.are.same({ "delete", 1, 0, 0, 4096 },
        settings { journal = "delete", durability = "normal" })
    end)

    it("and changes the journal of an older file to it", function()
      make({ journal = "delete" })
      db:attach(path, "other")
      assert.are.equal("wal", db:value("pragma other.journal_mode"))
    end)

    it("and may be read-only, alone or because the connection is", function()
      make()
      local before = temporary.read(path)
      db:attach(path, "other", { readonly = true })
      assert.are.equal("Lua", db:value("select title from other.books"))
      errors.expect("readonly", db.run, db, "delete from other.books")
      errors.expect("readonly", db.exec, db, "create table other.x(a)")
      db:transaction(function() db:run("insert into t values (2, 'b')") end)
      db:detach("other")
      local reading <close> = tuff.open(directory .. "/library.db", { readonly = true })
      reading:attach(path, "other")
      assert.are.equal("Lua", reading:value("select title from other.books"))
      errors.expect("readonly", reading.run, reading, "delete from other.books")
      errors.expect("not_found", reading.attach, reading, directory .. "/none.db", "none")
      reading:close()
      assert.are.equal(before, temporary.read(path))
    end)

    it("and its log does not grow without end", function()
      local own <close> = tuff.open(directory .. "/own.db", { durability = "normal" })
      own:attach(path, "other")
      own:exec("create table other.b(x)")
      local largest = 0
      for _ = 1, 30 do
        own:transaction(function()
          for _ = 1, 16 do own:run("insert into b values (zeroblob(65536))") end
        end)
        largest = math.max(largest, temporary.size(path .. "-wal"))
      end
      assert.is_true(largest > 2 * megabyte and largest < 8 * megabyte, largest)
      assert.is_true(temporary.size(path) > 20 * megabyte)
    end)

    it("and its log is taken away by closing or detaching", function()
      db:attach(path, "other")
      db:exec("create table other.x(a)")
      assert.is_true(temporary.size(path .. "-wal") > 0)
      db:detach("other")
      assert.is_nil(lfs.attributes(path .. "-wal"))
      db:attach(path, "other")
      db:run("insert into x values (1)")
      db:close()
      assert.are.same({ "library.db", "other.db" }, temporary.list(directory))
    end)
  end)

  describe("lets its tables", function()
    before_each(function()
      make()
      db:attach(path, "other")
    end)

    it("be read and written as name.table, and joined", function()
      db:run("insert into other.books(id, title) values (2, 'C')")
      assert.are.same({ "Lua", "C" }, db:column("select title from other.books order by id"))
      assert.are.equal("Lua", db:value(
        "select title from t join other.books on books.id = t.id where t.name = 'main'"))
    end)

    it("have declared types, both ways", function()
      db:run("insert into other.books(id, read, price, data, bytes) values (?, ?, ?, ?, ?)",
        5, true, "12.34", { a = { 1, 2 } }, "\0\xff")
      db:run("update other.books set price = :price where id = 5", { price = "12.35" })
      local row = db:row("select read, price, data, bytes from other.books where id = 5")
      assert.are.same({ read = true, price = "12.35", data = { a = { 1, 2 } },
        bytes = "\0\xff" }, row)
      assert.are.equal(1235, db:value("select price + 0 from other.books where id = 5"))
      errors.expect(nil, db.run, db, "insert into other.books(price) values ('x')", "none")
      errors.expect("range", db.run, db, "insert into other.books(price) values (?)", "1.234")
      assert.are.equal(5, db:value("select id from other.books where price = ?", "12.35"))
    end)

    it("be filled by insert and insert_many, where the main database has none of the name",
      function()
        assert.are.equal(2, db:insert("books", { title = "C", read = true, data = { 1 } }))
        assert.are.equal(2, db:insert_many("books", { { title = "D" }, { title = "E" } }))
        assert.are.equal(4, db:value("select count(*) from other.books"))
        assert.is_true(db:value("select read from other.books where id = 2"))
        db:exec("create table books(id integer primary key, title text)")
        assert.are.equal(1, db:insert("books", { title = "F" }))
        assert.are.equal(4, db:value("select count(*) from other.books"))
        db:exec("drop table books")
        db:detach("other")
        errors.expect("not_found", db.insert, db, "books", { title = "G" })
      end)

    it("take part in a transaction, which undoes the work in both", function()
      errors.expect("constraint", db.transaction, db, function()
        db:run("insert into t values (2, 'b')")
        db:run("insert into other.books(id) values (2)")
        db:run("insert into t values (1, 'again')")
      end)
      assert.are.equal(1, db:value("select count(*) from t"))
      assert.are.equal(1, db:value("select count(*) from other.books"))
      db:transaction(function()
        db:run("insert into t values (2, 'b')")
        pcall(db.transaction, db, function()
          db:run("insert into t values (3, 'c')")
          db:run("insert into other.books(id) values (3)")
          error("out")
        end)
        db:run("insert into other.books(id) values (2)")
      end)
      local seen <close> = tuff.open(path)
      assert.are.same({ 1, 2 }, seen:column("select id from books order by id"))
      assert.are.same({ 1, 2 }, db:column("select id from t order by id"))
    end)

    it("be locked by a transaction that writes, also where it does not use them", function()
      local seen <close> = tuff.open(path, { busy_timeout = 0 })
      db:transaction(function()
        errors.expect("busy", seen.run, seen, "delete from books")
        assert.are.equal("Lua", seen:value("select title from books"))
      end)
      seen:run("delete from books")
      local tx <close> = seen:begin()
      db:run("insert into t values (2, 'b')")
      local err = errors.expect("busy", function()
        db:using({ busy_timeout = 10 }):run("insert into other.books(id) values (7)")
      end)
      assert.is_false(err.retryable)
      tx:rollback()
    end)

    it("be waited for, when another process writes to them", function()
      local child = process.start({ arguments = { path }, chunk = [[
        local db <close> = require "tuff".open((...))
        local tx <close> = db:begin()
        db:run("insert into books(id) values (50)")
        print("held")
        io.read("l")
        tx:commit()
      ]] })
      child:expect("held")
      local calls = 0
      db:progress(function()
        calls = calls + 1
        if calls == 2 then child:send() end
      end, { every = 5 })
      db:transaction(function() db:run("insert into other.books(id) values (51)") end)
      child:finish()
      assert.is_true(calls >= 2)
      assert.are.same({ 1, 50, 51 }, db:column("select id from other.books order by id"))
    end)

    it("lose a commit that the main database has, and the error says that nobody knows", function()
      local place, reason = disk.small("1m")
      if not place then pending(reason) end
      local seen = process.start({ wrap = place.wrap, arguments = { directory, place.directory },
        chunk = [[
          local tuff = require "tuff"
          local main, small = ...
          local db <close> = tuff.open(main .. "/library.db")
          db:attach(small .. "/full.db", "full")
          db:exec("create table full.b(x)")
          local ok, err = pcall(db.transaction, db, function()
            db:run("insert into t values (2, 'b')")
            db:run("insert into full.b values (zeroblob(4000000))")
          end)
          print(ok, err.code, err.outcome, db:in_transaction())
          print(db:value("select count(*) from full.b"))
          db:run("insert into t values (3, 'c')")
        ]] }):finish()
      assert.are.equal("false\tfull\tunknown\tfalse\n0", seen)
      assert.are.same({ 1, 2, 3 }, db:column("select id from t order by id"))
    end)

    it("be unknown to what db:reader() opens", function()
      local reader <close> = db:reader()
      errors.expect("not_found", reader.all, reader, "select * from other.books")
      reader:attach(path, "other")
      assert.are.equal("Lua", reader:value("select title from other.books"))
      errors.expect("readonly", reader.run, reader, "delete from other.books")
    end)
  end)

  describe("by a name", function()
    it("that is a plain word, or makes no file", function()
      for _, name in ipairs { "", " ", "a b", "a-b", "a.b", "1a", 'a"b', "a'b", "a;b", "a\0b",
        "größe", "x]", "`x", "?", ":a", "%s%n", "a; detach main", ("n"):rep(65), "a\n" } do
        errors.expect("misuse", db.attach, db, path, name)
        errors.expect("misuse", db.detach, db, name)
      end
      errors.expect("misuse", db.attach, db, path)
      errors.expect("misuse", db.attach, db, path, 5)
      assert.are.same({ "library.db", "library.db-shm", "library.db-wal" },
        temporary.list(directory))
    end)

    it("that is not taken, whatever its case", function()
      db:attach(":memory:", "other")
      for _, name in ipairs { "main", "MAIN", "temp", "Temp", "other", "Other" } do
        errors.mentions(errors.expect("misuse", db.attach, db, path, name), name)
      end
      assert.is_nil(lfs.attributes(path))
      db:detach("OTHER")
      db:attach(path, "Other")
      assert.are.same({ "main", "Other" }, names())
    end)

    it("that is a word of SQL, too, if it is quoted there", function()
      for _, name in ipairs { "select", "table", "order", "_", "x1" } do
        db:attach(directory .. "/" .. name .. ".db", name)
        db:exec(('create table "%s".mark(x); insert into "%s".mark values (1)'):format(name, name))
        assert.are.equal("wal", db:value(('pragma "%s".journal_mode'):format(name)))
        db:detach(name)
      end
    end)
  end)

  describe("at a time", function()
    it("outside of transactions only", function()
      for _, within in ipairs { db.transaction, db.read } do
        within(db, function()
          errors.mentions(errors.expect("misuse", db.attach, db, path, "other"), "transaction")
        end)
      end
      db:attach(":memory:", "memory")
      db:run("begin")
      errors.expect("misuse", db.attach, db, path, "other")
      errors.expect("misuse", db.detach, db, "memory")
      db:run("rollback")
      assert.is_nil(lfs.attributes(path))
      db:detach("memory")
    end)

    it("inside of open loops, too", function()
      make()
      local seen = {}
      for row in db:rows("select 1 as n union all select 2 union all select 3") do
        if row.n == 1 then
          db:attach(path, "other")
          for book in db:rows("select title from other.books") do
            seen[#seen + 1] = book.title
            db:detach("other")
          end
        end
        seen[#seen + 1] = row.n
      end
      assert.are.same({ "Lua", 1, 2, 3 }, seen)
    end)

    it("not by a function that SQL calls", function()
      db:define("attach_it", function() db:attach(path, "other") end)
      errors.expect("misuse", db.value, db, "select attach_it()")
      assert.is_nil(lfs.attributes(path))
    end)

    it("not after the end of the connection", function()
      local closed = tuff.open(":memory:")
      closed:close()
      errors.expect("closed", closed.attach, closed, path, "other")
      errors.expect("closed", closed.detach, closed, "other")
      assert.is_nil(lfs.attributes(path))
    end)
  end)

  describe("can be undone", function()
    it("and done again, with another file", function()
      make()
      local second = directory .. "/second.db"
      for round = 1, 3 do
        db:attach(path, "other")
        local stmt <close> = db:prepare("select title from other.books where id = ?")
        assert.are.equal("Lua", stmt:value(1))
        db:detach("other")
        errors.expect("not_found", stmt.value, stmt, 1)
        errors.expect("not_found", db.value, db, "select title from other.books")
        db:attach(second, "other")
        if round == 1 then db:exec("create table other.books(title text)") end
        assert.are.equal(0, db:value("select count(*) from other.books"))
        db:detach("other")
      end
    end)

    it("not for what is not attached", function()
      for _, name in ipairs { "other", "main", "temp" } do
        errors.mentions(errors.expect("not_found", db.detach, db, name), name)
      end
      assert.are.equal("main", db:value("select name from t"))
    end)

    it("so that the file may be removed", function()
      db:attach(path, "other")
      db:exec("create table other.x(a)")
      db:detach("other")
      assert.are.same({ "library.db", "library.db-shm", "library.db-wal", "other.db" },
        temporary.list(directory))
    end)
  end)

  it("is refused in plain SQL, as before", function()
    make()
    for _, sql in ipairs { ("attach '%s' as other"):format(path), "attach ':memory:' as other",
      "attach database 'x' as y", "vacuum into '" .. path .. "'" } do
      errors.expect("auth", db.run, db, sql)
      errors.expect("auth", db.exec, db, sql)
    end
    assert.are.same({ "main" }, names())
  end)

  it("checks its options and what it is a method of", function()
    errors.mentions(errors.expect("misuse", db.attach, db, path, "other", { readonyl = true }),
      "readonly")
    errors.expect("misuse", db.attach, db, path, "other", { follow = 1 })
    errors.expect("misuse", db.attach, db, path, "other", 5)
    errors.expect("misuse", db.attach, db, 5, "other")
    errors.expect("misuse", db.attach, db, path .. "\0", "other")
    errors.expect("misuse", db.attach, path, "other")
    errors.expect("misuse", db.detach, "other")
    assert.is_nil(lfs.attributes(path))
  end)
end)
