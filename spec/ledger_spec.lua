--- Ledgers as earlier versions have left them: one file for each number of their form.
local core = require "tuff.core"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local ledger = require "tuff.migrate.ledger"
local temporary = require "spec.support.temporary"

describe("a ledger", function()
  local db

  before_each(function()
    local _
    _, db = fixture.database ""
  end)
  fixture.clean_up()

  --- A database with the ledger of this number: two migrations were applied, and one has failed.
  local function made_by(number)
    core.own(db)
    db:exec(temporary.read(("spec/ledgers/%d.sql"):format(number)))
    return db:migrations {
      { id = "20260301090000_make_images", up = error, down = function() end },
      { id = "20260302090000_names", transaction = false, up = error, down = function() end },
      { id = "20260303090000_broken", up = function() db:insert("images", { path = "/4" }) end },
    }
  end

  it("has a file for the number of each form that there was", function()
    assert.are.equal(ledger.FORMAT, #temporary.list("spec/ledgers"))
  end)

  for number = 1, ledger.FORMAT do
    it(("of form %d is read, and goes on"):format(number), function()
      local m = made_by(number)
      local states = {}
      for i, status in ipairs(m:status()) do states[i] = status.state end
      assert.are.same({ "applied", "applied", "failed" }, states)
      assert.are.same({ "20260303090000_broken" }, m:up().applied)
      assert.are.equal(4, db:value "select count(*) from images")
      assert.are.same({ ok = true, problems = {} }, m:verify())
    end)
  end

  it("of a later form is refused, and stays as it is", function()
    local m = made_by(ledger.FORMAT)
    core.own(db)
    db:run("update tuff_settings set value = ? where key = 'tuff.ledger'", ledger.FORMAT + 1)
    for _, method in ipairs { "status", "up", "down", "verify" } do
      local err = errors.expect("migration", m[method], m)
      assert.matches("format " .. ledger.FORMAT + 1, err.message, 1, true)
      assert.matches("update", err.hint)
    end
    assert.are.equal(3, db:value "select count(*) from images")
  end)
end)
