local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("a script", function(engine)
  local db

  before_each(function() db = engine.database() end)

  local function count(name)
    return db:value("select count(*) from " .. name)
  end

  local function has(name)
    return (pcall(count, name))
  end

  describe("is split", function()
    it("at semicolons, the last of which may be missing", function()
      db:exec("create table t(x integer); insert into t values (1); insert into t values (2)")
      assert.are.equal(2, count("t"))
    end)

    it("not at semicolons in strings, names and comments", function()
      db:exec [[
        create table t(x text, "a;b" text, "c;d" text, "e;f" text); -- one; two 'three
        insert into t values (';', 'it''s; so', 'x''; y', null); /* four; " five */
        insert into t(x) values ('-- no comment; here');
        insert into t(x) values ('/* nor; here');
      ]]
      assert.are.equal(3, count("t"))
      assert.are.equal("it's; so", db:value('select "a;b" from t'))
    end)

    it("and nothing is left out when it is empty or only comments", function()
      for _, empty in ipairs { "", "   \n", ";;;", "-- nothing", "/* nothing */", ";-- x\n;" } do
        db:exec(empty)
      end
      assert.are.equal(1, db:value("select 1"))
    end)

    it("with line ends of any system", function()
      db:exec("create table t(x integer);\r\ninsert into t values (1);\r\n-- c;\r\n"
        .. "insert into t values (2);\r\n")
      assert.are.equal(2, count("t"))
    end)

    it("into thousands of statements", function()
      local parts = { "create table t(x integer);" }
      for n = 1, 5000 do parts[#parts + 1] = ("insert into t values (%d);"):format(n) end
      db:exec(table.concat(parts, "\n"))
      assert.are.equal(5000, count("t"))
    end)

    it("and queries in it may return rows, which are dropped", function()
      db:exec("create table t(x integer); select 1 union all select 2; insert into t values (3);"
        .. " select * from t")
      assert.are.equal(1, count("t"))
    end)
  end)

  describe("is all or nothing", function()
    it("undoes what came before an error", function()
      local err = errors.expect("not_found", db.exec, db, [[
        create table t(x integer);
        insert into t values (1);
        insert into nowhere values (2);
        insert into t values (3);
      ]])
      errors.mentions(err, "nowhere")
      assert.is_false(has("t"))
      assert.is_false(db:in_transaction())
    end)

    it("undoes what came before a syntax error in the last statement", function()
      errors.expect("syntax", db.exec, db, "create table t(x integer); insert into t valeus (1)")
      assert.is_false(has("t"))
    end)

    it("says the line and the column in the script", function()
      local err = errors.expect("syntax", db.exec, db,
        "create table t(x integer);\n-- a comment\ninsert into t values (1);\n  selct 2;\n")
      assert.are.equal(4, err.sql_line)
      assert.are.equal(3, err.sql_column)
    end)

    it("points at the start of the statement where nothing in it is at fault", function()
      local err = errors.expect("constraint", db.exec, db,
        "create table t(x integer unique);\ninsert into t values (1);\n\n  -- again\n"
        .. "  insert into t\n    values (1);\ndrop table t")
      assert.are.same({ 5, 3 }, { err.sql_line, err.sql_column })
      errors.mentions(err, "\n    insert into t\n    ^")
      err = errors.expect("misuse", db.exec, db, "create table t(x integer); select ?")
      assert.are.same({ 1, 28 }, { err.sql_line, err.sql_column })
    end)

    it("undoes only itself inside a transaction", function()
      db:exec("create table t(x integer)")
      db:transaction(function()
        db:run("insert into t values (1)")
        errors.expect("not_found", db.exec, db,
          "insert into t values (2); insert into nowhere values (1)")
        assert.are.equal(1, count("t"))
        db:exec("insert into t values (3); insert into t values (4)")
      end)
      assert.are.same({ 1, 3, 4 }, db:column("select x from t"))
    end)

    it("undoes what it did when a value breaks a constraint", function()
      db:exec("create table t(x integer unique)")
      errors.expect("constraint", db.exec, db,
        "insert into t values (1); insert into t values (2); insert into t values (1)")
      assert.are.equal(0, count("t"))
    end)
  end)

  if engine.supports("server") then
    describe("with functions and triggers of the server", function()
      it("keeps together what stands between dollars", function()
        db:exec(engine.sql [[
          create table t(id {key}, x integer);
          create table log(id {key}, line text);
          create function note() returns trigger language plpgsql as $$
          begin
            insert into log(line) values ('first; ' || new.x); -- end;
            insert into log(line) values ($q$second; '$q$);
            return new;
          end;
          $$;
          create trigger one after insert on t for each row execute function note();
          insert into t(x) values (1);
          insert into t(x) values (2);
          create function f(a int) returns int language sql as $_$ select $1 + 1; $_$;
        ]])
        assert.are.same({ "first; 1", "second; '", "first; 2", "second; '" },
          db:column("select line from log order by id"))
        assert.are.equal(3, db:value("select f(?)", 2))
      end)

      it("keeps together a function whose body is SQL", function()
        db:exec [[
          create table t(x integer);
          create function put(a int) returns void begin atomic
            insert into t values (a); insert into t values (a + 1);
          end;
          select put(1);
        ]]
        assert.are.same({ 1, 2 }, db:column("select x from t order by x"))
      end)

      it("knows its strings with backslashes, and its nested comments", function()
        db:exec [[
          create table t(x text); /* one /* two; */ three; */
          insert into t values (E'it\'s; so'), ('a\'), (U&'\0061;');
          do $do$ begin insert into t values (';'); end $do$;
        ]]
        assert.are.same({ "it's; so", "a\\", "a;", ";" }, db:column("select x from t"))
      end)
    end)
  end

  describe("that steers its own transactions", function()
    it("commits what it commits, also when something later fails", function()
      db:exec("create table t(x integer)")
      errors.expect("not_found", db.exec, db, [[
        begin; insert into t values (1); commit;
        insert into nowhere values (2);
      ]])
      assert.are.equal(1, count("t"))
      assert.is_false(db:in_transaction())
    end)

    it("rolls back what it rolls back", function()
      db:exec [[
        create table t(x integer);
        begin; insert into t values (1); rollback;
        begin transaction; insert into t values (2); end transaction;
      ]]
      assert.are.same({ 2 }, db:column("select x from t"))
      assert.is_false(db:in_transaction())
    end)

    it("may hold VACUUM", function()
      db:exec("create table t(x integer); insert into t values (1); delete from t; vacuum;")
      assert.are.equal(0, count("t"))
    end)

    it("is refused inside a transaction of ours, which goes on", function()
      db:exec("create table t(x integer)")
      db:transaction(function()
        db:run("insert into t values (1)")
        for _, script in ipairs { "begin; insert into t values (2); commit", "commit", "rollback",
          "insert into t values (3); commit;", "end", "savepoint a; release a" } do
          errors.expect("misuse", db.exec, db, script)
        end
        assert.is_true(db:in_transaction())
      end)
      assert.are.same({ 1 }, db:column("select x from t"))
    end)
  end)

  describe("is refused", function()
    it("with parameters, in it or beside it", function()
      db:exec("create table t(x integer)")
      errors.expect("misuse", db.exec, db, "insert into t values (1); insert into t values (?)")
      errors.expect("misuse", db.exec, db, "insert into t values (1); insert into t values (:x)")
      errors.expect("misuse", db.exec, db, "insert into t values (1)", 1)
      assert.are.equal(0, count("t"))
    end)

    it("with a NUL byte in it, and then nothing of it runs", function()
      errors.expect(nil, db.exec, db, "create table t(x integer);\0create table u(x integer)")
      assert.is_false(has("t"))
    end)

    it("when it is not a string", function()
      errors.expect("misuse", db.exec, db)
      errors.expect("misuse", db.exec, db, {})
      errors.expect("misuse", db.exec, db, 5)
    end)

    it("when a text in it is not closed, and then nothing of it runs", function()
      errors.expect(nil, db.exec, db, "create table t(x integer); insert into t values ('open")
      assert.is_false(has("t"))
    end)
  end)
end)

describe("a script with triggers of SQLite", function()
  local db

  before_each(function()
    db = fixture.memory("create table t(id integer primary key, x); create table log(line text)")
  end)
  fixture.clean_up()

  local function count(name)
    return db:value("select count(*) from " .. name)
  end

  local function has(name)
    return db:exists("select 1 from sqlite_master where name = ?", name)
  end

  it("may have any of its quotes around a semicolon", function()
    db:exec [[
      create table q(x text, [a;b] text, `e;f` text); -- one; two 'three
      insert into q values (';', 'it''s; so', null);
    ]]
    assert.are.equal("it's; so", db:value("select [a;b] from q"))
  end)

  it("keeps the statements between begin and end together", function()
    db:exec [[
      create trigger one after insert on t begin
        insert into log values ('first; ' || new.x);
        insert into log values ('second'); -- end;
      end;
      insert into t(x) values ('a');
    ]]
    assert.are.same({ "first; a", "second" }, db:column("select line from log order by rowid"))
  end)

  it("tells the end of a case from the end of the trigger", function()
    db:exec [[
      create trigger one after insert on t
        when case when new.x > 0 then 1 else 0 end = 1
      begin
        insert into log values (case when new.x > 10
          then case new.x when 11 then 'eleven' else 'many' end else 'few' end);
        update t set x = case id when 1 then x else x end where id = new.id;
      end;
      insert into t(x) values (-1), (5), (11), (12);
      create view v as select case when x > 0 then 1 end as positive from t;
    ]]
    assert.are.same({ "few", "eleven", "many" }, db:column("select line from log order by rowid"))
    assert.are.equal(4, count("v"))
  end)

  it("knows them with comments between the words, temporary, and with quoted names", function()
    db:exec [[
      create view v0 as select 1 as x;
      CREATE TEMP TRIGGER IF NOT EXISTS a AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;
      Create Temporary Trigger b Before Delete On t For Each Row Begin Select 1; End;
      create/**/trigger -- c
      main.c instead of update on v0 begin select 1; end;
      create trigger "begin" after update of x on t begin select 1; select 2; end;
      create trigger [end] after update of x on t begin select 1; select 2; end
    ]]
    assert.is_true(has("c"))
    assert.is_true(has("begin"))
    assert.is_true(has("end"))
  end)

  it("is not misled by names that hold begin, end, case or trigger", function()
    db:exec [[
      create table trigger_log(begin_at text, end_at text, "case" text, "end" text);
      create trigger log_end after insert on t begin
        insert into trigger_log(begin_at, end_at, "case", "end") values ('b', 'e', 'c', 'end;');
        update trigger_log set end_at = 'later' where [end] = 'end;';
      end;
      insert into t(x) values (1);
      insert into trigger_log(begin_at) values ('begin; end;');
    ]]
    assert.are.same({ "later" },
      db:column("select end_at from trigger_log where end_at not null"))
    assert.are.equal(2, count("trigger_log"))
  end)

  it("refuses one that is cut, and does nothing", function()
    errors.expect("syntax", db.exec, db, "insert into t(x) values (1);"
      .. " create trigger one after insert on t begin select 1; select 2;")
    assert.are.equal(0, count("t"))
  end)
end)
