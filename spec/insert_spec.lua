local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("inserting", function(engine)
  local db

  before_each(function()
    db = engine.database [[
      create table images(id {key}, path text unique, score {real} default 5.0,
        favorite {boolean} not null default false);
      create table codes(code text primary key, label text);
      create table pairs(a integer, b text, n integer, primary key (a, b));
    ]]
  end)

  local function all(name)
    return db:all(("select * from %s order by 1, 2"):format(name or "images"))
  end

  local function count(name)
    return db:value("select count(*) from " .. (name or "images"))
  end

  describe("one row", function()
    it("returns its key, whether the database chose it or the script", function()
      assert.are.equal(1, db:insert("images", { path = "a" }))
      assert.are.equal(7, db:insert("images", { id = 7, path = "b" }))
      -- A key of the script's own is none that the engine has given out.
      local following = engine.supports("greater_keys") and 8 or 2
      assert.are.equal(following, db:insert("images", { path = "c" }))
      assert.are.equal("integer", math.type(db:insert("images", { path = "d" })))
    end)

    it("returns nothing where there is no key", function()
      db:exec("create table n(x integer)")
      if engine.supports("row_ids") then
        assert.are.equal(1, db:insert("n", { x = 5 }))
      else
        assert.are.equal(0, select("#", db:insert("n", { x = 5 })))
      end
      assert.are.equal(5, db:value("select x from n"))
    end)

    it("returns a key of text, and all parts of a key of several columns", function()
      assert.are.equal("de", db:insert("codes", { code = "de", label = "German" }))
      assert.are.same({ 1, "x" }, { db:insert("pairs", { a = 1, b = "x", n = 5 }) })
    end)

    it("gives an absent column its default, and tuff.null NULL", function()
      db:insert("images", { path = "a" })
      db:insert("images", { path = tuff.null, score = tuff.null, favorite = true })
      assert.are.same({ { id = 1, path = "a", score = 5.0, favorite = false },
        { id = 2, favorite = true } }, all())
    end)

    it("may be without any column", function()
      assert.are.equal(1, db:insert("images", {}))
      assert.are.same({ { id = 1, score = 5.0, favorite = false } }, all())
    end)

    it("suggests the column that was meant", function()
      local err = errors.expect("not_found", db.insert, db, "images", { path = "a", scroe = 1 })
      errors.mentions(err, "scroe", "score")
      assert.are.equal(0, count())
    end)

    it("names the table that is missing", function()
      errors.mentions(errors.expect("not_found", db.insert, db, "imagse", { path = "a" }), "imagse")
    end)

    it("tells which constraint was broken", function()
      db:insert("images", { path = "a" })
      local err = errors.expect("constraint", db.insert, db, "images", { path = "a" })
      assert.are.same({ "unique", "images", { "path" } },
        { err.constraint, err.table, err.columns })
      err = errors.expect("constraint", db.insert, db, "images", { favorite = tuff.null })
      assert.are.equal("not_null", err.constraint)
    end)

    it("refuses a column that is computed", function()
      db:exec("create table g(a integer, b integer generated always as (a + 1) stored)")
      errors.expect(nil, db.insert, db, "g", { a = 1, b = 5 })
      db:insert("g", { a = 1 })
      assert.are.same({ { a = 1, b = 2 } }, all("g"))
    end)

    it("sees a column that was added since", function()
      db:insert("images", { path = "a" })
      errors.expect("not_found", db.insert, db, "images", { path = "b", width = 5 })
      db:exec("alter table images add column width integer")
      db:insert("images", { path = "b", width = 5 })
      assert.are.equal(5, db:value("select width from images where path = 'b'"))
    end)

    it("takes names that need quotes", function()
      db:exec([[create table "my ""table"""("a b" text, "select" integer, "q""x" text)]])
      db:insert('my "table"', { ["a b"] = "x", select = 1, ['q"x'] = "y" })
      assert.are.same({ ["a b"] = "x", select = 1, ['q"x'] = "y" },
        db:row([[select * from "my ""table"""]]))
    end)

    it("leaves the row that was given as it was", function()
      local row = { path = "a", score = 1.0 }
      db:insert("images", row)
      assert.are.same({ path = "a", score = 1.0 }, row)
    end)
  end)

  describe("many rows", function()
    it("from an array returns how many there were", function()
      assert.are.equal(3, db:insert_many("images",
        { { path = "a" }, { path = "b", score = 1.0 }, { path = "c", favorite = true } }))
      assert.are.same({
        { id = 1, path = "a", score = 5.0, favorite = false },
        { id = 2, path = "b", score = 1.0, favorite = false },
        { id = 3, path = "c", score = 5.0, favorite = true },
      }, all())
    end)

    it("from an empty array returns 0", function()
      assert.are.equal(0, db:insert_many("images", {}))
      assert.are.equal(0, db:insert_many("images", function() end))
    end)

    it("from a function takes what it returns until nil", function()
      local n = 0
      assert.are.equal(1000, db:insert_many("images", function()
        n = n + 1
        return n <= 1000 and { path = "p" .. n } or nil
      end))
      assert.are.equal(1000, count())
      assert.are.equal(1001, n)
    end)

    it("from a function may reuse one table for all rows", function()
      local row, n = {}, 0
      db:insert_many("images", function()
        n = n + 1
        row.path, row.score = "p" .. n, n % 2 == 0 and n + 0.0 or nil
        return n <= 4 and row or nil
      end)
      assert.are.same({ 5.0, 2.0, 5.0, 4.0 }, db:column("select score from images order by id"))
    end)

    it("from a loop over the same database", function()
      db:insert_many("images", { { path = "a" }, { path = "b" } })
      assert.are.equal(2, db:insert_many("codes",
        db:rows("select path as code, id as label from images")))
      assert.are.same({ { code = "a", label = "1" }, { code = "b", label = "2" } }, all("codes"))
    end)

    it("of every kind of values, in large numbers", function()
      db:exec(engine.sql "create table v(id {key}, t text, b {blob}, r {real}, f {boolean})")
      local rows = {}
      for n = 1, 5000 do
        rows[n] = { t = "t" .. n, b = n % 3 == 0 and "\0\xff" or nil, r = n / 7, f = n % 2 == 0 }
      end
      assert.are.equal(5000, db:insert_many("v", rows))
      assert.are.equal(1666, count("v where b is not null"))
      assert.are.equal(2500, count("v where f"))
      assert.are.equal(5000 / 7, db:value("select r from v where id = 5000"))
    end)

    it("all or none: an error undoes those before it", function()
      local err = errors.expect("constraint", db.insert_many, db, "images",
        { { path = "a" }, { path = "b" }, { path = "a" }, { path = "d" } })
      assert.are.equal("unique", err.constraint)
      assert.are.equal(3, err.row)
      assert.are.equal(0, count())
      assert.is_false(db:in_transaction())
    end)

    it("all or none: an unknown column, a row of a wrong type, a bad value", function()
      local err = errors.expect("not_found", db.insert_many, db, "images",
        { { path = "a" }, { pahth = "b" } })
      errors.mentions(err, "pahth", "path")
      for _, wrong in ipairs { 5, "text", true } do
        errors.expect("misuse", db.insert_many, db, "images", { { path = "a" }, wrong })
      end
      errors.expect("type", db.insert_many, db, "images", { { path = "a" }, { path = "\0" } })
      errors.expect("type", db.insert_many, db, "images", { { path = "a" }, { path = print } })
      assert.are.equal(0, count())
    end)

    it("all or none: an error of the iterator is raised, itself", function()
      local mine, n = {}, 0
      local ok, err = pcall(db.insert_many, db, "images", function()
        n = n + 1
        if n == 3 then error(mine) end
        return { path = "p" .. n }
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(mine, err))
      assert.are.equal(0, count())
      assert.is_false(db:in_transaction())
    end)

    it("inside a transaction undo only themselves", function()
      db:transaction(function()
        db:insert("images", { path = "first" })
        errors.expect("constraint", db.insert_many, db, "images",
          { { path = "a" }, { path = "first" } })
        assert.are.equal(1, count())
        db:insert_many("images", { { path = "b" } })
      end)
      assert.are.same({ "first", "b" }, db:column("select path from images order by id"))
    end)

    it("from an iterator that itself reads and writes the database", function()
      local n = 0
      db:insert_many("images", function()
        n = n + 1
        if n > 3 then return nil end
        db:insert("codes", { code = "c" .. n })
        return { path = "p" .. db:value("select count(*) from codes") }
      end)
      assert.are.same({ "p1", "p2", "p3" }, db:column("select path from images order by id"))
      assert.are.equal(3, count("codes"))
    end)

    it("from an iterator that inserts many rows itself, into the same table", function()
      local n = 0
      assert.are.equal(3, db:insert_many("images", function()
        n = n + 1
        if n > 3 then return nil end
        db:insert_many("images", { { path = "inner " .. n }, { path = "other " .. n } })
        return { path = "outer " .. n }
      end))
      assert.are.equal(9, count())
    end)

    it("from an iterator that drops the table or ends the transaction are an error", function()
      local function rows(action)
        local n = 0
        return function()
          n = n + 1
          if n == 3 then action() end
          return n < 6 and { path = "p" .. n } or nil
        end
      end
      errors.expect(nil, db.insert_many, db, "images",
        rows(function() db:exec("drop table images") end))
      assert.are.equal(0, count())
      local tx = db:begin()
      errors.expect(nil, db.insert_many, db, "images", rows(function() tx:rollback() end))
      pcall(tx.rollback, tx)
      assert.is_false(db:in_transaction())
      assert.are.equal(0, count())
      local breaking = engine.supports("continue_after_error") and "insert or rollback into"
        or "insert into"
      pcall(db.insert_many, db, "images", rows(function()
        db:run(breaking .. " images values (1, 'p1', 0, null)")
      end))
      assert.is_false(db:in_transaction())
      assert.are.equal(0, count())
    end)

    it("from an iterator that yields are all there, or none", function()
      local thread = coroutine.create(function()
        return db:insert_many("images", function()
          coroutine.yield()
          return nil
        end)
      end)
      local ok = true
      while ok and coroutine.status(thread) ~= "dead" do ok = coroutine.resume(thread) end
      assert.is_false(db:in_transaction())
      assert.are.equal(0, count())
      db:insert("images", { path = "a" })
    end)
  end)

  describe("on a conflict", function()
    before_each(function()
      db:insert_many("images", { { path = "a", score = 1.0, favorite = true },
        { path = "b", score = 2.0 } })
    end)

    local fresh = { { path = "a", score = 9.0 }, { path = "c", score = 3.0 } }

    it("ignores the new row, and does not count it", function()
      assert.are.equal(1, db:insert_many("images", fresh, { on_conflict = "ignore" }))
      assert.are.equal(1.0, db:value("select score from images where path = 'a'"))
      assert.are.equal(3, count())
    end)

    it("does not ignore what is wrong in another way", function()
      errors.expect("constraint", db.insert_many, db, "images",
        { { path = "x", favorite = tuff.null } }, { on_conflict = "ignore" })
      assert.are.equal(2, count())
    end)

    it("replaces the old row", function()
      assert.are.equal(2, db:insert_many("images", fresh,
        { on_conflict = "replace", key = { "path" } }))
      assert.are.same({ { score = 9.0, favorite = false } },
        db:all("select score, favorite from images where path = 'a'"))
      assert.are.equal(3, count())
    end)

    it("updates the old row by the key, in the columns that were given", function()
      assert.are.equal(2, db:insert_many("images", fresh,
        { on_conflict = "update", key = { "path" } }))
      assert.are.same({ id = 1, path = "a", score = 9.0, favorite = true },
        db:row("select * from images where path = 'a'"))
      assert.are.equal(3, count())
    end)

    it("means the primary key where none is named", function()
      for how, label in pairs { update = "old", replace = tuff.null } do
        db:run("delete from codes")
        db:insert("codes", { code = "de", label = "old" })
        assert.are.equal(2, db:insert_many("codes", { { code = "de" }, { code = "fr" } },
          { on_conflict = how }))
        assert.are.same({ label, tuff.null }, db:column("select label from codes order by code"))
      end
    end)

    it("means any other key, too, where the engine can", function()
      if engine.supports("any_key") then
        assert.are.equal(2, db:insert_many("images", fresh, { on_conflict = "replace" }))
        assert.are.equal(3, count())
      else
        errors.expect("constraint", db.insert_many, db, "images", fresh,
          { on_conflict = "replace" })
        assert.are.equal(2, count())
      end
    end)

    it("updates by a key of several columns", function()
      db:insert("pairs", { a = 1, b = "x", n = 1 })
      db:insert_many("pairs", { { a = 1, b = "x", n = 2 }, { a = 1, b = "y", n = 3 } },
        { on_conflict = "update", key = { "a", "b" } })
      assert.are.same({ { a = 1, b = "x", n = 2 }, { a = 1, b = "y", n = 3 } }, all("pairs"))
    end)

    it("updates nothing of a row that only has its key, but counts and returns it", function()
      db:insert("pairs", { a = 1, b = "x", n = 1 })
      for _, key in ipairs { { "a", "b" }, false } do
        local options = { on_conflict = "update", key = key or nil }
        assert.are.equal(1, db:insert_many("pairs", { { a = 1, b = "x" } }, options))
        options.returning = { "b", "n" }
        assert.are.same({ { b = "x", n = 1 } },
          db:insert_many("pairs", { { b = "x", a = 1 } }, options))
      end
      local options = { on_conflict = "update", key = { "path" }, returning = { "id" } }
      assert.are.same({ { id = 1 } }, db:insert_many("images", { { id = 9, path = "a" } }, options))
      db:exec("create table tags(name text primary key)")
      db:insert("tags", { name = "x" })
      assert.are.same({ { name = "x" } }, db:insert_many("tags", { { name = "x" } },
        { on_conflict = "replace", returning = "name" }))
    end)

    it("refuses another word, an option that it does not know, and a key that is none", function()
      for _, options in ipairs { { on_conflict = "explode" }, { on_conflikt = "ignore" },
        { on_conflict = 5 }, { on_conflict = "update", key = 5 }, 5 } do
        errors.expect("misuse", db.insert_many, db, "images", fresh, options)
      end
      errors.mentions(errors.expect("misuse", db.insert_many, db, "images", fresh,
        { on_conflikt = "ignore" }), "on_conflict")
      errors.expect(nil, db.insert_many, db, "images", fresh,
        { on_conflict = "update", key = { "score" } })
      errors.mentions(errors.expect("not_found", db.insert_many, db, "images", fresh,
        { on_conflict = "update", key = { "pth" } }), "pth")
      assert.are.equal(2, count())
    end)
  end)

  describe("with returning", function()
    it("gives the rows with the columns that were asked for, in their order", function()
      assert.are.same({ { id = 1, score = 5.0 }, { id = 2, score = 1.0 } },
        db:insert_many("images", { { path = "a" }, { path = "b", score = 1.0 } },
          { returning = { "id", "score" } }))
    end)

    it("gives none for rows that were ignored, and the changed ones for updates", function()
      db:insert("images", { path = "a", score = 1.0 })
      local rows = { { path = "a", score = 2.0 }, { path = "b" } }
      assert.are.same({ { path = "b" } }, db:insert_many("images", rows,
        { on_conflict = "ignore", returning = { "path" } }))
      rows[2].score = 3.0
      assert.are.same({ { path = "a", score = 2.0 }, { path = "b", score = 3.0 } },
        db:insert_many("images", rows,
          { on_conflict = "update", key = { "path" }, returning = { "path", "score" } }))
    end)

    it("gives an empty array for no rows", function()
      assert.are.same({}, db:insert_many("images", {}, { returning = { "id" } }))
    end)

    it("refuses rows with a hole and what is no array", function()
      for _, rows in ipairs {
        { { path = "a" }, [3] = { path = "c" } }, { [0] = { path = "a" } }, { path = "a" },
        { { path = "a" }, more = { path = "b" } },
      } do
        errors.mentions(errors.expect("misuse", db.insert_many, db, "images", rows), "no array")
        assert.are.equal(0, count())
      end
    end)

    it("gives declared types, and refuses an unknown column", function()
      assert.are.same({ { favorite = true } }, db:insert_many("images",
        { { favorite = true } }, { returning = { "favorite" } }))
      errors.mentions(errors.expect("not_found", db.insert_many, db, "images", { { path = "z" } },
        { returning = { "favourite" } }), "favourite")
      assert.are.equal(1, count())
    end)
  end)
end)
