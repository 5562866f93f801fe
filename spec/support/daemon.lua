--- Programs that run beside the specs, and never outlive them.
--
-- Each has a keeper: a shell in a session of its own that waits for a line, or for the end of its
-- input, which comes with the end of this process however it ends. Then it ends the program; after
-- a line the directory of the program stays, for another start. Should the keeper be killed too,
-- the program gets the same signal from the kernel.

local lfs = require "lfs"
local eventually = require "spec.support.eventually"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local daemon = {}

local keeper = [[
  directory=$1 signal=$2; shift 2
  "$@" >>"$directory/log" 2>&1 </dev/null &
  echo $! >"$directory/pid"
  read -r order && stays=1
  kill -s CONT $!
  kill -s "$signal" $!
  wait
  [ "${stays:-}" ] || rm -rf "$directory"
]]

local quote = process.quote

--- Whether a process runs; one that has ended and was not waited for does not.
---@param pid integer
---@return boolean
function daemon.is_running(pid)
  local state = (temporary.read(("/proc/%d/stat"):format(pid)) or ""):match("^.*%) (%a)")
  return state ~= nil and state ~= "Z" and state ~= "X"
end

--- The processes that run in a directory, as a server and what it has started do.
---@param directory string
---@return integer[]
function daemon.processes_in(directory)
  local found = {}
  for name in lfs.dir("/proc") do
    local pid = math.tointeger(name)
    local where = pid and lfs.symlinkattributes(("/proc/%d/cwd"):format(pid), "target")
    if where == directory then found[#found + 1] = pid end
  end
  return found
end

--- Sends a signal to processes that may have ended.
---@param name string "KILL", "STOP", "CONT"
---@param ... integer
function daemon.signal(name, ...)
  process.succeeds(("kill -s %s %s"):format(name, table.concat({ ... }, " ")))
end

--- In memory where there is plenty, which halves the time that a server takes to start. Elsewhere
--- than $TMPDIR: the path of a socket may have 107 bytes only, and another user is to reach it.
local function base()
  local free = process.capture("df -kP /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }'")
  return (tonumber(free) or 0) > 1 << 20 and "/dev/shm" or "/tmp"
end

--- An empty directory for a program.
---@param user string whom it runs as where we are root
---@return string
function daemon.directory(user)
  local directory = temporary.lasting_directory(base())
  if process.is_root() then
    assert(os.execute(("chown %s %s"):format(user, quote(directory))))
  end
  return directory
end

--- A command for the shell. What watches us, a sanitizer, does not watch it.
local function command(words, user, signal)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  local as = process.is_root()
    and ("--reuid=%s --regid=%s --clear-groups"):format(user, user) or ""
  return ("env -u LD_PRELOAD setpriv --pdeathsig %s %s %s"):format(
    signal, as, table.concat(quoted, " "))
end

--- Runs a program to its end; an error has what it printed.
---@param words string[]
---@param user string whom it runs as where we are root
---@return string output
function daemon.run(words, user)
  local pipe = assert(io.popen(("cd / && %s 2>&1"):format(command(words, user, "KILL"))))
  local output = pipe:read("a")
  if not pipe:close() then error(words[1] .. " failed: " .. output, 2) end
  return output
end

local methods = {}
methods.__index = methods

--- Starts a program, and waits until it is ready.
---@param options table directory: which it writes its log to, and which goes with it; command: its
---   words; user: whom it runs as where we are root; signal: what ends it at once; ready(pid):
---   tells whether it is
---@return table daemon
function daemon.start(options)
  local directory = options.directory
  os.remove(directory .. "/pid")
  local keeps = ("cd / && exec env -u LD_PRELOAD setsid sh -c %s keeper %s %s %s >%s 2>&1"):format(
    quote(keeper), quote(directory), options.signal,
    command(options.command, options.user, options.signal), "/dev/null")
  local self = setmetatable({ directory = directory }, methods)
  self.pipe = assert(io.popen(keeps, "w"))
  self.pid = eventually("the keeper starts " .. options.command[1], function()
    return math.tointeger((temporary.read(directory .. "/pid") or ""):match("^(%d+)\n"))
  end)
  eventually(options.command[1] .. " is ready", function()
    if not daemon.is_running(self.pid) then
      local log = self:log()
      self:remove()
      error(options.command[1] .. " does not start: " .. log, 0)
    end
    return options.ready(self.pid)
  end)
  return self
end

--- What the program has printed so far.
---@return string
function methods:log()
  return temporary.read(self.directory .. "/log") or ""
end

function methods:is_running()
  return daemon.is_running(self.pid)
end

--- Ends the program, and waits for its end. Its directory stays.
function methods:stop()
  if not self.pipe then return end
  self.pipe:write("stop\n")
  self.pipe:close()
  self.pipe = nil
end

--- Ends the program and removes its directory. May be called twice.
function methods:remove()
  if self.pipe then self.pipe:close() end
  self.pipe = nil
  temporary.remove(self.directory)
end

--- Who was stopped has left its directory to another; and at the end of the process the pipe may
--- have been closed before.
function methods:__gc()
  if io.type(self.pipe) == "file" then self:remove() end
end

return daemon
