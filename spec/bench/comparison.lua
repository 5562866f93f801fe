-- The lines of the table, made of the measured medians. A line has a title, a target in words,
-- a cell per contender (text) and `reached`: whether tuff reached the target (nil: nothing to say).

local M = {}

local function record_of(results, work, contender)
  local records = results[work]
  return records and records[contender]
end

--- What a contender needed for a work, or another figure of it; nil where it has none.
---@param results table  of match.play
---@param work string
---@param contender string
---@param field string|nil  of its record: the median of time if absent
---@return number|nil
function M.median_of(results, work, contender, field)
  local record = record_of(results, work, contender)
  return record and not record.failed and record[field or "median"] or nil
end

local median_of = M.median_of

--- A line whose cells come from `figure`, a function from contender to a number or nil.
---@param line { title: string, target: string|nil, bound: fun(figure: number): boolean }  bound:
---  whether tuff's figure reaches the target
---@param format string  of a cell
---@return table line
function M.line(results, contenders, work, line, format, figure)
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
  local tuff = line.figures.tuff
  if line.bound and tuff then line.reached = line.bound(tuff) end
  return line
end

function M.at_least(limit) return function(figure) return figure >= limit end end

function M.at_most(limit) return function(figure) return figure <= limit end end

--- Time as a ratio to raw C.
local function ratios(results, contenders, work)
  local raw = median_of(results, work.name, "raw")
  local line = M.line(results, contenders, work.name, {
    title = work.title,
    work = work.name,
    raw_seconds = raw,
    target = work.target and ("%.2f"):format(work.target),
    bound = work.target and M.at_most(work.target),
  }, "%.2f", function(contender)
    local median = median_of(results, work.name, contender.name)
    return contender.name ~= "raw" and median and raw and median / raw
  end)
  if raw then line.cells.raw = ("%.3f s"):format(raw) end
  return line
end

--- How much the peak of memory grew, in MB.
---@param work string
---@param line { title: string, target: string }
---@param limit number  what tuff may need
---@return fun(results: table, contenders: table[]): table  the maker of the line
function M.growth(work, line, limit)
  return function(results, contenders)
    return M.line(results, contenders, work, {
      title = line.title, target = line.target, bound = M.at_most(limit),
    }, "%.1f", function(contender)
      local kilobytes = median_of(results, work, contender.name, "median_memory")
      return kilobytes and kilobytes / 1024
    end)
  end
end

--- A line per work, each followed by those that the engine makes of it.
---@param results table  of match.play
---@param contenders table[]
---@param engine table
---@param works table[]
---@return table[] lines
function M.lines(results, contenders, engine, works)
  local lines = {}
  for _, work in ipairs(works) do
    lines[#lines + 1] = ratios(results, contenders, work)
    for _, make in ipairs(engine.lines[work.name] or {}) do
      lines[#lines + 1] = make(results, contenders)
    end
  end
  return lines
end

return M
