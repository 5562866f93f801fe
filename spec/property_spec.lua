local fixture = require "spec.support.fixture"
local property = require "spec.support.property"

local soak = os.getenv("TUFF_SOAK") == "1"

local keys = 30

local function copy(map)
  local result = {}
  for key, value in pairs(map) do result[key] = value end
  return result
end

local function sorted(map)
  local list = {}
  for key, value in pairs(map) do list[#list + 1] = { k = key, v = value } end
  table.sort(list, function(a, b) return a.k < b.k end)
  return list
end

local function same(expected, actual, what)
  if #expected ~= #actual then
    error(("%s: expected %d rows, got %d"):format(what, #expected, #actual), 0)
  end
  for index, row in ipairs(expected) do
    local other = actual[index]
    if row.k ~= other.k or row.v ~= other.v then
      error(("%s: row %d is %s=%s, not %s=%s"):format(what, index, tostring(other.k),
        tostring(other.v), tostring(row.k), tostring(row.v)), 0)
    end
  end
end

--- What each operation does to the subject: { db, model, stack, engine, fault }. The stack holds
-- the open transactions, each with the model as it was when it began.
local act = {}

local function put(subject, key, value)
  subject.db:run("insert into t values (?, ?) on conflict(k) do update set v = excluded.v",
    key, value)
  subject.model[key] = value
end

function act.put(subject, key, value)
  put(subject, key, value)
end

--- What may fail in a transaction that goes on: nested, if the engine wants that.
local function attempt(subject, fn)
  if subject.db:supports("continue_after_error") then return pcall(fn) end
  return pcall(subject.db.transaction, subject.db, fn)
end

function act.insert(subject, key, value)
  local ok, err = attempt(subject, function()
    return subject.db:insert("t", { k = key, v = value })
  end)
  local free = subject.model[key] == nil
  if ok ~= free then error("insert: " .. tostring(err), 0) end
  if free then
    if err ~= key then error("insert returned another key", 0) end
    subject.model[key] = value
  elseif err.constraint ~= "primary_key" then
    error(err, 0)
  end
end

function act.update(subject, key, value)
  local changes = subject.db:run("update t set v = :v where k = :k", { k = key, v = value })
  local expected = subject.model[key] ~= nil and 1 or 0
  if changes ~= expected then error(("update changed %d rows"):format(changes), 0) end
  if expected == 1 then subject.model[key] = value end
end

function act.delete(subject, key)
  if subject.fault == "keeps row 7" and key == 7 then
    subject.model[key] = nil
    return
  end
  local changes = subject.db:run("delete from t where k in ?", { key, -key })
  if changes ~= (subject.model[key] ~= nil and 1 or 0) then error("delete: wrong count", 0) end
  subject.model[key] = nil
end

function act.many(subject, first, count, value)
  local rows = {}
  for key = first, first + count do
    rows[#rows + 1] = { k = key, v = value }
    subject.model[key] = value
  end
  subject.db:insert_many("t", rows, { on_conflict = "update", key = { "k" } })
end

function act.begin(subject)
  local stack = subject.stack
  stack[#stack + 1] = { tx = subject.db:begin(), before = copy(subject.model) }
end

function act.commit(subject)
  local top = table.remove(subject.stack)
  if top then top.tx:commit() end
end

function act.rollback(subject)
  local top = table.remove(subject.stack)
  if not top then return end
  if subject.fault == "keeps inner work" and #subject.stack > 0 then
    top.tx:commit()
  else
    top.tx:rollback()
  end
  subject.model = top.before
end

function act.attempt(subject, key, value, fails)
  local before, mine = copy(subject.model), {}
  local ok, err = pcall(subject.db.transaction, subject.db, function()
    put(subject, key, value)
    attempt(subject, function() subject.db:run("insert into t values (?, 0)", key) end)
    put(subject, key + 1, value)
    if fails == 1 then error(mine) end
  end)
  if ok == (fails == 1) or not ok and err ~= mine then error(err, 0) end
  if fails == 1 then subject.model = before end
end

function act.script(subject, key, value, fails)
  local ok = pcall(subject.db.exec, subject.db, ([[
    insert into t values (%d, %d) on conflict(k) do update set v = excluded.v; -- one;
    delete from t where k = %d;
    insert into t values (%d, 0); insert into t values (%d, 7/*;*/);
  ]]):format(key, value, key + 1, keys + 50, fails == 1 and keys + 50 or keys + 51))
  if ok == (fails == 1) then error("script: the wrong outcome", 0) end
  if fails == 1 then return end
  subject.model[key], subject.model[key + 1] = value, nil
  subject.model[keys + 50], subject.model[keys + 51] = 0, 7
  subject.db:run("delete from t where k > ?", keys + 40)
  subject.model[keys + 50], subject.model[keys + 51] = nil, nil
end

function act.loop(subject, kind, stop)
  local expected, seen = sorted(subject.model), {}
  for n, key, value in subject.db:tuples("select k, v from t order by k") do
    seen[n] = { k = key, v = value }
    if (key + kind) % 3 == 0 then
      put(subject, key, value + 1)
    elseif (key + kind) % 3 == 1 then
      act.delete(subject, key)
    elseif kind % 2 == 0 then
      put(subject, key % keys + 1, kind)
    end
    if n == stop then break end
  end
  while #expected > stop do table.remove(expected) end
  same(expected, seen, "a loop")
end

function act.reopen(subject)
  if subject.stack[1] then subject.model = subject.stack[1].before end
  subject.stack = {}
  subject.db:close()
  subject.db = subject.engine.open()
end

local function two(name)
  return function(random) return { name, random(keys), random(1000) } end
end

local makers = {
  { 14, two("put") },
  { 8, two("insert") },
  { 8, two("update") },
  { 12, function(random) return { "delete", random(keys) } end },
  { 4, function(random) return { "many", random(keys), random(5), random(1000) } end },
  { 10, function() return { "begin" } end },
  { 7, function() return { "commit" } end },
  { 6, function() return { "rollback" } end },
  { 6, function(random) return { "attempt", random(keys), random(1000), random(2) } end },
  { 4, function(random) return { "script", random(keys), random(1000), random(2) } end },
  { 6, function(random) return { "loop", random(6), random(40) } end },
  { 2, function() return { "reopen" } end },
}

--- Plays a sequence on an empty table and on the model, and compares after each operation.
local function play(engine, operations, fault)
  local subject = { engine = engine, stack = {}, model = {}, fault = fault, db = engine.open() }
  subject.db:exec("drop table if exists t; "
    .. "create table t(k integer primary key, v integer not null)")
  local ok, reason = pcall(function()
    for index, operation in ipairs(operations) do
      local done, err = pcall(act[operation[1]], subject, table.unpack(operation, 2))
      if not done then error(("operation %d: %s"):format(index, tostring(err)), 0) end
      same(sorted(subject.model), subject.db:all("select k, v from t order by k"),
        ("after operation %d, %s"):format(index, operation[1]))
      if subject.db:in_transaction() ~= (#subject.stack > 0) then
        error(("in_transaction is wrong after operation %d"):format(index), 0)
      end
    end
    act.reopen(subject)
    same(sorted(subject.model), subject.db:all("select k, v from t order by k"), "at the end")
  end)
  subject.db:close()
  if not ok then return reason end
end

fixture.each_engine("random operations", function(engine)
  before_each(function() engine.database() end)

  it("do to a database what they do to a table of Lua", function()
    property.check {
      seeds = soak and 1000 or engine.seeds, count = 200, makers = makers,
      run = function(operations) return play(engine, operations) end,
    }
  end)

  it("are the same for the same seed", function()
    assert.are.same(property.generate(5, 50, makers), property.generate(5, 50, makers))
    assert.are_not.same(property.generate(5, 50, makers), property.generate(6, 50, makers))
  end)

  describe("with a fault put in on purpose", function()
    local function found(fault)
      local ok, message = pcall(property.check, {
        seeds = 20, count = 120, makers = makers,
        run = function(operations) return play(engine, operations, fault) end,
      })
      assert.is_false(ok)
      local names = {}
      for name in message:gmatch('\n  { "(%w+)"') do names[#names + 1] = name end
      assert.is_truthy(message:find("shrunk from 120 to " .. #names, 1, true), message)
      return names, message
    end

    it("find a row that is not deleted, and need no more than a handful of operations", function()
      local names, message = found("keeps row 7")
      assert.is_true(#names >= 2 and #names <= 4, message)
      assert.are_not.equal("delete", names[1])
    end)

    it("find an inner rollback that keeps its work, and show both beginnings", function()
      local names, message = found("keeps inner work")
      assert.is_true(#names >= 4 and #names <= 6, message)
      local begins = 0
      for _, name in ipairs(names) do
        if name == "begin" then begins = begins + 1 end
      end
      assert.are.equal(2, begins, message)
      assert.are.equal("rollback", names[#names])
    end)
  end)
end)
