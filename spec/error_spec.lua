local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

--- What the caret in the text of an error points at: the rest of the line above it.
local function pointed_at(err)
  local above
  for line in (tostring(err) .. "\n"):gmatch("(.-)\n") do
    local caret = line:match("^%s*()%^%s*$")
    if caret then return above:sub(caret) end
    above = line
  end
end

--- The number of the line that calls this.
local function here()
  return debug.getinfo(2, "l").currentline
end

fixture.each_engine("an error", function(engine)
  local db

  before_each(function()
    db = engine.database [[
      create table images(id integer primary key, path text not null unique,
        score {real} constraint score_range check (score between 0 and 10));
      create table pairs(a integer, b text, "c d" text, primary key (a, b), unique (b, "c d"));
      create table children(image integer references images(id), plenty integer check (plenty > 5),
        late integer references images(id) deferrable initially deferred);
      create table odd("""a,b" text unique);
      create table words(word text);
      create unique index words_by_length on words(length(word));
      insert into images values (1, 'a.png', 5);
      insert into pairs values (1, 'x', 'y');
      insert into words values ('x');
      insert into odd values ('x');
      insert into children(image) values (1);
    ]]
  end)

  describe("is the same for the same mistake,", function()
    --- Of each: a name, the SQL, what the error says on every engine, and what it says beside that
    -- where the engine tells more of a constraint.
    local constraints = {
      { "a value of a unique column", "insert into images(id, path) values (2, 'a.png')",
        { constraint = "unique", table = "images", columns = { "path" } },
        { constraint_name = "images_path_key" } },
      { "a value of a unique column, by update", "update images set path = 'a.png'",
        before = "insert into images(id, path) values (2, 'b.png')",
        { constraint = "unique", table = "images", columns = { "path" } }, {} },
      { "values of a unique key", "insert into pairs values (2, 'x', 'y')",
        { constraint = "unique", table = "pairs", columns = { "b", "c d" } }, {} },
      { "a value of a column whose name needs quotes", "insert into odd values ('x')",
        { constraint = "unique", table = "odd", columns = { '"a,b' } }, {} },
      { "an entry of a unique index over an expression", "insert into words values ('y')",
        { constraint = "unique", constraint_name = "words_by_length" }, { table = "words" } },
      { "a primary key", "insert into images(id, path) values (1, 'b')",
        { constraint = "primary_key", table = "images", columns = { "id" } },
        { constraint_name = "images_pkey" } },
      { "a primary key of several columns", "insert into pairs values (1, 'x', 'z')",
        { constraint = "primary_key", table = "pairs", columns = { "a", "b" } }, {} },
      { "NULL in a column that is not null", "insert into images(id) values (2)",
        { constraint = "not_null", table = "images", columns = { "path" } }, {} },
      { "NULL in a column that is not null, by update", "update images set path = null",
        { constraint = "not_null", table = "images", columns = { "path" } }, {} },
      { "a check with a name", "update images set score = 11",
        { constraint = "check", constraint_name = "score_range" }, { table = "images" } },
      { "a check without a name", "update children set plenty = 1", { constraint = "check" },
        { table = "children", constraint_name = "children_plenty_check" } },
      { "a foreign key", "insert into children(image) values (99)", { constraint = "foreign_key" },
        { table = "children", columns = { "image" },
          constraint_name = "children_image_fkey" } },
      { "a foreign key, by delete", "delete from images", { constraint = "foreign_key" },
        { table = "children", constraint_name = "children_image_fkey" } },
      { "a deferred foreign key", "insert into children(late) values (99)",
        { constraint = "foreign_key" },
        { table = "children", columns = { "late" }, constraint_name = "children_late_fkey" } },
    }

    local function check_constraint(err, mistake)
      for field, value in pairs(mistake[3]) do assert.are.same(value, err[field], field) end
      if engine.supports("constraint_names") then
        for field, value in pairs(mistake[4]) do assert.are.same(value, err[field], field) end
        assert.is_truthy(err.constraint_name or err.constraint == "not_null")
        assert.is_string(err.table)
      end
      assert.is_false(err.retryable)
      assert.is_truthy(err.native)
      assert.is_nil(err.sql_line)
    end

    for _, mistake in ipairs(constraints) do
      it(mistake[1], function()
        if mistake.before then db:exec(mistake.before) end
        local err = errors.expect("constraint", db.run, db, mistake[2])
        check_constraint(err, mistake)
        assert.are.equal(mistake[2], err.sql)
        errors.expect("constraint", db.exec, db, mistake[2])
        assert.is_false(db:in_transaction())
      end)

      it(mistake[1] .. ", in a transaction", function()
        if mistake.before then db:exec(mistake.before) end
        local err = errors.expect("constraint", db.transaction, db, function()
          db:run(mistake[2])
        end)
        check_constraint(err, mistake)
      end)
    end

    local function says_row(number, codes, ...)
      local err = errors.expect(codes, db.insert_many, db, ...)
      assert.are.equal(number, err.row)
      return err
    end

    it("a row of many", function()
      local fine, also = { id = 2, path = "b" }, { id = 3, path = "c" }
      local err = says_row(3, "constraint", "images", { fine, also, { id = 4, path = "c" } })
      assert.are.same({ "unique", "images", { "path" } },
        { err.constraint, err.table, err.columns })
      err = says_row(2, "constraint", "images", { fine, { id = 2, path = "c" } })
      assert.are.same({ "primary_key", { "id" } }, { err.constraint, err.columns })
      err = says_row(3, "constraint", "images", { fine, also, { id = 4, path = tuff.null } })
      assert.are.equal("not_null", err.constraint)
      err = says_row(1, "constraint", "images", { { id = 2, path = "b", score = 11 }, also })
      assert.are.same({ "check", "score_range" }, { err.constraint, err.constraint_name })
      err = says_row(2, "constraint", "children", { { image = 1 }, { image = 99 } })
      assert.are.equal("foreign_key", err.constraint)
      says_row(2, "type", "images", { fine, { id = "x", path = "c" } })
      says_row(2, "type", "images", { fine, { id = 3, path = "\0" } })
      says_row(2, "range", "images", { fine, { id = 3, path = "c", score = 0 / 0 } })
      says_row(2, "not_found", "images", { fine, { id = 3, path = "c", scroe = 1 } })
      says_row(2, "misuse", "images", { fine, 5 })
      assert.are.equal(1, db:value("select count(*) from images"))
    end)

    --- Of each: the code, what is wrong, the SQL, and what the caret points at: its rest.
    local others = {
      { "syntax", "a word that is none", "selct 1", "selct 1" },
      { "syntax", "a word that is missing", "select * from images whre id = 1", "id = 1" },
      { "syntax", "an end that comes too early", "select (1 + 2" },
      { "syntax", "a string that has no end", "select 'abc" },
      { "syntax", "too few values", "insert into images(id, path) values (1)" },
      { "syntax", "too many values", "insert into images(id) values (1, 2)" },
      { "syntax", "unions of different width", "select 1 union select 1, 2" },
      { "not_found", "a table", "select * from\n  imagse", nil, "imagse" },
      { "not_found", "a table to write to", "delete from imagse", nil, "imagse" },
      { "not_found", "a table to drop", "drop table imagse", nil, "imagse" },
      { "not_found", "an index to drop", "drop index no_index", nil, "no_index" },
      { "not_found", "a column", "select id,\n nmae from images", "nmae from images", "nmae" },
      { "not_found", "a column to write to", "update images set scroe = 1", nil, "scroe" },
      { "not_found", "a column to fill", "insert into images(nmae) values ('x')", nil, "nmae" },
      { "not_found", "a column of a table with an alias", "select i.nmae from images i",
        "i.nmae from images i", "nmae" },
      { "not_found", "a function", "select 1, nope(1)", nil, "nope" },
      { "not_found", "a function with so many arguments", "select abs(1, 2)", nil, "abs" },
      { "not_found", "a collation", "select path from images order by path collate nope", nil,
        "nope" },
      { "misuse", "a table that is there already", "create table images(id integer)", nil,
        "images" },
      { "misuse", "a column that is there already", "alter table images add column path text", nil,
        "path" },
      { "misuse", "a column of several tables", "select id from images, images as other", nil,
        "id" },
      { "misuse", "an aggregate where none can be", "select id from images where count(*) > 1" },
      { "misuse", "a value for no parameter", "select 1", args = { 1 } },
      { "misuse", "no value for a parameter", "select id from images where id = ?" },
      { "misuse", "a name without a value", "select id from images where id = :id", args = { {} } },
      { "misuse", "several statements", "select 1; select 2" },
      { "misuse", "no statement", " -- nothing" },
      { "range", "a number that is too large",
        "select abs(-9223372036854775807 - id) from images" },
      { "range", "a parameter that is too large for its column",
        "update images set score = ?", args = { 9007199254740993 } },
      { "type", "a text for an integer key", "insert into images(id, path) values (?, 'x')",
        args = { "x" } },
      { "type", "a fraction for an integer key", "insert into images(id, path) values (?, 'x')",
        args = { 1.5 } },
    }

    for _, mistake in ipairs(others) do
      local code, what, sql, rest, word = table.unpack(mistake, 1, 5)
      it(what .. " is " .. code, function()
        local err = errors.expect(code, db.all, db, sql, table.unpack(mistake.args or {}))
        assert.are.equal(sql, err.sql)
        assert.is_nil(err.constraint)
        assert.is_false(err.retryable)
        if rest then assert.are.equal(rest, pointed_at(err)) end
        if word then errors.mentions(err, word) end
        assert.is_false(db:in_transaction())
        assert.are.equal(1, db:value("select count(*) from images"))
      end)
    end

    if engine.supports("strict_arithmetic") then
      it("arithmetic whose result is no number", function()
        errors.expect("range", db.value, db, "select 1 / (id - id) from images")
        errors.expect("range", db.value, db, "select 9223372036854775807 + id from images")
      end)
    else
      it("arithmetic is never a mistake", function()
        assert.is_nil(db:value("select 1 / (id - id) from images"))
        assert.are.equal(2.0 ^ 63, db:value("select 9223372036854775807 + id from images"))
      end)
    end

    it("a write where only reading is allowed", function()
      local reader = engine.open { readonly = true }
      for _, call in ipairs {
        function() db:read(function() db:run("delete from children") end) end,
        function() db:read(function() db:insert("words", { word = "xx" }) end) end,
        function() db:read(function() db:exec("create table x(y integer)") end) end,
        function() reader:run("delete from children") end,
        function() reader:insert_many("words", { { word = "xx" } }) end,
        function() reader:exec("drop table words") end,
        function() db:reader():run("delete from children") end,
      } do
        errors.expect("readonly", call)
      end
      assert.are.equal(1, db:value("select count(*) from children"))
    end)

    it("a statement that takes too long, which leaves the connection usable", function()
      local endless = "with recursive c(n) as (select 1 union all select n + 1 from c) "
        .. "select count(*) from c"
      local using = db:using { timeout = 20 }
      local err = errors.expect("timeout", using.value, using, endless)
      assert.is_false(err.retryable)
      err = errors.expect("timeout", db.transaction, db, { timeout = 20 }, function()
        db:value(endless)
      end)
      assert.is_false(err.retryable)
      assert.are.equal(1, db:value("select count(*) from images"))
    end)

    it("a lock that somebody else has", function()
      local other = engine.open { busy_timeout = 10 }
      db:transaction(function()
        db:run("update images set score = 1")
        local err = errors.expect("busy", other.run, other, "update images set score = 2")
        assert.is_false(err.retryable)
        errors.mentions(err, "busy_timeout")
        errors.expect("busy", other.insert, other, "images", { id = 1, path = "x" })
      end)
    end)

    if engine.supports("server") then
      it("a session that the server ends", function()
        local err = errors.expect("connection", db.transaction, db, { retry = 0 }, function()
          db:run("update images set score = 1")
          db:value("select pg_terminate_backend(pg_backend_pid())")
        end)
        assert.is_true(err.retryable)
        assert.is_nil(err.outcome)
        assert.are.equal(5.0, db:value("select score from images"))
      end)
    end

    it("a call on what is closed", function()
      local own, stmt, tx = engine.open(), db:prepare("select 1"), db:begin()
      own:close()
      stmt:close()
      tx:rollback()
      errors.expect("closed", own.run, own, "select 1")
      errors.expect("closed", stmt.value, stmt)
      errors.expect("closed", tx.commit, tx)
    end)

    it("what the engine cannot do", function()
      for feature, call in pairs {
        functions = function() db:define("f", print) end,
        blobs = function() db:blob("images", "path", 1):close() end,
        attach = function() db:attach(":memory:", "other") end,
      } do
        if not engine.supports(feature) then errors.expect("unsupported", call) end
      end
    end)
  end)

  describe("of syntax", function()
    it("says line and column, and points at the place", function()
      local err = errors.expect("syntax", db.all, db, "selct 1")
      assert.are.same({ 1, 1 }, { err.sql_line, err.sql_column })
      assert.are.equal("selct 1", pointed_at(err))
      local sql = "select id,\n  path score from from images\nwhere 1"
      err = errors.expect("syntax", db.all, db, sql)
      assert.are.same({ 2, 19 }, { err.sql_line, err.sql_column })
      assert.are.equal("from images", pointed_at(err))
      assert.are.equal(sql, err.sql)
    end)

    it("points at a column that does not exist", function()
      local err = errors.expect("not_found", db.all, db, "select id,\n\n nmae from images")
      assert.are.same({ 3, 2 }, { err.sql_line, err.sql_column })
      assert.are.equal("nmae from images", pointed_at(err))
    end)

    it("says the place in the text that the script gave, behind parameters of any kind", function()
      local err = errors.expect("syntax", db.prepare, db,
        "select id from images where id in ? and path = ? selct")
      assert.are.equal("selct", pointed_at(err))
      err = errors.expect("not_found", db.prepare, db,
        "select id from images where id in :many and nmae = :one")
      assert.are.equal("nmae = :one", pointed_at(err))
    end)

    it("points right in a line that begins with tabs and holds letters of any script", function()
      local err = errors.expect("syntax", db.all, db, "select 1\n\t\t, 'größe 画像' selct bad")
      assert.are.equal(2, err.sql_line)
      assert.is_truthy(tostring(err):find("\n%s*%^"))
    end)

    it("names the table, the column or the function that is missing", function()
      errors.mentions(errors.expect("not_found", db.all, db, "select * from imagse"), "imagse")
      errors.mentions(errors.expect("not_found", db.all, db, "select nope(1)"), "nope")
      errors.mentions(errors.expect("not_found", db.run, db, "drop index no_index"), "no_index")
      errors.mentions(errors.expect("not_found", db.run, db, "update images set sc = 1"), "sc")
    end)
  end)

  describe("of a constraint", function()
    local function violate(...)
      return errors.expect("constraint", db.run, db, ...)
    end

    it("carries what the engine itself calls it", function()
      local numbers = engine.supports("server") and { "23505", "23514" } or { 2067, 275 }
      assert.are.same(numbers, { violate("insert into images(id, path) values (2, 'a.png')").native,
        violate("update images set score = 11").native })
    end)

    it("says what a trigger raised", function()
      db:exec(engine.supports("server") and [[
        create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'no more children'; end $$;
        create trigger no_more before insert on children for each row execute function refuse();
      ]] or [[
        create trigger no_more before insert on children begin
          select raise(abort, 'no more children');
        end;
      ]])
      local err = violate("insert into children(image) values (1)")
      errors.mentions(err, "no more children")
      assert.is_nil(err.constraint)
    end)

    if engine.supports("constraint_names") then
      it("knows a primary key by any name, where the connection can still be asked", function()
        db:exec [[
          create table named(a integer constraint k primary key,
            b integer constraint b_pkey unique);
          insert into named values (1, 1);
        ]]
        assert.are.equal("primary_key", violate("insert into named values (1, 2)").constraint)
        assert.are.equal("unique", violate("insert into named values (2, 1)").constraint)
      end)
    end
  end)

  describe("as text", function()
    it("says where, what and which, then the statement, the caret and the hint", function()
      local err = errors.expect("not_found", function()
        db:all("select * from images\nwhere paht = 1")
      end)
      local lines = {}
      for line in (tostring(err) .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
      assert.is_truthy(lines[1]:find("error_spec.lua:%d+: .*paht.* %(not_found%)$"))
      assert.is_truthy(tostring(err):find("where paht = 1", 1, true))
      assert.are.equal("paht = 1", pointed_at(err))
      if err.hint then assert.is_truthy(tostring(err):find("\nhint: " .. err.hint, 1, true)) end
    end)

    it("stays short, whatever was in the statement", function()
      for _, sql in ipairs { "select " .. ("a"):rep(1000000), ("x"):rep(1000000),
        "select 1 from " .. ("b"):rep(1000000), "select '" .. ("c"):rep(1000000) } do
        local err = errors.expect(nil, db.all, db, sql)
        assert.is_true(#err.message < 2000)
        assert.is_true(#tostring(err) < 20000)
      end
    end)

    it("names the code in every case", function()
      for _, err in ipairs { errors.expect("misuse", db.all, db, "select ?"),
        errors.expect("syntax", db.all, db, "x"),
        errors.expect("type", db.all, db, "select ?", print),
        errors.expect("misuse", tuff.open, 1) } do
        assert.is_truthy(tostring(err):find("(" .. err.code .. ")", 1, true))
      end
    end)
  end)

  describe("says its source", function()
    local function at(line, err)
      assert.is_string(err.source)
      assert.is_truthy(err.source:find("error_spec%.lua:%d+$"), err.source)
      assert.are.equal(line, tonumber(err.source:match("(%d+)$")))
      assert.is_truthy(tostring(err):find("error_spec.lua:" .. line .. ": ", 1, true))
    end

    local function caught(fn)
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.is_true(tuff.is_error(err))
      return err
    end

    it("as the line that made the call", function()
      local line
      for _, verb in ipairs { "run", "all", "row", "value", "column", "arrays", "exists", "exec",
        "prepare" } do
        local err = caught(function()
          line = here(); db[verb](db, "select nope")
        end)
        at(line, err)
      end
    end)

    it("as the line of the call when an argument is wrong", function()
      local line
      local err = caught(function()
        line = here(); db:run(nil)
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:all("select ?")
      end)
      at(line, err)
    end)

    it("as the line of the call when an option is wrong", function()
      local line
      local err = caught(function()
        line = here(); tuff.open(":memory:", { readonyl = true })
      end)
      at(line, err)
      err = caught(function()
        line = here(); tuff.open("/nowhere/at/all.db")
      end)
      at(line, err)
      err = caught(function()
        line = here(); tuff.blob(nil)
      end)
      at(line, err)
    end)

    it("as the line of the loop", function()
      local line
      local err = caught(function()
        line = here(); for _ in db:rows("select nope") do error("none") end
      end)
      at(line, err)
      local fails = "select abs(-9223372036854775807 - id) from images"
      err = caught(function()
        line = here(); for _ in db:rows(fails) do error("none") end
      end)
      at(line, err)
    end)

    it("as the line inside a transaction, an insert or a prepared statement", function()
      local line
      local stmt <close> = db:prepare("insert into images(id, path) values (?, ?)")
      local err = caught(function()
        db:transaction(function()
          line = here(); stmt:run(2, "a.png")
        end)
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:insert("images", { id = 2, path = "a.png" })
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:insert_many("images", { { id = 2, path = "a.png" } })
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:using({ timeout = 1000 }):value("select nope")
      end)
      at(line, err)
    end)

    it("as the line inside a coroutine", function()
      local line
      local thread = coroutine.create(function()
        line = here(); db:value("select nope")
      end)
      local ok, err = coroutine.resume(thread)
      assert.is_false(ok)
      at(line, err)
    end)
  end)

  describe("never shows a value", function()
    local secret = "hunter2-sekret"

    it("in errors of constraints, types, ranges, counts and names", function()
      db:insert("images", { id = 2, path = secret })
      db:exec(engine.sql("create table typed(n integer primary key, f {boolean}, "
        .. "d {decimal}(10,2), j {json}, at {timestamp})"))
      local calls = {
        function() db:run("insert into images(id, path) values (3, ?)", secret) end,
        function() db:insert("images", { id = 3, path = secret }) end,
        function()
          db:insert_many("images", { { id = 3, path = "b" }, { id = 4, path = secret } })
        end,
        function() db:run("insert into images(id, path) values (?, 'x')", secret) end,
        function() db:run("insert into images(score, path) values (?, 'x')", secret) end,
        function() db:insert("typed", { n = secret }) end,
        function() db:insert("typed", { f = secret }) end,
        function() db:insert("typed", { d = secret }) end,
        function() db:insert("typed", { j = "{" .. secret }) end,
        function() db:insert("typed", { at = secret }) end,
        function() db:value("select ?", secret .. "\0") end,
        function() db:value("select ?", secret .. "\xff") end,
        function() db:value("select 1", secret) end,
        function() db:value("select :a", { a = 1, b = secret }) end,
        function() db:value("select :a", secret) end,
        function() db:value("select 1 where 1 in ?", secret) end,
        function() db:value("select 1 where 1 in ?", { secret, secret .. "\0" }) end,
        function() db:insert("typed", { n = 1, d = secret }) end,
        function() db:value(engine.sql "select cast(? as {json})", secret) end,
      }
      if engine.supports("functions") then
        calls[#calls] = function() db:value("select json_extract(?, '$')", secret) end
        calls[#calls + 1] = function() db:value("select json('[' || ?)", secret) end
        calls[#calls + 1] = function() db:value("select zeroblob(1e12) || ?", secret) end
      end
      for place, call in ipairs(calls) do
        local ok, err = pcall(call)
        assert.is_false(ok, "call " .. place .. " succeeded")
        assert.is_true(tuff.is_error(err), "call " .. place)
        errors.conceals(err, secret)
      end
    end)
  end)

  describe("as a value of Lua", function()
    it("keeps its identity when it is raised again", function()
      local first = errors.expect("syntax", db.all, db, "x")
      local ok, again = pcall(error, first)
      assert.is_false(ok)
      assert.is_true(rawequal(first, again))
      ok, again = pcall(function()
        local _, err = pcall(db.all, db, "x")
        error(err)
      end)
      assert.is_false(ok)
      assert.are.equal("syntax", again.code)
    end)

    it("can be put behind a text", function()
      local err = errors.expect("syntax", db.all, db, "x")
      assert.is_string(("%s"):format(err))
    end)

    it("does not hide the error that a script raises itself", function()
      local ok, err = pcall(db.transaction, db, function() error("plain") end)
      assert.is_false(ok)
      assert.is_truthy(err:find("plain$"))
      assert.is_false(tuff.is_error(err))
    end)
  end)
end)
