--- A progress bar on a terminal, and nothing anywhere else.
-- It goes to stderr, so that the report can be sent into a pipe or a file while the bar stays.

local lfs = require "lfs"

local M = {}
M.__index = M

local BAR = 30

---Whether stderr is a terminal.
---@return boolean
function M.is_terminal()
  local has_system, system = pcall(require, "system")
  if has_system and system.isatty then
    return system.isatty(io.stderr)
  end
  -- Older versions of lua-system cannot tell. A terminal is a character device, as is /dev/null.
  local stderr, null = lfs.attributes("/dev/stderr"), lfs.attributes("/dev/null")
  return stderr ~= nil and stderr.mode == "char device"
    and not (null and stderr.rdev == null.rdev)
end

---@class Progress

---@param label string what is being done
---@param total? integer nil: the end is not known, and only the count is shown
---@return Progress
function M.new(label, total)
  return setmetatable({
    label = label,
    total = total,
    visible = M.is_terminal(),
    shown = nil,
  }, M)
end

---Shows how far the work is.
---@param done integer
---@param total? integer the end, where it becomes known only now
function M:update(done, total)
  self.total = total or self.total
  if not self.visible then
    return
  end
  -- A terminal is slow: write when there is something new to see.
  local share = self.total and self.total > 0 and done / self.total or 0
  local step = self.total and share * 100 // 1 or done // 1000
  if step == self.shown then
    return
  end
  self.shown = step
  if self.total then
    local full = share * BAR // 1 | 0
    io.stderr:write(("\r%s [%s%s] %3.0f %%"):format(
      self.label, ("#"):rep(full), ("."):rep(BAR - full), share * 100))
  else
    io.stderr:write(("\r%s %d"):format(self.label, done))
  end
  io.stderr:flush()
end

---Takes the bar away. Also called at the end of the scope of a `local bar <close>`.
function M:finish()
  if self.shown then
    io.stderr:write("\r\27[K")
    self.shown = nil
  end
end

M.__close = M.finish

return M
