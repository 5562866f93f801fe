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

describe("an error", function()
  local db

  before_each(function()
    db = fixture.memory [[
      create table images(id integer primary key, path text not null unique,
        score real constraint score_range check (score between 0 and 10));
      create table pairs(a integer, b text, primary key (a, b)) without rowid;
      create table children(image integer references images(id));
      create table words(word text);
      create unique index words_by_length on words(length(word));
      insert into images values (1, 'a.png', 5);
    ]]
  end)
  fixture.clean_up()

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

    it("says what kind, on which table and which columns", function()
      local err = violate("insert into images(path) values (?)", "a.png")
      assert.are.equal("unique", err.constraint)
      assert.are.equal("images", err.table)
      assert.are.same({ "path" }, err.columns)
      err = violate("insert into images(path) values (?)", nil)
      assert.are.equal("not_null", err.constraint)
      assert.are.equal("images", err.table)
      assert.are.same({ "path" }, err.columns)
      err = violate("insert into images(id, path) values (1, 'b')")
      assert.are.equal("primary_key", err.constraint)
      assert.are.equal("images", err.table)
      assert.are.same({ "id" }, err.columns)
    end)

    it("says all columns of a key", function()
      db:run("insert into pairs values (1, 'x')")
      local err = violate("insert into pairs values (1, 'x')")
      assert.are.equal("primary_key", err.constraint)
      assert.are.equal("pairs", err.table)
      assert.are.same({ "a", "b" }, err.columns)
    end)

    it("says the name of a check, and of an index on an expression", function()
      local err = violate("update images set score = 11")
      assert.are.equal("check", err.constraint)
      assert.are.equal("score_range", err.constraint_name)
      db:run("insert into words values ('x')")
      err = violate("insert into words values ('y')")
      assert.are.equal("unique", err.constraint)
      assert.are.equal("words_by_length", err.constraint_name)
    end)

    it("says that it is a foreign key", function()
      local err = violate("insert into children values (99)")
      assert.are.equal("foreign_key", err.constraint)
    end)

    it("carries the number that SQLite gave", function()
      assert.are.equal(2067, violate("insert into images(path) values ('a.png')").native)
      assert.are.equal(275, violate("update images set score = 11").native)
    end)

    it("says what a trigger raised", function()
      db:exec("create trigger no_more before insert on children begin "
        .. "select raise(abort, 'no more children'); end")
      errors.mentions(violate("insert into children values (1)"), "no more children")
    end)

    it("is not worth another try", function()
      assert.is_falsy(violate("update images set score = 11").retryable)
    end)
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
      local fails = "select case when id > 0 then abs(-9223372036854775808) end from images"
      err = caught(function()
        line = here(); for _ in db:rows(fails) do error("none") end
      end)
      at(line, err)
    end)

    it("as the line inside a transaction, an insert or a prepared statement", function()
      local line
      local stmt <close> = db:prepare("insert into images(path) values (?)")
      local err = caught(function()
        db:transaction(function()
          line = here(); stmt:run("a.png")
        end)
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:insert("images", { path = "a.png" })
      end)
      at(line, err)
      err = caught(function()
        line = here(); db:insert_many("images", { { path = "a.png" } })
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
      db:insert("images", { path = secret })
      db:exec("create table typed(n integer primary key, f BOOLEAN INTEGER,"
        .. " d DECIMAL INTEGER(10,2), j JSON TEXT, at TIMESTAMP TEXT)")
      local calls = {
        function() db:run("insert into images(path) values (?)", secret) end,
        function() db:insert("images", { path = secret }) end,
        function() db:insert_many("images", { { path = "b" }, { path = secret } }) end,
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
        function() db:value("select json_extract(?, '$')", secret) end,
        function() db:value("select json('[' || ?)", secret) end,
        function() db:value("select zeroblob(1e12) || ?", secret) end,
      }
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
