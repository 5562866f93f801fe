local s = require "tuff.schema"
local fixture = require "spec.support.fixture"

fixture.each_engine("an empty database that is upgraded", function(engine)
  local schema = s.define { s.table("tags", { s.id(), s.text("name") }) }
  local ran

  local function migrations(first)
    return {
      { id = "20260101000000_first", fresh = true, up = first },
      { id = "20260102000000_second", up = function() ran[#ran + 1] = "second" end },
      { id = "20260103000000_third", fresh = true, up = function() ran[#ran + 1] = "third" end },
    }
  end

  before_each(function() ran = {} end)

  it("runs what is fresh, although newer migrations are recorded as applied", function()
    local db = engine.database()
    local list = migrations(function() ran[#ran + 1] = "first" end)
    local report = db:upgrade { schema = schema, migrations = list }
    assert.are.same({ "20260101000000_first", "20260103000000_third" }, report.applied)
    assert.are.same({ "first", "third" }, ran)
    assert.is_false(db:upgrade({ schema = schema, migrations = list }).changed)
    assert.are.same({}, db:migrations(list):verify().problems)
  end)

  it("goes on with what is fresh where it was interrupted", function()
    local db = engine.database()
    local fail = true
    local list = migrations(function()
      if fail then error("enough") end
      ran[#ran + 1] = "first"
    end)
    assert.is_false(pcall(db.upgrade, db, { schema = schema, migrations = list }))
    fail = false
    db:upgrade { schema = schema, migrations = list }
    assert.are.same({ "first", "third" }, ran)
  end)
end)
