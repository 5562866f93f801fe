local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local function link(target, path)
  assert(lfs.link(target, path, true))
end

describe("opening", function()
  local directory, path

  before_each(function()
    directory = temporary.directory()
    path = directory .. "/library.db"
  end)
  fixture.clean_up()

  local function make(options)
    local db <close> = tuff.open(path, options)
    db:exec("create table t(id integer primary key, name text); insert into t values (1, 'a')")
  end

  describe("a file", function()
    it("creates a missing database that only its owner can read", function()
      local db <close> = tuff.open(path)
      assert.are.equal("rw-------", lfs.attributes(path, "permissions"))
      db:exec("create table t(id integer)")
      assert.are.equal("rw-------", lfs.attributes(path .. "-wal", "permissions"))
      assert.are.equal("rw-------", lfs.attributes(path .. "-shm", "permissions"))
    end)

    it("finds again what an earlier connection stored", function()
      make()
      local db <close> = tuff.open(path)
      assert.are.same({ id = 1, name = "a" }, db:row("select * from t"))
    end)

    it("leaves the mode of an existing database as it is", function()
      make()
      assert(process.succeeds("chmod 640 " .. process.quote(path)))
      local db <close> = tuff.open(path)
      db:run("insert into t values (2, 'b')")
      assert.are.equal("rw-r-----", lfs.attributes(path, "permissions"))
      assert.are.equal("rw-r-----", lfs.attributes(path .. "-wal", "permissions"))
    end)

    it("takes one table with the path in it", function()
      local db <close> = tuff.open { path = path, durability = "normal" }
      db:exec("create table t(id integer)")
      assert.is_truthy(lfs.attributes(path))
    end)

    it("takes an empty file for an empty database", function()
      temporary.write(path, "")
      local db <close> = tuff.open(path)
      db:exec("create table t(id integer)")
      assert.are.equal(0, db:value("select count(*) from t"))
    end)

    it("opens names with spaces, quotes, percent signs and letters of any script", function()
      for _, name in ipairs { "a b.db", "it's.db", 'say "x".db', "50%41.db", "a?mode=memory.db",
        "a#b.db", "größe-画像.db", "-leading.db", "semi;colon.db", "back\\slash.db" } do
        do
          local db <close> = tuff.open(directory .. "/" .. name)
          db:exec("create table t(id integer)")
        end
        assert.is_truthy(lfs.attributes(directory .. "/" .. name), name)
      end
    end)

    it("takes a relative name that looks like a URI as the name of a file", function()
      process.start({ directory = directory, chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open("file:x?mode=memory")
        db:exec("create table t(id integer)")
      ]] }):finish()
      assert.are.same({ "file:x?mode=memory" }, temporary.list(directory))
    end)

    it("writes WAL into the header, and the old journal where it is asked for", function()
      make()
      assert.are.equal("\2\2", temporary.read(path):sub(19, 20))
      local other = directory .. "/journal.db"
      local db <close> = tuff.open(other, { journal = "delete" })
      db:exec("create table t(id integer)")
      assert.are.equal("\1\1", temporary.read(other):sub(19, 20))
      assert.is_nil(lfs.attributes(other .. "-wal"))
    end)

    it("holds data in memory under the name :memory:, apart for each connection", function()
      local one <close> = tuff.open(":memory:")
      local two <close> = tuff.open(":memory:")
      one:exec("create table t(id integer)")
      errors.expect("not_found", two.all, two, "select * from t")
      assert.are.equal(":memory:", one.path)
    end)

    it("says its engine and its path, absolute and without links", function()
      assert(lfs.mkdir(directory .. "/real"))
      link(directory .. "/real", directory .. "/alias")
      local db <close> = tuff.open(directory .. "/alias/../alias/./x.db")
      assert.are.equal("sqlite", db.engine)
      assert.are.equal(process.capture("realpath " .. directory) .. "/real/x.db", db.path)
    end)

    it("says the absolute path of a database opened by a relative one", function()
      local seen = process.start({ directory = directory, chunk = [[
        local db <close> = require "tuff".open("x.db")
        print(db.path)
      ]] }):finish()
      assert.are.equal(process.capture("realpath " .. directory) .. "/x.db", seen)
    end)
  end)

  describe("what cannot be opened", function()
    it("names the missing file and creates nothing when create is false", function()
      local err = errors.expect("not_found", tuff.open, path, { create = false })
      errors.mentions(err, "library.db")
      assert.are.same({}, temporary.list(directory))
    end)

    it("names the missing directory", function()
      local err = errors.expect("not_found", tuff.open, directory .. "/none/library.db")
      errors.mentions(err, directory .. "/none")
    end)

    it("names a path in UTF-8, where it is long and where it is none", function()
      for shift = 0, 1 do
        local long = directory .. "/" .. ("a"):rep(shift) .. ("ä"):rep(120) .. "/library.db"
        local err = errors.expect("not_found", tuff.open, long)
        assert.is_truthy(utf8.len(err.message))
        errors.mentions(err, "ää")
      end
      local err = errors.expect("not_found", tuff.open, directory .. "/\xff\xc3/library.db")
      errors.mentions(err, "/??/library.db")
    end)

    it("refuses a directory and a device", function()
      errors.mentions(errors.expect("misuse", tuff.open, directory), directory, "directory")
      errors.mentions(errors.expect("misuse", tuff.open, "/dev/null"), "/dev/null")
    end)

    it("refuses a file that is no database, and leaves its bytes alone", function()
      local text = ("plain text\n"):rep(1000)
      temporary.write(path, text)
      errors.mentions(errors.expect("notadb", tuff.open, path), "library.db")
      assert.are.equal(text, temporary.read(path))
      assert.are.same({ "library.db" }, temporary.list(directory))
    end)

    it("refuses a final symbolic link with a hint that names its target", function()
      make()
      link(path, directory .. "/link.db")
      local err = errors.expect("misuse", tuff.open, directory .. "/link.db")
      errors.mentions(err, "link.db")
      assert.is_truthy(err.hint:find("library.db", 1, true))
      assert.is_truthy(err.hint:find("follow", 1, true))
    end)

    it("opens a final symbolic link when told to follow it", function()
      make()
      link(path, directory .. "/link.db")
      local db <close> = tuff.open(directory .. "/link.db", { follow = true })
      assert.are.equal("a", db:value("select name from t"))
      assert.are.equal(process.capture("realpath " .. path), db.path)
    end)

    it("opens a database below a linked directory", function()
      make()
      link(directory, directory .. "/here")
      local db <close> = tuff.open(directory .. "/here/library.db")
      assert.are.equal("a", db:value("select name from t"))
    end)

    it("names the rock that a PostgreSQL URL needs, and keeps the password to itself", function()
      local cpath = package.cpath
      package.cpath = directory .. "/?.so" -- where it is not installed
      local good, err = pcall(tuff.open, "postgres://user:sekret@localhost:1/app")
      package.cpath = cpath
      assert.is_false(good)
      assert.are.equal("unsupported", err.code)
      errors.mentions(err, "tuff-postgres")
      errors.conceals(err, "sekret")
    end)
  end)

  describe("options", function()
    it("suggests the name of a misspelt option", function()
      errors.mentions(errors.expect("misuse", tuff.open, path, { readonyl = true }),
        "readonyl", "readonly")
      errors.mentions(errors.expect("misuse", tuff.open, path, { busytimeout = 5 }), "busy_timeout")
      errors.mentions(errors.expect("misuse", tuff.open, { path = path, durabilty = "full" }),
        "durability")
      assert.are.same({}, temporary.list(directory))
    end)

    it("refuses a value of the wrong type, and names the option", function()
      for option, wrong in pairs { readonly = "yes", create = 1, durability = true,
        busy_timeout = "long", timeout = {}, statement_cache = "many", page_size = true,
        cache_bytes = "lots", follow = "no", journal = false, legacy_quotes = 1, root = 5,
        limits = 7, slow_ms = "x", retry = {} } do
        errors.mentions(errors.expect("misuse", tuff.open, path, { [option] = wrong }), option)
      end
      assert.are.same({}, temporary.list(directory))
    end)

    it("refuses a value out of range, and says which are allowed", function()
      errors.mentions(errors.expect("misuse", tuff.open, path, { durability = "fast" }),
        "fast", "full", "normal")
      errors.mentions(errors.expect("misuse", tuff.open, path, { journal = "memory" }),
        "wal", "delete")
      errors.expect(nil, tuff.open, path, { page_size = 1000 })
      errors.expect(nil, tuff.open, path, { busy_timeout = -1 })
      for _, bytes in ipairs { 1, 1023, 65535, (1 << 40) + 1, 10 ^ 15 // 1 | 0, math.maxinteger } do
        errors.mentions(errors.expect("misuse", tuff.open, path, { cache_bytes = bytes }), "65536")
      end
      for _, number in ipairs { -1, 1000001, 1 << 32 } do
        errors.mentions(errors.expect("misuse", tuff.open, path, { statement_cache = number }),
          "1000000")
      end
      for _, timeout in ipairs { 0.0001, -1, 2 ^ 60, 0 / 0, math.huge } do
        errors.mentions(errors.expect("misuse", tuff.open, path, { timeout = timeout }), "0.001")
      end
      errors.mentions(errors.expect("misuse", tuff.open, path, { limits = { sql_byte = 9 } }),
        "sql_bytes")
      assert.are.same({}, temporary.list(directory))
    end)

    it("refuses a call without a path, and a path that is not a string", function()
      errors.expect("misuse", tuff.open)
      errors.expect("misuse", tuff.open, {})
      errors.expect("misuse", tuff.open, 42)
      errors.expect("misuse", tuff.open, path, "readonly")
      errors.expect("misuse", tuff.open, path .. "\0tail")
      assert.are.same({}, temporary.list(directory))
    end)

    it("sets the page size of a new database", function()
      make({ page_size = 8192 })
      assert.are.equal(8192, (">I2"):unpack(temporary.read(path), 17))
    end)

    it("chooses between a commit that survives power loss and one that is faster", function()
      local full <close> = tuff.open(path)
      assert.are.equal(2, full:value("pragma synchronous"))
      local normal <close> = tuff.open(path, { durability = "normal" })
      assert.are.equal(1, normal:value("pragma synchronous"))
    end)

    it("takes the sizes of the caches", function()
      local db <close> = tuff.open(path, { statement_cache = 2, cache_bytes = 1 << 20 })
      for round = 1, 3 do
        for n = 1, 5 do
          assert.are.equal(n + round, db:value(("select %d + ?"):format(n), round))
        end
      end
    end)

    it("takes a misspelt quoted column for an error, and for a text with legacy_quotes", function()
      make()
      local db <close> = tuff.open(path)
      local err = errors.expect("not_found", db.all, db, 'select "nmae" from t')
      errors.mentions(err, "nmae", "legacy_quotes")
      local old <close> = tuff.open(path, { legacy_quotes = true })
      assert.are.equal("nmae", old:value('select "nmae" from t'))
    end)

    it("keeps values, SQL and results within their limits, and stays usable", function()
      local db <close> = tuff.open(path, { limits = { value_bytes = 1000, sql_bytes = 2000,
        result_rows = 3 } })
      db:exec("create table t(x)")
      errors.expect(nil, db.run, db, "insert into t values (?)", ("x"):rep(1001))
      db:run("insert into t values (?)", ("x"):rep(900))
      errors.expect(nil, db.value, db, "select 1 --" .. ("x"):rep(2000))
      local four = "select 1 union all select 2 union all select 3"
      assert.are.equal(3, #db:all(four))
      errors.expect(nil, db.all, db, four .. " union all select 4")
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("counts no statement of its own against these limits", function()
      make()
      for _, limits in ipairs { { result_rows = 1 }, { sql_bytes = 40 }, { value_bytes = 1 } } do
        local db <close> = tuff.open(path, { limits = limits })
        db:exec("drop table if exists wide")
        db:exec(limits.sql_bytes and "create table wide(a, b)"
          or "create table wide(a integer primary key, b, the_third_column, the_fourth_column)")
        assert.are.equal(1, db:insert("wide", { a = 1, b = "x" }))
        assert.are.equal(2, db:insert_many("wide", { { a = 2, b = "x" }, { a = 3 } }))
        local rows = db:insert_many("wide", { { a = 4 }, { a = 5 } }, { returning = { "a", "b" } })
        assert.are.equal(2, #rows)
        errors.mentions(errors.expect("not_found", db.insert, db, "wid", {}), "wide")
      end
    end)

    it("counts the values of an insert, of a list and of a result against value_bytes", function()
      local db <close> = tuff.open(path, { limits = { value_bytes = 10 } })
      db:exec("create table t(x, data json text)")
      local long = ("ö"):rep(5) .. "x"
      for _, value in ipairs { long, tuff.blob(long), { long } } do
        errors.mentions(errors.expect("range", db.insert, db, "t", { x = value }), "bytes", "10")
        errors.expect("range", db.insert_many, db, "t", { { x = 1 }, { x = value } })
      end
      errors.mentions(errors.expect("range", db.value, db, "select 1 in ?", { "x", long }),
        "parameter 1")
      errors.mentions(errors.expect("range", db.all, db, "select hex(zeroblob(6))"), "12 bytes")
      errors.expect("range", db.value, db, "select length(zeroblob(1000000000))")
      db:run("insert into t(x, data) values (?, ?)", "0123456789", "[1,2,3,4]")
      assert.are.equal(2, db:value("select data from t")[2])
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("lets a row be longer than one value, and a table's text than both", function()
      local db <close> = tuff.open(path, { limits = { value_bytes = 1000 } })
      local names = {}
      for i = 1, 10 do names[i] = ("a_column%d%s"):format(i, ("_"):rep(200)) end
      db:exec("create table t(" .. table.concat(names, ", ") .. ")")
      local row = {}
      for _, name in ipairs(names) do row[name] = ("x"):rep(1000) end
      db:insert("t", row)
      assert.are.same(row, db:row("select * from t"))
    end)

    it("enforces foreign keys", function()
      local db <close> = tuff.open(path)
      db:exec("create table a(id integer primary key); create table b(a references a(id))")
      errors.expect("constraint", db.run, db, "insert into b values (1)")
    end)
  end)

  describe("read-only connections", function()
    it("read, and answer every write with readonly", function()
      make()
      local before = temporary.read(path)
      do
        local db <close> = tuff.open(path, { readonly = true })
        assert.are.equal("a", db:value("select name from t"))
        for _, sql in ipairs { "insert into t values (2, 'b')", "update t set name = 'x'",
          "delete from t", "create table u(x)", "drop table t" } do
          errors.expect("readonly", db.run, db, sql)
          errors.expect("readonly", db.exec, db, sql)
        end
        errors.expect("readonly", db.insert, db, "t", { name = "b" })
        assert.are.equal(1, db:value("select count(*) from t"))
      end
      assert.are.equal(before, temporary.read(path))
    end)

    it("create nothing", function()
      errors.expect("not_found", tuff.open, path, { readonly = true })
      assert.are.same({}, temporary.list(directory))
    end)

    it("read a database in a directory where nothing may be written", function()
      local user, reason = process.without_rights()
      if not user then pending("a read-only directory: " .. reason) end
      make()
      assert(process.succeeds(("chmod 444 %s && chmod 555 %s"):format(path, directory)))
      user.arguments = { path }
      user.chunk = [[
        local tuff = require "tuff"
        local db <close> = tuff.open(..., { readonly = true })
        print(db:value("select name from t"))
        local ok, err = pcall(db.run, db, "delete from t")
        print(ok, err.code)
      ]]
      local seen = process.start(user):finish()
      assert(process.succeeds("chmod 755 " .. directory))
      assert.are.equal("a\nfalse\treadonly", seen)
    end)

    it("do not exist for a database in memory", function()
      local memory <close> = tuff.open(":memory:")
      errors.expect("unsupported", memory.reader, memory)
    end)

    it("come from db:reader(), and follow what the writer commits", function()
      local db <close> = tuff.open(path)
      db:exec("create table t(id integer primary key)")
      local reader <close> = db:reader()
      assert.are.equal(0, reader:value("select count(*) from t"))
      db:transaction(function()
        db:run("insert into t values (1)")
        assert.are.equal(0, reader:value("select count(*) from t"))
      end)
      assert.are.equal(1, reader:value("select count(*) from t"))
      errors.expect("readonly", reader.run, reader, "insert into t values (2)")
      errors.expect("readonly", reader.transaction, reader, function()
        reader:run("insert into t values (2)")
      end)
      db:run("insert into t values (2)")
      assert.are.equal(2, reader:value("select count(*) from t"))
    end)

    it("outlive the connection that made them, and close without it", function()
      local db = tuff.open(path)
      db:exec("create table t(id integer)")
      local one, two = db:reader(), db:reader()
      two:close()
      assert.are.equal(0, db:value("select count(*) from t"))
      db:close()
      local ok, seen = pcall(one.value, one, "select count(*) from t")
      assert.is_true(ok and seen == 0 or tuff.is_error(seen) and seen.code == "closed")
      one:close()
    end)
  end)

  describe("closing", function()
    it("may happen twice, and makes every later call raise closed", function()
      local db = tuff.open(path)
      db:exec("create table t(id integer)")
      local stmt, tx = db:prepare("select 1"), db:begin()
      db:close()
      db:close()
      for _, verb in ipairs { "run", "rows", "tuples", "all", "row", "value", "column", "arrays",
        "exists", "prepare", "exec" } do
        errors.expect("closed", db[verb], db, "select 1")
      end
      errors.expect("closed", db.insert, db, "t", {})
      errors.expect("closed", db.insert_many, db, "t", {})
      errors.expect("closed", db.begin, db)
      errors.expect("closed", db.transaction, db, print)
      errors.expect("closed", db.read, db, print)
      errors.expect("closed", db.reader, db)
      errors.expect("closed", stmt.all, stmt)
      errors.expect("closed", tx.commit, tx)
      stmt:close()
    end)

    it("rolls an open transaction back", function()
      make()
      local db = tuff.open(path)
      db:begin()
      db:run("delete from t")
      db:close()
      local again <close> = tuff.open(path)
      assert.are.equal(1, again:value("select count(*) from t"))
    end)

    it("happens at the end of the scope, also by an error", function()
      local seen
      pcall(function()
        local db <close> = tuff.open(path)
        seen = db
        error("out")
      end)
      errors.expect("closed", seen.value, seen, "select 1")
    end)
  end)

  describe("costs the same", function()
    --- Bytes that this process has read so far, from files or anywhere else.
    local function bytes_read()
      local file = io.open("/proc/self/io")
      if not file then return nil end
      local text = file:read("a")
      file:close()
      return tonumber(text:match("rchar: (%d+)"))
    end

    it("for a large database as for a small one", function()
      if not bytes_read() then return pending("there is no /proc/self/io here") end
      local cost = {}
      for _, megabytes in ipairs { 1, 64 } do
        local file = ("%s.%d"):format(path, megabytes)
        local made = tuff.open(file, { durability = "normal" })
        made:exec("create table t(b blob)")
        for _ = 1, megabytes do made:run("insert into t values (zeroblob(1000000))") end
        made:close()
        local before = bytes_read()
        tuff.open(file):close()
        cost[#cost + 1] = bytes_read() - before
      end
      -- The counters themselves are a few hundred bytes of text.
      assert.is_true(math.abs(cost[2] - cost[1]) < 4096, cost[1] .. ", " .. cost[2])
    end)
  end)
end)
