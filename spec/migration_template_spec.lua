local name_of = require "tuff.migrate.name"
local source = require "tuff.migrate.source"
local template = require "tuff.migrate.template"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local temporary = require "spec.support.temporary"

describe("a new migration", function()
  fixture.clean_up()

  it("is a file that is named by the time in UTC and what people call it", function()
    local directory = temporary.directory() .. "/migrations"
    local before = os.date("!%Y%m%d%H%M%S")
    local path = template.write(directory, "Add score to images!")
    local time, rest = path:match("/migrations/(%d+)_(.*)$")
    assert.are.equal("add_score_to_images.lua", rest)
    assert.is_true(before <= time and time <= os.date("!%Y%m%d%H%M%S"))
    assert.are.same({ time .. "_" .. rest }, temporary.list(directory))
  end)

  it("can be loaded, and fails until it is written", function()
    local directory = temporary.directory()
    template.write(directory, "say \"what\"\nit does ]] -- \\")
    local migration = source.load(directory)[1]
    assert.are.equal("say_what_it_does", migration.name)
    assert.is_nil(migration.down)
    local good, err = pcall(migration.up)
    assert.is_false(good)
    assert.is_truthy(err:find("not written yet", 1, true))
  end)

  it("has what was written for it", function()
    local directory = temporary.directory()
    template.write(directory, "x", {
      up = "    return 'up'", down = "    return 'down'", phase = "post",
    })
    local migration = source.load(directory)[1]
    assert.are.equal("up", migration.up())
    assert.are.equal("down", migration.down())
    assert.are.equal("post", migration.phase)
  end)

  it("comes behind all that there are, also in one second, and writes over none", function()
    local directory = temporary.directory()
    local paths = {}
    for i = 1, 5 do paths[i] = template.write(directory, i % 2 == 0 and "a" or "b") end
    local found = source.load(directory)
    assert.are.equal(5, #found)
    for i, each in ipairs(found) do assert.are.equal(paths[i], each.path) end
    temporary.write(directory .. "/29991231235959_far.lua", "return { up = print }")
    assert.is_truthy(template.write(directory, "x"):find("/30000101000000_x.lua", 1, true))
  end)

  it("comes behind those that cannot be loaded, too", function()
    local directory = temporary.directory()
    temporary.write(directory .. "/29990101000000_far.lua", "(")
    temporary.write(directory .. "/x.lua", "(")
    assert.is_truthy(template.write(directory, "x"):find("/29990101000001_x.lua", 1, true))
  end)

  it("has a name that a file may have, whatever it is called", function()
    local function about(title)
      return template.file_name(title, "29990101000000_x"):match("^29990101000001_(.*)%.lua$")
    end
    assert.are.equal("größe_2", about("  Größe/2  "))
    assert.are.equal("a_b", about("../a\\b"))
    assert.are.equal(("ü"):rep(50), about(("ü"):rep(400)))
    assert.are.equal("x" .. ("ü"):rep(49), about("x" .. ("ü"):rep(400)))
  end)

  it("is refused where there is nothing to call it by, or no place for it", function()
    for _, title in ipairs { "", " - ", "\xff" } do
      errors.expect("misuse", template.text, title)
      errors.expect("misuse", template.write, temporary.directory(), title)
    end
    errors.expect("misuse", template.text)
    errors.expect("misuse", template.write, nil, "x")
    errors.expect("misuse", template.write, "", "x")
    errors.mentions(errors.expect("misuse", template.text, "x", { donw = "" }), 'mean "down"?')
    local directory = temporary.directory()
    temporary.write(directory .. "/file", "")
    errors.expect("migration", template.write, directory .. "/file", "x")
    errors.expect("migration", template.write, directory .. "/none/none", "x")
  end)
end)

describe("the time in the name of a migration", function()
  it("is one that there is", function()
    for time, is in pairs {
      ["20260101000000"] = true, ["20240229235959"] = true, ["20260229000000"] = false,
      ["20000229000000"] = true, ["21000229000000"] = false, ["20261301000000"] = false,
      ["20260001000000"] = false, ["20260100000000"] = false, ["20260101240000"] = false,
      ["20260101006000"] = false, ["20260101000060"] = false, ["19700101000000"] = true,
    } do
      assert.are.equal(is, name_of.is_time(time), time)
    end
  end)
end)
