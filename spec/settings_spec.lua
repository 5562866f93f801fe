local json = require "tuff.json"
local settings = require "tuff.settings"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

fixture.each_engine("a setting", function(engine)
  local db
  before_each(function() db = engine.database() end)

  local function has_table(of)
    return of:exists(engine.sql(engine.name == "SQLite"
      and "select 1 from sqlite_schema where name = 'tuff_settings'"
      or "select from pg_class where relname = 'tuff_settings'"))
  end

  it("is nil until it is set, and nothing is written to find that out", function()
    assert.is_nil(db.settings:get("theme"))
    assert.is_false(has_table(db))
    db.settings:set("theme", nil)
    assert.is_false(has_table(db))
    local reader <close> = db:reader()
    assert.is_nil(reader.settings:get("theme"))
  end)

  it("comes back as it went in", function()
    for _, value in ipairs {
      true, false, 0, -1, math.maxinteger, 1.0, 0.1, -0.0, 1e300, "", "text", "5", "null", '"',
      "größe\n", {}, { 1, 2.0, "x" }, { a = { b = { true } } }, tuff.null,
    } do
      db.settings:set("value", value)
      local got = db.settings:get("value")
      assert.are.same(value, got)
      assert.are.equal(math.type(value), math.type(got))
    end
    db.settings:set("value", setmetatable({}, json.array))
    assert.are.equal("[]", json.encode(db.settings:get("value")))
  end)

  it("belongs to the database", function()
    db.settings:set("a.b", { width = 800 })
    db.settings:set("other", 1)
    local other = engine.open()
    assert.are.same({ width = 800 }, other.settings:get("a.b"))
    other.settings:set("a.b", nil)
    assert.is_nil(db.settings:get("a.b"))
    assert.are.equal(1, db.settings:get("other"))
  end)

  it("is kept and undone with the transaction that sets it", function()
    for _ = 1, 2 do -- without its table and with it
      local tx = db:begin()
      db.settings:set("a", 1)
      assert.are.equal(1, db.settings:get("a"))
      tx:rollback()
      assert.is_nil(db.settings:get("a"))
      db.settings:set("b", 1)
    end
    db:transaction(function()
      db.settings:set("a", 1)
      pcall(db.transaction, db, function()
        db.settings:set("a", 2)
        error "out"
      end)
    end)
    assert.are.equal(1, db.settings:get("a"))
  end)

  it("is asked for in a transaction that goes on where there is no table", function()
    db:transaction(function()
      assert.is_nil(db.settings:get("a"))
      db:exec "create table t(a integer)"
    end)
    assert.is_true(db:has_table("t"))
  end)

  it("is not shown among the tables", function()
    db.settings:set("a", 1)
    assert.are.same({}, db:tables())
    assert.is_false(db:has_table("tuff_settings"))
  end)

  it("may be one of tuff itself, which scripts can read alone", function()
    local err = errors.expect("misuse", db.settings.set, db.settings, "tuff.rescan", true)
    errors.mentions(err, "tuff.rescan", "do not begin")
    settings.put(db, "tuff.rescan", true)
    assert.is_true(db.settings:get("tuff.rescan"))
    errors.expect("misuse", db.settings.set, db.settings, "tuff.rescan", nil)
    settings.put(db, "tuff.rescan", nil)
    assert.is_nil(db.settings:get("tuff.rescan"))
    db.settings:set("tuffy", 1)
  end)

  it("has a key that is a text, and a value that JSON can say", function()
    for _, key in ipairs { 5, {}, true, "" } do
      errors.expect("misuse", db.settings.get, db.settings, key)
      errors.expect("misuse", db.settings.set, db.settings, key, 1)
    end
    errors.expect("misuse", db.settings.get, db.settings)
    errors.expect("misuse", db.settings.get, "theme")
    for _, value in ipairs { print, 0 / 0, math.huge, "\xff", { 1, a = 2 }, { [true] = 1 } } do
      errors.expect({ "type", "range" }, db.settings.set, db.settings, "a", value)
    end
    assert.is_false(has_table(db))
    db.settings:set("a", 1)
    for _, key in ipairs { "\0", "\xff" } do
      assert.is_false(pcall(db.settings.set, db.settings, key, 1))
    end
  end)

  it("is set on a connection that is open and may write", function()
    local held = db.settings
    local reader <close> = db:reader()
    errors.expect("readonly", reader.settings.set, reader.settings, "a", 1)
    db:close()
    errors.expect("closed", held.get, held, "a")
    errors.expect("closed", held.set, held, "a", 1)
  end)

  it("may be set by several programs at once, with and without its table", function()
    local children = {}
    for i = 1, 4 do
      children[i] = process.start { arguments = { engine.path(), i }, chunk = [[
        local path, number = ...
        local db <close> = require("tuff").open(path)
        print("ready")
        io.read()
        db.settings:set("own " .. number, number)
        db.settings:set("same", number)]] }
    end
    for _, child in ipairs(children) do child:expect("ready") end
    for _, child in ipairs(children) do child:send() end
    for _, child in ipairs(children) do child:finish() end
    for i = 1, 4 do assert.is_truthy(db.settings:get("own " .. i)) end
    assert.is_truthy(db.settings:get("same"))
  end)

  it("is not under the limits of the script", function()
    local limited = engine.open { limits = { sql_bytes = 10, result_rows = 1 } }
    limited.settings:set("a", 1)
    assert.are.equal(1, limited.settings:get("a"))
  end)
end)

describe("settings of SQLite", function()
  fixture.clean_up()

  it("are those of the main database, not of attached ones", function()
    local path = fixture.database("")
    local other = fixture.open(path)
    other.settings:set("theme", "dark")
    other:close()
    local db = fixture.memory()
    db:attach(path, "other")
    assert.is_nil(db.settings:get("theme"))
    db.settings:set("theme", "light")
    db:detach("other")
    assert.are.equal("light", db.settings:get("theme"))
    assert.are.equal("dark", fixture.open(path).settings:get("theme"))
  end)
end)
