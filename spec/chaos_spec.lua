--- Anything inside of anything: calls picked at random, in functions that SQL calls, loops,
--- transactions, iterators, coroutines, hooks and finalisers. No sanitizer may object, every
--- error is one of ours, and what the file holds was written as a whole.
local property = require "spec.support.property"
local temporary = require "spec.support.temporary"
local tuff = require "tuff"

local soak = os.getenv("TUFF_SOAK")
local SEEDS, STEPS, DEEPEST = soak and 3000 or 40, 150, 5

local schema = [[
  create table if not exists pairs(id integer primary key, number integer, note text, list json);
  create table if not exists large(id integer primary key, data blob);
  insert or ignore into large values (1, zeroblob(9000)), (2, x'0102030405');
  create table if not exists log(number integer);
  create trigger if not exists logged after insert on pairs
    begin insert into log values (call(new.number)); end;
]]

-- Errors that are Lua's own, and the one that the script raises.
local admitted = {
  "C stack overflow", "stack overflow", "attempt to yield", "cannot resume", "cannot close",
  "^chance$", "the rows of this loop",
}

--- A world of connections, and of what they have brought forth.
local function new_world(seed)
  local random = property.random(seed)
  local world = { depth = 0, things = {} }
  local directory = temporary.directory()

  local function pick(list) return list[random(#list)] end

  local function connection()
    local db = world.connections[random(3)]
    if db and random(300) > 1 then return db end
    local place = random(3)
    db = tuff.open(directory .. "/chaos.db", { busy_timeout = random(3) - 1, statement_cache = 2 })
    world.connections[place] = db
    world.equip(db)
    return db
  end

  local function keep(kind, ...)
    local list = world.things
    list[random(12)] = { kind, ... }
    return ...
  end

  local function thing(kind)
    for _ = 1, 12 do
      local found = world.things[random(12)]
      if found and found[1] == kind then return found[2] end
    end
  end

  local function note(err)
    if type(err) == "table" and err.code then return end
    if err == nil or err == false or err == world then return end
    for _, pattern in ipairs(admitted) do
      if tostring(err):find(pattern) then return end
    end
    world.strange = world.strange or debug.traceback(tostring(err))
  end

  local function act()
    if world.depth >= DEEPEST then return end
    world.depth = world.depth + 1
    local name = pick(world.names)
    local results = table.pack(pcall(world.actions[name]))
    world.depth = world.depth - 1
    if not results[1] then
      note(results[2])
      if random(3) == 1 then error(results[2], 0) end
    end
  end

  --- A few calls, and perhaps an error, as a script would make them there.
  local function chaos()
    for _ = 1, random(3) do act() end
    local end_by = random(14)
    if end_by == 1 then error("chance", 0) end
    if end_by == 2 then error(nil) end
    if end_by == 3 then error(world) end
    if end_by == 4 and coroutine.isyieldable() then coroutine.yield() end
    return random(5)
  end

  function world.equip(db)
    local options = { schema = true, deterministic = random(2) == 1 }
    db:define("call", function(x)
      if random(4) > 1 then return x end
      return chaos()
    end, options)
    db:define_aggregate("gather", {
      start = 0, step = function(sum, x) if random(8) == 1 then chaos() end return sum + x end,
      inverse = random(2) == 1 and function(sum, x) return sum - x end or nil,
      final = function(sum) if random(6) == 1 then chaos() end return sum end,
    })
    db:define_collation("order_by_chance", function(a, b)
      if random(20) == 1 then chaos() end
      return a < b and -1 or a > b and 1 or 0
    end)
  end

  local queries = {
    "select number from pairs", "select call(number), list from pairs order by note",
    "select gather(number) from pairs group by note",
    "select gather(number) over (order by id rows 2 preceding) from pairs",
    "select note from pairs order by note collate order_by_chance",
    "select count(*) from pairs a, pairs b where call(a.id) <> b.id",
    "select * from other.t", "select call(1) union all select 2 union all select call(3)",
    "select 1 where call(1) in (select id from large)", "selct", "select ?",
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < 1200)"
      .. " select n, call(n % 3) from c where n % 400 < 2",
    "insert into other.t select call(id) from large returning a",
    "update large set id = id where call(id) returning id",
  }
  local verbs = { "all", "row", "value", "column", "arrays", "exists", "run" }
  local loops = { "rows", "tuples" }

  --- Two rows whose numbers cancel out.
  local function pair(db)
    local tx <close> = db:begin()
    local number = random(9)
    db:insert("pairs", { number = number, note = "n" .. number, list = { number } })
    if random(3) == 1 then chaos() end
    if not tx:is_open() then return end
    db:run("insert into pairs(number, note) values (?, 'x')", -number)
    tx:commit()
  end

  local actions = {}
  world.actions = actions

  function actions.pair() pair(connection()) end
  function actions.ask() local db = connection() db[pick(verbs)](db, pick(queries)) end
  function actions.loop()
    local db = connection()
    for _ in db[pick(loops)](db, pick(queries)) do
      if random(3) == 1 then chaos() end
      if random(9) == 1 then break end
    end
  end
  function actions.keep_loop()
    local db = connection()
    keep("loop", db[pick(loops)](db, pick(queries)))
  end
  function actions.step() local step = thing "loop" if step then step(connection()) end end
  function actions.prepare() keep("statement", connection():prepare(pick(queries))) end
  function actions.run_prepared()
    local statement = thing "statement"
    if statement then statement[pick(verbs)](statement) end
  end
  function actions.loop_prepared()
    local statement = thing "statement"
    if statement then keep("loop", statement[pick(loops)](statement)) end
  end
  function actions.close_thing()
    local found = thing(pick { "statement", "stream" })
    if found then found:close() end
  end
  function actions.begin() keep("transaction", connection():begin { timeout = random(50) }) end
  function actions.finish()
    local tx = thing "transaction"
    if tx then tx[pick { "commit", "rollback" }](tx) end
  end
  function actions.scope()
    local tx <close> = connection():begin()
    local _ <close> = setmetatable({}, { __close = chaos })
    chaos()
    tx:commit()
  end
  function actions.transaction() connection():transaction(chaos) end
  function actions.read() connection():read(chaos) end
  function actions.after()
    local db = connection()
    db:transaction(function()
      db:after_commit(chaos)
      db:after_rollback(chaos)
      chaos()
    end)
  end
  function actions.many()
    local db = connection()
    db:transaction(function()
      local left = random(4) * 2
      db:insert_many("pairs", function()
        left = left - 1
        if random(6) == 1 then chaos() end
        if left >= 0 then
          return { number = left % 2 == 0 and 7 or -7, note = left > 3 and "many" or nil }
        end
      end)
    end)
  end
  function actions.json()
    local bad = pick { {}, { print }, { 1, nil, 3 }, setmetatable({}, { __gc = chaos }) }
    connection():value("select ?", bad)
  end
  function actions.stream()
    local stream = connection():blob("large", "data", random(3))
    keep("stream", stream)
  end
  function actions.use_stream()
    local stream = thing "stream"
    if not stream then return end
    stream:seek("set", random(6) - 1)
    if random(2) == 1 then stream:write("ab") else stream:read(random(9)) end
  end
  function actions.attach()
    local db = connection()
    db:attach(pick { ":memory:", directory .. "/other.db" }, "other")
    db:exec("create table if not exists other.t(a); insert into other.t values (1)")
  end
  function actions.detach() connection():detach("other") end
  function actions.equip() world.equip(connection()) end
  function actions.trace()
    local db = connection()
    db:on_warning(function() end)
    db:trace(pick { chaos, false } or nil)
  end
  function actions.progress()
    connection():progress(pick { chaos, function() return random(2) == 1 end, false } or nil,
      { every = 0.001 })
  end
  function actions.using() connection():using({ timeout = random(20) }):all(pick(queries)) end
  function actions.script()
    connection():exec(pick {
      "begin; select call(1); commit", "begin", "rollback", "commit", "select 1; select call(2)",
      "create table x(a); drop table x", "analyze", "vacuum", "reindex", "savepoint s",
      "delete from log; insert into log select call(id) from large", "pragma optimize",
      "insert or rollback into large values (1, 2)", schema,
    })
  end
  function actions.new_coroutine()
    keep("coroutine", coroutine.create(function() for _ = 1, 3 do chaos() end end))
  end
  function actions.resume()
    local thread = thing "coroutine"
    if thread then
      local good, err = coroutine.resume(thread)
      if not good then error(err, 0) end
    end
  end
  function actions.end_coroutine()
    local thread = thing "coroutine"
    if thread and coroutine.status(thread) == "suspended" then coroutine.close(thread) end
  end
  function actions.finaliser() setmetatable({}, { __gc = function() pcall(chaos) end }) end
  function actions.collect() collectgarbage(pick { "collect", "step" }) end
  function actions.forget() world.things[random(12)] = nil end
  function actions.close() if random(4) == 1 then connection():close() end end

  world.names = {}
  for name in pairs(actions) do world.names[#world.names + 1] = name end
  table.sort(world.names)
  world.connections, world.act = {}, act

  function world.finish()
    world.depth = DEEPEST -- finalisers do nothing any more
    for place in pairs(world.things) do world.things[place] = nil end
    collectgarbage()
    for place = 1, 3 do
      local db = world.connections[place]
      if db then pcall(db.close, db) end
    end
    world.connections = {}
    collectgarbage()
    local db <close> = tuff.open(directory .. "/chaos.db")
    return db:value("select sum(number) from pairs") or 0, db:value("pragma integrity_check")
  end

  do
    local db <close> = tuff.open(directory .. "/chaos.db")
    world.equip(db)
    db:exec(schema)
  end
  return world
end

describe("chaos", function()
  after_each(temporary.remove_all)

  it("leaves the database whole, and raises errors of tuff only", function()
    local first = tonumber(os.getenv("TUFF_SEED") or 1)
    for seed = first, first + SEEDS - 1 do
      if os.getenv("TUFF_TELL") then io.stderr:write("seed ", seed, "\n") end
      local instances = tuff.instances()
      local world = new_world(seed)
      for _ = 1, STEPS do
        world.depth = 0
        pcall(world.act)
      end
      local sum, check = world.finish()
      local told = ("seed %d: %s"):format(seed, tostring(world.strange))
      assert.is_nil(world.strange, told)
      assert.same({ seed, 0, "ok", instances }, { seed, sum, check, tuff.instances() })
    end
  end)
end)
