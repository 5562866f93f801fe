local lfs = require "lfs"
local lexer = require "tuff.migrate.lexer"
local source = require "tuff.migrate.source"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local temporary = require "spec.support.temporary"

local GOOD = "return { up = function() end }\n"

--- A directory with these files.
local function directory(files)
  local path = temporary.directory()
  for name, text in pairs(files) do temporary.write(path .. "/" .. name, text) end
  return path
end

local function load_files(files)
  return source.load(directory(files))
end

local function load_one(text)
  return load_files({ ["20260101000000_x.lua"] = text })[1]
end

local function refused(files)
  return errors.expect("migration", load_files, files)
end

describe("migrations in a directory", function()
  fixture.clean_up()

  it("are its files, in the order of their names", function()
    local path = directory {
      ["20260102000000_b.lua"] = GOOD, ["20260101000000_z.lua"] = GOOD,
      ["20260102000000_a_b-ü.lua"] = GOOD,
    }
    local found = source.load(path .. "//")
    local ids, names = {}, {}
    for i, each in ipairs(found) do ids[i], names[i] = each.id, each.name end
    assert.are.same({ "20260101000000_z", "20260102000000_a_b-ü", "20260102000000_b" }, ids)
    assert.are.same({ "z", "a_b-ü", "b" }, names)
    assert.are.equal(path .. "/20260101000000_z.lua", found[1].path)
  end)

  it("are none where there are none", function()
    assert.are.same({}, load_files {})
  end)

  it("say what they do", function()
    local found = load_one [[
      return { up = function() return "up" end, down = function() return "down" end,
        phase = "post", fresh = true }]]
    assert.are.equal("up", found.up())
    assert.are.equal("down", found.down())
    assert.are.same({ "post", "script", true, true },
      { found.phase, found.kind, found.transaction, found.fresh })
  end)

  it("are in phase main, in a transaction and not for new databases unless they say so", function()
    local found = load_one(GOOD)
    assert.are.same({ "main", "script", true, false },
      { found.phase, found.kind, found.transaction, found.fresh })
    assert.is_nil(found.down)
    assert.is_nil(found.done)
  end)

  it("are of a kind of their own where they work in batches, or again and again", function()
    local batch = load_one [[
      return { up = function() end, transaction = false, done = function() return true end }]]
    assert.are.equal("batch", batch.kind)
    assert.is_false(batch.transaction)
    assert.is_true(batch.done())
    assert.are.equal("repeatable",
      load_one("return { up = function() end, repeatable = true }").kind)
  end)

  it("keep their place where they have an older id", function()
    local found = load_files {
      ["20230101000000_old.lua"] = [[
        return { id = "RupertAvery20231224_0001_Cleanup", up = function() end }]],
      ["20260101000000_new.lua"] = GOOD,
    }
    assert.are.equal("RupertAvery20231224_0001_Cleanup", found[1].id)
    assert.are.equal("20230101000000_old", found[1].order)
    assert.are.equal("old", found[1].name)
    assert.are.equal("20260101000000_new", found[2].id)
  end)

  it("are plain Lua, which runs once, knows its file and may require", function()
    _G.loaded_migrations = 0
    local found = load_one [[
      loaded_migrations = loaded_migrations + 1
      local null = require("tuff").null
      return { up = function() return debug.getinfo(1, "S").source, null end }]]
    assert.are.equal(1, _G.loaded_migrations)
    _G.loaded_migrations = nil
    assert.are.equal("@" .. found.path, (found.up()))
  end)

  it("leave what editors put beside them alone, and other files", function()
    assert.are.equal(1, #load_files {
      ["20260101000000_x.lua"] = GOOD, [".20260101000000_x.lua.swp"] = "\0",
      ["20260101000000_x.lua~"] = "(", ["#20260101000000_x.lua#"] = "(", [".#x.lua"] = "(",
      ["20260101000000_x.lua.orig"] = "(", ["README.md"] = "x", ["x.sql"] = "x", ["y"] = "",
    })
  end)

  it("are asked for from a directory that can be read", function()
    local path = directory { file = "" }
    errors.mentions(errors.expect("migration", source.load, path .. "/none"), path .. "/none",
      "No such file", lfs.currentdir())
    errors.mentions(errors.expect("migration", source.load, path .. "/file"), "it is a file")
    errors.expect("misuse", source.load, "")
    errors.expect("misuse", source.load, path .. "\0")
    errors.expect("misuse", source.load)
    errors.expect("misuse", source.load, 5)
  end)
end)

describe("a file that is no migration", function()
  fixture.clean_up()

  local function refused_text(text, ...)
    local err = refused { ["20260101000000_x.lua"] = text }
    assert.is_truthy(err.source:find("/20260101000000_x.lua", 1, true))
    errors.mentions(err, ...)
    return err
  end

  it("is told of where its name is nearly one", function()
    local function refused_name(name, ...)
      errors.mentions(refused { [name] = GOOD }, name, ...)
    end
    refused_name("20260101_x.lua", "has no time", "name it 20260101000000_x.lua")
    refused_name("202601011530_x.lua", "name it 20260101153000_x.lua")
    refused_name("20261301_x.lua", "name it YYYYMMDDHHMMSS_name.lua")
    refused_name("x.lua", "name it YYYYMMDDHHMMSS_name.lua")
    refused_name("20260101000000.lua", "name it YYYYMMDDHHMMSS_name.lua")
    refused_name("20260230000000_x.lua", "20260230000000, which is no time", "UTC")
    refused_name("20260101000000_x.LUA", "name it 20260101000000_x.lua")
    refused_name("20260101000000_x.sql", "a file of Lua", "db:exec")
    refused_name("20260101000000_a\nb.lua", "a line of text")
  end)

  it("is told of where it cannot be loaded", function()
    local err = refused_text("return {\n  up = function( end\n}", "no Lua", "near 'end'")
    assert.is_truthy(err.source:find("_x.lua:2", 1, true))
    refused_text("\27Lua", "no Lua", "binary")
    refused_text("error 'out'", "raises an error", "_x.lua:1: out")
    refused_text("error({})", "raises an error")
    local cause = refused_text("require('tuff').open(5)", "raises an error").cause
    assert.are.equal("misuse", cause.code)
    refused_text("require 'no.such.module'", "no.such.module")
    local path = temporary.directory()
    assert(lfs.mkdir(path .. "/20260101000000_x.lua"))
    errors.mentions(errors.expect("migration", source.load, path), "Is a directory")
  end)

  it("is told of where it returns something else", function()
    refused_text("", "must be a table, not nil", "up = function(db, step)")
    refused_text("return 5", "must be a table, not a number")
    refused_text("return {}", "has no up", "up = function(db, step)")
    refused_text("return { up = 5 }", "option up of a migration must be a function, not 5")
    refused_text("return { upp = print, up = print }", "no option upp", 'did you mean "up"?')
    refused_text("return { up = print, print }", "no option 1")
    refused_text("return { up = print, phase = 'before' }", '"pre", "main" or "post", not before')
    refused_text("return { up = print, id = '' }", "option id of a migration must be a line")
    refused_text("return { up = print, id = 'a\\nb' }", "option id of a migration must be a line")
    refused_text("return { up = print, id = '\\xff' }", "option id of a migration must be a line")
    refused_text("return { up = print, fresh = 1 }", "option fresh of a migration must be true")
    refused_text("return { up = print, repeatable = true, transaction = false }", "leave out one")
    refused_text("return { up = print, done = print }", "transaction = false", "leave out done")
  end)

  it("is told of where another one has its id", function()
    local err = refused {
      ["20260101000000_x.lua"] = "return { id = 'one', up = print }",
      ["20260102000000_y.lua"] = "return { id = 'one', up = print }",
    }
    errors.mentions(err, "the id one is that of", "20260101000000_x.lua", "an id of its own")
    assert.is_truthy(err.source:find("20260102000000_y.lua", 1, true))
  end)

  it("is told of together with all others", function()
    local err = refused {
      ["20260101000000_a.lua"] = "return { upp = 1, phase = 'x' }", ["20260102000000_b.lua"] = "(",
      ["c.lua"] = GOOD, ["20260103000000_d.lua"] = GOOD,
    }
    assert.are.equal(4, #err.mistakes)
    errors.mentions(err, "4 mistakes in the migrations", "_a.lua: option phase",
      '_a.lua: a migration has no option upp; did you mean "up"?', "_b.lua:1: the file is no Lua",
      "c.lua: the file has no time")
    assert.is_nil(tostring(err):find("_d.lua", 1, true))
  end)

  it("does not hide that a person has stopped the program", function()
    local path = directory {
      ["20260101000000_x.lua"] = [[require("tuff.error").raise("interrupted", "stopped")]],
    }
    errors.expect("interrupted", source.load, path)
  end)
end)

describe("migrations given as tables", function()
  local function up() end

  it("are a list, in the order of their ids", function()
    local found = source.load {
      { id = "20260102000000_b", up = up }, { id = "20260101000000_a", up = up, down = up },
    }
    assert.are.equal("20260101000000_a", found[1].id)
    assert.are.equal("a", found[1].name)
    assert.are.equal(up, found[1].down)
    assert.are.equal("20260102000000_b", found[2].id)
    assert.is_nil(found[1].path)
    assert.is_nil(found[1].checksum)
    assert.is_nil(found[1].tokens)
  end)

  it("are tables or functions by their ids", function()
    local found = source.load {
      ["20260102000000_b"] = up, ["20260101000000_a"] = { up = up, phase = "pre" },
      ["20250101000000_c"] = { id = "an older one", up = up },
    }
    local ids = {}
    for i, each in ipairs(found) do ids[i] = each.id end
    assert.are.same({ "an older one", "20260101000000_a", "20260102000000_b" }, ids)
    assert.are.equal(up, found[3].up)
    assert.are.equal("pre", found[2].phase)
  end)

  it("are refused with all that is wrong with them", function()
    local err = errors.expect("migration", function()
      source.load {
        { up = up }, up, { id = "a", up = up }, { id = "a", up = up }, b = { upp = up }, [""] = up,
      }
    end)
    errors.mentions(err, "migration 1 has no id", "migration 2 must be a table, not a function",
      "the id a is that of another migration too", 'migration b has no option upp',
      "the name of migration  must be a line")
    assert.is_truthy(err.mistakes[1].source:find("migration_source_spec%.lua:%d"))
  end)
end)

describe("the digests of a migration", function()
  fixture.clean_up()

  local TEXT = "return {\n  up = function(db)\n    db:run('select 1')\n  end,\n}\n"

  it("do not change with a mark of byte order or how lines end", function()
    local plain = load_one(TEXT)
    for _, text in ipairs {
      "\xEF\xBB\xBF" .. TEXT, TEXT:gsub("\n", "\r\n"), TEXT:gsub("\n", "\r"), nil,
    } do
      local other = load_one(text)
      assert.are.equal(plain.checksum, other.checksum)
      assert.are.equal(plain.tokens, other.tokens)
    end
  end)

  it("tell a text that was formatted anew from one that was changed", function()
    local plain = load_one(TEXT)
    local formatted = load_one("-- A comment\nreturn {up = function( db ) --[[ x ]]\n"
      .. 'db:run("select 1") end ,}')
    assert.are_not.equal(plain.checksum, formatted.checksum)
    assert.are.equal(plain.tokens, formatted.tokens)
    local changed = load_one((TEXT:gsub("select 1", "select 2")))
    assert.are_not.equal(plain.checksum, changed.checksum)
    assert.are_not.equal(plain.tokens, changed.tokens)
  end)
end)

describe("the tokens of Lua", function()
  local function same(a, b)
    assert.are.equal(lexer.digest(a), lexer.digest(b), a)
  end

  local function differ(a, b)
    assert.are_not.equal(lexer.digest(a), lexer.digest(b), a)
  end

  it("are the same whatever stands between them", function()
    same("a=1", " a\t=\n\n1 ")
    same("a=1", "--[[ x\n]]a--\n=--[==[ ]] ]==]1--[=[")
    same("a=1", "a=1--")
    same("a.b=c..d..1", "a . b = c .. d .. 1")
    same("return 0x1p-2+.5e+3-3", "return 0x1p-2 + .5e+3 - 3")
    same("x=a-- b\n-1", "x = a - 1")
    same("", "-- nothing\n")
  end)

  it("are the same however a string is written", function()
    same([[a='x"\n']], [[a="x\"\10"]])
    same("a=[[\nx\ny]]", "a='x\\ny'")
    same("a=[==[x]]]==]", "a='x]]'")
    same([[a='x\z   y']], "a='xy'")
    same("a='x\\\ny'", "a='x\\ny'")
  end)

  it("differ with every name, number, string and sign", function()
    differ("a=b", "a=c")
    differ("a=1", "a=1.0")
    differ("a='x '", "a='x'")
    differ("a=b", "a='b'")
    differ("a='--x'", "a=''")
    differ("a=[[--x]]", "a=[[]]")
    differ("a=b//c", "a=b/c")
    differ("a=b<c", "a=b<=c")
    differ("a=ab", "a=a b")
    differ("a=1 b=2", "a=12 b=2")
    differ("a='b' c='d'", "a='bc' d='d'")
  end)

  it("are counted to the end of whatever it is", function()
    for _, text in ipairs { "'x", "[[x", "\\", "'\\", "\0\xff", "[=", "0x", "..", "-" } do
      differ(text, "")
    end
  end)
end)
