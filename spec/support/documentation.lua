--- Reads the guides: pages of Markdown whose code is run and whose links are followed.
--
-- A page is one program. Its blocks marked `lua` run one after the other and see each other's
-- locals; each line keeps its number. A block that holds `-->` prints exactly what stands
-- behind those marks, line by line; `…` in there stands for any text. Blocks marked `sh` are
-- not run, but `make` in them names commands of the Makefile. Blocks marked `text` are left
-- alone.
--
-- `postgres://localhost/shop` in a block is a new database of that name, on a server of our own.

local lfs = require "lfs"
local postgres = require "spec.support.postgres"
local temporary = require "spec.support.temporary"

local documentation = {}

local languages = { lua = true, sh = true, text = true }

local function lines_of(text)
  local lines = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

local function add(problems, name, line, format, ...)
  problems[#problems + 1] = ("%s:%d: %s"):format(name, line, format:format(...))
end

-- ---- taking a page apart -----------------------------------------------------------------

--- The blocks of a page, and the lines that belong to none.
---@param text string
---@return { language: string, line: integer, lines: table<integer, string> }[] blocks
---@return table<integer, string> prose lines by number; those of blocks are empty
---@return integer? open the line of a block that is not closed
local function parts_of(text)
  local blocks, prose, block = {}, {}, nil
  for number, line in ipairs(lines_of(text)) do
    local language = line:match("^```(.*)$")
    prose[number] = ""
    if block and language then
      block = nil
    elseif block then
      block.lines[number] = line
      block.last = number
    elseif language then
      block = { language = language, line = number, last = number, lines = {} }
      blocks[#blocks + 1] = block
    else
      prose[number] = line
    end
  end
  return blocks, prose, block and block.line
end

--- What stands behind the marks of a block.
local function expected_of(block)
  local expected = {}
  for number = block.line + 1, block.last do
    local text = block.lines[number]:match("^.*%-%->(.*)$")
    if text then expected[#expected + 1] = { line = number, text = text:gsub("^ ", "") } end
  end
  return expected
end

-- ---- running -----------------------------------------------------------------------------

--- The page as one program. Each block begins with a call that tells its number.
local function program_of(blocks, count)
  local lines = {}
  for number = 1, count do lines[number] = "" end
  for index, block in ipairs(blocks) do
    if block.language == "lua" then
      lines[block.line] = ("BLOCK(%d)"):format(index)
      for number, line in pairs(block.lines) do lines[number] = line end
    end
  end
  return table.concat(lines, "\n")
end

--- Blanks at the beginning count, because a caret stands under something.
local function plain(text)
  local blanks, rest = text:match("^(%s*)(.-)%s*$")
  return blanks .. rest:gsub("%s+", " ")
end

local function matches(expected, printed)
  local pattern = plain(expected):gsub("%p", "%%%0"):gsub("…", ".*")
  return plain(printed):find("^" .. pattern .. "$") ~= nil
end

local function compare(problems, name, block, printed)
  local expected = expected_of(block)
  if #expected == 0 then return end
  for index = 1, math.max(#expected, #printed) do
    local wanted, got = expected[index], printed[index]
    if not got then
      return add(problems, name, wanted.line, "expected %q, but nothing was printed", wanted.text)
    elseif not wanted then
      return add(problems, name, block.last, "%q was printed and stands behind no mark", got)
    elseif not matches(wanted.text, got) then
      return add(problems, name, wanted.line, "expected %q, but %q was printed", wanted.text, got)
    end
  end
end

--- The globals of a page: all of Lua, without what starts or ends processes.
local function environment(printed)
  local current = {}
  local function copy(library, ...)
    local allowed = {}
    for key, value in pairs(library) do allowed[key] = value end
    for _, key in ipairs { ... } do allowed[key] = nil end
    return allowed
  end
  return setmetatable({
    os = copy(os, "execute", "exit"),
    io = copy(io, "popen"),
    BLOCK = function(index)
      current = {}
      printed[index] = current
    end,
    print = function(...)
      local values = table.pack(...)
      for i = 1, values.n do values[i] = tostring(values[i]) end
      for _, line in ipairs(lines_of(table.concat(values, "\t"))) do
        current[#current + 1] = line
      end
    end,
  }, { __index = _G })
end

-- ---- databases of a server ---------------------------------------------------------------

local place = "postgres://localhost/([%w_]+)"

--- Makes the databases that a program opens; the program with the places where they are, and
--- their names.
local function prepare(program)
  local names = {}
  program = program:gsub(place, function(name)
    names[name] = names[name] or assert(postgres.create(name))
    return names[name]
  end)
  return program, names
end

--- Why a page cannot be run here; nil: it can.
---@param text string
---@return string|nil
function documentation.missing(text)
  local blocks = parts_of(text)
  if not program_of(blocks, #lines_of(text)):find(place) then return nil end
  local url, reason = postgres.url()
  return not url and reason or nil
end

local function run(problems, name, text, blocks)
  local printed = {}
  local program, databases = prepare(program_of(blocks, #lines_of(text)))
  local chunk, reason = load(program, "@script.lua", "t", environment(printed))
  local ok = chunk ~= nil
  if chunk then
    local here = lfs.currentdir()
    assert(lfs.chdir(temporary.directory()))
    ok, reason = xpcall(chunk, function(err) return debug.traceback(tostring(err), 2) end)
    assert(lfs.chdir(here))
  end
  for database in pairs(databases) do postgres.drop(database) end
  if not ok then
    problems[#problems + 1] = reason:gsub("script%.lua:", name .. ":")
  end
  for index, block in ipairs(blocks) do
    if printed[index] then compare(problems, name, block, printed[index]) end
  end
end

-- ---- links and commands ------------------------------------------------------------------

--- The name by which a heading is linked: `## In two words` is #in-two-words.
local function anchor_of(heading)
  return (heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

local function has_anchor(text, anchor)
  local _, prose = parts_of(text)
  for _, line in ipairs(prose) do
    local heading = line:match("^#+%s+(.-)%s*$")
    if heading and anchor_of(heading) == anchor then return true end
  end
  return false
end

--- The links of a page that lead to files.
---@param text string
---@return { line: integer, path: string, anchor: string? }[]
function documentation.links(text)
  local links = {}
  local _, prose = parts_of(text)
  for number, line in ipairs(prose) do
    for target in line:gsub("`[^`]*`", ""):gmatch("%]%(([^()%s]+)%)") do
      if not target:find("^%a[%w+.-]*:") then
        local path, anchor = target:match("^([^#]*)#?(.*)$")
        links[#links + 1] = { line = number, path = path, anchor = anchor ~= "" and anchor or nil }
      end
    end
  end
  return links
end

local function check_links(problems, name, text)
  local folder = name:match("^(.*/)[^/]*$") or ""
  for _, link in ipairs(documentation.links(text)) do
    local own = link.path == ""
    local path = own and name or folder .. link.path
    if not own and not lfs.attributes(path) then
      add(problems, name, link.line, "the link to %s leads nowhere", link.path)
    elseif link.anchor then
      local target = own and text or temporary.read(path) or ""
      if not has_anchor(target, link.anchor) then
        add(problems, name, link.line, "%s has no heading #%s", path, link.anchor)
      end
    end
  end
end

local function commands_of(makefile)
  local commands = {}
  for command in ("\n" .. makefile):gmatch("\n([%w_-]+):[^=]") do commands[command] = true end
  return commands
end

--- What `make` is asked for in one line of a shell: options and variables are none of it.
local function asked_for(line)
  local targets = {}
  for words in line:gsub("%s#.*", ""):gmatch("%f[%w_/.-]make%f[%s%z]([^;&|)]*)") do
    for word in words:gmatch("%S+") do
      local target = word:match("^([%w_-]+)$")
      if target and not target:find("^-") then targets[#targets + 1] = target end
    end
  end
  return targets
end

local function check_commands(problems, name, blocks, makefile)
  local commands = commands_of(makefile)
  for _, block in ipairs(blocks) do
    for number, line in pairs(block.language == "sh" and block.lines or {}) do
      for _, target in ipairs(asked_for(line)) do
        if not commands[target] then add(problems, name, number, "there is no make %s", target) end
      end
    end
  end
end

-- ---- a whole page ------------------------------------------------------------------------

--- Checks a page: its code, its links, its commands.
---@param name string its path, from the root of the repository
---@param text string
---@param makefile string
---@return string[] problems
function documentation.problems(name, text, makefile)
  local problems = {}
  local blocks, _, open = parts_of(text)
  if open then add(problems, name, open, "this block is not closed") end
  for _, block in ipairs(blocks) do
    if not languages[block.language] then
      add(problems, name, block.line, "a block is lua, sh or text, not %q", block.language)
    end
  end
  if #problems == 0 then run(problems, name, text, blocks) end
  check_links(problems, name, text)
  check_commands(problems, name, blocks, makefile)
  return problems
end

return documentation
