-- The checksum over what was read: all integers and lengths of texts summed, and all reals.
-- Cheap enough to stand inside the measured loop, and it needs every value of every row.

local M = {}

--- Takes what a generic `for` takes, and gives named rows.
---@return integer integers
---@return number reals
function M.named(...)
  local integers, reals = 0, 0.0
  for row in ... do
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  return integers, reals
end

--- The same over an array of named rows.
---@param rows table[]
---@return integer integers
---@return number reals
function M.kept(rows)
  local integers, reals = 0, 0.0
  for i = 1, #rows do
    local row = rows[i]
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
  end
  return integers, reals
end

--- The same over an array per column, where the fifth column is `n_2`, for `n` is their length.
---@param columns table
---@return integer integers
---@return number reals
function M.arrays(columns)
  local integers, reals = 0, 0.0
  for i = 1, columns.n do
    integers = integers + columns.id[i] + #columns.name[i] + #columns.tag[i] + columns.n_2[i]
    reals = reals + columns.score[i]
  end
  return integers, reals
end

--- `named` for the long scan: the stopwatch is told when memory should have settled.
---@param stopwatch table
---@param mark integer  the number of that row
---@return integer integers
---@return number reals
function M.streamed(stopwatch, mark, ...)
  local integers, reals, count = 0, 0.0, 0
  for row in ... do
    integers = integers + row.id + #row.name + #row.tag + row.n
    reals = reals + row.score
    count = count + 1
    if count == mark then stopwatch:settled() end
  end
  return integers, reals
end

return M
