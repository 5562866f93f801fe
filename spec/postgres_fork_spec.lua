local lfs = require "lfs"
local daemon = require "spec.support.daemon"
local eventually = require "spec.support.eventually"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"

-- Built beside the module: see csrc/test/fork.c.
local library = package.searchpath("tuff.core", package.cpath)
  :gsub("tuff/core%.so$", "test/fork.so")

--- A script that forks in the middle: `before`, then `child` in the child and, when that has
--- ended, `after` in the parent.
local frame = [[
  local url, library = ...
  local tuff = require "tuff"
  local forking = assert(package.loadlib(library, "luaopen_fork"))()
  local function code_of(fn, ...)
    local good, err = pcall(fn, ...)
    return good and "no error" or tuff.is_error(err) and err.code or tostring(err)
  end
  local db = tuff.open(url, { timeout = 60000 })
  db:on_warning(function(warning) print("warning", warning) end)
  local session = db:value("select pg_backend_pid()")
  %s
  local child = forking.fork()
  if child == 0 then
    local good, err = pcall(function() %s end)
    if not good then print(err) end
    os.exit(good, %s)
  end
  if forking.wait(child) ~= 0 then print("the child failed") end
  assert(db:value("select pg_backend_pid()") == session)
  %s
  db:close()
]]

fixture.on_server("a process forked from one with a connection to PostgreSQL", {
  tls = true, missing = not lfs.attributes(library) and "make fork has not been run" or nil,
}, function(server)
  before_each(function()
    server:sql "drop table if exists t; create table t(x int)"
  end)

  --- A connection that is forgotten is not freed.
  local function start(script, url)
    return process.start { chunk = script, arguments = { url, library },
      wrap = 'env ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"' }
  end

  local function expect(output, parts, tcp)
    local script = frame:format(parts.before or "", parts.child, tostring(parts.closes or false),
      parts.after or "")
    for _, url in ipairs { server:url(), tcp and server:url { tcp = true } or nil } do
      server:sql "truncate t"
      assert.are.equal(output, start(script, url):finish())
    end
  end

  it("is refused by the connection, which goes on in the parent", function()
    expect("connection connection connection connection connection\n1", {
      before = [[local statement = db:prepare("select 1")]],
      child = [[
        print(code_of(db.value, db, "select 1") .. " " .. code_of(statement.value, statement) .. " "
          .. code_of(db.run, db, "insert into t values (1)") .. " "
          .. code_of(db.transaction, db, function() end) .. " " .. code_of(db.begin, db))
      ]],
      after = [[print(statement:value())]],
    })
  end)

  it("may close it, which only forgets it", function()
    expect("closed\n1", {
      child = [[db:close() db:close() print(code_of(db.value, db, "select 1"))]],
      after = [[print(db:value("select 1"))]],
    }, true)
  end)

  it("may leave it to the collector", function()
    expect("1", {
      child = [[db = nil collectgarbage() collectgarbage()]],
      after = [[print(db:value("select 1"))]],
    }, true)
  end)

  it("may end with it open", function()
    expect("1", { child = "", closes = true, after = [[print(db:value("select 1"))]] }, true)
  end)

  it("leaves the parent's transaction as it is", function()
    expect("connection connection\n1", {
      before = [[local tx = db:begin() db:run("insert into t values (1)")]],
      child = [[
        print(code_of(tx.commit, tx) .. " " .. code_of(tx.rollback, tx))
        tx = nil
        collectgarbage()
        db:close()
      ]],
      closes = true,
      after = [[tx:commit() print(db:value("select count(*) from t"))]],
    })
  end)

  it("leaves the parent's loop as it is", function()
    expect("connection\n100000", {
      before = [[
        local loop = db:tuples("select generate_series(1, 100000)")
        assert(loop() == 1)
      ]],
      child = [[print(code_of(loop)) loop = nil collectgarbage() db:close()]],
      closes = true,
      after = [[
        local last
        for n in loop do last = n end
        print(last)
      ]],
    })
  end)

  it("may open connections of its own", function()
    expect("true 2", {
      child = [[
        local own <close> = tuff.open(url)
        own:run("insert into t values (1)")
        io.write(tostring(own:value("select pg_backend_pid()") ~= session), " ")
      ]],
      closes = true,
      after = [[db:run("insert into t values (2)") print(db:value("select count(*) from t"))]],
    }, true)
  end)

  it("does not keep the session of a parent that has ended", function()
    local child = start([[
      local url, library = ...
      local tuff = require "tuff"
      local forking = assert(package.loadlib(library, "luaopen_fork"))()
      local db = tuff.open(url)
      print(db:value("select pg_backend_pid()"))
      if forking.fork() == 0 then
        io.read("l")
        db:close()
        print("closed")
        os.exit(true, true)
      end
      db:close()
      os.exit(true, true)
    ]], server:url())
    local pid = math.tointeger(child:read())
    eventually("the session ends", function() return not daemon.is_running(pid) end)
    child:send()
    child:expect("closed")
    child:finish()
  end)
end)
