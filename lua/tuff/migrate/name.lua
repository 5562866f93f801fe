--- Names of migrations: `20261121114500_add_score_to_images`, a time in UTC and what it is about.
local M = {}

local FORMAT = "!%Y%m%d%H%M%S"

--- Seconds since 1970 of 14 digits, whether or not there is such a time.
local function seconds(digits)
  local year, month, day, hour, minute, second =
    digits:match("^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$")
  -- Of a year that begins in March, so that the day that a leap year adds is its last one.
  local march = month - 3
  year = year + march // 12
  local days = year * 365 + year // 4 - year // 100 + year // 400
    + (march % 12 * 153 + 2) // 5 + day - 719469
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

--- The parts of a name.
---@param name string without an extension
---@return string? time 14 digits; nil: it is no name of a migration
---@return string? about
function M.parts(name)
  return name:match("^(%d%d%d%d%d%d%d%d%d%d%d%d%d%d)_(.+)$")
end

--- Whether there is such a time.
---@param digits string 14 of them
---@return boolean
function M.is_time(digits)
  return os.date(FORMAT, seconds(digits)) == digits
end

--- The time of a new migration: now, or behind the newest one that there is.
---@param newest string? 14 digits
---@return string
function M.next_time(newest)
  local now = os.date(FORMAT) --[[@as string]]
  if not newest or newest < now then return now end
  return os.date(FORMAT, seconds(newest) + 1) --[[@as string]]
end

return M
