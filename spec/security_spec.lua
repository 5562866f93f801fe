local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local hostile = { 'a"b', "a'b", "a`b", "a]b", "[a", "a;b", "a--b", "/* a", "select", "a b", " ",
  'x"); drop table t; --', "x'); drop table t; --", 'x" (id) values (1); drop table t; --',
  "größe", "?", ":a", "in ?", "%s%n", "a\nb", "a\tb", "\\", '"', '""', "1", "*", "a.b",
  ("n"):rep(5000) }

local function quoted(name)
  return '"' .. name:gsub('"', '""') .. '"'
end

local function link(target, path)
  assert(lfs.link(target, path, true))
end

describe("safety", function()
  local directory, path, db

  before_each(function()
    directory = temporary.directory()
    path = directory .. "/library.db"
    db = fixture.open(path)
    db:exec("create table t(id integer primary key, name text); insert into t values (1, 'kept')")
  end)
  fixture.clean_up()

  local function intact()
    assert.are.same({ { id = 1, name = "kept" } }, db:all("select * from t"))
    assert.is_false(db:in_transaction())
  end

  describe("of identifiers", function()
    it("takes hostile names of tables as names", function()
      for _, name in ipairs(hostile) do
        db:exec(("create table %s(id integer primary key, x)"):format(quoted(name)))
        assert.are.equal(1, db:insert(name, { x = "v" }))
        assert.are.equal(2, db:insert_many(name, { { x = "w" }, { id = 1, x = "new" } },
          { on_conflict = "replace" }))
        assert.are.same({ "new", "w" },
          db:column(("select x from %s order by id"):format(quoted(name))))
        intact()
      end
    end)

    it("takes hostile names of columns as names", function()
      for n, name in ipairs(hostile) do
        local own = "c" .. n
        db:exec(("create table %s(id integer primary key, %s text unique)")
          :format(own, quoted(name)))
        db:insert(own, { [name] = "v" })
        assert.are.same({ { [name] = "w" } }, db:insert_many(own, { { [name] = "w" } },
          { on_conflict = "update", key = { name }, returning = { name } }))
        local seen = db:all(("select %s from %s order by id"):format(quoted(name), own))
        assert.are.same({ { [name] = "v" }, { [name] = "w" } }, seen)
        assert.are.same({ "v", "w" },
          db:arrays(("select %s from %s order by id"):format(quoted(name), own))[name])
        local err = errors.expect("constraint", db.insert, db, own, { [name] = "v" })
        assert.are.equal("unique", err.constraint)
        intact()
      end
    end)

    it("answers names that do not exist with an error", function()
      for _, name in ipairs(hostile) do
        errors.expect("not_found", db.insert, db, name, { x = 1 })
        errors.expect("not_found", db.insert_many, db, name, { { x = 1 } })
        errors.expect("not_found", db.insert, db, "t", { [name] = 1 })
        errors.expect("not_found", db.insert_many, db, "t", { { id = 1 } },
          { on_conflict = "update", key = { name } })
        errors.expect("not_found", db.insert_many, db, "t", { { name = "x" } },
          { returning = { name } })
        intact()
      end
    end)

    it("refuses a name with NUL, an empty one, and one that is no text", function()
      for _, name in ipairs { "t\0x", "\0", "t\0", "", "\xff" } do
        errors.expect(nil, db.insert, db, name, { id = 5 })
        errors.expect(nil, db.insert, db, "t", { [name] = 5 })
        intact()
      end
    end)

    it("does not reach another schema by a name with a dot", function()
      errors.expect("not_found", db.insert, db, "main.t", { id = 2 })
      errors.expect(nil, db.insert, db, "sqlite_master", { type = "table", name = "x" })
      intact()
    end)
  end)

  describe("of pragmas", function()
    it("refuses those that would endanger the data", function()
      for _, pragma in ipairs { "journal_mode = memory", "journal_mode = off", "synchronous = off",
        "writable_schema = on", "writable_schema(1)", "main.journal_mode = memory",
        "locking_mode = exclusive",
        "wal_autocheckpoint = 1000", "wal_checkpoint(truncate)", "schema_version = 99",
        "mmap_size = 1000000", "temp_store_directory = '/'", "hard_heap_limit = 1000",
        "cell_size_check = off" } do
        for _, sql in ipairs { "pragma " .. pragma, "PRAGMA/**/" .. pragma,
          " -- c\n pragma\n" .. pragma .. ";" } do
          errors.expect("auth", db.run, db, sql)
          errors.expect("auth", db.exec, db, sql)
          errors.expect("auth", db.exec, db, "delete from t; " .. sql)
          errors.expect("auth", db.prepare, db, sql)
        end
      end
      intact()
      assert.are.equal("wal", db:value("pragma journal_mode"))
      assert.are.equal(1, db:value("pragma foreign_keys"))
    end)

    it("keeps the constraints switched on", function()
      for _, pragma in ipairs { "foreign_keys = off", "foreign_keys(0)",
        "ignore_check_constraints = on" } do
        errors.expect("auth", db.run, db, "pragma " .. pragma)
        errors.expect("auth", db.exec, db, "delete from t; pragma " .. pragma)
      end
      intact()
    end)

    it("allows those that only tell", function()
      assert.are.same({ "id", "name" }, db:column("select name from pragma_table_info('t')"))
      assert.are.equal(2, #db:all("pragma table_info(t)"))
      assert.are.equal("ok", db:value("pragma integrity_check"))
      assert.are.same({}, db:all("pragma foreign_key_check"))
      assert.is_truthy(db:value("pragma page_size"))
    end)

    it("allows the number that a script may give to its file", function()
      db:run("pragma user_version = 7")
      assert.are.equal(7, db:value("pragma user_version"))
    end)
  end)

  describe("of other files", function()
    it("refuses ATTACH, DETACH and VACUUM INTO, and touches no file", function()
      local other = directory .. "/other.db"
      for _, sql in ipairs { "attach '%s' as o", "ATTACH DATABASE '%s' AS o", "attach'%s'as o",
        "vacuum into '%s'", "vacuum main into '%s'" } do
        errors.expect("auth", db.run, db, sql:format(other))
        errors.expect("auth", db.exec, db, sql:format(other))
      end
      errors.expect("auth", db.run, db, "attach ? as o", other)
      errors.expect("auth", db.run, db, "vacuum into ?", other)
      errors.expect(nil, db.run, db, "detach o")
      assert.is_nil(lfs.attributes(other))
      intact()
    end)

    it("refuses to load an extension or a tokenizer by SQL", function()
      errors.expect(nil, db.value, db, "select load_extension('x')")
      errors.expect(nil, db.value, db, "select load_extension('x', 'y')")
      errors.expect(nil, db.value, db, "select fts3_tokenizer('simple', x'4141414141414141')")
      intact()
    end)

    it("refuses changes of the schema's own tables", function()
      for _, sql in ipairs { "delete from sqlite_master", "update sqlite_master set sql = 'x'",
        "insert into sqlite_schema(name) values ('x')", "drop table sqlite_master" } do
        errors.expect(nil, db.run, db, sql)
      end
      intact()
    end)
  end)

  describe("of modes", function()
    it("keeps every file to its owner, whatever the umask", function()
      local own = temporary.directory()
      local child = process.start({ directory = own, umask = "000", chunk = [[
        local tuff = require "tuff"
        local one = tuff.open("new.db")
        one:exec("create table t(x)")
        print("open")
        io.read("l")
        one:close()
      ]] })
      child:expect("open")
      local names = temporary.list(own)
      assert.is_true(#names >= 3)
      for _, name in ipairs(names) do
        assert.are.equal("rw-------", lfs.attributes(own .. "/" .. name, "permissions"), name)
      end
      child:send("close")
      child:finish()
      assert.are.equal("rw-------", lfs.attributes(own .. "/new.db", "permissions"))
    end)
  end)

  describe("of links", function()
    it("refuses a link that leads nowhere, and creates nothing there", function()
      link(directory .. "/target.db", directory .. "/link.db")
      errors.expect("misuse", tuff.open, directory .. "/link.db")
      assert.is_nil(lfs.attributes(directory .. "/target.db"))
    end)

    it("refuses a link to a database, also to read", function()
      link(path, directory .. "/link.db")
      errors.expect("misuse", tuff.open, directory .. "/link.db")
      errors.expect("misuse", tuff.open, directory .. "/link.db", { readonly = true })
      errors.expect("misuse", tuff.open, directory .. "/link.db", { create = false })
      intact()
    end)

    it("refuses a circle of links", function()
      link(directory .. "/b.db", directory .. "/a.db")
      link(directory .. "/a.db", directory .. "/b.db")
      errors.expect(nil, tuff.open, directory .. "/a.db")
      errors.expect(nil, tuff.open, directory .. "/a.db", { follow = true })
    end)
  end)

  describe("of the root", function()
    local root

    before_each(function()
      root = directory .. "/root"
      assert(lfs.mkdir(root))
      assert(lfs.mkdir(root .. "/inside"))
      assert(lfs.mkdir(directory .. "/root2"))
    end)

    local function refused(where, options)
      local merged = { root = root }
      for key, value in pairs(options or {}) do merged[key] = value end
      errors.expect(nil, tuff.open, where, merged)
    end

    it("lets databases inside be opened", function()
      for _, name in ipairs { "/a.db", "/inside/b.db", "/inside/../c.db", "/./d.db" } do
        local own <close> = tuff.open(root .. name, { root = root })
        own:exec("create table x(y)")
      end
      assert.are.same({ "a.db", "c.db", "d.db", "inside" }, temporary.list(root))
    end)

    it("keeps out what leads outside", function()
      refused(path)
      refused(root .. "/../library.db")
      refused(root .. "/../new.db")
      refused(root .. "/inside/../../new.db")
      refused(directory .. "/root2/new.db")
      refused(directory .. "/root.db")
      refused("/etc/passwd")
      assert.are.same({}, temporary.list(root .. "/inside"))
      assert.are.same({}, temporary.list(directory .. "/root2"))
      assert.is_nil(lfs.attributes(directory .. "/new.db"))
    end)

    it("keeps out what a link leads to", function()
      link(directory, root .. "/out")
      link(path, root .. "/library.db")
      refused(root .. "/out/library.db")
      refused(root .. "/out/new.db")
      refused(root .. "/library.db")
      refused(root .. "/library.db", { follow = true })
      assert.is_nil(lfs.attributes(directory .. "/new.db"))
      intact()
    end)

    it("must be a directory that is there", function()
      errors.expect(nil, tuff.open, root .. "/a.db", { root = directory .. "/none" })
      errors.expect(nil, tuff.open, root .. "/a.db", { root = "" })
    end)

    it("says what is wrong without the whole of a long path", function()
      local ok, err = pcall(tuff.open, "/" .. ("x"):rep(100000), { root = root })
      assert.is_false(ok)
      assert.is_true(tuff.is_error(err))
      assert.is_true(#tostring(err) < 10000)
    end)
  end)

  describe("of a database that somebody else made", function()
    it("opens one whose file holds hostile SQL in its schema, and runs none of it", function()
      db:exec [[
        create view trap as select load_extension('evil') as x;
        create table bait(x);
        create trigger spring after insert on bait begin
          select fts3_tokenizer('simple', x'4141414141414141');
        end;
      ]]
      local own <close> = tuff.open(path)
      errors.expect(nil, own.all, own, "select * from trap")
      errors.expect(nil, own.insert, own, "bait", { x = 1 })
      assert.are.equal(0, own:value("select count(*) from bait"))
      intact()
    end)

    it("ends an endless recursion by its deadline", function()
      local own <close> = tuff.open(path, { timeout = 30 })
      db:exec("create view forever as with recursive c(n) as "
        .. "(select 1 union all select n + 1 from c) select n from c")
      errors.expect("timeout", own.value, own, "select count(*) from forever")
      errors.expect("timeout", function()
        for _ in own:rows("select n from forever where n < 0") do error("a row") end
      end)
      intact()
    end)
  end)
end)
