-- What is said about a list of measurements.

local M = {}

---@param numbers number[]
---@return number|nil  nil for an empty list
function M.median(numbers)
  local sorted = table.move(numbers, 1, #numbers, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return sorted[1] and (sorted[middle] + sorted[middle + 1]) / 2
end

--- The number that this share of them does not exceed.
---@param numbers number[]
---@param share number  from 0 to 1
---@return number|nil
function M.quantile(numbers, share)
  local sorted = table.move(numbers, 1, #numbers, 1, {})
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

---@param numbers number[]
---@return number|nil
function M.minimum(numbers)
  return numbers[1] and math.min(table.unpack(numbers))
end

return M
