-- The lines of the table, made of the measured medians. A line has a title, a target in words,
-- a cell per contender (text) and `reached`: whether tuff reached the target (nil: nothing to say).

local M = {}

local function record_of(results, work, contender)
  local records = results[work]
  return records and records[contender]
end

local function median_of(results, work, contender, field)
  local record = record_of(results, work, contender)
  return record and not record.failed and record[field or "median"] or nil
end

--- A line whose cells come from `figure`, a function from contender to a number or nil.
local function new_line(results, contenders, work, line, format, figure)
  line.cells, line.figures = {}, {}
  for _, contender in ipairs(contenders) do
    local record = record_of(results, work, contender.name)
    local value = figure(contender)
    if record and record.failed then
      line.cells[contender.name] = "failed"
    elseif value then
      line.figures[contender.name] = value
      line.cells[contender.name] = format:format(value)
    end
  end
  return line
end

--- Time as a ratio to raw C.
local function ratios(results, contenders, work)
  local raw = median_of(results, work.name, "raw")
  local line = new_line(results, contenders, work.name, {
    title = work.title,
    work = work.name,
    raw_seconds = raw,
    target = work.target and ("%.2f"):format(work.target),
  }, "%.2f", function(contender)
    local median = median_of(results, work.name, contender.name)
    return contender.name ~= "raw" and median and raw and median / raw
  end)
  local tuff = line.figures.tuff
  if work.target and tuff then line.reached = tuff <= work.target end
  return line
end

--- lsqlite3 where it took part, else the quickest peer for Lua.
local function peer_to_beat(results, contenders, work)
  local best
  for _, contender in ipairs(contenders) do
    local median = median_of(results, work, contender.name)
    if median and contender.name == "lsqlite3" then return contender, median end
    if median and contender.lua and contender.name ~= "tuff" and
      (not best or median < median_of(results, work, best.name)) then
      best = contender
    end
  end
  if best then return best, median_of(results, work, best.name) end
end

local function times_faster_than_peer(results, contenders)
  local work = "point_transaction"
  local peer, median = peer_to_beat(results, contenders, work)
  if not peer then return nil end
  local instead = peer.name ~= "lsqlite3" and ", for lsqlite3" or ""
  local line = new_line(results, contenders, work, {
    title = "  times faster than " .. peer.title .. instead,
    target = ">= 3.5",
  }, "%.2fx", function(contender)
    local own = contender.name == "tuff" and median_of(results, work, "tuff")
    return own and median / own
  end)
  local tuff = line.figures.tuff
  if tuff then line.reached = tuff >= 3.5 end
  return line
end

local function arrays_against_all(results, contenders)
  local line = new_line(results, contenders, "arrays", {
    title = "  times faster than all", target = ">= 1.4",
  }, "%.2fx", function(contender)
    local all = median_of(results, "all", contender.name)
    local arrays = median_of(results, "arrays", contender.name)
    return contender.lua and all and arrays and all / arrays
  end)
  local tuff = line.figures.tuff
  if tuff then line.reached = tuff >= 1.4 end
  return line
end

local function memory_of_all(results, contenders)
  local tables = median_of(results, "all", "tables", "median_memory")
  local line = new_line(results, contenders, "all", {
    title = "  peak memory, to the tables alone", target = "<= 1.2",
  }, "%.2f", function(contender)
    local own = median_of(results, "all", contender.name, "median_memory")
    return contender.lua and own and tables and own / tables
  end)
  local tuff = line.figures.tuff
  if tuff then line.reached = tuff <= 1.2 end
  return line
end

local flat = 4   -- MB that still count as flat: what the heap may wobble by

local function growth_of_stream(results, contenders)
  local line = new_line(results, contenders, "stream", {
    title = "  MB that the peak grew after row 1 M", target = "flat",
  }, "%.1f", function(contender)
    local kilobytes = median_of(results, "stream", contender.name, "median_memory")
    return kilobytes and kilobytes / 1024
  end)
  local tuff = line.figures.tuff
  if tuff then line.reached = tuff <= flat end
  return line
end

local more = {
  point_transaction = times_faster_than_peer,
  arrays = arrays_against_all,
  all = memory_of_all,
  stream = growth_of_stream,
}

---@param results table  of match.play
---@param contenders table[]
---@param works table[]
---@return table[] lines
function M.lines(results, contenders, works)
  local lines = {}
  for _, work in ipairs(works) do
    lines[#lines + 1] = ratios(results, contenders, work)
    if more[work.name] then lines[#lines + 1] = more[work.name](results, contenders) end
  end
  return lines
end

return M
