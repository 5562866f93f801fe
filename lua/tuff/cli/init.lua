--- The command `tuff`: which commands there are, what becomes of their arguments, and how each
--- ends.
local argparse = require "argparse"
local core = require "tuff.core"
local errors = require "tuff.error"
local failure = require "tuff.cli.failure"
local output = require "tuff.cli.output"
local session = require "tuff.cli.session"

local M = {}

--- A command of `tuff`.
---@class tuff.cli.Command
---@field name string
---@field summary string a line for the list of commands
---@field details string? what else its help says
---@field define fun(parser: table) adds its arguments and options
---@field run fun(session: tuff.cli.Session, facts: table): integer? fills in what `--json` prints,
---  also of work that then fails; the exit status, if it is not 0

local DESCRIPTION = "Migrates databases of SQLite and PostgreSQL, and shows their schemas."

local DETAILS = [[
Where the database is
  the argument DATABASE or --database, the variable TUFF_DATABASE, or tuff.config.lua: a file of
  Lua in the current directory which returns { database = "…", migrations = "…", schema = "…" }.
  A database is a file or a URL, postgres://user@host/name.

Exit status
  0    done, or nothing to do
  1    failed: a migration, the database; problems or differences were found
  2    wrong use of the command
  3    refused: something must be decided first, and nothing was done
  130  ended by Ctrl-C

Examples
  tuff new "add score to images"      writes migrations/20261121114500_add_score_to_images.lua
  tuff up library.db --dry-run        shows what would be done
  tuff up library.db                  does it, after a backup
  tuff help up                        tells all about one command]]

--- In the order of the help.
local groups = { "tuff.cli.new", "tuff.cli.inspect", "tuff.cli.migrate", "tuff.cli.schema" }

-- ---- arguments ---------------------------------------------------------------------------

--- Raises what is wrong with the arguments; the usage is what helps.
local function refuse(parser, message)
  errors.raise("misuse", (message:gsub("\n", ". ")), {
    usage = parser:get_usage(), hint = ('"%s --help" tells more'):format(parser:_get_fullname()),
  })
end

--- What was asked for is told by an error, too: it ends the parsing.
local TOLD = {}

local function tell(out, text)
  out:line(text)
  error(TOLD, 0)
end

local function new_parser(out)
  local parser = argparse("tuff", DESCRIPTION, DETAILS)
  parser.error = refuse
  parser:command_target("command"):require_command(true):help_max_width(98)
  local function show_help(of) return function() tell(out, (of:get_help():gsub("%s+$", ""))) end end
  parser:add_help { action = show_help(parser) }
  parser:flag("--version", "Print the version."):action(function()
    tell(out, ("tuff %s, SQLite %s"):format(require("tuff").version, core.sqlite_version))
  end)
  local commands, names = {}, {}
  for _, group in ipairs(groups) do
    for _, command in ipairs(require(group)) do
      local own = parser:command(command.name):summary(command.summary)
      own:description(command.summary .. (command.details and "\n\n" .. command.details or ""))
      own:add_help(false)
      own:add_help { action = show_help(own) }
      command.define(own)
      commands[command.name], names[#names + 1] = command, command.name
      parser[command.name] = own
    end
  end
  parser:command("help", "Tell about a command."):argument("topic"):args("?")
    :action(function(_, _, name)
      if name and not commands[name] then
        local meant = errors.did_you_mean(name, names)
        refuse(parser, ("there is no command '%s'%s"):format(name, meant and "; " .. meant or ""))
      end
      show_help(name and parser[name] or parser)()
    end)
  return parser, commands
end

-- ---- running -----------------------------------------------------------------------------

--- What a migration prints is no part of the facts.
local function print_elsewhere()
  rawset(_G, "print", function(...)
    local texts = table.pack(...)
    for i = 1, texts.n do texts[i] = tostring(texts[i]) end
    io.stderr:write(table.concat(texts, "\t"), "\n")
  end)
end

local function work(out, arguments, facts)
  local parser, commands = new_parser(out)
  local options = parser:parse(arguments)
  local own <close> = session.new(options, out)
  return commands[options.command].run(own, facts) or 0
end

local function is_asked_for(arguments, flag)
  for _, word in ipairs(arguments) do
    if word == flag then return true end
  end
  return false
end

--- Runs the command. All that it says is said when it returns.
---@param arguments string[]
---@return integer status of the process
function M.run(arguments)
  core.keep_writing()
  local out = output.new { json = is_asked_for(arguments, "--json") }
  if out.json then print_elsewhere() end
  local facts = {}
  local good, result = pcall(work, out, arguments, facts)
  if not good and result == TOLD then return out:finish() and 0 or 1 end
  local status = good and result or failure.status(result)
  out:clear()
  if not good then failure.tell(out, result, facts) end
  facts.ok = status == 0
  if out.json then out:encode(facts) end
  if out:finish() then return status end
  return math.max(status, 1)
end

return M
