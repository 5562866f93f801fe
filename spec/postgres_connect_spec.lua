local socket = require "socket"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"

-- Who may come in, and how.
local rules = [[
local   all  tester,stranger,sleeper,limited         trust
local   all  keeper                                  scram-sha-256
host    all  tester                   127.0.0.1/32   trust
hostssl all  keeper                   127.0.0.1/32   scram-sha-256
]]

--- A server that accepts TLS, or what it takes for it, and then says nothing more.
local mute = [[
  local socket = require "socket"
  local listener = assert(socket.bind("127.0.0.1", 0))
  print((select(2, listener:getsockname())))
  local client = assert(listener:accept())
  assert(client:receive(8))
  assert(client:send("S"))
  io.read("l")
]]

local limit = 20 -- connections

fixture.on_server("a server of PostgreSQL", {
  tls = true, hba = rules, settings = { max_connections = limit },
}, function(server)
  setup(function()
    server:sql "create role keeper login password 'right'"
    server:sql "create role sleeper"
    server:sql "create role limited login connection limit 0"
    server:sql [[create database "other data/base"]]
  end)

  local function refused(code, url, options)
    local err = errors.expect(code, tuff.open, url, options)
    assert.is_false(err.retryable)
    assert.is_nil(err.outcome)
    return err
  end

  local function expect_usable(url, options)
    local db <close> = tuff.open(url, options)
    assert.are.equal(1, db:value("select 1"))
  end

  --- A port at which something listens that never answers.
  local function silent_port()
    local listener = assert(socket.bind("127.0.0.1", 0))
    finally(function() listener:close() end)
    return (select(2, listener:getsockname()))
  end

  describe("that is not there", function()
    it("is named by the socket that was looked for", function()
      errors.mentions(refused("connection", "postgres://tester@/postgres?host=/nowhere/at/all"),
        "/nowhere/at/all")
    end)

    it("is named by the port that refused", function()
      local listener = assert(socket.bind("127.0.0.1", 0))
      local _, port = listener:getsockname()
      listener:close()
      local err = refused("connection", ("postgres://tester@127.0.0.1:%d/postgres"):format(port))
      errors.mentions(err, "127.0.0.1", tostring(port))
    end)

    it("is named by the host that nobody knows", function()
      errors.mentions(refused("connection", "postgres://tester@no-such-host.invalid/postgres"),
        "no-such-host.invalid")
    end)
  end)

  describe("refuses", function()
    it("a wrong password", function()
      errors.mentions(refused("auth", server:url { user = "keeper", password = "wrong" }), "keeper")
      expect_usable(server:url { user = "keeper", password = "right" })
    end)

    it("who has no password where one is wanted", function()
      errors.mentions(refused("auth", server:url { user = "keeper" }), "password")
    end)

    it("a user whom it does not know", function()
      errors.mentions(refused("auth", server:url { user = "stranger" }), "stranger")
    end)

    it("a user who may not log in", function()
      errors.mentions(refused("auth", server:url { user = "sleeper" }), "sleeper")
    end)

    it("a database that it does not have", function()
      errors.mentions(refused("not_found", server:url { database = "nothing" }), "nothing")
      expect_usable(server:url { database = "other data/base" })
    end)

    it("an option that it does not have", function()
      local err = refused(nil, server:url { query = "options=-c%20no_such_setting%3D1" })
      errors.mentions(err, "no_such_setting")
    end)
  end)

  it("takes the options that the URL has beside ours", function()
    local db = fixture.open(server:url {
      query = "application_name=the%20script&options=-c%20work_mem%3D12MB",
    })
    assert.are.equal("the script", db:value("show application_name"))
    assert.are.equal("12MB", db:value("show work_mem"))
    assert.are.equal("UTC", db:value("show timezone"))
  end)

  it("has two schemes", function()
    expect_usable((server:url():gsub("^postgres:", "postgresql:")))
  end)

  describe("with TLS", function()
    local function keeper(query)
      return server:url { user = "keeper", password = "right", tcp = true, query = query }
    end

    it("is spoken to by it", function()
      for _, query in ipairs { "sslmode=require", "sslmode=prefer",
        "sslmode=verify-full&sslrootcert=" .. server.certificate } do
        local db <close> = tuff.open(keeper(query), { connect_timeout = 60000 })
        assert.is_true(db:value("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))
      end
    end)

    it("says so to who comes without it", function()
      local err = refused("auth", keeper("sslmode=disable"))
      errors.mentions(err, "no encryption", "sslmode")
    end)

    it("is not trusted where its certificate is not", function()
      errors.mentions(refused("connection", keeper("sslmode=verify-full&sslrootcert=/nowhere")),
        "/nowhere")
      local elsewhere = keeper("sslmode=verify-full&sslrootcert=" .. server.certificate)
        :gsub("@127.0.0.1:", "@localhost:")
      errors.mentions(refused("connection", elsewhere), "localhost")
    end)
  end)

  it("without TLS says so to who wants it", function()
    local plain = postgres.start { tcp = true }
    finally(function() plain:remove() end)
    expect_usable(plain:url { tcp = true, query = "sslmode=prefer" })
    errors.mentions(refused("connection", plain:url { tcp = true, query = "sslmode=require" }),
      "SSL")
  end)

  describe("that never answers is waited for no longer than connect_timeout", function()
    local function expect_timeout(url)
      local err = refused("timeout", url, { connect_timeout = 100 })
      errors.mentions(err, "100 ms", "connect_timeout")
    end

    it("where only the system has accepted", function()
      expect_timeout(("postgres://tester@127.0.0.1:%d/postgres"):format(silent_port()))
    end)

    it("nor than the URL says, in seconds", function()
      local url = ("postgres://tester@127.0.0.1:%d/postgres"):format(silent_port())
      errors.mentions(refused("timeout", url .. "?connect_timeout=1"), "1000 ms")
      errors.mentions(refused("timeout", url .. "?connect_timeout=60", { connect_timeout = 100 }),
        "100 ms")
    end)

    it("where it falls silent in the middle of TLS", function()
      local child = process.start { chunk = mute }
      local port = assert(math.tointeger(child:read()))
      expect_timeout(("postgres://tester@127.0.0.1:%d/postgres?sslmode=require"):format(port))
      child:send()
      child:finish()
    end)

    it("where the machine has stopped", function()
      server:freeze()
      finally(function() server:thaw() end)
      expect_timeout(server:url())
      expect_timeout(server:url { tcp = true })
      server:thaw()
      expect_usable(server:url(), { connect_timeout = 60000 })
    end)
  end)

  describe("that is asked for more connections than it allows", function()
    it("names the limit, and those that are open go on", function()
      local many, err = {}, nil
      finally(function() for _, db in ipairs(many) do db:close() end end)
      repeat
        local good, opened = pcall(tuff.open, server:url())
        if good then many[#many + 1] = opened else err = opened end
      until err or #many == 100
      assert.is_true(#many <= limit)
      assert.are.equal("connection", err.code)
      errors.mentions(err, "too many clients", "max_connections")
      errors.mentions(errors.expect("connection", many[1].reader, many[1]), "max_connections")
      for n, db in ipairs(many) do
        assert.are.equal(n, db:transaction(function() return db:value("select ?::int", n) end))
      end
      table.remove(many):close()
      many[#many + 1] = eventually("a connection is free", function()
        local good, opened = pcall(tuff.open, server:url())
        return good and opened
      end)
    end)

    it("names the limit of a role by the role", function()
      errors.mentions(refused("connection", server:url { user = "limited" }), "limited")
    end)
  end)
end)
