-- coverage.lua: prints which share of the lines in C and Lua a coverage run reached, file by file,
-- with the reasons of scripts/unreached.txt where some were not, and writes these lines to
-- build/coverage/unreached.txt. Fails where less than LEAST of a language is reached, or of a file
-- that has no reason.

local LEAST = 90 -- percent

local files = {} -- path -> line -> times reached, for every line that could be

local function count(path, line, times)
  files[path] = files[path] or {}
  files[path][line] = math.max(files[path][line] or 0, times)
end

local function lines_of(command)
  return io.popen(command):lines()
end

local function source_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

-- gcov prints `times:line:text`, and ##### for a line that never ran. A header comes up once for
-- each file that includes it.
local function read_c()
  local path
  for line in lines_of("find build/coverage/obj -name '*.gcno' -not -path '*/test/*' -print0"
    .. " | xargs -0 gcov -t 2>/dev/null") do
    local times, number, text = line:match("^%s*([^:]+):%s*(%d+):(.*)$")
    if number == "0" then
      path = text:match("^Source:(csrc/.*)") or not text:find("^Source:") and path or nil
    elseif path and times and times ~= "-" then
      count(path, tonumber(number), tonumber(times:match("^%d+")) or 0)
    end
  end
end

-- A line that holds nothing but the end of something has an instruction that need not run.
local function closes(text)
  return not text:gsub("%f[%w_]end%f[^%w_]", ""):gsub("%f[%w_]else%f[^%w_]", ""):find("[%w_]")
end

local function read_lua()
  for path in lines_of("find lua -name '*.lua' -not -path 'lua/tuff/meta/*'") do
    local text = source_lines(path)
    for line in lines_of("luac5.4 -l -p " .. path) do
      local number = tonumber(line:match("^\t%d+\t%[(%d+)%]\t"))
      if number and not line:find("VARARGPREP") and not closes(text[number]) then
        count(path, number, 0)
      end
    end
  end
  for line in lines_of("cat build/coverage/lua/* 2>/dev/null") do
    local path, number = line:match("^(.*):(%d+)$")
    if files[path] and files[path][tonumber(number)] then count(path, tonumber(number), 1) end
  end
end

local function sorted(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- `path: reason` each; # begins a comment.
local function read_reasons()
  local reasons = {}
  for line in io.lines("scripts/unreached.txt") do
    local path, reason = line:match("^([^#%s]+): (.+)$")
    if path then
      reasons[path] = reasons[path] or {}
      table.insert(reasons[path], reason)
    end
  end
  return reasons
end

local function percent(part, whole) return whole > 0 and 100 * part / whole or 100 end

local function print_row(name, lines, reached, note)
  print(("%-40s %6d %6d %7.1f %% %s"):format(name, lines, lines - reached,
    percent(reached, lines), note or ""))
end

-- Prints the files of a language; true where enough of them is reached.
local function report(language, pattern, reasons, unreached)
  local all_lines, all_reached, good = 0, 0, true
  for _, path in ipairs(sorted(files)) do
    if path:find(pattern) then
      local lines, reached, text = 0, 0, source_lines(path)
      for _, line in ipairs(sorted(files[path])) do
        lines = lines + 1
        if files[path][line] > 0 then
          reached = reached + 1
        else
          unreached:write(("%s:%d: %s\n"):format(path, line, text[line]))
        end
      end
      local unexplained = percent(reached, lines) < LEAST and not reasons[path]
      good = good and not unexplained
      print_row(path, lines, reached, unexplained and "FAILED: no reason is given")
      if reached < lines then
        for _, reason in ipairs(reasons[path] or {}) do print("    " .. reason) end
      end
      all_lines, all_reached = all_lines + lines, all_reached + reached
    end
  end
  local enough = percent(all_reached, all_lines) >= LEAST
  print_row(language .. ", all", all_lines, all_reached,
    not enough and ("FAILED: less than %d %%"):format(LEAST))
  print()
  return good and enough
end

read_c()
read_lua()

local reasons = read_reasons()
local unreached = assert(io.open("build/coverage/unreached.txt", "w"))
print(("%-40s %6s %6s %9s"):format("", "lines", "not", "reached"))
local c = report("C", "^csrc/", reasons, unreached)
local lua = report("Lua", "^lua/", reasons, unreached)
unreached:close()
print("Lines not reached: build/coverage/unreached.txt; why: scripts/unreached.txt")
os.exit(c and lua)
