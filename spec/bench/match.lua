-- The measuring: rounds in which each contender does each work once, in an order that rotates.

local contestants = require "bench.contestants"
local process = require "bench.process"
local statistics = require "bench.statistics"

local M = {}

local longest = 900   -- seconds that one run may take

local function read_result(output)
  return {
    seconds = tonumber(output:match("seconds (%S+)")),
    elapsed = tonumber(output:match("elapsed (%S+)")),
    memory = tonumber(output:match("memory (%S+)")),
    checksum = output:match("checksum ([^\n]+)"),
  }
end

--- One run of one contender. A work that reads prints its checksum; of one that writes the
--- database itself is read.
local function run(contender, work, arena, clock)
  local database = arena:database(work)
  local command = contestants.command(contender, work.name, database, work.count)
  local output, reason = process.capture(command, longest)
  if not output then return nil, reason end
  local result = read_result(output)
  if not result[clock] then return nil, "printed no time" end
  if work.data ~= "large" then result.checksum = arena:checksum(database) end
  if not result.checksum then return nil, "printed no checksum" end
  return result
end

--- Runs once and keeps the result, unless this contender has failed in this work before.
local function add_run(record, contender, work, arena, clock)
  if record.failed then return end
  local result, reason = run(contender, work, arena, clock)
  if not result then
    record.failed = reason
  elseif record.checksum and record.checksum ~= result.checksum then
    record.failed = "the checksum differs between two rounds"
  else
    record.checksum = result.checksum
    record.seconds[#record.seconds + 1] = result.seconds
    record.elapsed[#record.elapsed + 1] = result.elapsed
    record.memory[#record.memory + 1] = result.memory
  end
end

local function rotated(list, by)
  local result = {}
  for i = 1, #list do result[i] = list[(i + by - 1) % #list + 1] end
  return result
end

local function participants(contenders, work)
  local list = {}
  for _, contender in ipairs(contenders) do
    if contender.works[work.name] then list[#list + 1] = contender end
  end
  return list
end

local function new_records(contenders, work)
  local records = {}
  for _, contender in ipairs(participants(contenders, work)) do
    records[contender.name] = { seconds = {}, elapsed = {}, memory = {} }
  end
  return records
end

--- Whoever read or wrote something else than raw C has no result.
local function refuse_differences(records)
  local right = records.raw.checksum
  for _, record in pairs(records) do
    if not record.failed and record.checksum ~= right then
      record.failed = ("refused: checksum %s, raw C has %s"):format(record.checksum, right)
    end
  end
end

local function summarize(record, clock)
  record.median = statistics.median(record[clock])
  record.min = statistics.minimum(record[clock])
  record.median_elapsed = statistics.median(record.elapsed)
  record.median_memory = statistics.median(record.memory)
end

--- Measures, and returns for each work's name a table from the contender's name to its record:
--- `seconds`, `elapsed`, `memory` (a figure per round), their medians, or `failed`.
---@param contenders table[]
---@param works table[]
---@param rounds integer
---@param arena table
---@param clock "seconds"|"elapsed"  which time is the result: of the CPU, or of the wall
---@param progress fun(round: integer, work: table, contender: table)
---@return table<string, table<string, table>> results
function M.play(contenders, works, rounds, arena, clock, progress)
  local results = {}
  for _, work in ipairs(works) do results[work.name] = new_records(contenders, work) end
  for round = 1, rounds do
    for number, work in ipairs(works) do
      if round == 1 or not work.once then
        local order = rotated(participants(contenders, work), round + number)
        for _, contender in ipairs(order) do
          progress(round, work, contender)
          add_run(results[work.name][contender.name], contender, work, arena, clock)
        end
      end
    end
  end
  for _, records in pairs(results) do
    refuse_differences(records)
    for _, record in pairs(records) do
      if not record.failed then summarize(record, clock) end
    end
  end
  return results
end

return M
