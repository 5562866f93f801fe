-- Other programs, run to their end.

local M = {}

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function command_line(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  return table.concat(quoted, " ")
end

--- Starts a program.
---@param words string[]
---@return file* pipe  what it prints
function M.start(words)
  return assert(io.popen(command_line(words)))
end

--- Runs a program and returns what it printed; if it failed, nil and a line that says why.
---@param words string[]
---@param seconds integer|nil  how long it may take
---@return string|nil output
---@return string|nil reason
function M.capture(words, seconds)
  -- In the foreground, so that Ctrl-C ends it together with this program.
  local limit = seconds and ("timeout --foreground %d "):format(seconds) or ""
  local pipe = assert(io.popen(limit .. command_line(words) .. " 2>&1"))
  local output = pipe:read("a")
  local succeeded, how, status = pipe:close()
  if succeeded then return output end
  local message = output:match("[^\n]+") or ("%s %d"):format(how, status)
  return nil, message
end

--- The same for a program that has to succeed.
---@param words string[]
---@return string output
function M.must(words)
  local output, reason = M.capture(words)
  if not output then error(words[1] .. ": " .. reason, 0) end
  return output
end

--- The answer of the shell's `test`.
---@return boolean
function M.test(...)
  return os.execute("test " .. command_line { ... }) == true
end

--- Removes a directory once this program is gone, also when it was killed with all that it
--- started. In the command $PPID is this program.
---@param path string
function M.remove_afterwards(path)
  os.execute(([[setsid sh -c 'while kill -0 "$1"; do sleep 2; done; rm -rf "$2"' watch $PPID %s \
    </dev/null >/dev/null 2>&1 &]]):format(quote(path)))
end

--- The interpreter that runs this program.
---@return string
function M.interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

return M
