local fixture = require "spec.support.fixture"
local migrations = require "spec.support.migrations"
local process = require "spec.support.process"

local soak = os.getenv("TUFF_SOAK") == "1"

--- The migrations of a program: tables of it are made anew, rows worked on in pieces, views made.
local program = [[
  local list = {
    { id = "1_clean", phase = "pre", up = function(db)
      db:run "delete from entries where image_id is null"
      db:run "insert into log values ('clean')"
    end },
    { id = "2_rebuild", up = function(db)
      db:exec(rebuild)
      db:run "insert into log values ('rebuild')"
    end },
    { id = "3_batch", transaction = false, up = function(_, step)
      step.batch { table = "images", size = 10, set = "seen = seen + 1" }
      step.batch { table = "images", size = 10, each = function(db, rows)
        local of = {}
        for i, row in ipairs(rows) do of[i] = row.id end
        db:run("update images set seen = seen + 10 where id in ?", of)
      end }
    end },
    { id = "4_view", repeatable = true, up = function(db)
      db:exec "drop view if exists favorites"
      db:exec "create view favorites as select id from images"
      db:run "insert into log values ('view')"
    end },
  }
]]

--- Runs them, and kills itself when it has run so many statements. Says how many there were. What
--- only reads leaves a database as it was: it counts where there is time for that.
local runner = [[
  local path, journal, left, reads, rebuild = ...
  local tuff = require "tuff"
  local db <close> = tuff.open(path,
    { durability = "normal", journal = journal ~= "" and journal or nil })
  local stat <close> = io.open("/proc/self/stat")
  local pid, count, limit = stat:read("n"), 0, tonumber(left)
  %s
  db:trace(function(run)
    if reads ~= "count" and run.sql:find("^%%s*select") then return end
    count = count + 1
    if count == limit then os.execute("kill -9 " .. pid) end
  end)
  db:migrations(list):up()
  db:trace(nil)
  print(count)
]]

local ids = { "1_clean", "2_rebuild", "3_batch", "4_view" }

local before = [[
  create table images(id {key}, path text);
  create table entries(id {key}, image_id {integer} references images(id) on delete cascade);
  create table log(what text)]]

local rebuilds = {
  SQLite = [[
    create table new_images(id integer primary key, path text not null,
      seen integer not null default 0);
    insert into new_images(id, path) select id, path from images;
    drop table images;
    alter table new_images rename to images;
    create index images_path on images(path)]],
  PostgreSQL = [[
    alter table images add seen bigint not null default 0, alter path set not null;
    create index images_path on images(path)]],
}

fixture.each_engine("a program that migrates and is killed", function(engine)
  local rebuild = rebuilds[engine.name]

  local function fresh(journal)
    engine.database():close()
    local db <close> = engine.open { journal = journal }
    db:exec(engine.sql(before))
    db:exec [[
      insert into images with recursive c(n) as (
        select 1 union all select n + 1 from c where n < 30) select n, 'path ' || n from c;
      insert into entries select id, id from images;
      insert into entries values (1000, null)]]
  end

  local function started(journal, left)
    return process.start { chunk = runner:format(program),
      arguments = { engine.path(), journal or "", left, soak and "count" or "skip", rebuild } }
  end

  --- What must hold at any moment: each migration is whole, and the ledger says so.
  local function expect_whole(db, list, where)
    local states = migrations.states(db:migrations(list))
    local logged = {}
    for _, what in ipairs(db:column "select what from log") do logged[what] = true end
    local function same(expected, actual, what)
      assert.are.equal(expected, actual, ("%s: %s"):format(where, what))
    end
    same(30, db:value "select count(*) from images", "images")
    local clean, rebuilt = states["1_clean"] == "applied", states["2_rebuild"] == "applied"
    same(clean, logged.clean == true, "the log of the first")
    same(clean and 30 or 31, db:value "select count(*) from entries", "entries")
    same(rebuilt, logged.rebuild == true, "the log of the rebuild")
    same(rebuilt, pcall(db.value, db, "select seen from images limit 1"), "the new column")
    same(states["4_view"] == "applied", logged.view == true, "the view")
    if states["3_batch"] == "applied" then
      same(30, db:value "select count(*) from images where seen = 11", "rows of the batch")
    elseif rebuilt then
      same(0, db:value "select count(*) from images where seen not in (0, 1, 11)", "rows")
    end
    same(true, not db:has_table "new_images", "what is left behind")
  end

  local load_list = assert(load("local rebuild = ... " .. program .. " return list"))

  --- Kills the program behind each of its statements in turn.
  local function kill_everywhere(journal)
    fresh(journal)
    local list = load_list(rebuild)
    local total = math.tointeger(tonumber(started(journal, 0):finish()))
    assert.is_true(total > 40)
    for left = 1, total do
      fresh(journal)
      assert.is_false(started(journal, left):wait().ok)
      local where = ("killed after %d of %d statements"):format(left, total)
      local db <close> = engine.open { journal = journal }
      local m = db:migrations(list)
      expect_whole(db, list, where)
      m:up()
      expect_whole(db, list, where .. ", and run again")
      for _, id in ipairs(ids) do assert.are.equal("applied", migrations.states(m)[id], where) end
      assert.are.same({}, migrations.problems(m), where)
    end
  end

  for _, journal in ipairs(engine.name == "SQLite" and { "wal", "delete" } or { "" }) do
    it(("leaves the old or the new, and the next one ends it %s"):format(journal), function()
      kill_everywhere(journal ~= "" and journal or nil)
    end)
  end
end)
