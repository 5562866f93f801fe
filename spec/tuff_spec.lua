local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local temporary = require "spec.support.temporary"

describe("the module tuff", function()
  fixture.clean_up()

  describe("versions", function()
    it("says its own version as a string that begins with a number", function()
      assert.is_string(tuff.version)
      assert.is_truthy(tuff.version:find("^%d+%.%d+"))
    end)

    it("says which SQLite it runs on, the same that SQL reports", function()
      local db <close> = tuff.open(":memory:")
      assert.are.equal(db:value("select sqlite_version()"), tuff.sqlite_version)
    end)

    it("is one table however often it is required", function()
      assert.are.equal(tuff, require "tuff")
    end)

    it("needs no other library of Lua before something is done for which there is one", function()
      local process = require "spec.support.process"
      assert.are.equal("1", process.run [[
        for _, name in ipairs { "lfs", "cjson", "argparse" } do
          package.preload[name] = function() error(name .. " was wanted") end
        end
        local db <close> = require "tuff".open(":memory:")
        print(db:value "select 1")
      ]])
    end)

    it("adds no global variable", function()
      local process = require "spec.support.process"
      local output = process.run [[
        local before = {}
        for name in pairs(_G) do before[name] = true end
        local tuff = require "tuff"
        local db <close> = tuff.open(":memory:")
        db:exec("create table t(id integer primary key)")
        db:insert("t", { id = 1 })
        require "tuff.json"
        for name in pairs(_G) do if not before[name] then print(name) end end
      ]]
      assert.are.equal("", output)
    end)
  end)

  describe("null", function()
    it("is the NULL light userdata", function()
      assert.are.equal("userdata", type(tuff.null))
      assert.is_truthy(tostring(tuff.null):find("NULL") or tostring(tuff.null):find("0x0")
        or tostring(tuff.null):find("nil") or tostring(tuff.null):find("null"))
    end)

    it("equals the null of lua-cjson", function()
      local found, cjson = pcall(require, "cjson")
      if not found then pending("null of lua-cjson: lua-cjson is not installed") end
      assert.is_true(rawequal(tuff.null, cjson.null))
    end)

    it("is true in a condition, and not nil", function()
      assert.is_truthy(tuff.null)
      assert.are_not.equal(nil, tuff.null)
    end)
  end)

  describe("blob", function()
    it("wraps a string, and gives it and its length back", function()
      local bytes = "a\0b\xff"
      local blob = tuff.blob(bytes)
      assert.are.equal("userdata", type(blob))
      assert.are.equal(bytes, tostring(blob))
      assert.are.equal(4, #blob)
    end)

    it("wraps the empty string", function()
      assert.are.equal("", tostring(tuff.blob("")))
      assert.are.equal(0, #tuff.blob(""))
    end)

    it("keeps its bytes when the string is collected", function()
      local blob = tuff.blob(("x"):rep(100000) .. "y")
      collectgarbage()
      collectgarbage()
      assert.are.equal(("x"):rep(100000) .. "y", tostring(blob))
    end)

    it("refuses what is not a string", function()
      for _, wrong in ipairs { {}, true, print, tuff.null } do
        errors.expect("misuse", tuff.blob, wrong)
      end
      errors.expect("misuse", tuff.blob)
    end)

    it("hides its metatable", function()
      assert.are.equal("string", type(getmetatable(tuff.blob("x"))))
      assert.is_false((pcall(setmetatable, tuff.blob("x"), {})))
    end)
  end)

  describe("is_error", function()
    it("is true for what a failing call raises", function()
      local _, err = pcall(tuff.open, "/nowhere/at/all.db", { create = false })
      assert.is_true(tuff.is_error(err))
    end)

    it("is false for everything else", function()
      for _, value in ipairs { "text", 1, true, {}, print, tuff.null,
        { code = "syntax", message = "looks like one" }, setmetatable({}, {}),
        io.stdout, tuff.blob("x"), tuff } do
        assert.is_false(tuff.is_error(value))
      end
      assert.is_false(tuff.is_error(nil))
      assert.is_false(tuff.is_error())
    end)
  end)

  describe("instances", function()
    it("is an integer, and 0 while nothing is open", function()
      collectgarbage()
      assert.are.equal("integer", math.type(tuff.instances()))
      assert.are.equal(0, tuff.instances())
    end)

    it("counts no transaction whose outer one has ended, whoever still holds its handle", function()
      local db <close> = tuff.open(":memory:")
      local inner
      do
        local outer <close> = db:begin() -- luacheck: ignore 211
        inner = db:begin()
        assert.are.equal(3, tuff.instances())
      end
      assert.are.equal(1, tuff.instances())
      local again = db:begin()
      assert.are.equal(2, tuff.instances())
      errors.expect("closed", inner.rollback, inner)
      inner = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.are.equal(2, tuff.instances())
      again:commit()
      assert.are.equal(1, tuff.instances())
    end)

    it("counts connections, statements, cursors and transactions until they are closed", function()
      local db = tuff.open(":memory:")
      assert.are.equal(1, tuff.instances())
      local stmt = db:prepare("select 1")
      assert.are.equal(2, tuff.instances())
      local tx = db:begin()
      assert.are.equal(3, tuff.instances())
      tx:rollback()
      assert.are.equal(2, tuff.instances())
      local before = tuff.instances()
      for _ in db:rows("select 1") do
        assert.is_true(tuff.instances() > before)
      end
      assert.are.equal(before, tuff.instances())
      stmt:close()
      assert.are.equal(1, tuff.instances())
      db:close()
      assert.are.equal(0, tuff.instances())
    end)

    it("falls to 0 when a connection closes over its open statements and loops", function()
      local db = tuff.open(":memory:")
      local stmt = db:prepare("select 1 union all select 2")
      local step, state, first = db:rows("select 1 union all select 2")
      step(state, first)
      local other, otherstate, otherfirst = stmt:tuples()
      other(otherstate, otherfirst)
      db:close()
      assert.are.equal(0, tuff.instances())
    end)

    it("falls to 0 when everything is only dropped and collected", function()
      do
        local db = tuff.open(":memory:")
        local stmt = db:prepare("select 1 union all select 2")
        local step, state, first = stmt:rows()
        step(state, first)
        db:begin()
      end
      for _ = 1, 4 do collectgarbage() end
      assert.are.equal(0, tuff.instances())
    end)

    it("leaves nothing behind when opening fails", function()
      local directory = temporary.directory()
      temporary.write(directory .. "/text.db", ("this is no database\n"):rep(100))
      for _ = 1, 20 do
        pcall(tuff.open, directory .. "/text.db")
        pcall(tuff.open, directory)
        pcall(tuff.open, directory .. "/none.db", { create = false })
        pcall(tuff.open, ":memory:", { no_such_option = true })
      end
      collectgarbage()
      assert.are.equal(0, tuff.instances())
    end)
  end)

  describe("objects", function()
    it("cannot be given a false self", function()
      local db <close> = tuff.open(":memory:")
      local stmt <close> = db:prepare("select 1")
      for _, self in ipairs { {}, "text", 1, io.stdout, tuff.blob("x"), tuff.null, tuff } do
        errors.expect("misuse", db.run, self, "select 1")
        errors.expect("misuse", db.close, self)
        errors.expect("misuse", db.begin, self)
        errors.expect("misuse", stmt.all, self)
        errors.expect("misuse", stmt.close, self)
      end
      errors.expect("misuse", stmt.all, db)
      errors.expect("misuse", db.close)
      assert.are.equal(1, db:value("select 1"))
      assert.are.equal(1, stmt:value())
    end)

    it("read well when printed", function()
      local db = tuff.open(":memory:")
      assert.is_truthy(tostring(db):find("memory"))
      assert.is_string(tostring(db:prepare("select 1")))
      db:close()
      assert.is_string(tostring(db))
    end)
  end)
end)
