--- `tuff diff` and `schema`: what a database has, and what it should have.
local arguments = require "tuff.cli.arguments"
local output = require "tuff.cli.output"

--- What is told of a change.
local function facts_of(change)
  return {
    kind = change.kind, table = change.table, name = change.name, to = change.to,
    what = change.what, destructive = change.destructive or false, rebuild = change.rebuild,
  }
end

---@param session tuff.cli.Session
local function diff(session, facts)
  local out, options = session.out, session.options
  local schema = session:schema()
  local db = session:open_to_compare()
  local plan = db:diff(schema, arguments.of_diff(options))
  facts.database, facts.destructive, facts.sql = db.path, plan.destructive, plan:sql()
  facts.changes, facts.refused, facts.unmanaged = {}, plan.refused, plan.unmanaged
  for i, change in ipairs(plan.changes) do facts.changes[i] = facts_of(change) end
  facts.summary = tostring(plan)
  out:line(output.plain(options.sql and facts.sql or facts.summary):gsub("\n+$", ""))
  return options.check and #plan.changes > 0 and 1 or 0
end

---@param session tuff.cli.Session
local function schema(session, facts)
  local found = session:open({ readonly = true }):schema()
  local options = session.options
  if session.out.json then
    facts.database, facts.lua, facts.mermaid = session.db.path, found:to_lua(), found:to_mermaid()
    for kind, list in pairs(found) do facts[kind] = list end
    return
  end
  session.out:line(((options.mermaid and found:to_mermaid() or found:to_lua()):gsub("\n$", "")))
end

return {
  { name = "diff", summary = "Compare the database with a declared schema.", run = diff,
    details = [[
Shows what would have to be changed in the database; nothing is. A schema is a file of Lua
that returns s.define { … }. `tuff new TITLE --from schema` writes a migration that does it.]],
    define = function(parser)
      arguments.database(parser)
      arguments.schema(parser)
      parser:flag("--check", "Exit with 1 where there is a difference.")
      parser:flag("--sql", "Show the statements.")
      arguments.losses(parser)
      arguments.json(parser)
    end },
  { name = "schema", summary = "Print the schema of the database, as a declaration in Lua.",
    run = schema,
    define = function(parser)
      arguments.database(parser)
      parser:flag("--mermaid", "As a drawing in the language of Mermaid.")
      arguments.json(parser)
    end },
}
