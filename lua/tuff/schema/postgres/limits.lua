--- What a schema may say that PostgreSQL has no form for. It is refused with what to do instead;
--- only what changes no value and no row is left out in silence (see kept.lua).
local errors = require "tuff.error"
local model = require "tuff.schema.model"

local M = {}

local LONGEST = 63 -- bytes of a name: the server would cut it

--- Collations that only SQLite has.
local only_sqlite = { nocase = true, rtrim = true }

local Look = {}
Look.__index = Look

function Look:refuse(message, hint)
  table.insert(self.found, { message = message, hint = hint })
end

function Look:name(name, what)
  if #name > LONGEST then
    self:refuse(("the name of %s %s is longer than %d bytes"):format(what, errors.shown(name),
      LONGEST))
  end
end

function Look:collation(name, where)
  if name and only_sqlite[name:lower()] then
    self:refuse(("PostgreSQL has no collation %s, which %s wants"):format(name, where),
      'compare lower(…), and index s.expr "lower(…)"; or name a collation of the server')
  end
end

function Look:conflict(word, where)
  if word then
    self:refuse(("on_conflict belongs to a statement in PostgreSQL, not to %s"):format(where),
      "give it to db:insert")
  end
end

function Look:column(of, column)
  local where = of.name .. "." .. column.name
  self:name(column.name, "column")
  self:collation(column.collate, "column " .. where)
  self:conflict(column.not_null_conflict, "column " .. where)
  if column.type == "other" and column.declared == "" then
    self:refuse(("column %s has no type"):format(where),
      ('name one: s.column("%s", "text")'):format(column.name))
  end
end

function Look:key(key)
  for _, part in ipairs(key.parts) do
    if part.collate then
      self:refuse(("key %s cannot have a collation of its own"):format(key.name),
        "s.index { …, unique = true } can")
    end
  end
end

function Look:constraint(kind, object)
  self:name(object.name, kind:gsub("_", " "))
  self:conflict(object.on_conflict, "constraint " .. object.name)
  if kind == "primary_key" or kind == "unique" then self:key(object) end
  for _, part in ipairs(kind == "index" and object.parts or {}) do
    self:collation(part.collate, "index " .. object.name)
  end
  if object.match and object.match:lower() == "partial" then
    self:refuse(("PostgreSQL knows no MATCH PARTIAL, which %s wants"):format(object.name))
  end
end

function Look:trigger(trigger)
  self:name(trigger.name, "trigger")
  if trigger.timing == "instead of" and (trigger.condition or trigger.columns) then
    self:refuse(("trigger %s is on a view, and so cannot have the options when and of"):format(
      trigger.name), "write the condition into its statements")
  end
end

--- Raises one error with all that cannot be made of a schema.
---@param schema tuff.Schema
function M.check(schema)
  local look = setmetatable({ found = {} }, Look)
  for _, of in ipairs(schema.tables) do
    look:name(of.name, "table")
    for _, column in ipairs(of.columns) do look:column(of, column) end
    model.each_constraint(of, function(kind, object) look:constraint(kind, object) end)
  end
  for _, view in ipairs(schema.views) do look:name(view.name, "view") end
  for _, trigger in ipairs(schema.triggers) do look:trigger(trigger) end
  for _, virtual in ipairs(schema.virtual_tables) do
    look:refuse(("PostgreSQL has no virtual tables such as %s"):format(virtual.name))
  end
  local found = look.found
  if #found == 0 then return end
  if #found == 1 then errors.raise("unsupported", found[1].message, { hint = found[1].hint }) end
  local lines = { ("%d things in the schema that PostgreSQL does not have:"):format(#found) }
  for i, each in ipairs(found) do
    lines[i + 1] = "  " .. each.message .. (each.hint and "; " .. each.hint or "")
  end
  errors.raise("unsupported", table.concat(lines, "\n"), { mistakes = found })
end

return M
