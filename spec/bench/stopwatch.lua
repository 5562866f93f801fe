-- Time and peak memory of one measured stretch.
-- CPU time of the process decides (user, system and every thread): other programs on the machine
-- disturb it least. Elapsed time is noted beside it where the `system` module is installed.

local found, system = pcall(require, "system")
local elapsed = found and system.monotime or function() return nil end

local Stopwatch = {}
Stopwatch.__index = Stopwatch

local function new() return setmetatable({}, Stopwatch) end

---@return integer|nil kilobytes  nil where there is no /proc
local function peak_memory()
  local file = io.open("/proc/self/status")
  if not file then return nil end
  local status = file:read("a")
  file:close()
  return tonumber(status:match("VmHWM:%s*(%d+)"))
end

--- Garbage of the preparation is collected first, so that it is not paid for in the stretch.
function Stopwatch:start()
  collectgarbage()
  collectgarbage()
  self.memory_before = peak_memory()
  self.elapsed_before = elapsed()
  self.cpu_before = os.clock()
end

--- Growth of memory counts from here instead of from the start.
function Stopwatch:settled() self.memory_before = peak_memory() end

function Stopwatch:stop()
  self.cpu = os.clock() - self.cpu_before
  self.elapsed = self.elapsed_before and elapsed() - self.elapsed_before
  self.memory = self.memory_before and peak_memory() - self.memory_before
end

return { new = new }
