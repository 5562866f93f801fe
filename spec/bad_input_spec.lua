local lfs = require "lfs"
local tuff = require "tuff"
local disk = require "spec.support.disk"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

--- Makes a function that makes a call which must fail, and checks that nothing changed and that
-- everything works: content(connection) tells what there is, open() gives another connection.
local function harmless_on(db, content, open)
  return function(codes, fn, ...)
    local before = content(db)
    local err = errors.expect(codes, fn, ...)
    assert.is_false(db:in_transaction())
    assert.are.same(before, content(db))
    do
      local other <close> = open()
      assert.are.same(before, content(other))
      other:run("insert into t values (1000, 'other', 0)")
    end
    assert.are.equal(1, db:run("delete from t where id = 1000"))
    db:transaction(function() db:run("update t set score = score") end)
    return err
  end
end

fixture.each_engine("bad input", function(engine)
  local db, harmless

  before_each(function()
    db = engine.database [[
      create table t(id integer primary key, name text not null, score {real});
      insert into t values (1, 'a', 1.5), (2, 'b', 2.5);
    ]]
    harmless = harmless_on(db, function(connection)
      return connection:all("select * from t order by id")
    end, engine.open)
  end)

  describe("in SQL", function()
    it("as a syntax error has a line, a column and a caret", function()
      local err = harmless("syntax", db.run, db, "update t\nset name = 'x'\n whree id = 1")
      assert.are.same({ 3, 2 }, { err.sql_line, err.sql_column })
      assert.is_truthy(tostring(err):find("\n%s*%^"))
      harmless("syntax", db.exec, db, "delete from t; delte from t")
      harmless("syntax", db.all, db, "select (")
      harmless(nil, db.all, db, "delete from t where name = 'x")
    end)

    it("as the wrong number or names of parameters is misuse", function()
      local sql = "update t set name = ? where id = ?"
      harmless("misuse", db.run, db, sql)
      harmless("misuse", db.run, db, sql, "x")
      harmless("misuse", db.run, db, sql, "x", 1, 2)
      harmless("misuse", db.run, db, "update t set name = :name", { nmae = "x" })
      harmless("misuse", db.run, db, "update t set name = :name", { name = "x", id = 1 })
    end)

    it("as a table, a column or a function that does not exist is not found", function()
      harmless("not_found", db.run, db, "delete from nowhere")
      harmless("not_found", db.run, db, "update t set missing = 1")
      harmless("not_found", db.run, db, "update t set name = missing(1)")
      harmless("not_found", db.insert, db, "nowhere", { id = 1 })
    end)
  end)

  describe("as a value", function()
    local function store(codes, value)
      harmless(codes, db.run, db, "update t set name = ?", value)
      harmless(codes, db.run, db, "update t set name = :v", { v = value })
      harmless(codes, db.insert, db, "t", { id = 3, name = value })
      harmless(codes, db.insert_many, db, "t",
        { { id = 3, name = "good" }, { id = 4, name = value } })
    end

    it("of a type that no column holds is a type error", function()
      store("type", print)
      store("type", coroutine.create(print))
      store("type", io.stdout)
    end)

    it("that is no number is a range error", function()
      store("range", 0 / 0)
      store("range", -(0 / 0))
    end)

    it("with NUL in text, or with bytes that are no text, is a type error", function()
      store("type", "a\0b")
      store("type", "\0")
      store("type", "\xff\xfe")
    end)

    it("with a fraction as a key is a type error, by every way to store it", function()
      harmless("type", db.run, db, "insert into t values (?, 'x', 0)", 1.5)
      harmless("type", db.insert, db, "t", { id = 1.5, name = "x" })
      harmless("type", db.insert_many, db, "t",
        { { id = 3, name = "x" }, { id = 1.5, name = "y" } })
      harmless("type", db.run, db, "insert into t values (?, 'x', 0)", 1e300)
    end)
  end)

  describe("to a closed handle", function()
    it("is the error closed, for statements, transactions and connections", function()
      local stmt, tx = db:prepare("update t set score = 0"), db:begin()
      stmt:close()
      tx:rollback()
      harmless("closed", stmt.run, stmt)
      harmless("closed", tx.commit, tx)
      local own = engine.open()
      own:close()
      harmless("closed", own.run, own, "update t set score = 0")
    end)
  end)

  if not engine.supports("continue_after_error") then
    describe("at depth 3 of a transaction", function()
      it("ends that depth alone, and is raised by its end where it was caught", function()
        local first, second, inner, middle
        db:transaction(function()
          db:run("insert into t values (10, 'outer', 0)")
          middle = errors.expect("constraint", db.transaction, db, function()
            db:run("insert into t values (11, 'middle', 0)")
            inner = errors.expect("constraint", db.transaction, db, function()
              db:run("insert into t values (12, 'inner', 0)")
              local _
              _, first = pcall(db.run, db, "insert into t values (1, 'again', 0)")
              second = errors.expect("transaction_aborted", db.run, db, "delete from t")
              errors.expect("transaction_aborted", db.exec, db, "delete from t")
              errors.expect("transaction_aborted", db.insert, db, "t", { id = 20, name = "x" })
              errors.expect("transaction_aborted", db.value, db, "select 1")
            end)
            db:run("insert into t values (13, 'middle', 0)")
            error(inner)
          end)
          db:run("insert into t values (14, 'outer', 0)")
        end)
        assert.is_true(rawequal(first, inner))
        assert.is_true(rawequal(first, middle))
        assert.is_true(rawequal(first, second.cause))
        assert.are.same({ 1, 2, 10, 14 }, db:column("select id from t order by id"))
      end)

      it("is raised at the end of all where no depth lets it out", function()
        local first
        local err = harmless("constraint", db.transaction, db, function()
          local _
          _, first = pcall(db.run, db, "insert into t values (1, 'again', 0)")
          pcall(db.transaction, db, function() db:run("delete from t") end)
          pcall(db.run, db, "delete from t")
        end)
        assert.is_true(rawequal(first, err))
      end)

      it("is not tried again, and calls what was asked for a rollback", function()
        local runs, rolled, committed = 0, 0, 0
        harmless("constraint", db.transaction, db, { retry = 5 }, function()
          runs = runs + 1
          db:after_rollback(function() rolled = rolled + 1 end)
          db:after_commit(function() committed = committed + 1 end)
          db:transaction(function()
            db:transaction(function() db:run("insert into t values (1, 'again', 0)") end)
          end)
        end)
        assert.are.same({ 1, 1, 0 }, { runs, rolled, committed })
      end)

      it("closes the loops that were open in it, and no others", function()
        local seen = 0
        db:transaction(function()
          for _ in db:rows("select id from t") do
            seen = seen + 1
            errors.expect("closed", db.transaction, db, function()
              for _ in db:rows("select id from t") do
                pcall(db.run, db, "insert into t values (1, 'again', 0)")
              end
            end)
          end
        end)
        assert.are.equal(2, seen)
      end)
    end)
  end

  describe("as an argument", function()
    it("of a wrong type is misuse, in every function that takes a table", function()
      harmless("misuse", db.insert, db)
      harmless("misuse", db.insert, db, 5, { id = 1 })
      harmless("misuse", db.insert, db, "t")
      harmless("misuse", db.insert, db, "t", "row")
      harmless({ "misuse", "not_found" }, db.insert, db, "t", { "by position" })
      harmless("misuse", db.insert_many, db, "t", 5)
      harmless("misuse", db.insert_many, db, "t", { { id = 5, name = "x" }, 5 })
      harmless("misuse", db.using, db, "fast")
      harmless("misuse", db.run, db, nil)
    end)

    it("with a name of any length or bytes makes a short message that shows it", function()
      local long, nul = ("é"):rep(5000), "a\0b"
      local cut = ("é"):rep(50) .. "..."
      local function refused(code, name, shown, ...)
        local err = harmless(code, ...)
        errors.mentions(err, shown)
        assert.is_true(#err.message < 250)
        assert.is_nil(err.message:find(name, 1, true))
        assert.is_truthy(utf8.len(err.message))
      end
      for name, shown in pairs { [long] = cut, ["x" .. long] = "x" .. ("é"):rep(49) .. "...",
        [nul] = "a\\0b" } do
        refused("misuse", name, shown, db.row, db, "select :a", { [name] = 1 })
        refused("not_found", name, shown, db.insert, db, "t", { [name] = 1 })
        if name ~= nul then refused("not_found", name, shown, db.insert, db, name, {}) end
        refused("not_found", name, shown, db.insert_many, db, "t", {}, { returning = name })
        refused("misuse", name, shown, db.using, db, { [name] = 1 })
      end
    end)

    it("of a method called with a dot is misuse, which names that method", function()
      local tx = db:begin()
      for object, methods in pairs {
        [db] = { "reader", "insert", "insert_many", "transaction", "read", "begin", "using",
          "after_commit", "after_rollback", "close" },
        [tx] = { "commit", "rollback", "is_open" },
        [db:using {}] = { "all", "run" },
      } do
        for _, method in ipairs(methods) do
          for _, wrong in ipairs { false, "t", {}, function() end } do
            local err = errors.expect("misuse", object[method], wrong, "t", {})
            errors.mentions(err, method .. " is a method of", "colon")
          end
        end
      end
      tx:rollback()
    end)
  end)
end)

describe("bad input to a file", function()
  local directory, path, db, harmless

  before_each(function()
    directory = temporary.directory()
    path = directory .. "/library.db"
    db = fixture.open(path)
    db:exec [[
      create table t(id integer primary key, name text not null, score real);
      create table log(line text);
      insert into t values (1, 'a', 1.5), (2, 'b', 2.5);
      create trigger no_evil before insert on t when new.name = 'evil' begin
        insert into log values ('tried');
        select raise(rollback, 'no evil');
      end;
    ]]
    harmless = harmless_on(db, function(connection)
      return {
        t = connection:all("select * from t order by id"),
        log = connection:all("select * from log"),
        schema = connection:all("select name, sql from sqlite_master order by name"),
      }
    end, function() return tuff.open(path) end)
  end)
  fixture.clean_up()

  describe("as a file", function()
    it("that is missing is not found when it may not be created", function()
      local err = harmless("not_found", tuff.open, directory .. "/none.db", { create = false })
      errors.mentions(err, "none.db")
      assert.is_nil(lfs.attributes(directory .. "/none.db"))
    end)

    it("that is a directory is misuse", function()
      errors.mentions(harmless("misuse", tuff.open, directory), directory)
    end)

    it("that is a symbolic link at the end of the path is misuse", function()
      assert(lfs.link(path, directory .. "/link.db", true))
      errors.mentions(harmless("misuse", tuff.open, directory .. "/link.db"), "link.db")
    end)

    it("that is no database is notadb, and keeps its bytes", function()
      for name, bytes in pairs { ["text.db"] = ("text "):rep(1000), ["short.db"] = "x",
        ["zero.db"] = ("\0"):rep(4096),
        ["header.db"] = "SQLite format 3\0" .. ("\xff"):rep(4080) } do
        local file = directory .. "/" .. name
        temporary.write(file, bytes)
        errors.mentions(harmless({ "notadb", "corrupt" }, tuff.open, file), name)
        assert.is_true(bytes == temporary.read(file))
        assert.is_nil(lfs.attributes(file .. "-wal"))
      end
    end)

    it("with a path of 100 KB is an error that stays short", function()
      for _, long in ipairs { directory .. "/" .. ("x"):rep(100000), "/" .. ("d/"):rep(50000),
        ("x"):rep(100000) } do
        local err = harmless(nil, tuff.open, long)
        assert.is_true(#err.message < 2000)
        assert.is_true(#tostring(err) < 10000)
      end
    end)

    it("in a directory where nothing may be written is an error that names it", function()
      local user, reason = process.without_rights()
      if not user then pending("a read-only directory: " .. reason) end
      local closed = temporary.directory()
      do
        local own <close> = tuff.open(closed .. "/old.db")
        own:exec("create table t(x); insert into t values (1)")
      end
      assert(process.succeeds(("chmod 444 %s/old.db && chmod 555 %s"):format(closed, closed)))
      user.arguments = { closed }
      user.chunk = [[
        local tuff = require "tuff"
        local directory = ...
        local ok, err = pcall(tuff.open, directory .. "/new.db")
        print(ok, tuff.is_error(err), err.code, err.message:find("new.db", 1, true) ~= nil)
        ok, err = pcall(function()
          local db <close> = tuff.open(directory .. "/old.db")
          db:run("insert into t values (2)")
        end)
        print(ok, tuff.is_error(err), err.code == "io" or err.code == "readonly")
      ]]
      local seen = process.start(user):finish()
      local names = temporary.list(closed)
      assert(process.succeeds("chmod 755 " .. closed))
      assert.are.equal("false\ttrue\tio\ttrue\nfalse\ttrue\ttrue", seen)
      assert.are.same({ "old.db" }, names)
      local own <close> = tuff.open(closed .. "/old.db", { readonly = true })
      assert.are.equal(1, own:value("select count(*) from t"))
    end)
  end)

  describe("on a full disk", function()
    it("is the error full, and keeps all that was committed", function()
      local place, reason = disk.small("1m")
      if not place then pending(reason) end
      local seen = process.start({ wrap = place.wrap, arguments = { place.directory }, chunk = [[
        local tuff = require "tuff"
        local path = ... .. "/full.db"
        local db = tuff.open(path)
        db:exec("create table t(id integer primary key, data blob)")
        local acknowledged, err = 0, nil
        for id = 1, 1000 do
          local ok, failure = pcall(db.transaction, db, function()
            db:run("insert into t values (?, zeroblob(4000))", 2 * id - 1)
            db:run("insert into t values (?, zeroblob(4000))", 2 * id)
          end)
          if not ok then err = failure break end
          acknowledged = acknowledged + 2
        end
        print(tuff.is_error(err), err.code, db:in_transaction())
        print(acknowledged > 10, db:value("select count(*) from t") == acknowledged)
        local all = 0
        local ok, failure = pcall(db.transaction, db, function()
          for id = 5001, 6000 do
            pcall(db.run, db, "insert into t values (?, zeroblob(4000))", id)
            all = all + 1
          end
        end)
        print(ok, failure.code, all)
        print(db:value("select count(*) from t") == acknowledged)
        ok, failure = pcall(db.exec, db,
          "create table u(x); insert into u values (zeroblob(3000000))")
        print(ok, failure.code, db:exists("select 1 from sqlite_master where name = 'u'"))
        ok, failure = pcall(db.insert_many, db, "t", coroutine.wrap(function()
          for _ = 1, 2000 do coroutine.yield { data = ("x"):rep(4000) } end
        end))
        print(ok, failure.code, db:value("select count(*) from t") == acknowledged)
        db:close()
        db = tuff.open(path)
        print(db:value("select count(*) from t") == acknowledged)
        print(db:value("pragma integrity_check"))
        db:close()
      ]] }):finish()
      assert.are.equal("true\tfull\tfalse\ntrue\ttrue\nfalse\tfull\t1000\ntrue\n"
        .. "false\tfull\tfalse\nfalse\tfull\ttrue\ntrue\nok", seen)
    end)
  end)

  describe("that makes the engine roll back at depth 3", function()
    local function deep(statement, ...)
      local arguments = table.pack(...)
      local first, second, third
      local err = harmless("constraint", db.transaction, db, function()
        db:run("insert into t values (10, 'outer', 0)")
        db:transaction(function()
          db:run("insert into t values (11, 'middle', 0)")
          db:transaction(function()
            db:run("insert into t values (12, 'inner', 0)")
            local _
            _, first = pcall(db.run, db, statement, table.unpack(arguments, 1, arguments.n))
            second = errors.expect("transaction_aborted", db.run, db, "delete from t")
            errors.expect("transaction_aborted", db.exec, db, "delete from t")
            errors.expect("transaction_aborted", db.insert, db, "t", { id = 20, name = "x" })
          end)
        end)
        third = "went on"
      end)
      assert.is_true(rawequal(first, err))
      assert.is_true(rawequal(first, second.cause))
      assert.is_nil(third)
      return err
    end

    it("by insert or rollback shows the first error, and runs nothing outside", function()
      local err = deep("insert or rollback into t values (?, 'again', 0)", 1)
      assert.are.equal("primary_key", err.constraint)
    end)

    it("by raise(rollback) shows the first error, and runs nothing outside", function()
      local err = deep("insert into t values (13, ?, 0)", "evil")
      errors.mentions(err, "no evil")
    end)

    it("is raised at the end when the function swallows everything", function()
      local first
      local function swallow(depth)
        pcall(db.transaction, db, function()
          if depth < 3 then
            swallow(depth + 1)
          else
            local _
            _, first = pcall(db.run, db, "insert or rollback into t values (1, 'again', 0)")
          end
          pcall(db.run, db, "delete from t")
        end)
      end
      local err = harmless("constraint", db.transaction, db, function()
        swallow(2)
        pcall(db.run, db, "delete from t")
      end)
      assert.is_true(rawequal(first, err))
    end)

    it("is not tried again, and calls what was asked for a rollback", function()
      local runs, rolled, committed = 0, 0, 0
      harmless("constraint", db.transaction, db, { retry = 5 }, function()
        runs = runs + 1
        db:after_rollback(function() rolled = rolled + 1 end)
        db:after_commit(function() committed = committed + 1 end)
        db:transaction(function()
          db:transaction(function()
            db:run("insert or rollback into t values (1, 'again', 0)")
          end)
        end)
      end)
      assert.are.same({ 1, 1, 0 }, { runs, rolled, committed })
    end)

    it("closes the loops that were open in it", function()
      harmless("constraint", db.transaction, db, function()
        for _ in db:rows("select id from t") do
          db:transaction(function()
            db:transaction(function()
              db:run("insert or rollback into t values (1, 'again', 0)")
            end)
          end)
        end
      end)
    end)
  end)
end)
