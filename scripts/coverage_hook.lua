-- coverage_hook.lua: loaded by LUA_INIT into every interpreter that a coverage run starts. Counts
-- which lines of lua/tuff/ run, and writes them to build/coverage/lua/<process> at the end.

local root = debug.getinfo(1, "S").source:match("^@(.*)scripts/")
local prefix = "@" .. root .. "lua/"
local reached = {}

local getinfo, sethook, exit = debug.getinfo, debug.sethook, os.exit
local create, wrap = coroutine.create, coroutine.wrap

local function hook(_, line)
  local source = getinfo(2, "S").source
  local lines = reached[source]
  if lines == nil then
    lines = source:sub(1, #prefix) == prefix and {}
    reached[source] = lines
  end
  if lines then lines[line] = true end
end

-- A hook belongs to one coroutine, so each sets it for itself.
local function hooked(fn)
  return function(...)
    sethook(hook, "l")
    return fn(...)
  end
end

function coroutine.create(fn) return create(hooked(fn)) end
function coroutine.wrap(fn) return wrap(hooked(fn)) end

local function write()
  sethook()
  local process = io.open("/proc/self/stat"):read("n")
  local file = assert(io.open(("%sbuild/coverage/lua/%d"):format(root, process), "a"))
  for source, lines in pairs(reached) do
    for line in pairs(lines or {}) do file:write(source:sub(#root + 2), ":", line, "\n") end
  end
  file:close()
  reached = {}
end

function os.exit(...)
  write()
  exit(...)
end

-- Not collected before the state is closed, and then before anything that was there earlier.
debug.getregistry()["tuff coverage"] = setmetatable({}, { __gc = write })

sethook(hook, "l")
