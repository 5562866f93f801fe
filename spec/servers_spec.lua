local lfs = require "lfs"
local daemon = require "spec.support.daemon"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local pgbouncer = require "spec.support.pgbouncer"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

--- Starts both servers, says where, and waits.
local runner = [[
  local postgres = require "spec.support.postgres"
  local pgbouncer = require "spec.support.pgbouncer"
  local server = postgres.start()
  local pooler = pgbouncer.start(server)
  server:sql("select 1")
  for _, each in ipairs { server.daemon, pooler.daemon } do print(each.pid, each.directory) end
  %s
  print("ready")
  io.read("l")
]]

local missing = postgres.missing() or pgbouncer.missing()

fixture.unless(missing, "the servers for tests", function()
  --- The child, and its servers in the order in which it has named them.
  local function started(more)
    local child = process.start { chunk = runner:format(more or ""), directory = lfs.currentdir() }
    local servers = {}
    for line in child.read, child do
      if line == "ready" then break end
      local pid, directory = line:match("^(%d+)\t(.+)$")
      servers[#servers + 1] = { pid = math.tointeger(pid), directory = directory }
    end
    assert.is_true(#servers >= 2)
    return child, servers
  end

  local function expect_ended(servers)
    assert.is_true(#servers > 0)
    for _, server in ipairs(servers) do
      eventually("a server ends", function() return not daemon.is_running(server.pid) end)
      eventually("its directory goes", function() return not lfs.attributes(server.directory) end)
      assert.are.same({}, daemon.processes_in(server.directory .. "/data"))
    end
  end

  it("end with the process that started them", function()
    local child, servers = started()
    child:send()
    child:finish()
    expect_ended(servers)
  end)

  it("end when it is killed", function()
    local child, servers = started()
    for _, server in ipairs(servers) do assert.is_true(daemon.is_running(server.pid)) end
    child:kill()
    child:wait()
    expect_ended(servers)
  end)

  it("end when it is killed while one of them is frozen", function()
    local child, servers = started [[
      require("spec.support.daemon").signal("STOP", server.daemon.pid)
    ]]
    child:kill()
    child:wait()
    expect_ended(servers)
  end)

  it("end when it is killed after it has started one anew", function()
    local child, servers = started [[
      server:crash()
      server:start()
      print(server.daemon.pid, server.directory)
    ]]
    assert.is_true(daemon.is_running(servers[3].pid))
    child:kill()
    child:wait()
    expect_ended(servers)
  end)

  it("end when the keeper of one is killed", function()
    local child, servers = started [[
      os.execute(("kill -KILL $(cut -d ' ' -f 4 /proc/%d/stat)"):format(server.daemon.pid))
    ]]
    eventually("a server ends", function() return not daemon.is_running(servers[1].pid) end)
    child:send()
    child:finish()
    temporary.remove(servers[1].directory)
    expect_ended(servers)
  end)

  it("listen at no port of the machine unless they are asked to", function()
    local server = postgres.start()
    assert.are.equal("", server:sql("show listen_addresses"))
    server:remove()
    server = postgres.start { tcp = true }
    assert.are.equal("127.0.0.1", server:sql("show listen_addresses"))
    assert.are_not.equal(5432, server.port)
    server:remove()
  end)

  it("keep what they have when they are stopped, and when they are killed", function()
    local server = postgres.start()
    server:sql("create table kept(x int); insert into kept values (1)")
    server:stop()
    server:start()
    server:sql("insert into kept values (2)")
    server:crash()
    server:start()
    assert.are.equal("2", server:sql("select count(*) from kept"))
    server:remove()
  end)
end)
