local lfs = require "lfs"
local fixture = require "spec.support.fixture"
local json = require "tuff.json"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local program = lfs.currentdir() .. "/bin/tuff"

local place -- the directory in which the command runs

local chunk = ("local words = { ... } words[0] = %q arg = words dofile(words[0])"):format(program)

--- Starts the command, with words of the environment in front of it.
local function start(environment, ...)
  return process.start {
    chunk = chunk,
    arguments = { ... }, directory = place,
    wrap = "env -u TUFF_DATABASE " .. environment,
  }
end

--- Runs the command to its end.
local function run(...)
  return start("", ...):wait()
end

--- The same, with what it says as facts.
local function facts_of(...)
  local words = { ... }
  words[#words + 1] = "--json"
  local result = run(table.unpack(words))
  assert.are.equal("", result.errors)
  return json.decode(result.output), result.code
end

local function write(name, text)
  temporary.write(place .. "/" .. name, text)
end

local function migration(name, text)
  lfs.mkdir(place .. "/migrations")
  write("migrations/" .. name .. ".lua", text)
end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), text)
end

local function has_not(text, part)
  assert.is_nil(text:find(part, 1, true), text)
end

--- It failed with this status, and said that.
local function fails(status, message, ...)
  local result = run(...)
  has(result.errors, message)
  has_not(result.errors, "traceback")
  assert.are.equal(status, result.code, result.errors)
  return result
end

local first, second, third = "20260101000000_make_images", "20260102000000_fill_images",
  "20260103000000_mark_images"

local function three_migrations()
  migration(first, [[return {
    up = function(db) db:exec "create table images(id integer primary key, path text)" end,
    down = function(db) db:exec "drop table images" end,
  }]])
  migration(second, [[return {
    up = function(db)
      for i = 1, 20 do db:run("insert into images(id, path) values (?, ?)", i, i .. ".png") end
    end,
    down = function(db) db:run "delete from images" end,
  }]])
  migration(third, [[return {
    transaction = false,
    up = function(db, step) step.batch { table = "images", set = "path = '/' || path" } end,
    down = function(db) db:run "update images set path = substr(path, 2)" end,
  }]])
end

local function new_place()
  place = temporary.directory()
end

-- ---- on every engine ---------------------------------------------------------------------

fixture.each_engine("the command", function(engine)
  local db, path

  before_each(function()
    new_place()
    db = engine.database()
    path = engine.path()
  end)

  local function states()
    local list = {}
    for i, status in ipairs(facts_of("status", path).migrations) do list[i] = status.state end
    return table.concat(list, " ")
  end

  it("runs what is pending, telling each and the sum, and then finds nothing to do", function()
    three_migrations()
    local result = run("up", path)
    assert.are.equal(0, result.code, result.errors)
    assert.are.equal("", result.errors)
    for _, id in ipairs { first, second, third } do has(result.output, "applied  " .. id) end
    has(result.output, third .. "  ")
    has(result.output, ", 20 rows\n")
    assert.is_truthy(result.output:find("\n3 migrations applied in %d+ %l+\n$"), result.output)
    assert.are.equal("/7.png", db:value "select path from images where id = 7")
    has(run("up", path).output, "nothing to do")
    assert.are.equal("applied applied applied", states())
  end)

  it("shows what there is as a table, and what would be run", function()
    three_migrations()
    run("up", path, "--to", first)
    local lines = {}
    for line in run("status", path).output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.is_truthy(lines[1]:find("^migration +phase +state +applied %(UTC%) +ms$"), lines[1])
    assert.is_truthy(lines[2]:find(first .. " +main +applied +%d+%-%d+%-%d+ %d+:%d+:%d+ +%d+$"))
    assert.is_truthy(lines[3]:find("^" .. second .. " +main +pending$"), lines[3])
    assert.are.equal("1 applied, 2 pending", lines[5])
    local plan = facts_of("plan", path).plan
    assert.are.same({ second, third }, { plan[1].id, plan[2].id })
    has(run("plan", path, "--to", "20260102").output, "1 migration is to be run")
  end)

  it("takes the last ones back, and runs them again", function()
    three_migrations()
    run("up", path)
    has(run("redo", path, "--no-backup").output, "1 migration taken back and applied again")
    local facts = facts_of("down", path, "--steps", "2", "--no-backup")
    assert.are.same({ third, second }, facts.taken_back)
    assert.are.equal(0, db:value "select count(*) from images")
    assert.are.equal("applied pending pending", states())
    has(run("down", path, "--to", first).output, "nothing to do")
  end)

  it("tries them where they are forgotten, and prints the SQL, the rows and the time", function()
    three_migrations()
    local result = run("up", path, "--dry-run")
    assert.are.equal(0, result.code, result.errors)
    has(result.output, "create table images(id integer primary key, path text);")
    assert.is_truthy(result.output:find(second .. "  [%d.]+ %l+, 20 rows changed"), result.output)
    has_not(result.output, "sqlite_schema")
    assert.is_false(db:has_table("images"))
    assert.are.equal(20, facts_of("up", path, "--dry-run").tried[2].rows)
    assert.are.equal("pending pending pending", states())
  end)

  it("ends at the first failure, undone, with the line of the migration and a caret", function()
    three_migrations()
    migration(second, [[return { up = function(db)
      db:run "insert into images(id) values (1)"
      db:run "insert into nothing_of_this values (1)"
    end }]])
    local result = fails(1, "tuff: the migration " .. second .. " failed: ", "up", path)
    has(result.errors, "nothing_of_this")
    has(result.errors, "(migrations/" .. second .. ".lua:3)")
    has(result.errors, "insert into nothing_of_this values (1)\n")
    has(result.errors, second .. " was undone\n1 migration before it was applied\n")
    assert.are.equal(0, db:value "select count(*) from images")
    assert.are.equal("applied failed pending", states())
    local facts, status = facts_of("up", path)
    assert.are.equal(1, status)
    assert.is_false(facts.ok)
    assert.are.same({ "migration", second }, { facts.error.code, facts.error.migration })
    assert.are.same({}, facts.applied)
  end)

  it("tells of problems by the exit status", function()
    three_migrations()
    run("up", path)
    has(run("verify", path).output, "the database is what its ledger says")
    os.remove(place .. "/migrations/" .. third .. ".lua")
    local result = run("verify", path)
    assert.are.equal(1, result.code)
    has(result.output, "missing: " .. third)
    local facts, status = facts_of("verify", path)
    assert.are.equal(1, status)
    assert.are.same({ false, "missing" }, { facts.ok, facts.problems[1].what })
  end)

  it("refuses, by a status of its own, where something must be decided first", function()
    three_migrations()
    run("up", path)
    migration("20260102120000_late", "return { up = function() end }")
    local result = fails(3, "was never applied", "up", path)
    has(result.errors, "allow it by --allow-out-of-order")
    local facts, status = facts_of("plan", path)
    assert.are.same({ 3, "migration" }, { status, facts.error.code })
    assert.are.equal(0, run("up", path, "--allow-out-of-order").code)
    fails(3, "it has no down", "down", path)
    fails(3, "there is no migration 2099", "up", path, "--to", "2099")
  end)

  it("records what the database has already", function()
    three_migrations()
    assert.are.same({ first }, facts_of("baseline", path, "20260101").recorded)
    assert.are.same({ second, third }, facts_of("baseline", path, "--all").recorded)
    has(run("baseline", "--all", "-d", path).output, "nothing to do")
    assert.is_false(db:has_table("images"))
    assert.are.equal("applied applied applied", states())
    fails(2, "its ID, or --all", "baseline")
  end)

  it("tries all migrations up, down and up again", function()
    three_migrations()
    has(run("test", path).output, "on an empty database: good")
    migration(second, "return { up = function(db) error 'not this time' end }")
    local facts, status = facts_of("test", path)
    assert.are.same({ 1, false, false }, { status, facts.ok, facts.trials[1].ok })
    assert.is_false(db:has_table("images"))
  end)

  it("ends by Ctrl-C, with the migration undone", function()
    three_migrations()
    migration(second, [[return { up = function(db)
      db:run "insert into images(id) values (1)"
      io.stdout:write("working\n")
      db:value("with recursive c(n) as (select 1 union all select n + 1 from c where n > 0) "
        .. "select count(*) from c where n < 0")
    end }]])
    local child = start("", "up", path)
    repeat
      local line = child:read()
      assert.is_truthy(line, "the command has ended")
    until line == "working"
    assert(os.execute("kill -2 " .. child.pid))
    local result = child:wait()
    assert.are.equal(130, result.code, result.errors)
    has(result.errors, "tuff: ended by Ctrl-C\n" .. second .. " was undone\n1 migration before it")
    assert.are.equal(0, db:value "select count(*) from images")
  end)
end)

-- ---- the rest ----------------------------------------------------------------------------

describe("the command", function()
  fixture.clean_up()
  before_each(new_place)

  it("tells how it is used", function()
    local all = run("--help")
    assert.are.equal(0, all.code)
    for _, name in ipairs {
      "new", "status", "plan", "verify", "test", "up", "down", "redo", "baseline", "diff", "schema",
    } do
      has(all.output, "\n   " .. name .. " ")
      local own = run("help", name)
      assert.are.equal(0, own.code)
      has(own.output, "Usage: tuff " .. name)
      assert.are.equal(own.output, run(name, "--help").output)
    end
    assert.are.equal(all.output, run("help").output)
    has(run("--version").output, "tuff " .. require("tuff").version)
  end)

  it("is told of in the guide, with all its options", function()
    local guide = temporary.read("doc/command.md")
    local names = run("--help").output:match("\nCommands:(.-)\n\n")
    for name in names:gmatch("\n   (%l+) ") do
      local help = run("help", name).output
      if name ~= "help" then has(guide, "tuff " .. name) end
      for option in help:gmatch("%-%-[%l-]+") do
        if option ~= "--help" then has(guide, option) end
      end
      for line in guide:gmatch("\ntuff " .. name .. "(%f[%s][^\n]*)") do
        for option in line:gsub("#.*", ""):gmatch("%-%-[%l-]+") do has(help, option) end
      end
    end
  end)

  it("says what is wrong with its arguments, and what was probably meant", function()
    local result = fails(2, "unknown command 'statsu'. Did you mean 'status'?", "statsu")
    has(result.errors, "Usage: tuff ")
    fails(2, 'no command \'staus\'; did you mean "status"?', "help", "staus")
    fails(2, "a command is required")
    has(fails(2, "unknown option '--dryrun'", "up", "--dryrun").errors, "Usage: tuff up ")
    fails(2, "'0' is no number above 0", "down", "x.db", "--steps", "0")
    fails(2, "'--to' can not be used together", "down", "x.db", "--steps", "1", "--to", "x")
    fails(2, "given twice", "status", "x.db", "-d", "y.db")
    fails(2, "no database is given", "status")
    local facts, status = facts_of("up", "--dryrun")
    assert.are.same({ 2, "misuse", false }, { status, facts.error.code, facts.ok })
  end)

  it("tells what is missing, and what to do", function()
    fails(1, "there is no directory of migrations migrations", "status", "x.db")
    lfs.mkdir(place .. "/migrations")
    has(fails(1, "there is no such file", "up", "x.db").errors, '"tuff up --create"')
    assert.is_nil(lfs.attributes(place .. "/x.db"))
    assert.are.equal(0, run("up", "x.db", "--create").code)
    has(run("status", "x.db").output, "there are no migrations in migrations yet")
    write("text.db", "this is no database, but a text that is long enough to be looked at. ")
    fails(1, "file is not a database", "status", "text.db")
    fails(1, "it is a file", "new", "a title", "-m", "text.db")
    migration("20260101000000_late", [[return { up = function(db)
      db:after_commit(function() error "no mail" end)
    end }]])
    local late = fails(1, "was applied, but what waited for that failed", "up", "x.db")
    has(late.output, "applied  20260101000000_late")
    assert.is_nil(late.errors:find("undone", 1, true))
    os.remove(place .. "/migrations/20260101000000_late.lua")
    migration("20260101000000_broken", "return {")
    has(fails(1, "the file is no Lua", "up", "x.db").errors, "20260101000000_broken.lua:1")
    migration("20260102000000_empty", "return {}")
    assert.is_nil(fails(1, "2 mistakes", "up", "x.db").errors:find("%(.*%.lua:%d+%)"))
  end)

  it("tells what it may not read", function()
    local options, reason = process.without_rights()
    if not options then return pending(reason) end
    migration("20260101000000_a", "return { up = function() end }")
    write("x.db", "")
    assert(os.execute(("cd %s && chmod 755 . && chmod 0 migrations"):format(place)))
    options.chunk = 'os.exit(require("tuff.cli").run { ... }, true)'
    options.directory = "/"
    options.arguments = { "status", place .. "/x.db", "-m", place .. "/migrations" }
    local result = process.start(options):wait()
    assert(os.execute("chmod 755 " .. place .. "/migrations"))
    assert.are.equal(1, result.code)
    has(result.errors, "cannot be read: ")
  end)

  it("takes the database from an argument, an option, the environment or a file", function()
    three_migrations()
    for _, name in ipairs { "a.db", "b.db", "c.db", "d.db" } do run("up", name, "--create") end
    write("tuff.config.lua", 'return { database = "d.db" }')
    local function found(environment, ...)
      local result = start(environment, "status", "--json", ...):wait()
      return json.decode(result.output).database:match("[^/]*$")
    end
    assert.are.equal("d.db", found(""))
    assert.are.equal("c.db", found("TUFF_DATABASE=c.db"))
    assert.are.equal("b.db", found("TUFF_DATABASE=c.db", "-d", "b.db"))
    assert.are.equal("a.db", found("TUFF_DATABASE=c.db", "a.db"))
  end)

  it("takes directories and files from the file, and tells what is wrong with it", function()
    three_migrations()
    assert(os.rename(place .. "/migrations", place .. "/steps"))
    write("tuff.config.lua",
      'return { database = "x.db", migrations = "steps", schema = "schema.lua" }')
    assert.are.equal(3, #facts_of("up", "--create").applied)
    fails(1, "the schema schema.lua cannot be read", "diff")
    write("tuff.config.lua", 'return { databas = "x.db" }')
    local result = fails(2, "tuff.config.lua has no option databas", "status")
    has(result.errors, 'did you mean "database"?')
    write("tuff.config.lua", "return 7")
    fails(2, "tuff.config.lua must return a table", "status")
    write("tuff.config.lua", "error 'not today'")
    fails(1, "tuff.config.lua raises an error", "status")
    write("tuff.config.lua", "return {")
    fails(1, "tuff.config.lua cannot be read", "status")
  end)

  it("copies the database before it changes it, beside it, and says where", function()
    three_migrations()
    has_not(run("up", "x.db", "--create", "--to", first).output, "backup") -- nothing is in it
    local result = run("up", "x.db", "--to", second)
    local copy = result.output:match("\nbackup  (%S+)\n")
    assert.are.equal(place, copy:match("^(.*)/"), result.output)
    local old <close> = fixture.open(copy)
    assert.are.equal(0, old:value "select count(*) from images")
    has(facts_of("down", "x.db", "--backup", place .. "/copies").backup, place .. "/copies/")
    for _ = 1, 2 do run("redo", "x.db", "--backup", place .. "/copies") end
    assert.are.equal(3, #temporary.list(place .. "/copies"))
    assert.is_nil(facts_of("up", "x.db", "--no-backup").backup)
  end)

  it("writes the file of a new migration, and prints its path", function()
    local result = run("new", "add score to images", "--phase", "pre")
    local path = result.output:match("^(migrations/%d+_add_score_to_images%.lua)\n$")
    assert.is_truthy(path, result.output .. result.errors)
    has(temporary.read(place .. "/" .. path), 'phase = "pre"')
    fails(2, "must have a letter or a digit", "new", "!")
    fails(2, "missing argument 'TITLE'", "new")
  end)

  it("prints one object of JSON even when a migration prints", function()
    migration("20260101000000_loud", "return { up = function() print('loud', nil) end }")
    local result = run("up", "x.db", "--create", "--json")
    assert.are.equal("loud\tnil\n", result.errors)
    assert.are.same({ "20260101000000_loud" }, json.decode(result.output).applied)
  end)

  it("goes on to the end when nobody reads what it says any more", function()
    three_migrations()
    migration("20260101000001_wait", [[return { up = function()
      local deadline = os.time() + 60
      repeat until io.open("left") or os.time() > deadline
    end }]])
    local reader = "{ read line; exec <&-; touch left; }"
    local child = start(([[sh -c '{ "$@"; echo $? > status; } | %s' sh]]):format(reader),
      "up", "x.db", "--create")
    assert.are.equal("", child:wait().errors)
    assert.are.equal("0\n", temporary.read(place .. "/status"))
    has(run("status", "x.db").output, "4 applied")
  end)

  it("fails when what it says cannot be written", function()
    if not lfs.attributes("/dev/full") then return pending("there is no /dev/full") end
    three_migrations()
    run("up", "x.db", "--create")
    local result = start("sh -c 'exec \"$@\" > /dev/full' sh", "status", "x.db"):wait()
    assert.are.equal(1, result.code)
    has(result.errors, "the output cannot be written")
  end)

  it("colours on a terminal only, and not where NO_COLOR is set", function()
    if not process.succeeds("script -qec true /dev/null") then return pending("no script(1)") end
    three_migrations()
    run("up", "x.db", "--create", "--to", first)
    has_not(run("status", "x.db").output, "\27")
    local function shown(environment, ...)
      local words = { program, ... }
      for i, word in ipairs(words) do words[i] = process.quote(word) end
      local command = process.quote(table.concat(words, " "))
      return process.capture(("cd %s; env TERM=xterm NO_COLOR= %s script -qec %s /dev/null %s")
        :format(process.quote(place), environment, command, "</dev/null"))
    end
    has(shown("", "status", "x.db"), "\27[32mapplied\27[0m")
    has_not(shown("NO_COLOR=1", "status", "x.db"), "\27")
    has_not(shown("TERM=dumb", "status", "x.db"), "\27")
    has(shown("", "up", "x.db", "--no-backup"), "100 % of 20 rows of images\r\27[K")
  end)

  it("never prints a password", function()
    for _, words in ipairs {
      { "status", "postgres://me:hunter2@127.0.0.1:1/x" },
      { "up", "postgres://me@127.0.0.1:1/x?password=hunter2" },
      { "postgres://me:hunter2@127.0.0.1:1/x" },
      { "status", "host=127.0.0.1 port=1 password=hunter2" },
      { "help", "postgres://me:hunter2@127.0.0.1:1/x" },
      { "down", "--steps", "postgres://me:hunter2@127.0.0.1:1/x" },
    } do
      migration("20260101000000_a", "return { up = function() end }")
      local text = run(table.unpack(words))
      has_not(text.output .. text.errors, "hunter2")
      assert.is_true(text.code > 0)
      words[#words + 1] = "--json"
      text = run(table.unpack(words))
      has_not(text.output .. text.errors, "hunter2")
      assert.is_false(json.decode(text.output).ok)
    end
  end)
end)

fixture.each_engine("the command and schemas", function(engine)
  local db, path

  before_each(function()
    new_place()
    db = engine.database "create table images(id {integer} primary key, path text not null)"
    path = engine.path()
  end)

  local function declare(lines)
    write("schema.lua", ([[
      local s = require "tuff.schema"
      return s.define { s.table("images", { s.integer("id"):primary_key(), %s }) }]]):format(lines))
  end

  it("prints the schema of a database, as Lua, as a drawing and as JSON", function()
    local result = run("schema", path)
    assert.are.equal(db:schema():to_lua(), result.output)
    assert.are.equal(db:schema():to_mermaid(), run("schema", path, "--mermaid").output)
    local facts = facts_of("schema", path)
    assert.are.same({ "images", "path" }, { facts.tables[1].name, facts.tables[1].columns[2].name })
  end)

  it("compares it with a declared one", function()
    declare 's.text("path"):not_null(), s.real("score")'
    local result = run("diff", path, "--schema", "schema.lua")
    assert.are.equal(0, result.code, result.errors)
    assert.are.equal("adds column score of images\n", result.output)
    has(run("diff", path, "--schema", "schema.lua", "--sql").output, 'ADD COLUMN "score" ')
    local facts, status = facts_of("diff", path, "--schema", "schema.lua", "--check")
    assert.are.same({ 1, "add_column", "score" },
      { status, facts.changes[1].kind, facts.changes[1].name })
    db:exec(engine.sql "alter table images add column score {real}")
    assert.are.equal(0, run("diff", path, "--schema", "schema.lua", "--check").code)
    write("schema.lua", "return 7")
    fails(2, "returns no schema", "diff", path, "--schema", "schema.lua")
    fails(2, "no schema is given", "diff", path)
  end)

  it("writes a migration that makes it the declared one", function()
    write("tuff.config.lua", ("return { database = %q, schema = 'schema.lua' }"):format(path))
    db:exec(engine.sql [[alter table images add column score {real};
      insert into images values (1, 'a', 0.5)]])
    declare 's.text("path"):not_null():unique(), s.real("rating")'
    local refused = fails(3, "images.score would be dropped", "new", "rate", "--from", "schema")
    has(refused.errors, "--rename images.score=images.rating")
    has(refused.errors, "--allow-drop images.score")
    local result = run("new", "rate", "--from", "schema", "--rename", "images.score=images.rating")
    assert.are.equal(0, result.code, result.errors)
    declare 's.text("another"), s.real("other")' -- what the declaration becomes later is not run
    assert.are.equal(0, run("up", "--no-backup").code)
    assert.are.same({ id = 1, path = "a", rating = 0.5 }, db:row "select * from images")
    declare 's.text("path"):not_null():unique(), s.real("rating")'
    has(run("new", "again", "--from", "schema").output, "there is nothing to migrate")
    declare 's.text("path"):not_null():unique()'
    run("new", "drop", "--from", "schema", "--allow-drop", "images.rating")
    assert.are.equal(0, run("up", "--no-backup").code)
    assert.are.equal(0, run("diff", "--check").code)
  end)
end)

fixture.unless(postgres.missing(), "the command on a server", function()
  it("says that it makes no backup", function()
    new_place()
    three_migrations()
    local url = assert(postgres.url())
    local other <close> = fixture.open(url)
    other:exec "drop schema public cascade; create schema public; create table other(id bigint)"
    has(run("up", url).output, "no backup: that of a server is made by its own tools\n")
  end)
end)
