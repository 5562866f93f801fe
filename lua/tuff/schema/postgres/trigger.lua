--- Triggers in PostgreSQL: a function that runs the statements, named after the trigger and its
--- table, and the trigger that calls it.
local core = require "tuff.core"
local identifier = require "tuff.identifier"
local names = require "tuff.schema.names"
local sql = require "tuff.schema.sql"

local M = {}

local quote = identifier.quote

--- The name of the function of a trigger.
---@param trigger table
---@return string
function M.function_name(trigger)
  return names.join(trigger.table, trigger.name, "trigger")
end

-- ---- statements --------------------------------------------------------------------------

--- Whether somebody takes the rows of the query that begins at a token.
local function has_into(texts, from)
  for i = from, #texts do
    if texts[i] == ";" then return false end
    if texts[i]:lower() == "into" then return true end
  end
  return false
end

--- Replaces a word where it begins a statement, if that does not take rows itself.
local function replace_first_words(body, from, to)
  local _, texts, starts = core.tokens(body, { dollar_quotes = true })
  local pieces, at = {}, 1
  for i, token in ipairs(texts) do
    local is_first = i == 1 or texts[i - 1] == ";"
    if is_first and token:lower() == from and not has_into(texts, i) then
      pieces[#pieces + 1] = body:sub(at, starts[i] - 1) .. to
      at = starts[i] + #token
    end
  end
  pieces[#pieces + 1] = body:sub(at)
  return table.concat(pieces)
end

--- What a row-level function has to return.
local function returned(trigger)
  if trigger.timing == "after" then return "NULL" end
  return trigger.event == "delete" and "OLD" or "NEW"
end

local function source(trigger)
  return ("\nBEGIN\n  %s;\n  RETURN %s;\nEND\n"):format(
    replace_first_words(trigger.body, "select", "PERFORM"), returned(trigger))
end

--- A string between dollars, so that it reads as it was written.
local function in_dollars(text)
  local tag = "$body$"
  while text:find(tag, 1, true) do tag = "$" .. tag:sub(2, -2) .. "_$" end
  return tag .. text .. tag
end

--- CREATE FUNCTION. A query whose rows nobody takes is PERFORM there, not SELECT.
---@param trigger table
---@param replaces boolean? whether there may be one already
---@return string
function M.create_function(trigger, replaces)
  return ("CREATE %sFUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %s"):format(
    replaces and "OR REPLACE " or "", quote(M.function_name(trigger)), in_dollars(source(trigger)))
end

--- CREATE TRIGGER.
---@param trigger table
---@return string
function M.create_trigger(trigger)
  return sql.words("CREATE TRIGGER", quote(trigger.name), trigger.timing:upper(),
    trigger.event:upper(), trigger.columns and "OF " .. identifier.quote_all(trigger.columns),
    "ON", quote(trigger.table), "FOR EACH ROW",
    trigger.condition and "WHEN (" .. trigger.condition .. ")",
    "EXECUTE FUNCTION", quote(M.function_name(trigger)) .. "()")
end

-- ---- reading -----------------------------------------------------------------------------

--- The statements in the source of a function; nil: it is not of this form.
---@param trigger table
---@param text string
---@return string?
function M.body_of(trigger, text)
  local body = text:match("^\nBEGIN\n  (.*);\n  RETURN " .. returned(trigger) .. ";\nEND\n$")
  if not body or sql.flaw(body, true) then return nil end
  return replace_first_words(body, "perform", "select")
end

--- The condition in the definition of a trigger.
---@param definition string
---@return string?
function M.condition_of(definition)
  return definition:match(" FOR EACH ROW WHEN %((.*)%) EXECUTE FUNCTION ")
end

return M
