--- What becomes of a value whose column gets another type, and which values it would not be the
--- same for: those that SQLite refuses, too, such as a text that would be another one when it is
--- written again. A cast that fails ends a statement: so what a cast may not take stands behind a
--- condition, and is NULL where that does not hold.
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"
local storage = require "tuff.schema.postgres.storage"

local M = {}

local EXACT = "9007199254740992" -- 2^53: integers up to here are exact as floats

local ISO = [[YYYY-MM-DD"T"HH24:MI:SS.US"Z"]]

-- ---- what fails ----------------------------------------------------------------------------

--- The function that says whether a query gives true, where that may fail. It is the session's own.
M.try = {
  name = "pg_temp.tuff_try",
  create = [[
CREATE OR REPLACE FUNCTION pg_temp.tuff_try(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  answer boolean;
BEGIN
  EXECUTE query INTO answer;
  RETURN answer;
EXCEPTION WHEN OTHERS THEN
  RETURN false;
END
$$]],
  drop = "DROP FUNCTION pg_temp.tuff_try(text)",
}

--- Whether a query gives true, in which %L is the text of a value.
local function try(query, v)
  local _, count = query:gsub("%%L", "")
  return ("%s(format(%s%s))"):format(M.try.name, sql.literal(query), (", " .. v):rep(count))
end

-- ---- kinds ---------------------------------------------------------------------------------

local integers = { bigint = true, integer = true, int = true, smallint = true, int8 = true,
  int4 = true, int2 = true }

--- The type of the model whose values a type of PostgreSQL's own has; "other": of none.
local function kind_of(column)
  local kind = column.type
  if kind == "id" then return "integer" end
  if kind == "enum" then return "text" end
  if kind ~= "other" then return kind end
  local declared = storage.of(column).type:lower()
  if integers[declared] then return "integer" end
  if declared:find("^numeric") or declared:find("^decimal") then return "decimal" end
  if declared:find("^character") or declared:find("^varchar") or declared:find("^char") then
    return "text"
  end
  return "other"
end

local to_text = {
  timestamp = function(v) return ("to_char(%s AT TIME ZONE 'utc', '%s')"):format(v, ISO) end,
  date = function(v) return ("to_char(%s, 'YYYY-MM-DD')"):format(v) end,
}

local function text_of(kind, v)
  return (to_text[kind] or function() return v .. "::text" end)(v)
end

-- ---- texts ---------------------------------------------------------------------------------

--- A value where a condition holds; else NULL.
local function guarded(condition, value)
  return ("CASE WHEN %s THEN %s END"):format(condition, value)
end

--- Whether both are the same, or both NULL.
local function same(a, b) return ("%s IS NOT DISTINCT FROM %s"):format(a, b) end

local function all_or_null(v, condition) return ("%s IS NULL OR %s"):format(v, condition) end

--- What a text is as a value of a type: the value, the condition under which it is the same, and
--- whether that is about the form of texts.
local from_text = {}

function from_text.text(v) return v end

function from_text.integer(v)
  local value = guarded(("CASE WHEN %s ~ '^[-+]?[0-9]{1,19}$' THEN %s::numeric BETWEEN "
    .. "-9223372036854775808 AND 9223372036854775807 ELSE false END"):format(v, v), v .. "::bigint")
  return value, same("(" .. value .. ")::text", v)
end

function from_text.real(v)
  local value = guarded(("%s ~ '^[-+]?[0-9]{1,40}([.][0-9]{0,40})?(e[-+]?[0-2]?[0-9]{1,2})?$'")
    :format(v), v .. "::double precision")
  local text = "(" .. value .. ")::text"
  return value, ("%s OR coalesce(%s || '.0' = %s, false)"):format(same(text, v), text, v)
end

function from_text.decimal(v)
  local value = guarded(("%s ~ '^[-+]?[0-9]{1,40}([.][0-9]{1,40})?$'"):format(v), v .. "::numeric")
  return value, same("(" .. value .. ")::text", v)
end

function from_text.blob(v) return ("convert_to(%s, 'UTF8')"):format(v) end

--- Texts of a form, that are also taken by a cast.
local function of_form(form, cast, query)
  return function(v)
    local condition = form and ("%s ~ '%s'"):format(v, form)
    if query then
      local tried = try(query, v)
      condition = condition and ("CASE WHEN %s THEN %s ELSE false END"):format(condition, tried)
        or tried
    end
    return guarded(condition, v .. cast), all_or_null(v, condition), true
  end
end

from_text.uuid = of_form("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "::uuid")
from_text.json = of_form(nil, "::jsonb", "SELECT %L::jsonb IS NOT NULL")
from_text.date = of_form("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "::date", "SELECT %L::date IS NOT NULL")
from_text.timestamp = of_form(
  "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z$", "::timestamptz",
  "SELECT %L::timestamptz IS NOT NULL")

-- ---- numbers -------------------------------------------------------------------------------

--- From one type of numbers to another one: the value, and the condition.
local numbers = {}

local function real(v)
  return v .. "::double precision", all_or_null(v, ("abs(%s) <= %s"):format(v, EXACT))
end

numbers["integer real"] = real
numbers["integer decimal"] = function(v) return v .. "::numeric" end

numbers["real integer"] = function(v)
  local fits = ("%s > -9223372036854775808 AND %s < 9223372036854775808"):format(v, v)
  return guarded(fits, ("trunc(%s)::bigint"):format(v)),
    all_or_null(v, ("%s AND trunc(%s) = %s"):format(fits, v, v))
end

numbers["real decimal"] = function(v, column)
  local value = ("%s::text::numeric"):format(v)
  if column.scale then value = ("round(%s, %d)"):format(value, column.scale) end
  return value, all_or_null(v, ("(%s)::double precision = %s"):format(value, v))
end

numbers["decimal integer"] = function(v)
  local fits = ("%s BETWEEN -9223372036854775808 AND 9223372036854775807"):format(v)
  return guarded(fits, ("trunc(%s)::bigint"):format(v)),
    all_or_null(v, ("%s AND trunc(%s) = %s"):format(fits, v, v))
end

numbers["decimal real"] = function(v)
  return v .. "::double precision",
    all_or_null(v, ("%s::double precision::text::numeric = %s"):format(v, v))
end

numbers["decimal decimal"] = function(v, column)
  if not column.scale then return v end
  return ("round(%s, %d)"):format(v, column.scale),
    all_or_null(v, ("min_scale(%s) <= %d"):format(v, column.scale))
end

-- ---- other types ---------------------------------------------------------------------------

local numeric = { integer = true, decimal = true, real = true }

local function is_number(column)
  local declared = storage.of(column).type:lower()
  return numeric[kind_of(column)] or declared == "real" or declared:find("^double") ~= nil
end

--- Through a type of PostgreSQL's own, and back.
local function through(old, new, v)
  local from, to = storage.of(old).type, storage.of(new).type
  if is_number(old) and is_number(new) then
    local fits = try(("SELECT %%L::%s::%s::%s = %%L::%s"):format(from, to, from, from), v)
    return guarded(fits, v .. "::" .. to), all_or_null(v, fits)
  end
  local text = text_of(kind_of(old), v)
  local fits = try(("SELECT %%L::text::%s::text = %%L"):format(to), text)
  return guarded(fits, text .. "::" .. to), all_or_null(v, fits)
end

-- ---- all of them ---------------------------------------------------------------------------

local function cast_null(v, column)
  return ("NULL::%s"):format(storage.of(column).type), v .. " IS NULL"
end

--- The value in a column of its new type.
---@param old table the column as it was
---@param new table
---@param v string the value, an expression
---@return string expression
---@return string? fits a condition that holds for the values that nothing is lost of; nil: all
---@return boolean? has_form whether it says that a value is none of its type
function M.of(old, new, v)
  local from, to = kind_of(old), kind_of(new)
  local is_same = sql.canonical(storage.of(old).type) == sql.canonical(storage.of(new).type)
  if is_same and from ~= "decimal" then return v end
  if new.type == "other" and not is_same then return through(old, new, v) end
  if numbers[from .. " " .. to] then return numbers[from .. " " .. to](v, new) end
  if from == to then return v .. "::" .. storage.of(new).type end
  if from == "boolean" and to == "integer" then return v .. "::integer::bigint" end
  if from == "integer" and to == "boolean" then
    return ("%s <> 0"):format(v), all_or_null(v, v .. " IN (0, 1)"), true
  end
  if from == "timestamp" and to == "date" then
    local day = ("(%s AT TIME ZONE 'utc')::date"):format(v)
    return day, all_or_null(v, ("%s::timestamp AT TIME ZONE 'utc' = %s"):format(day, v))
  end
  if from == "date" and to == "timestamp" then
    return ("%s::timestamp AT TIME ZONE 'utc'"):format(v)
  end
  local foreign = from == "boolean" or to == "boolean" or from == "blob"
    or to == "blob" and from ~= "text"
  if foreign then return cast_null(v, new) end
  if to == "text" then return text_of(from, v) end
  return from_text[to](storage.of(old).type == "text" and v or text_of(from, v))
end

--- Whether the type of a column is another one, for PostgreSQL.
---@param old table
---@param new table
---@return boolean
function M.is_retyped(old, new)
  return sql.canonical(storage.of(old).type) ~= sql.canonical(storage.of(new).type)
    or not model.equal({ collate = old.collate }, { collate = new.collate })
end

return M
