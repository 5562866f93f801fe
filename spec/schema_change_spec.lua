local tuff = require "tuff"
local fixture = require "spec.support.fixture"
local model = require "tuff.schema.model"
local property = require "spec.support.property"
local random_schema = require "spec.support.random_schema"
local sqlite = require "tuff.schema.sqlite"

local soak = os.getenv("TUFF_SOAK") == "1"

local unordered = { order = false }

local function quoted(name) return '"' .. name:gsub('"', '""') .. '"' end

--- What both schemas have of a table: the columns that are the same, without what is computed.
local function common_columns(old, new)
  local list = {}
  for _, column in ipairs(old.columns) do
    local other = model.find(new.columns, column.name)
    if other and not column.generated and model.equal(column, other) then
      list[#list + 1] = quoted(column.name)
    end
  end
  return list
end

--- The rows of the tables that two schemas have, in as much of them as they have in common.
local function common_rows(db, old, new)
  local texts = {}
  for _, of in ipairs(old.tables) do
    local other = model.find(new.tables, of.name)
    if other then
      local list = common_columns(of, other)
      local with_rowid = not of.without_rowid and not other.without_rowid
        and model.equal(of.primary_key or {}, other.primary_key or {})
      if with_rowid then list[#list + 1] = "rowid" end
      for i, name in ipairs(list) do list[i] = "quote(" .. name .. ")" end
      list[#list + 1] = "'row'"
      local rows = db:column(("select %s as r from %s order by 1"):format(
        table.concat(list, " || ',' || "), quoted(of.name)))
      texts[#texts + 1] = of.name .. ": " .. table.concat(rows, "; ")
    end
  end
  return table.concat(texts, "\n")
end

--- Names of all that has no place in the new schema.
local function left_out(old, new)
  local list = {}
  for _, virtual in ipairs(old.virtual_tables) do list[#list + 1] = virtual.name end
  for _, of in ipairs(old.tables) do
    local other = model.find(new.tables, of.name)
    if not other then list[#list + 1] = of.name end
    for _, column in ipairs(of.columns) do
      local after = other and model.find(other.columns, column.name)
      if not after or after.generated then list[#list + 1] = of.name .. "." .. column.name end
    end
  end
  return list
end

local function search_is_sound(db, schema)
  for _, of in ipairs(schema.tables) do
    if of.search then
      local name = quoted((sqlite.search_name(of)))
      db:run(("insert into %s(%s, rank) values ('integrity-check', 1)"):format(name, name))
    end
  end
end

--- Whether an error says that rows, or what new columns would be by default, do not fit.
local function is_about_rows(err)
  return tuff.is_error(err) and err.code == "migration"
    and ((err.hint or ""):find("rows") or err.cause and err.cause.code == "type")
end

local applied, refused = 0, 0

--- Makes the first schema, fills it, and applies the second one; says what went wrong.
local function play(operations)
  local old, new = random_schema.two_of(operations)
  local db <close> = tuff.open(":memory:")
  sqlite.create(db, old)
  -- SQLite cannot delete from what a table whose name begins with a bracket refers to.
  if #sqlite.broken(db) > 0 then return nil end
  random_schema.fill(db, old, property.random(#operations))
  local have, rows = db:schema(), common_rows(db, old, new)
  local good, err = pcall(db.apply, db, new, { allow_drop = left_out(old, new) })
  if not good then
    if not is_about_rows(err) then return tostring(err) end
    refused = refused + 1
    if db:schema() ~= have then return "a refused change has changed the schema" end
  else
    applied = applied + 1
    local found = db:schema()
    if not model.equal(found, sqlite.kept(new), unordered) then
      return "the schema is another one:\n" .. tostring(db:diff(new))
    end
    if #db:diff(new).changes > 0 then return "there is still something to change" end
    search_is_sound(db, new)
  end
  if common_rows(db, old, new) ~= rows then
    return ("the rows were\n%s\nand are\n%s"):format(rows, common_rows(db, old, new))
  end
  local sound = db:value("pragma integrity_check")
  -- SQLite does not check what a strict table computes.
  if sound ~= "ok" and not sound:find("^non%-") then return sound end
end

describe("a schema that becomes another one", function()
  fixture.clean_up()

  it("has all rows that both have room for", function()
    property.check {
      seeds = soak and 1000 or 60, count = 30, makers = random_schema.makers_of_two,
      run = function(operations)
        local good, reason = pcall(play, operations)
        return not good and tostring(reason) or reason
      end,
    }
    assert.is_true(applied > refused)
  end)
end)
