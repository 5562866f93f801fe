local tuff = require "tuff"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

fixture.each_engine("db:reader()", function(engine)
  local db, reader

  before_each(function()
    db = engine.database("create table t(id {key}, name text)")
    reader = db:reader()
  end)

  after_each(function()
    reader:close()
  end)

  it("follows what the writer commits, and sees nothing else", function()
    db:transaction(function()
      db:insert("t", { name = "a" })
      assert.are.equal(0, reader:value("select count(*) from t"))
    end)
    assert.are.equal(1, reader:value("select count(*) from t"))
  end)

  it("writes in no way that a script could ask for", function()
    db:insert("t", { name = "a" })
    for _, sql in ipairs {
      "insert into t(name) values ('b')", "update t set name = 'b'", "delete from t",
      "create table u(x text)", "drop table t",
    } do
      errors.expect("readonly", reader.run, reader, sql)
      errors.expect("readonly", reader.all, reader, sql)
      errors.expect("readonly", reader.exec, reader, sql)
      for _, method in ipairs { "transaction", "read" } do
        errors.expect("readonly", reader[method], reader, function() reader:run(sql) end)
      end
    end
    errors.expect("readonly", reader.insert, reader, "t", { name = "b" })
    errors.expect("readonly", reader.insert_many, reader, "t", { { name = "b" } })
    assert.are.same({ "a" }, db:column("select name from t"))
  end)

  it("runs what begins with WITH, also on one snapshot", function()
    local sql = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 3) "
      .. "select x from n"
    assert.are.same({ 1, 2, 3 }, reader:column(sql))
    assert.are.same({ 1, 2, 3 }, db:read(function() return db:column(sql) end))
    errors.expect("readonly", reader.run, reader,
      "with n(x) as (select 'b') insert into t(name) select x from n")
  end)

  if engine.name ~= "PostgreSQL" then return end

  it("has the last word of the server, whatever a query calls", function()
    db:exec [[
      create function add() returns bigint language sql volatile as
        $$insert into t(name) values ('b') returning id$$;
    ]]
    local function add() return reader:value("select add()") end
    errors.expect("readonly", add)
    errors.expect("readonly", reader.transaction, reader, add)
    errors.expect("readonly", reader.transaction, reader, { isolation = "read committed" }, add)
    errors.expect("readonly", db.read, db, function() return db:value("select add()") end)
    errors.expect("readonly", reader.all, reader,
      "with gone as (delete from t returning id) select * from gone")
    assert.are.equal(0, db:value("select count(*) from t"))
  end)

  it("is none behind a pooler, which says so", function()
    local pooled <close> = tuff.open(engine.path(), { pooler = true })
    assert.is_false(pooled:supports("reader"))
    errors.expect("unsupported", pooled.reader, pooled)
    assert.is_true(db:supports("reader"))
  end)

  it("is opened by the URL as it was given, of which a part may be secret", function()
    local url = engine.path()
    local named <close> = tuff.open(url .. "&application_name=library")
    local second <close> = named:reader()
    assert.are.equal("library", second:value("select current_setting('application_name')"))

    -- A user of whom the server wants a password.
    local access = db:value("show hba_file")
    local before = assert(temporary.read(access))
    finally(function()
      temporary.write(access, before)
      db:value("select pg_reload_conf()")
      db:exec "drop role keeper"
    end)
    db:exec "create role keeper login password 'open sesame'"
    temporary.write(access, "local all keeper scram-sha-256\n" .. before)
    db:value("select pg_reload_conf()")
    local function with(secret)
      return (url:gsub("//[^@]*@", function() return "//keeper" .. secret .. "@" end))
    end
    for _ = 1, 100 do -- until the server has read it
      local good, found = pcall(tuff.open, with(""))
      if not good then break end
      found:close()
      process.succeeds("sleep 0.05")
    end
    errors.conceals(errors.expect(nil, tuff.open, with(":close%20sesame")), "sesame")

    local keeper <close> = tuff.open(with(":open%20sesame"))
    local other <close> = keeper:reader()
    assert.are.equal("keeper", other:value("select current_user"))
    for _, connection in ipairs { keeper, other } do
      assert.is_nil(connection.path:find("sesame", 1, true))
      assert.is_nil(tostring(connection):find("sesame", 1, true))
    end
  end)
end)
