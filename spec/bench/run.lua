-- The benchmark: runs all contenders, prints the table and writes it as JSON.
--     lua5.4 spec/bench/run.lua [--engine sqlite] [--rounds 7] [--only tuff,rows]
--                               [--output build/bench.json]
-- What differs between the engines stands in engines/.

local folder = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = ("%s;%s/../?.lua;%s/../../?.lua"):format(package.path, folder, folder)

local argparse = require "argparse"
local comparison = require "bench.comparison"
local contestants = require "bench.contestants"
local json = require "bench.json"
local match = require "bench.match"
local process = require "bench.process"
local report = require "bench.report"

local function parse_arguments()
  local parser = argparse("run.lua", "Measures tuff against raw C and other bindings.")
  parser:option("--engine", "The database: sqlite or postgres."):default("sqlite")
    :choices { "sqlite", "postgres" }
  parser:option("--rounds", "How often each contender does each work."):default("7")
    :convert(tonumber)
  parser:option("--only", "Contenders and works to measure, as a,b,c; raw C always takes part, and "
    .. "what is measured of tuff alone is left out.")
  parser:option("--output", "Where the figures go, as JSON: build/bench_ENGINE.json if absent, but "
    .. "build/bench.json for SQLite.")
  parser:option("--raw", "The program built from raw_ENGINE.c: build/bench/raw_ENGINE if absent.")
  local options = parser:parse()
  local engine = options.engine
  options.output = options.output
    or (engine == "sqlite" and "build/bench.json" or ("build/bench_%s.json"):format(engine))
  options.raw = options.raw or "build/bench/raw_" .. engine
  if not options.rounds or options.rounds < 1 or options.rounds % 1 ~= 0 then
    parser:error("--rounds takes a whole number from 1 on")
  end
  return parser, options
end

--- The members of `list` that are named in `wanted`, or all if none is; names found are struck
--- from `unknown`.
local function chosen(list, wanted, unknown)
  local result = {}
  for _, member in ipairs(list) do
    unknown[member.name] = nil
    if wanted[member.name] then result[#result + 1] = member end
  end
  return result[1] and result or list
end

--- What --only leaves. Raw C stays, for all is compared with it, and so do the bare tables.
local function select_by(only, engine, contenders, parser)
  local wanted, unknown = {}, {}
  for name in (only or ""):gmatch("[^,%s]+") do
    wanted[name], unknown[name] = true, true
  end
  local works = chosen(engine.works, wanted, unknown)
  local named = chosen(contenders, wanted, unknown)
  if next(unknown) then parser:error("--only: nothing is called " .. next(unknown)) end
  if named == contenders then return contenders, works end
  local result = {}
  for _, contender in ipairs(contenders) do
    if wanted[contender.name] or contender.name == "raw" or contender.internal then
      result[#result + 1] = contender
    end
  end
  return result, works
end

--- On a terminal a line that says what is being done; nothing in a pipe.
local function new_progress(rounds)
  if not process.test("-t", "2") then return function() end, function() end end
  local function show(round, work, contender)
    io.stderr:write(("\r\27[Kround %d of %d: %s, %s"):format(round, rounds, work.name,
      contender.title))
    io.stderr:flush()
  end
  return show, function() io.stderr:write("\r\27[K") end
end

local function machine()
  local file = io.open("/proc/cpuinfo")
  local text = file and file:read("a") or ""
  if file then file:close() end
  local _, cores = text:gsub("\nprocessor", "")
  return {
    processor = text:match("model name%s*:%s*([^\n]*)") or "unknown",
    cores = cores + 1,
    kernel = process.must({ "uname", "-sr" }):match("[^\n]*"),
  }
end

local function contender_facts(contender)
  return {
    name = contender.name,
    title = contender.version or contender.title,
    library = contender.library,
    absent = contender.absent,
  }
end

local function line_facts(line)
  return {
    work = line.work,
    title = line.title,
    target = line.target,
    reached = line.reached,
    raw_seconds = line.raw_seconds,
    figures = next(line.figures) and line.figures,
  }
end

local function map(list, fn)
  local result = {}
  for i, member in ipairs(list) do result[i] = fn(member) end
  return result
end

local function write_json(path, run)
  local file = assert(io.open(path, "w"))
  file:write(json.encode {
    made = os.date("!%Y-%m-%dT%H:%M:%SZ"),
    lua = _VERSION,
    engine = run.engine.library,
    clock = run.engine.clock,
    rounds = run.rounds,
    machine = machine(),
    note = run.note,
    contenders = map(run.contenders, contender_facts),
    works = run.works,
    results = run.results,
    comparison = map(run.lines, line_facts),
    waiting = run.waiting,
    calling = run.calling,
    rebuilding = run.rebuilding,
    migrating = run.migrating,
  })
  assert(file:close())
end

--- Whether raw C and tuff did all their works; a peer may fail.
local function complete(results)
  for _, records in pairs(results) do
    for _, name in ipairs { "raw", "tuff" } do
      if records[name] and records[name].failed then return false end
    end
  end
  return true
end

local function main()
  local parser, options = parse_arguments()
  local engine = require("bench.engines." .. options.engine)
  local all = engine.contenders(options.raw, folder)
  contestants.describe(all)
  local contenders, works = select_by(options.only, engine, all, parser)
  if contenders[1].absent then
    error(options.raw .. ": " .. contenders[1].absent .. "; `make bench` builds it", 0)
  end
  local place <close> = engine.open(options.raw)
  local progress, finish = new_progress(options.rounds)
  local results = match.play(contenders, works, options.rounds, place, engine.clock, progress)
  finish()
  local alone = not options.only and engine.measure_alone and engine.measure_alone(place) or {}
  local run = {
    engine = engine,
    contenders = contenders,
    works = works,
    results = results,
    rounds = options.rounds,
    note = place.note,
    lines = comparison.lines(results, contenders, engine, works),
    waiting = alone.waiting,
    calling = alone.calling,
    rebuilding = alone.rebuilding,
    migrating = alone.migrating,
  }
  report.print(run)
  write_json(options.output, run)
  print("Written: " .. options.output)
  return complete(results) and not (run.waiting and run.waiting.failed > 0)
end

local finished, answer = pcall(main)
if not finished then io.stderr:write("bench: ", tostring(answer), "\n") end
os.exit(finished and answer, true) -- closes the state, and with it a server
