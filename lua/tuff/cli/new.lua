--- `tuff new`: the file of a new migration.
local arguments = require "tuff.cli.arguments"
local draft = require "tuff.migrate.draft"
local session_of = require "tuff.cli.session"
local template = require "tuff.migrate.template"

local DETAILS = [[
The name of the file begins with the time, in UTC, so that it is run after all others; its
path is printed. With --from schema it does what makes the database that which the schema
declares; read it before you run it.]]

---@param session tuff.cli.Session
local function run(session, facts)
  local options = session.options
  local written = {}
  if options.from then
    local schema = session:schema()
    written = draft.of(session:open_to_compare(), schema, arguments.of_diff(options))
    if not written then
      session.out:line("the database is what the schema declares: there is nothing to migrate")
      return
    end
  end
  written.phase = options.phase
  facts.path = session_of.with_files(template.write, session:directory(),
    options.title, written)
  session.out:line(facts.path)
end

return {
  { name = "new", summary = "Write the file of a new migration.", details = DETAILS, run = run,
    define = function(parser)
      parser:argument("TITLE", 'What it does: "add score to images".'):target("title")
        :argname("TITLE")
      parser:option("--from", "What its content is made from, but for a template.")
        :choices { "schema" }
      arguments.schema(parser)
      arguments.losses(parser)
      arguments.database_option(parser)
      arguments.migrations(parser)
      parser:option("--phase", "When it runs. (main)"):choices { "pre", "main", "post" }
      arguments.json(parser)
    end },
}
