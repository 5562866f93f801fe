local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local temporary = require "spec.support.temporary"

-- A password that has to be written in another way in a URL; neither form may be seen.
local password = "ze%2Fbra/@:?#&= +ü"
local words = { "zebra", "ze%", "bra/@", "bra%2F", "horse" }

local rules = [[
local   all  tester   trust
local   all  all      scram-sha-256
]]

-- URLs that cannot be read, or lead nowhere. Where a password ends in them is not always clear.
local bad = {
  "postgres://u:zebra@host:notaport/db",
  "postgres://u:zebra@127.0.0.1:99999/db",
  "postgres://u:zebra@127.0.0.1:1/db",
  "postgres://u:zebra@[::1/db",
  "postgres://u:zebra@[::1]x/db",
  "postgres://u:zebra@[]/db",
  "postgres://u:zebra%zz@127.0.0.1:1/db",
  "postgres://u:zebra%00@127.0.0.1:1/db",
  "postgres://u:zebra%@127.0.0.1:1/db",
  "postgres://u:horse@zebra@127.0.0.1:1/db",
  "postgres://u:horse/zebra@127.0.0.1:1/db",
  "postgres://u:horse?zebra@127.0.0.1:1/db",
  "postgres://u:horse#zebra@127.0.0.1:1/db",
  "postgres://u:horse:zebra@127.0.0.1:1/db",
  "postgres://u:zebra@127.0.0.1:1/db?nonsense=1",
  "postgres://u:zebra@127.0.0.1:1/db?sslmode=nonsense",
  "postgres://u:zebra@127.0.0.1:1/db?connect_timeout=nonsense",
  "postgres://u@127.0.0.1:1/db?password",
  "postgres://u@127.0.0.1:1/db?password=zebra",
  "postgres://u@127.0.0.1:1/db?password=horse=zebra",
  "postgres://u@127.0.0.1:1/db?password=zebra%z",
  "postgres://u@127.0.0.1:1/db?password=horse&zebra",
  "postgres://u@127.0.0.1:1/db?pasword=zebra",
  "postgres://u@127.0.0.1:1/db?zebra=password",
  "postgres://u:zebra@/db?host=/nowhere/at/all",
  "postgres://u:zebra@no-such-host.invalid/db",
  "postgres://u:zebra@127.0.0.1:1,127.0.0.1:2/db",
  "POSTGRES://u:zebra@127.0.0.1:1/db",
  "postgress://u:zebra@127.0.0.1:1/db",
  "postgres:/u:zebra@127.0.0.1:1/db",
  "postgres:u:zebra@127.0.0.1:1/db",
  "host=127.0.0.1 port=1 user=u password=zebra dbname=db",
  "password = 'zebra' host = '127.0.0.1'",
  "  user=u\tpassword=zebra",
}

fixture.on_server("the password of a connection", { hba = rules }, function(server)
  setup(function()
    server:sql(("create role keeper login password '%s'"):format(password))
  end)

  local function conceals(value)
    local kept = type(value) == "table" and value or { value }
    for _, word in ipairs(words) do errors.conceals(kept, word) end
    errors.conceals(kept, password)
  end

  local function open(options)
    return fixture.open(server:url { user = "keeper", password = password }, options)
  end

  it("may hold anything, and may stand in two places", function()
    assert.are.equal("keeper", open():value("select current_user::text"))
    local encoded = server:url { user = "keeper", password = password }
      :match("keeper:(.-)@")
    local db = fixture.open(server:url { user = "keeper", query = "password=" .. encoded })
    assert.are.equal("keeper", db:value("select current_user::text"))
    conceals(db.path)
  end)

  it("is not shown by the connection", function()
    local db = open()
    conceals(db.path)
    conceals(tostring(db))
    assert.is_truthy(db.path:find("keeper", 1, true))
    assert.is_truthy(db.path:find(server.directory, 1, true))
  end)

  it("is not shown where it is wrong", function()
    for _, parts in ipairs { { password = password .. "zebra" }, { query = "password=zebra" } } do
      parts.user = "keeper"
      conceals(errors.expect("auth", tuff.open, server:url(parts)))
    end
  end)

  it("is not shown by a URL that is bad, and is not the name of a file", function()
    local here, directory = lfs.currentdir(), temporary.directory()
    assert(lfs.chdir(directory))
    finally(function() lfs.chdir(here) end)
    for _, url in ipairs(bad) do
      local good, err = pcall(tuff.open, url, { connect_timeout = 10000 })
      assert(not good, "this opened something: " .. url)
      assert(tuff.is_error(err))
      local shown, where = pcall(conceals, err)
      assert(shown, ("%s shows it: %s"):format(url, tostring(where)))
      good, err = pcall(tuff.open, { path = url, busy_timeout = "horse" })
      assert(not good)
      conceals({ (tostring(err):gsub("not horse", "")) })
    end
    assert.are.same({}, temporary.list(directory))
  end)

  it("is not shown by what the connection tells", function()
    local db = open()
    local told = {}
    db:trace(function(run) told[#told + 1] = run end)
    db:on_warning(function(warning) told[#told + 1] = warning end)
    told[#told + 1] = errors.expect("syntax", db.run, db, "nonsense")
    db:transaction(function() db:value("select 1") end)
    server:sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keeper'")
    eventually("the connection is renewed", function()
      local good, err = pcall(db.value, db, "select 1")
      told[#told + 1] = err
      return good
    end)
    conceals(told)
    assert.is_true(#told > 4)
  end)

  it("is known to the reader of a connection, and not shown by it", function()
    local db = open()
    local reader <close> = db:reader()
    assert.are.equal("keeper", reader:value("select current_user::text"))
    conceals(reader.path)
    conceals(errors.expect("readonly", reader.run, reader, "create table t(x int)"))
  end)

  it("is not shown by a connection and its reader when the server is gone", function()
    local db = open { connect_timeout = 100 }
    server:stop()
    finally(function() server:start() end)
    conceals(errors.expect("connection", db.value, db, "select 1"))
    conceals(errors.expect("connection", db.transaction, db, function() db:value("select 1") end))
    conceals(errors.expect("connection", db.reader, db))
  end)
end)
