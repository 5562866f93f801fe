local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

fixture.each_engine("the name of a table", function(engine)
  local db

  before_each(function()
    db = engine.database("create table ImageTags(id {key}, name text unique)")
  end)

  local function names()
    return db:column("select name from ImageTags order by id")
  end

  it("may be written as where the table was made", function()
    assert.are.equal(1, db:insert("ImageTags", { name = "a" }))
    db:insert_many("ImageTags", { { name = "a" }, { name = "b" } }, { on_conflict = "ignore" })
    db:insert_many("ImageTags", { { name = "b" } }, { on_conflict = "update", key = { "name" } })
    assert.are.same({ "a", "b" }, names())
  end)

  it("may be written in any case, as in SQL", function()
    db:insert("imagetags", { name = "a" })
    db:insert("IMAGETAGS", { name = "b" })
    assert.are.same({ "a", "b" }, names())
  end)

  it("is nothing but a name", function()
    for _, name in ipairs { "ImageTags ", "main.ImageTags", '"ImageTags"', "x; drop table x" } do
      errors.expect("not_found", db.insert, db, name, { name = "a" })
    end
    assert.are.same({}, names())
  end)

  if engine.name ~= "PostgreSQL" then return end

  it("is that of the table which has exactly this name, where there is one", function()
    db:exec [[create table "ImageTags"(label text primary key)]]
    assert.are.equal("a", db:insert("ImageTags", { label = "a" }))
    db:insert("imagetags", { name = "b" })
    assert.are.same({ "b" }, names())
  end)
end)
