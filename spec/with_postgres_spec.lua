local lfs = require "lfs"
local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local script = lfs.currentdir() .. "/scripts/with_postgres.sh"
local _, missing = postgres.url()

fixture.unless(missing, "scripts/with_postgres.sh", function()
  local data

  before_each(function()
    data = temporary.directory() .. "/data"
  end)

  -- A process that becomes the script, whose command is a Lua chunk that is given the URL. A
  -- sanitizer is for the chunk alone.
  local function start(chunk)
    return process.start {
      wrap = ("env -u LD_PRELOAD %s %s env LD_PRELOAD=%s"):format(process.quote(script),
        process.quote(data), process.quote(os.getenv("LD_PRELOAD") or "")),
      chunk = "local url = ... " .. chunk,
    }
  end

  local function directory_of(url)
    return url:match("host=(.*)")
  end

  it("gives a command the URL of a server, whose data stays for the next", function()
    local writer = [[
      local db <close> = require("tuff").open(url)
      db:exec("create table if not exists t(n bigint)")
      db:run("insert into t values (1)")
      print(url, db:value("select count(*) from t"))
    ]]
    local first, one = start(writer):finish():match("(%S+)\t(%d)")
    local second, two = start(writer):finish():match("(%S+)\t(%d)")
    assert.are.same({ "1", "2" }, { one, two })
    for _, url in ipairs { first, second } do
      assert.is_nil(lfs.attributes(directory_of(url)))
      errors.expect("connection", tuff.open, url)
    end
  end)

  it("ends as its command does", function()
    assert.are.equal(7, start("os.exit(7)"):wait().code)
  end)

  it("ends the server also when it is killed itself", function()
    local child = start("print(url) io.read()")
    local url = child:read()
    tuff.open(url):close()
    child:kill()
    local good
    for _ = 1, 100 do
      local db
      good, db = pcall(tuff.open, url)
      if not good then break end
      db:close()
      process.succeeds("sleep 0.1")
    end
    assert.is_false(good)
    child:send() -- its command is still there
    child:wait()
    temporary.remove(directory_of(url))
  end)
end)
