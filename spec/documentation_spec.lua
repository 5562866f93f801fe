local lfs = require "lfs"
local documentation = require "spec.support.documentation"
local instances = require "spec.support.instances"
local temporary = require "spec.support.temporary"

require "tuff.json" -- found now: a page runs in another directory

local makefile = temporary.read("Makefile")

--- The guides, and the page that the repository opens with.
local function pages()
  local names = {}
  for _, name in ipairs(temporary.list("doc")) do
    if name:find("%.md$") then names[#names + 1] = "doc/" .. name end
  end
  if lfs.attributes("README.md") then names[#names + 1] = "README.md" end
  return names
end

describe("the documentation", function()
  after_each(temporary.remove_all)
  teardown(instances.none_left)

  for _, name in ipairs(pages()) do
    it(name .. " runs, prints what it says, and leads to what there is", function()
      local text = temporary.read(name)
      local missing = documentation.missing(text)
      if missing then return pending("is left out: " .. missing) end
      local problems = documentation.problems(name, text, makefile)
      assert.are.equal("", table.concat(problems, "\n"))
    end)
  end

  it("doc/README.md leads to every guide", function()
    local linked = {}
    for _, link in ipairs(documentation.links(temporary.read("doc/README.md"))) do
      linked["doc/" .. link.path] = true
    end
    for _, name in ipairs(pages()) do
      if name:find("^doc/") and name ~= "doc/README.md" then
        assert.is_true(linked[name], "doc/README.md does not lead to " .. name)
      end
    end
  end)

  it("doc/engines.md tells which engine has which feature", function()
    local told = { sqlite = {}, postgres = {} }
    for name, sqlite, postgres in temporary.read("doc/engines.md")
      :gmatch("\n| `([%l_]+)` | (%l*) ?| (%l*) ?|") do
      if sqlite == "yes" then table.insert(told.sqlite, name) end
      if postgres == "yes" then table.insert(told.postgres, name) end
      assert.is_true(sqlite == "yes" or postgres == "yes", name .. " is a feature of no engine")
    end
    for engine, names in pairs(told) do
      local driver = temporary.read(("csrc/%s/driver.c"):format(engine))
      local features = {}
      for name in driver:match("features%[%] = (%b{})"):gmatch('"([%l_]+)"') do
        features[#features + 1] = name
      end
      table.sort(names)
      table.sort(features)
      assert.are.same(features, names)
    end
  end)

  it("CONTRIBUTING.md says of every source file where it belongs", function()
    local text = temporary.read("CONTRIBUTING.md")
    for _, folder in ipairs {
      "csrc/core", "csrc/codec", "csrc/sqlite", "csrc/postgres", "csrc/binding", "lua/tuff",
    } do
      local row = {}
      for line in text:gmatch("| (`" .. folder:gsub("%p", "%%%0") .. "/[^\n]*)") do
        row[#row + 1] = line:match("^[^|]*")
      end
      for _, file in ipairs(temporary.list(folder)) do
        local name = file:match("^(.*)%.c$") or file:match("^(.*)%.lua$")
        if name then
          assert.is_truthy(table.concat(row):find("[`/]" .. name .. "[`.]"), folder .. "/" .. file)
        end
      end
    end
  end)
end)

describe("a page", function()
  after_each(temporary.remove_all)

  --- The problems of a page given line by line; `lua:` opens and `.` closes a block.
  local function problems(...)
    local lines = { ... }
    for i, line in ipairs(lines) do
      lines[i] = line == "." and "```" or line:gsub("^(%l+):$", "```%1")
    end
    return documentation.problems("doc/page.md", table.concat(lines, "\n") .. "\n", "all: x\n")
  end

  local function fails(place, reason, ...)
    local found = table.concat(problems(...), "\n")
    assert.is_truthy(found:find("^doc/page%.md:" .. place .. ": "), found)
    assert.is_truthy(found:find(reason, 1, true), found)
  end

  local function passes(...)
    assert.are.same({}, problems(...))
  end

  it("passes when it prints what it says", function()
    passes("Text.", "lua:", "local x = 1", ".", "lua:", "print(x, 'a b')  --> 1  a b", ".")
    passes("lua:", "for i = 1, 2 do print(i) end", "--> 1", "--> 2", ".")
    passes("lua:", "print('some thing else')  --> some … else", ".")
    passes("lua:", "print('a\\n  ^')", "--> a", "-->   ^", ".")
    passes("lua:", "print('not compared')", ".", "text:", "error(", ".")
  end)

  it("fails when it prints something else", function()
    fails(2, '"1" was printed', "lua:", "print(1)  --> 2", ".")
    fails(3, '"2" was printed', "lua:", "print(1)  --> 1", "print(2)  --> 1", ".")
    fails(2, "expected", "lua:", "print('a  ^')  -->    a ^", ".")
    fails(2, "expected", "lua:", "print('ab')  --> a.", ".")
  end)

  it("fails when it prints less or more", function()
    fails(2, "nothing was printed", "lua:", "local x = 1  --> 1", ".")
    fails(3, "behind no mark", "lua:", "print(1)  --> 1", "print(2)", ".")
    fails(5, "nothing was printed", "lua:", "print(1)  --> 1", ".", "lua:", "--> 1", ".")
  end)

  it("fails when a block raises an error or cannot be read", function()
    fails(3, "out", "Text.", "lua:", "error('out')", ".")
    fails(2, "<name> expected", "lua:", "local = 1", ".")
    fails(2, "nil value", "lua:", "os.execute('true')", ".")
  end)

  it("fails when a block is of no language, or is not closed", function()
    fails(1, "not \"\"", "```", "x", "```")
    fails(1, "not \"python\"", "python:", "x", ".")
    fails(1, "not closed", "lua:", "print(1)  --> 1")
  end)

  it("finds an empty database where it opens one of a server", function()
    local opening = "local db <close> = require('tuff').open('postgres://localhost/shop"
    local missing = documentation.missing("```lua\n" .. opening .. "')\n```\n")
    if missing then return pending("is left out: " .. missing) end
    for _ = 1, 2 do
      passes("lua:", opening .. "?application_name=page')", "db:exec('create table t(x int)')",
        "print(db:value('select current_database()'))  --> shop",
        "print(db:value('show application_name'))  --> page", ".")
    end
    fails(3, "does not exist", "lua:", opening .. "')", "db:run('delete from t')", ".")
    assert.is_nil(documentation.missing("Not run: " .. opening))
  end)

  it("fails when a link leads nowhere", function()
    passes("[site](https://example.org/none)", "`[no](link.md)`", "[the Makefile](../Makefile)",
      "[here](#in-two-words)", "## In two words")
    fails(1, "leads nowhere", "[a](none.md)")
    fails(2, "no heading", "# One", "[a](#two)")
  end)

  it("fails when a command is none of make's", function()
    passes("sh:", "make", "make all DIR=x  # make none", 'eval "$(make -s all)" && cd x', ".")
    fails(2, "make none", "sh:", "make -s none", ".")
    fails(2, "make none", "sh:", 'eval "$(make -s none)"', ".")
  end)
end)
