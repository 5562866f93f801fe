local lfs = require "lfs"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"
local tuff = require "tuff"

describe("verifying a file", function()
  local directory, path

  before_each(function()
    directory = temporary.directory()
    path = directory .. "/library.db"
  end)
  fixture.clean_up()

  local script = [[
    create table t(id integer primary key, name text);
    create index by_name on t(name);
    create table u(x references t);
    insert into t with recursive n(i) as (select 1 union all select i + 1 from n limit 500)
      select i, 'name ' || i from n;
  ]]

  local function make(options)
    local db <close> = tuff.open(path, options)
    db:exec(script)
  end

  --- What is verified stays as it is, and so does everything beside it.
  local function untouched(fn, ...)
    local files, bytes = temporary.list(directory), temporary.read(path)
    local results = table.pack(fn(...))
    assert.are.same(files, temporary.list(directory))
    assert.are.equal(bytes, temporary.read(path))
    return table.unpack(results, 1, results.n)
  end

  local function sound(options)
    return untouched(tuff.verify, path, options)
  end

  local function unsound(code, options)
    return untouched(errors.expect, code, tuff.verify, path, options)
  end

  local function patch(at, bytes)
    local old = temporary.read(path)
    temporary.write(path, old:sub(1, at) .. bytes .. old:sub(at + #bytes + 1))
  end

  describe("that is sound", function()
    it("tells what it holds", function()
      make { page_size = 1024 }
      local report = sound()
      assert.is_true(report.ms > 0)
      report.ms = nil
      assert.are.same({ path = path, kind = "file", level = 2, ok = true, page_size = 1024,
        bytes = temporary.size(path), pages = temporary.size(path) // 1024, tables = 2 }, report)
    end)

    it("counts foreign keys that lead nowhere at level 3", function()
      make()
      assert.are.equal(0, sound({ level = 3 }).foreign_key_violations)
      assert.are.equal(3, sound({ level = 3 }).level)
    end)

    it("leaves nothing beside it, whatever its journal is", function()
      for _, journal in ipairs { "wal", "delete" } do
        make { journal = journal }
        assert.are.same({ "library.db" }, temporary.list(directory))
        for level = 2, 3 do sound { level = level } end
        os.remove(path)
      end
    end)

    it("works where nothing can be written", function()
      local rights, reason = process.without_rights()
      if not rights then pending(reason) end
      for _, journal in ipairs { "wal", "delete" } do
        make { journal = journal }
        assert(os.execute(("chmod 644 %s && chmod 555 %s"):format(path, directory)))
        local seen = process.start({ wrap = rights.wrap, paths = rights.paths,
          arguments = { path }, chunk = [[
            local tuff = require "tuff"
            print(tuff.verify((...)).ok, tuff.verify((...), { level = 3 }).ok)
          ]] }):finish()
        assert(os.execute("chmod 755 " .. directory))
        assert.are.equal("true\ttrue", seen)
        assert.are.same({ "library.db" }, temporary.list(directory))
        os.remove(path)
      end
    end)

    it("is done without functions and collations of the program, but at level 3", function()
      do
        local db <close> = tuff.open(path)
        db:define("double", function(x) return 2 * x end, { deterministic = true, schema = true })
        db:define_collation("backwards", function(a, b) return a < b and 1 or a > b and -1 or 0 end)
        db:exec [[
          create table v(x, y as (double(x)) not null, z text collate backwards unique);
          create table w(z text collate backwards references v(z));
          insert into v(x, z) values (1, 'a'), (2, 'b'); insert into w values ('a');
        ]]
      end
      assert.are.equal(2, sound().tables)
      errors.mentions(unsound("unsupported", { level = 3 }), "double", "level 2")
    end)

    it("tells of a function that is missing where it cannot do without all of them", function()
      do
        local db <close> = tuff.open(path)
        local columns = { "x" }
        for i = 1, 1001 do
          local name = "f" .. i
          db:define(name, function(x) return x end, { deterministic = true, schema = true })
          columns[#columns + 1] = ("y%d as (%s(x)) not null"):format(i, name)
        end
        db:exec("create table v(" .. table.concat(columns, ", ") .. ")")
      end
      errors.mentions(unsound("misuse"), "unknown function")
    end)

    it("follows a link only where that is asked for", function()
      make()
      local link = directory .. "/link.db"
      assert(lfs.link(path, link, true))
      errors.mentions(errors.expect("misuse", tuff.verify, link), "library.db", "follow")
      assert.is_true(tuff.verify(link, { follow = true }).ok)
    end)
  end)

  describe("in use", function()
    it("sees what is committed, in the log too", function()
      local db = fixture.open(path)
      db:exec(script)
      assert.are.equal(2, sound().tables)
      db:transaction(function()
        db:exec("create table later(x)")
        assert.are.equal(2, sound().tables)
      end)
      assert.are.equal(3, sound().tables)
      assert.are.equal(1, db:run("update t set name = 'x' where id = 1"))
    end)

    it("waits for a commit with a rollback journal, and makes no queue for that", function()
      local db = fixture.open(path, { journal = "delete" })
      db:exec(script)
      local child = process.start({ arguments = { path }, chunk = [[
        local db <close> = require "tuff".open((...), { journal = "delete" })
        local tx = db:begin()
        db:run("insert into t(name) values ('b')")
        print("locked")
        io.read("l")
        tx:commit()
      ]] })
      child:expect("locked")
      assert.are.equal(2, tuff.verify(path).tables)
      child:send()
      child:finish()
      assert.is_nil(lfs.attributes(path .. "-queue"))
    end)

    it("is right while others write all the time", function()
      for _, journal in ipairs { "wal", "delete" } do
        make { journal = journal }
        local child = process.start({ arguments = { path, journal }, chunk = [[
          local path, journal = ...
          local tuff = require "tuff"
          print("writing")
          repeat
            do
              local db <close> = tuff.open(path, { journal = journal, durability = "normal" })
              for _ = 1, 10 do db:run("update t set name = name || 'x' where id % 7 = 1") end
              db:run("update t set name = 'name ' || id where id % 7 = 1")
            end
            local asked = io.open(path .. "-stop")
          until asked
        ]] })
        child:expect("writing")
        for i = 1, 20 do
          -- Between two of its connections it may be at rest, and not for long enough.
          local good, err = pcall(tuff.verify, path, { level = 2 + i % 2 })
          assert.is_true(good or err.code == "busy", tostring(err))
        end
        temporary.write(path .. "-stop", "")
        child:finish()
        assert.is_true(tuff.verify(path, { level = 3 }).ok)
        os.remove(path .. "-stop")
        os.remove(path)
      end
    end)
  end)

  describe("that is not", function()
    it("there is not found", function()
      errors.mentions(errors.expect("not_found", tuff.verify, path), "library.db")
      errors.expect("not_found", tuff.verify, directory .. "/none/library.db")
      errors.expect("misuse", tuff.verify, directory)
      errors.expect("misuse", tuff.verify, "/dev/null")
      assert.are.same({}, temporary.list(directory))
    end)

    it("a database is said so", function()
      for _, bytes in ipairs { "", "short", ("plain text\n"):rep(1000), ("\0"):rep(4096) } do
        temporary.write(path, bytes)
        errors.mentions(unsound("notadb"), "library.db")
      end
      errors.expect("notadb", tuff.verify, ":memory:")
    end)

    it("whole is corrupt", function()
      for _, journal in ipairs { "wal", "delete" } do
        make { journal = journal }
        temporary.write(path, temporary.read(path):sub(1, -4097))
        errors.mentions(unsound("corrupt"), "library.db")
        os.remove(path)
      end
    end)

    it("sound is corrupt, and tells where", function()
      for _, journal in ipairs { "wal", "delete" } do
        make { journal = journal }
        patch(4096, ("\xff"):rep(4096))
        errors.mentions(unsound("corrupt"), "library.db", "damaged", "2")
        os.remove(path)
      end
    end)

    it("right in an index is found at level 3 only", function()
      make()
      local bytes = temporary.read(path)
      local _, at = bytes:find("name 77", bytes:find("name 77", 1, true) + 1, true)
      patch(at - 1, "X")
      local report = sound()
      assert.is_true(report.ok)
      errors.mentions(unsound("corrupt", { level = 3 }), "by_name")
    end)

    it("to be read before a transaction is undone says what to do", function()
      make { journal = "delete" }
      local child = process.start({ arguments = { path }, chunk = [[
        local db = require "tuff".open((...), { journal = "delete", cache_bytes = 65536 })
        local tx = db:begin()
        db:exec("create table big(x)")
        for _ = 1, 100 do db:run("insert into big values (zeroblob(5000))") end
        print("half")
        io.read("l")
      ]] })
      child:expect("half")
      child:kill()
      child:wait()
      errors.mentions(unsound("readonly"), "open it")
      tuff.open(path, { journal = "delete" }):close()
      assert.are.equal(2, sound().tables)
    end)

    it("a file is for its server", function()
      errors.expect("unsupported", tuff.verify, "postgres://user@host/app")
    end)
  end)

  it("takes the options that there are", function()
    make()
    errors.mentions(errors.expect("misuse", tuff.verify, path, { levle = 2 }), "level")
    for _, level in ipairs { 1, 4, "2", 2.5 } do
      errors.expect("misuse", tuff.verify, path, { level = level })
    end
    errors.expect("misuse", tuff.verify)
    errors.expect("misuse", tuff.verify, path, 3)
    errors.expect("misuse", tuff.verify, path .. "\0")
    errors.expect("misuse", tuff.verify, "")
  end)

  it("is ended by Ctrl-C", function()
    make()
    for _, where in ipairs { "main", "coroutine" } do
      local child = process.start({ arguments = { path, where }, chunk = [[
        local tuff = require "tuff"
        local path, where = ...
        local function work()
          print("working")
          local good, err
          repeat good, err = pcall(tuff.verify, path) until not good
          print(tuff.is_error(err) and err.code or err)
        end
        if where == "coroutine" then work = coroutine.wrap(work) end
        print(select(2, pcall(work)))
      ]] })
      child:expect("working")
      assert(os.execute("kill -2 " .. child.pid))
      -- In the main thread it may be Lua itself that ends the loop.
      assert.is_truthy(child:finish():find("interrupted"))
    end
  end)
end)
