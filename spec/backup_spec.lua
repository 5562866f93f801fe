local lfs = require "lfs"
local bank = require "spec.power_loss.bank"
local disk = require "spec.support.disk"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"
local tuff = require "tuff"

local soak = os.getenv("TUFF_SOAK") == "1"

--- So many rows that a copy takes several steps with pages of 512 bytes.
local filling = [[
  create table filling(id integer primary key, x);
  insert into filling with recursive n(i) as (select 1 union all select i + 1 from n limit 4000)
    select i, zeroblob(450) from n;
]]

describe("a copy", function()
  local directory, path, to, db

  before_each(function()
    directory = temporary.directory()
    path, to = directory .. "/library.db", directory .. "/copy.db"
    db = fixture.open(path, { page_size = 512 })
    db:exec "create table t(id integer primary key, name text); insert into t values (1, 'a')"
  end)
  fixture.clean_up()

  local function copy(options)
    local all = { file = true }
    for name, value in pairs(options or {}) do all[name] = value end
    return db:backup(to, all)
  end

  --- What the copy holds; it is only read, and so stays as it is.
  local function names(where)
    local other <close> = tuff.open(where or to, { readonly = true })
    return other:column("select name from t order by id")
  end

  --- The files of the directory but for those of the database that is copied.
  local function beside()
    local found = {}
    for _, name in ipairs(temporary.list(directory)) do
      if not name:find("^library%.db") then found[#found + 1] = name end
    end
    return found
  end

  --- A copy that fails leaves everything as it was.
  local function refused(code, target, options)
    local before, content = temporary.list(directory), temporary.read(target)
    options = options or {}
    options.file = true
    local err = errors.expect(code, db.backup, db, target, options)
    assert.are.same(before, temporary.list(directory))
    assert.are.equal(content, temporary.read(target))
    return err
  end

  describe("of a database", function()
    it("holds what is committed, alone in one file that only its owner can read", function()
      copy()
      assert.are.same({ "a" }, names())
      assert.are.same({ "copy.db" }, beside())
      assert.are.equal("rw-------", lfs.attributes(to, "permissions"))
      local other <close> = tuff.open(to)
      other:run("insert into t values (2, 'b')")
      assert.are.equal(1, db:value("select count(*) from t"))
    end)

    it("tells what it has made", function()
      local before = os.date("!%Y-%m-%dT%H:%M:%S")
      lfs.mkdir(directory .. "/a")
      local made = db:backup(directory .. "/a/../copy.db", { file = true })
      assert.are.equal(process.capture("realpath " .. directory) .. "/copy.db", made.path)
      assert.are.equal(temporary.size(to), made.bytes)
      assert.are.equal(made.bytes, made.pages * 512)
      assert.is_truthy(made.created_at:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$"))
      assert.is_true(before <= made.created_at)
      assert.is_true(made.created_at <= os.date("!%Y-%m-%dT%H:%M:%SZ"))
      assert.is_true(made.seconds > 0 and made.seconds < 60)
      assert.is_nil(made.foreign_key_violations)
      assert.are.equal(0, copy({ replace = true, level = 3 }).foreign_key_violations)
    end)

    it("has its page size, encoding, versions and identity", function()
      for _, size in ipairs { 512, 1024, 4096, 65536 } do
        local source <close> = tuff.open(("%s/%d.db"):format(directory, size), { page_size = size })
        source:exec [[
          pragma encoding = 'utf-16le'; pragma application_id = 77; pragma user_version = 123;
          pragma auto_vacuum = full; create table t(id integer primary key, name text);
        ]]
        source:run("insert into t values (1, 'größe')")
        local made = source:backup(("%s/copy-%d.db"):format(directory, size), { file = true })
        local other <close> = tuff.open(made.path, { readonly = true })
        for _, name in ipairs { "page_size", "encoding", "application_id", "user_version",
          "auto_vacuum", "schema_version" } do
          assert.are.equal(source:value("pragma " .. name), other:value("pragma " .. name), name)
        end
        assert.are.equal("größe", other:value("select name from t"))
      end
    end)

    it("has a rollback journal, whatever the database has", function()
      copy()
      assert.are.equal("\1\1", temporary.read(to):sub(19, 20))
      local other = fixture.open(directory .. "/other.db", { journal = "delete" })
      other:exec("create table t(x)")
      other:backup(to, { file = true, replace = true })
      assert.are.equal("\1\1", temporary.read(to):sub(19, 20))
    end)

    it("that is empty is an empty database", function()
      for name, options in pairs { wal = {}, delete = { journal = "delete" } } do
        local source = fixture.open(directory .. "/" .. name, options)
        local last
        local made = source:backup(directory .. "/" .. name .. ".copy", { file = true,
          progress = function(done, total) last = { done, total } end })
        assert.are.equal(1, made.pages)
        assert.are.same({ made.bytes, made.bytes }, last)
        assert.are.equal(0, tuff.verify(made.path).tables)
      end
    end)

    it("in memory is made in one piece", function()
      local memory = fixture.open(":memory:")
      memory:exec("create table t(id integer primary key, name text)" .. ";" .. filling)
      memory:run("insert into t values (1, 'a')")
      local calls = 0
      memory:backup(to, { file = true, progress = function(done, total, what)
        assert.are.equal(total, done)
        calls = calls + (what == "copy" and 1 or 0)
      end })
      assert.are.equal(1, calls)
      assert.are.same({ "a" }, names())
    end)

    it("lacks what is attached to it, and what is temporary", function()
      db:attach(directory .. "/library.db.other", "other")
      db:exec("create table other.u(x); create temp table v(x)")
      copy()
      assert.are.equal(1, tuff.verify(to).tables)
    end)

    it("that is only read can be made, too", function()
      local reader = db:reader()
      reader:backup(to, { file = true })
      reader:close()
      assert.are.same({ "a" }, names())
    end)

    it("is made in a directory where nothing else can be written", function()
      local rights, reason = process.without_rights()
      if not rights then pending(reason) end
      db:close()
      local writable = directory .. "/writable"
      lfs.mkdir(writable)
      assert(os.execute(("chmod 777 %s && chmod a+r %s && chmod 555 %s"):format(writable, path,
        directory)))
      local seen = process.start({ wrap = rights.wrap, paths = rights.paths,
        arguments = { path, writable .. "/copy.db" }, chunk = [[
          local tuff = require "tuff"
          local from, to = ...
          local db <close> = tuff.open(from, { readonly = true })
          local made = db:backup(to, { file = true })
          print(tuff.verify(made.path).tables)
          local good, err = pcall(db.backup, db, from .. ".copy", { file = true })
          print(good, err.code, err.hint)
        ]] }):finish()
      assert(os.execute("chmod 755 " .. directory))
      assert.are.equal("1\nfalse\tio\tthis process is not permitted to do that there", seen)
      assert.are.same({ "library.db", "writable" }, temporary.list(directory))
    end)

    it("needs no function and no collation of the program", function()
      db:define("double", function(x) return 2 * x end, { deterministic = true, schema = true })
      db:define_collation("backwards", function(a, b) return a < b and 1 or a > b and -1 or 0 end)
      db:exec [[
        create table u(x integer check (double(x) > 0), y as (double(x)) not null,
          z text collate backwards primary key) without rowid;
        create index by_double on u(double(x)) where double(x) > 1;
        create index by_z on u(z);
        insert into u(x, z) values (1, 'a'), (2, 'b'), (3, 'c');
      ]]
      copy()
      assert.are.equal(2, tuff.verify(to).tables)
      local err = errors.expect("unsupported", tuff.verify, to, { level = 3 })
      errors.mentions(err, "double", "level 2")
    end)
  end)

  describe("beside others who work", function()
    --- Makes transfers until it is told to stop.
    local writer = [[
      local path, journal = ...
      local tuff = require "tuff"
      local bank = require "spec.power_loss.bank"
      local db = tuff.open(path, { journal = journal, durability = "normal", busy_timeout = 60000 })
      local stop = path .. "-stop"
      local k = 0
      repeat
        k = k + 1
        bank.transfer(db, k)
        if k == 1 then print("writing") end
        local asked = io.open(stop)
      until asked
      db:close()
    ]]

    --- Copies again and again while another process writes. In `progress` the copy waits until
    -- the other has written again, where that can be.
    local function copies_under_load(journal)
      local name, here = directory .. "/bank.db", lfs.currentdir()
      local source = fixture.open(name, { page_size = 512, journal = journal })
      bank.found(source)
      source:exec(filling)
      local child = process.start({ chunk = writer, arguments = { name, journal },
        paths = { here .. "/?.lua;" .. package.path:gsub("%./", here .. "/"),
          package.cpath:gsub("%./", here .. "/") } })
      child:expect("writing")
      local function latest() return source:value("select max(k) from history") end
      for _ = 1, soak and 100 or 5 do
        local acknowledged, last, steps = latest(), 0, 0
        source:backup(to, { file = true, replace = true, progress = function(done, total, what)
          if what == "check" then return end
          assert.is_true(done > last and done <= total, "it began again")
          last, steps = done, steps + 1
          if journal == "wal" then
            local now = latest()
            repeat until latest() > now
          end
        end })
        assert.is_true(steps >= 4)
        local other <close> = tuff.open(to)
        assert.are.equal("ok", bank.check(other, acknowledged, latest()))
        other:close()
      end
      temporary.write(name .. "-stop", "")
      child:finish()
      assert.are.equal("ok", bank.check(source, 1, latest()))
    end

    it("is one state of the database, and is never begun again", function()
      copies_under_load("wal")
    end)

    it("is one state of the database with a rollback journal, too", function()
      copies_under_load("delete")
    end)

    it("does not see what its own connection writes meanwhile", function()
      db:exec(filling)
      local id = 1
      copy { progress = function()
        id = id + 1
        db:run("insert into t values (?, 'later')", id)
        db:transaction(function() db:run("update t set name = name || '!' where id = ?", id) end)
      end }
      assert.are.same({ "a" }, names())
      assert.are.equal(id, db:value("select count(*) from t"))
    end)

    it("goes on while a coroutine has a transaction open", function()
      db:exec(filling)
      local other = coroutine.wrap(function()
        db:transaction(function()
          db:run("insert into t values (2, 'b')")
          coroutine.yield()
          db:run("insert into t values (3, 'c')")
        end)
      end)
      local steps = 0
      local copying = coroutine.create(function()
        return copy { progress = function() coroutine.yield() end }
      end)
      assert(coroutine.resume(copying))
      other()
      while coroutine.status(copying) ~= "dead" do
        assert(coroutine.resume(copying))
        steps = steps + 1
      end
      other()
      assert.is_true(steps > 3)
      assert.are.same({ "a" }, names())
      assert.are.equal(3, db:value("select count(*) from t"))
    end)

    it("is refused inside of a transaction, and of a function that SQL calls", function()
      db:transaction(function() errors.mentions(refused("misuse", to), "commit") end)
      db:read(function() refused("misuse", to) end)
      db:exec("begin")
      refused("misuse", to)
      db:exec("rollback")
      db:define("copied", function() refused("misuse", to) return 1 end)
      assert.are.equal(1, db:value("select copied()"))
    end)

    it("is refused where another file has taken the place of the database", function()
      assert(os.rename(path, directory .. "/moved.db"))
      errors.mentions(refused("io", to), "moved")
      temporary.write(path, "")
      errors.mentions(refused("io", to), "moved")
    end)
  end)

  describe("that is watched", function()
    it("tells exactly how far it is", function()
      db:exec(filling)
      local calls = {}
      local made = copy { progress = function(...) calls[#calls + 1] = table.pack(...) end }
      local checked = table.remove(calls)
      assert.are.same({ n = 3, made.bytes, made.bytes, "check" }, checked)
      assert.are.equal(math.ceil(made.pages / 1000), #calls)
      for i, call in ipairs(calls) do
        local done = math.min(i * 1000 * 512, made.bytes)
        assert.are.same({ n = 3, done, made.bytes, "copy" }, call)
      end
    end)

    it("stops where that is asked for, at any time, and leaves nothing", function()
      db:exec(filling)
      temporary.write(to, "old")
      local total = 0
      copy { replace = true, progress = function() total = total + 1 end }
      temporary.write(to, "old")
      for stop = 1, total do
        local calls = 0
        local err = refused("interrupted", to, { replace = true, progress = function()
          calls = calls + 1
          return calls ~= stop
        end })
        assert.are.equal(stop, calls)
        errors.mentions(err, "progress")
      end
      local instances = tuff.instances()
      copy { replace = true, progress = function() return nil end }
      assert.are.equal(instances, tuff.instances())
    end)

    it("raises what the function raises, and leaves nothing", function()
      local thrown = {}
      local good, err = pcall(copy, { progress = function() error(thrown) end })
      assert.is_false(good)
      assert.are.equal(thrown, err)
      assert.are.same({}, beside())
    end)

    it("leaves nothing where its coroutine is given up", function()
      local instances = tuff.instances()
      local co = coroutine.create(copy)
      assert(coroutine.resume(co, { progress = coroutine.yield }))
      assert.are.same({ "copy.db.tmp", "copy.db.tmp-lock" }, beside())
      co = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.are.same({}, beside())
      assert.are.equal(instances, tuff.instances())
    end)

    it("leaves nothing where its coroutine is closed", function()
      local co = coroutine.create(copy)
      assert(coroutine.resume(co, { progress = coroutine.yield }))
      assert(coroutine.close(co))
      assert.are.same({}, beside())
    end)

    it("leaves nothing where its coroutine ends with an error", function()
      local co = coroutine.create(copy)
      assert.is_false(coroutine.resume(co, { progress = function() error("stop") end }))
      assert.are.same({}, beside())
    end)

    it("ends where its connection is closed", function()
      errors.expect("closed", copy, { progress = function() db:close() end })
      assert.are.same({}, beside())
      errors.expect("closed", copy)
    end)

    it("ends by Ctrl-C, and leaves nothing", function()
      for _, where in ipairs { "main", "coroutine" } do
        local child = process.start({ arguments = { path, to, where }, chunk = [[
          local tuff = require "tuff"
          local path, to, where = ...
          local db <close> = tuff.open(path)
          local function copy()
            local good, err = pcall(db.backup, db, to, { file = true, progress = function()
              print("working")
              io.read("l")
            end })
            print(good, tostring(err):match("interrupted"), db:value("select count(*) from t"))
          end
          if where == "coroutine" then copy = coroutine.wrap(copy) end
          copy()
        ]] })
        child:expect("working")
        assert(os.execute("kill -2 " .. child.pid))
        child:send()
        assert.are.equal("false\tinterrupted\t1", child:finish())
        assert.are.same({}, beside())
      end
    end)
  end)

  describe("has a name", function()
    it("of odd characters", function()
      for _, name in ipairs { "a b.db", "it's.db", 'say "x".db', "50%41.db", "a?mode=memory.db",
        "a#b.db", "größe-画像.db", "-leading.db", "semi;colon.db", "back\\slash.db", "new\nline",
        "file:x?mode=memory", "\xff\xfe.db", "tab\t.tmp", ".hidden", "nodot" } do
        to = directory .. "/" .. name
        assert.are.equal(process.capture("realpath " .. directory) .. "/" .. name, copy().path)
        assert.are.same({ "a" }, names())
      end
      assert.are.equal(16, #beside())
    end)

    it("that is relative", function()
      process.start({ directory = directory, chunk = [[
        local db <close> = require "tuff".open("library.db")
        db:backup("here.db", { file = true })
        db:backup("./file:y?mode=memory", { file = true })
      ]] }):finish()
      assert.are.same({ "file:y?mode=memory", "here.db" }, beside())
    end)

    it("that is not taken, or is to be replaced", function()
      copy()
      errors.mentions(refused("misuse", to), "replace = true", "copy.db")
      db:run("update t set name = 'b'")
      copy { replace = true }
      assert.are.same({ "b" }, names())
      temporary.write(to, "anything")
      assert(os.execute("chmod 644 " .. to))
      copy { replace = true }
      assert.are.same({ "b" }, names())
      assert.are.equal("rw-------", lfs.attributes(to, "permissions"))
    end)

    it("that nobody takes meanwhile", function()
      local err = errors.expect("misuse", copy, { progress = function()
        temporary.write(to, "x")
      end })
      errors.mentions(err, "copy.db")
      assert.are.equal("x", temporary.read(to))
      assert.are.same({ "copy.db" }, beside())
    end)

    it("that is never one of a database in use", function()
      local other = fixture.open(directory .. "/other.db")
      other:exec("create table u(x)")
      db:attach(directory .. "/attached.db", "attached")
      assert(lfs.link(path, directory .. "/hard.db"))
      for _, name in ipairs { "library.db", "hard.db", "other.db", "attached.db" } do
        errors.mentions(refused("misuse", directory .. "/" .. name, { replace = true }), "open in")
      end
      for _, ending in ipairs { "-wal", "-shm", "-journal", "-queue" } do
        refused("misuse", path .. ending, { replace = true })
        refused("misuse", directory .. "/none" .. ending, { replace = true })
      end
      local odd = fixture.open(directory .. "/x.db.tmp")
      odd:exec("create table u(x)")
      refused("misuse", directory .. "/x.db", { replace = true })
      assert.are.equal(1, #odd:all("pragma table_list('u')"))
    end)

    it("beside which nothing lies that would spoil it", function()
      for _, ending in ipairs { "-wal", "-journal" } do
        temporary.write(to .. ending, "something")
        local err = refused("busy", to)
        errors.mentions(err, "copy.db" .. ending)
        refused("busy", to, { replace = true })
        os.remove(to .. ending)
      end
      copy()
    end)

    it("of a database that another process has open", function()
      copy()
      local child = process.start({ arguments = { to }, chunk = [[
        local db <close> = require "tuff".open((...))
        db:run("insert into t values (2, 'b')")
        print("open")
        io.read("l")
      ]] })
      child:expect("open")
      errors.expect("busy", copy, { replace = true })
      child:send("close")
      child:finish()
      copy { replace = true }
      assert.are.same({ "a" }, names())
    end)

    it("that is no link, no directory and no device", function()
      assert(lfs.link(directory .. "/nowhere", to, true))
      errors.mentions(refused("misuse", to), "link")
      refused("misuse", to, { replace = true })
      os.remove(to)
      lfs.mkdir(to)
      errors.mentions(refused("misuse", to, { replace = true }), "directory")
      refused("misuse", "/dev/null", { replace = true })
      refused("misuse", directory .. "/")
      refused("misuse", directory .. "/.", { replace = true })
      refused("not_found", directory .. "/none/copy.db")
      refused("not_found", path .. "/copy.db")
      refused("misuse", "")
      refused("misuse", ":memory:")
      refused("misuse", to .. "\0.db")
      refused("range", directory .. "/" .. ("x"):rep(300))
      refused("range", directory .. ("/x"):rep(100000))
    end)

    it("within the root that was given at open", function()
      local root = directory .. "/root"
      lfs.mkdir(root)
      local own <close> = tuff.open(root .. "/a.db", { root = root })
      own:exec("create table t(x)")
      assert(lfs.link(directory, root .. "/out", true))
      for _, name in ipairs { "/../copy.db", "/out/copy.db" } do
        errors.expect("auth", own.backup, own, root .. name, { file = true })
      end
      assert.are.same({ "root" }, beside())
      own:backup(root .. "/copy.db", { file = true })
    end)
  end)

  describe("that was cut off", function()
    --- Copies in another process, which is killed after so many lines of it: before its first
    -- step, between two, when it is done.
    local function kill_after(steps)
      local child = process.start({ arguments = { path, to }, chunk = [[
        local path, to = ...
        local db = require "tuff".open(path)
        io.read("l")
        print("begin")
        db:backup(to, { file = true, replace = true, progress = function() print("step") end })
        print("end")
        io.read("l")
      ]] })
      child:send()
      child:expect("begin")
      for _ = 1, steps do child:read() end
      child:kill()
      child:wait()
    end

    it("leaves the old one whole, and the next one takes away what it left", function()
      db:exec(filling)
      copy()
      for i = 2, soak and 200 or 20 do
        db:run("update t set name = ?", ("%d"):format(i))
        local before = names()[1]
        kill_after(i % 8)
        local now = names()[1]
        assert.is_true(now == before or now == ("%d"):format(i))
        tuff.verify(to, { level = 3 })
      end
      copy { replace = true }
      assert.are.same({ "copy.db" }, beside())
    end)

    it("leaves nothing that is in the way of the next one", function()
      temporary.write(directory .. "/elsewhere", "kept")
      temporary.write(to .. ".tmp", ("rubbish"):rep(10000))
      temporary.write(to .. ".tmp-lock", "")
      copy()
      os.remove(to)
      assert(lfs.link(directory .. "/elsewhere", to .. ".tmp", true))
      copy()
      assert.are.equal("kept", temporary.read(directory .. "/elsewhere"))
      assert.are.same({ "copy.db", "elsewhere" }, beside())
    end)

    it("does not follow a link in place of its lock", function()
      temporary.write(directory .. "/elsewhere", "kept")
      assert(lfs.link(directory .. "/elsewhere", to .. ".tmp-lock", true))
      refused("io", to)
      assert.are.equal("kept", temporary.read(directory .. "/elsewhere"))
    end)
  end)

  describe("of which two are made at once", function()
    it("is that of the first; the second is told to wait", function()
      db:exec(filling)
      local other = fixture.open(path)
      local told = false
      copy { progress = function()
        if told then return end
        told = errors.expect("busy", other.backup, other, to, { file = true, replace = true })
        other:backup(directory .. "/another.db", { file = true })
      end }
      errors.mentions(told, "copy.db")
      assert.are.same({ "a" }, names())
      assert.are.same({ "another.db", "copy.db" }, beside())
    end)

    it("is whole where another process is killed in the middle of it", function()
      db:exec(filling)
      local child = process.start({ arguments = { path, to }, chunk = [[
        local db = require "tuff".open((...))
        db:backup(select(2, ...), { file = true, progress = function()
          print("copying")
          io.read("l")
        end })
      ]] })
      child:expect("copying")
      errors.expect("busy", copy)
      child:kill()
      child:wait()
      copy()
      assert.are.same({ "copy.db" }, beside())
    end)
  end)

  describe("for which", function()
    it("there is no space is the error full, and what was there stays", function()
      local place, reason = disk.small("1m")
      if not place then pending(reason) end
      db:exec(filling)
      local seen = process.start({ wrap = place.wrap, arguments = { path, place.directory },
        chunk = [[
          local tuff = require "tuff"
          local lfs = require "lfs"
          local path, directory = ...
          local db = tuff.open(path)
          local small = tuff.open(":memory:")
          small:exec("create table t(x); insert into t values ('old')")
          small:backup(directory .. "/copy.db", { file = true })
          for i = 1, 3 do
            local good, err = pcall(db.backup, db, directory .. "/copy.db",
              { file = true, replace = true })
            print(good, err.code, err.message:match("copy%.db"))
          end
          do
            local copy <close> = tuff.open(directory .. "/copy.db", { readonly = true })
            print(copy:value("select x from t"))
          end
          for name in lfs.dir(directory) do if name:find("^[^.]") then print(name) end end
          os.remove(directory .. "/copy.db")
          print(pcall(db.backup, db, directory .. "/other.db", { file = true }))
          for name in lfs.dir(directory) do if name:find("^[^.]") then print(name) end end
        ]] }):finish()
      assert.is_truthy(seen:find(("false\tfull\tcopy.db\n"):rep(3) .. "old\ncopy.db\nfalse\t", 1,
        true), seen)
      assert.is_falsy(seen:find("other%.db\n"), seen)
    end)

    it("the database is damaged is refused, and what was there stays", function()
      db:exec(filling)
      copy()
      db:close()
      local bytes = temporary.read(path)
      temporary.write(path, bytes:sub(1, 51200) .. ("\xff"):rep(512) .. bytes:sub(51713))
      db = fixture.open(path)
      local err = refused("corrupt", to, { replace = true })
      errors.mentions(err, "damaged")
      assert.are.same({ "a" }, names())
    end)

    it("foreign keys lead nowhere tells how many", function()
      db:exec [[
        create table parent(name text primary key);
        create table child(note text, name text references parent);
        insert into parent values ('xyz-one'), ('xyz-two');
        insert into child values ('CHILD-', 'xyz-one'), ('CHILD-', 'xyz-two'), ('CHILD-', null);
      ]]
      db:close()
      temporary.write(path, (temporary.read(path):gsub("CHILD%-xyz%-one", "CHILD-xyz-0ne")))
      db = fixture.open(path)
      assert.are.equal(1, copy({ level = 3 }).foreign_key_violations)
      assert.are.equal(1, tuff.verify(to, { level = 3 }).foreign_key_violations)
    end)

    it("the options are wrong is misuse", function()
      errors.mentions(errors.expect("misuse", copy, { progres = print }), "progress")
      errors.expect("misuse", copy, { progress = 1 })
      errors.expect("misuse", copy, { replace = "yes" })
      errors.expect("misuse", copy, { level = 1 })
      errors.expect("misuse", db.backup, db, 5, { file = true })
      errors.expect("misuse", db.backup, db, nil, { file = true })
      errors.expect("misuse", db.backup, db, to, 5)
      errors.expect("misuse", db.backup, to, { file = true })
      assert.are.same({}, beside())
    end)

    it("file = true is not given is not there yet", function()
      for _, options in ipairs { {}, { file = false } } do
        errors.mentions(errors.expect("unsupported", db.backup, db, to, options), "file = true")
      end
      errors.mentions(errors.expect("unsupported", db.backup, db), "file = true")
    end)
  end)
end)
