-- The benchmark: runs all contenders, prints the table and writes it as JSON.
--     lua5.4 spec/bench/run.lua [--rounds 7] [--only tuff,rows] [--output build/bench.json]

local folder = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = package.path .. ";" .. folder .. "/../?.lua"

local argparse = require "argparse"
local arena = require "bench.arena"
local comparison = require "bench.comparison"
local contestants = require "bench.contestants"
local json = require "bench.json"
local match = require "bench.match"
local process = require "bench.process"
local report = require "bench.report"
local waiting = require "bench.waiting"
local calling = require "bench.calling"
local workload = require "bench.workload"

local function parse_arguments()
  local parser = argparse("run.lua", "Measures tuff against raw C and other bindings.")
  parser:option("--rounds", "How often each contender does each work."):default("7")
    :convert(tonumber)
  parser:option("--only", "Contenders and works to measure, as a,b,c; raw C always takes part, and "
    .. "how long writers wait is left out.")
  parser:option("--output", "Where the figures go, as JSON."):default("build/bench.json")
  parser:option("--raw", "The program built from raw.c."):default("build/bench/raw")
  local options = parser:parse()
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
local function select_by(only, contenders, parser)
  local wanted, unknown = {}, {}
  for name in (only or ""):gmatch("[^,%s]+") do
    wanted[name], unknown[name] = true, true
  end
  local works = chosen(workload.works, wanted, unknown)
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
    sqlite = contender.sqlite,
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
    rounds = run.rounds,
    machine = machine(),
    note = run.note,
    contenders = map(run.contenders, contender_facts),
    works = run.works,
    results = run.results,
    comparison = map(run.lines, line_facts),
    waiting = run.waiting,
    calling = run.calling,
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
  local contenders, works = select_by(options.only, contestants.find(options.raw, folder), parser)
  if contenders[1].absent then
    error(options.raw .. ": " .. contenders[1].absent .. "; `make bench` builds it", 0)
  end
  local place <close> = arena.open(options.raw)
  local progress, finish = new_progress(options.rounds)
  local results = match.play(contenders, works, options.rounds, place, progress)
  finish()
  local run = {
    contenders = contenders,
    works = works,
    results = results,
    rounds = options.rounds,
    note = place.note,
    lines = comparison.lines(results, contenders, works),
    waiting = not options.only and waiting.measure(place.path .. "/waiting.db") or nil,
    calling = not options.only and calling.measure() or nil,
  }
  report.print(run)
  write_json(options.output, run)
  print("Written: " .. options.output)
  return complete(results) and not (run.waiting and run.waiting.failed > 0)
end

local finished, answer = pcall(main)
if not finished then io.stderr:write("bench: ", tostring(answer), "\n") end
os.exit(finished and answer)
