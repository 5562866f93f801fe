local tuff = require "tuff"
local core = require "tuff.core"
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

--- A value as text, in SQL.
local function as_text(db, name)
  local form = db.engine == "sqlite" and "quote(%s)" or 'quote_nullable(%s::text collate "C")'
  return form:format(name)
end

--- The rows of the tables that two schemas have, in as much of them as they have in common.
local function common_rows(db, old, new)
  local texts = {}
  for _, of in ipairs(old.tables) do
    local other = model.find(new.tables, of.name)
    if other then
      local list = common_columns(of, other)
      local with_rowid = db.engine == "sqlite" and not of.without_rowid and not other.without_rowid
        and model.equal(of.primary_key or {}, other.primary_key or {})
      if with_rowid then list[#list + 1] = "rowid" end
      for i, name in ipairs(list) do list[i] = as_text(db, name) end
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
  if db.engine ~= "sqlite" then return end
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

--- Why the database is not sound; nil: it is.
local function flaw(db)
  if db.engine ~= "sqlite" then return nil end
  local sound = db:value("pragma integrity_check")
  -- SQLite does not check what a strict table computes.
  if sound ~= "ok" and not sound:find("^non%-") then return sound end
end

--- Makes the first schema in an empty database, fills it, and applies the second one; says what
--- went wrong.
local function play(db, operations)
  local old, new = random_schema.two_of(operations, db.engine ~= "sqlite")
  local engine = core.state(db).dialect.schema()
  engine.create(db, old)
  -- SQLite cannot delete from what a table whose name begins with a bracket refers to.
  if #engine.broken(db) > 0 then return nil end
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
    local wanted = db.engine == "sqlite" and engine.kept(new) or engine.materialise(db, new)
    if not model.equal(found, wanted, unordered) then
      return "the schema is another one:\n" .. tostring(db:diff(new))
    end
    if #db:diff(new).changes > 0 then return "there is still something to change" end
    search_is_sound(db, new)
  end
  if common_rows(db, old, new) ~= rows then
    return ("the rows were\n%s\nand are\n%s"):format(rows, common_rows(db, old, new))
  end
  return flaw(db)
end

-- ---- renames ---------------------------------------------------------------------------------

--- A copy of a schema in which names go round: hints for that, and the copy. Each table and each
--- column that is touched gets the name of the next one, or another one in capitals.
local function renamed(old, random)
  local db <close> = tuff.open(":memory:")
  sqlite.create(db, old)
  local hints = {}
  for _, of in ipairs(old.tables) do
    local columns = {}
    for i = 1, random(3) do columns[i] = of.columns[random(#of.columns)].name end
    if columns[1] ~= columns[2] and columns[2] ~= columns[3] and columns[1] ~= columns[3] then
      for i, name in ipairs(columns) do
        local to = #columns == 1 and "new" .. name or columns[i % #columns + 1]
        db:exec(("alter table %s rename column %s to %s"):format(quoted(of.name), quoted(name),
          quoted("third " .. i)))
        hints[of.name .. "." .. name] = to
      end
      for i, name in ipairs(columns) do
        db:exec(("alter table %s rename column %s to %s"):format(quoted(of.name),
          quoted("third " .. i), quoted(hints[of.name .. "." .. name])))
      end
    end
    local to = random(2) == 1 and "new " .. of.name or of.name
    if to ~= of.name then
      db:exec(("alter table %s rename to %s"):format(quoted(of.name), quoted(to)))
      hints[of.name] = to
    end
    for _, name in ipairs(columns) do
      local key = of.name .. "." .. name
      hints[key] = hints[key] and to .. "." .. hints[key]
    end
  end
  return db:schema(), hints
end

local function all_rows(db, of, names)
  local list = {}
  for i, name in ipairs(names) do list[i] = "quote(" .. quoted(name) .. ")" end
  return table.concat(db:column(("select %s as r from %s order by 1"):format(
    table.concat(list, " || ',' || "), quoted(of))), ";")
end

--- Renames much; says what went wrong.
local function play_names(operations)
  local old = random_schema.two_of(operations)
  for _, of in ipairs(old.tables) do of.search = nil end
  local random = property.random(#operations)
  local db <close> = tuff.open(":memory:")
  sqlite.create(db, old)
  if #sqlite.broken(db) > 0 then return nil end
  random_schema.fill(db, old, random)
  local new, hints = renamed(old, random)
  local before, after = {}, {}
  for i, of in ipairs(old.tables) do
    local names, new_names = {}, {}
    for j, column in ipairs(of.columns) do
      local to = hints[of.name .. "." .. column.name]
      names[j] = column.name
      new_names[j] = to and to:sub(#(hints[of.name] or of.name) + 2) or column.name
    end
    before[i] = all_rows(db, of.name, names)
    after[i] = { hints[of.name] or of.name, new_names }
  end
  local plan = db:apply(new, { renames = hints })
  for _, change in ipairs(plan.changes) do
    if not change.kind:find("^rename") then return "more has changed:\n" .. tostring(plan) end
  end
  for i, text in ipairs(before) do
    if all_rows(db, table.unpack(after[i])) ~= text then return "the rows are other ones" end
  end
  if db:schema() ~= new then return "the schema is another one" end
end

fixture.each_engine("a schema that becomes another one", function(engine)
  it("has all rows that both have room for", function()
    applied, refused = 0, 0
    property.check {
      seeds = soak and 1000 or engine.seeds, count = 30, makers = random_schema.makers_of_two,
      run = function(operations)
        local db <close> = engine.database()
        local good, reason = pcall(play, db, operations)
        return not good and tostring(reason) or reason
      end,
    }
    assert.is_true(applied > refused)
  end)
end)

describe("a schema that becomes another one in SQLite", function()
  fixture.clean_up()

  it("has the same rows under other names", function()
    property.check {
      seeds = soak and 1000 or 60, count = 20, makers = random_schema.makers_of_two,
      run = function(operations)
        local good, reason = pcall(play_names, operations)
        return not good and tostring(reason) or reason
      end,
    }
  end)
end)
