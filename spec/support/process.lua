--- Child processes that run a Lua chunk with the paths and the environment of this one.
--
-- The chunk talks by lines: `print` reaches `child:read()`, and `child:send(line)` reaches
-- `io.read()`. That is the only way in which parent and child wait for each other.
-- `fixture.clean_up` calls `process.stop_all` after each test, so that a failing one leaves none
-- behind.

local lfs = require "lfs"
local temporary = require "spec.support.temporary"

local process = {}

local running = {}
local child_methods = {}
child_methods.__index = child_methods

--- Quotes a text as one word of the shell.
---@param text string
---@return string
function process.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local quote = process.quote

local function interpreter()
  if not (arg and arg[-1]) then return "lua5.4" end
  local first = -1
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local function absolute(list)
  local here = lfs.currentdir()
  return (list:gsub("[^;]+", function(entry)
    if entry:sub(1, 1) ~= "/" then return here .. "/" .. entry end
  end))
end

--- Whether a command of the shell succeeds; what it prints is dropped.
---@param command string
---@return boolean
function process.succeeds(command)
  return os.execute("{ " .. command .. " ; } >/dev/null 2>&1") == true
end

--- What a command of the shell prints, without the last line end.
---@param command string
---@return string
function process.capture(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  pipe:close()
  return (output:gsub("\n$", ""))
end

--- Whether this process may do anything.
---@return boolean
function process.is_root()
  return process.capture("id -u") == "0"
end

--- Starts a Lua process.
---@param options table chunk: Lua code; arguments: an array that reaches it as `...`;
---   directory: where it runs; umask: octal, as a string; wrap: shell words that run the
---   command which follows them, in the same process; paths: { path, cpath } in place of ours
---@return table child
function process.start(options)
  local control = temporary.directory()
  local script, input = control .. "/child.lua", control .. "/input"
  local errors = control .. "/errors"
  local paths = options.paths or { absolute(package.path), absolute(package.cpath) }
  temporary.write(script, ("package.path, package.cpath = %q, %q; io.stdout:setvbuf('line'); %s")
    :format(paths[1], paths[2], options.chunk))
  assert(os.execute("mkfifo -m 600 " .. quote(input)))
  -- Open for reading and writing: opening blocks neither side, whoever comes first.
  local sender = assert(io.open(input, "r+"))
  local words = {}
  for _, word in ipairs(options.arguments or {}) do words[#words + 1] = quote(tostring(word)) end
  local command = ("echo $$; %s cd %s && exec %s %s %s %s < %s 2> %s"):format(
    options.umask and ("umask " .. options.umask .. ";") or "",
    quote(options.directory or control), options.wrap or "", quote(interpreter()),
    quote(script), table.concat(words, " "), quote(input), quote(errors))
  local pipe = assert(io.popen(command, "r"))
  local child = setmetatable({ pipe = pipe, sender = sender, errors = errors }, child_methods)
  running[child] = true
  child.pid = assert(math.tointeger(pipe:read("l")), "the shell did not start")
  return child
end

--- Runs a chunk to its end.
---@param chunk string
---@param ... any arguments of the chunk
---@return string output
function process.run(chunk, ...)
  return process.start({ chunk = chunk, arguments = { ... } }):finish()
end

--- The next line that the child prints; nil at its end.
---@return string|nil
function child_methods:read()
  return self.pipe:read("l")
end

--- Reads a line and insists on its text.
---@param line string
function child_methods:expect(line)
  local got = self:read()
  if got ~= line then
    error(("the child printed %s, not %q; its errors: %s"):format(
      tostring(got), line, temporary.read(self.errors) or ""), 2)
  end
end

--- Gives the child a line to read.
---@param line string|nil
function child_methods:send(line)
  assert(self.sender:write(line or "go", "\n"))
  assert(self.sender:flush())
end

--- Kills the child with a signal that it cannot see (9).
function child_methods:kill()
  os.execute(("kill -9 %d 2>/dev/null"):format(self.pid))
end

--- Waits for the end of the child.
---@return { ok: boolean, how: string, code: integer, output: string, errors: string }
function child_methods:wait()
  if self.result then return self.result end
  local output = self.pipe:read("a")
  local ok, how, code = self.pipe:close()
  self.sender:close()
  self.result = {
    ok = ok == true, how = how, code = code, output = output,
    errors = temporary.read(self.errors) or "",
  }
  running[self] = nil
  return self.result
end

--- Waits for the end of the child, and fails with what it said if it failed.
---@return string output the lines that were not read yet, without the last line end
function child_methods:finish()
  local result = self:wait()
  if not result.ok then
    error(("the child ended by %s %s: %s%s"):format(
      result.how, result.code, result.errors, result.output), 2)
  end
  return (result.output:gsub("\n$", ""))
end

--- Ends every child that was not waited for.
function process.stop_all()
  for child in pairs(running) do child:kill() end
  for child in pairs(running) do child:wait() end
end

--- How to run a chunk as a user without rights: itself when we have none, else as `nobody`.
-- The built tree is copied when that user cannot read it.
---@return { wrap: string, paths: string[]? }|nil options for `process.start`
---@return string|nil reason why it cannot be done
function process.without_rights()
  if not process.is_root() then return { wrap = "" } end
  local wrap = "setpriv --reuid=65534 --regid=65534 --clear-groups"
  if not process.succeeds(wrap .. " true") then return nil, "setpriv cannot change the user" end
  local core = assert(package.searchpath("tuff.core", package.cpath))
  local init = assert(package.searchpath("tuff", package.path))
  if process.succeeds(("%s test -r %s -a -r %s"):format(wrap, quote(core), quote(init))) then
    return { wrap = wrap }
  end
  local copy = temporary.directory()
  local source = init:gsub("/init%.lua$", "")
  assert(os.execute(("mkdir -p %s/c/tuff && cp -r %s %s/tuff && cp %s %s/c/tuff/"):format(
    copy, quote(source), copy, quote(core), copy)))
  assert(os.execute("chmod -R a+rX " .. copy))
  return { wrap = wrap, paths = { copy .. "/?.lua;" .. copy .. "/?/init.lua", copy .. "/c/?.so" } }
end

return process
