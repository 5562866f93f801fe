local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

--- A locale that writes numbers with a comma.
local name = "de_DE.UTF-8"

local work = [[
  local path, name = ...
  assert(os.setlocale(name))
  assert(("%.1f"):format(1.5) == "1,5")
  local tuff = require "tuff"
  local db <close> = tuff.open(path)
  local row = { real = 0.1, text = 2.5, json = { 1.5, -0.25, 1e300 }, price = "1.25" }
  db:insert("t", row)
  db:insert_many("t", { row })
  for _, found in ipairs(db:all("select real, text, json, price from t")) do
    local got = ("%s %s %s"):format(found.real == 0.1, found.text, found.price)
    assert(got == "true 2.5 1.25", got)
    assert(#found.json == 3)
    for i, number in ipairs(row.json) do assert(found.json[i] == number) end
  end
  print(require("tuff.json").encode { 1.5, 0.1 }, db:value("select ?", 1.5) == 1.5)
]]

fixture.each_engine("a process whose locale has a comma in its numbers", function(engine)
  it("stores and reads the same numbers", function()
    local db = engine.database(
      "create table t(real {real}, text text, json {json}, price {decimal}(10,2))")
    db:close()
    local directory = temporary.directory()
    process.capture(("localedef -f UTF-8 -i de_DE %s/%s"):format(directory, name))
    assert.are.equal("[1.5,0.1]\ttrue", process.start({
      chunk = work, arguments = { engine.path(), name }, wrap = "env LOCPATH=" .. directory,
    }):finish())
  end)
end)
