--- What becomes of a value whose column gets another type, and which values it would not be the
--- same for. Columns of SQLite hold what they were given, whatever they were declared as: so each
--- value is looked at by its own type.
local types = require "tuff.schema.sqlite.types"

local M = {}

--- Whether an integer is exact as a float. abs() knows no smallest integer.
local function is_exact(v)
  return ("%s BETWEEN -9007199254740992 AND 9007199254740992"):format(v) -- 2^53
end

--- How a type keeps its values.
local storage = {
  id = "integer", integer = "integer", boolean = "integer", real = "real", decimal = "integer",
  text = "text", enum = "text", json = "text", timestamp = "text", date = "text", uuid = "text",
  blob = "blob",
}

--- What SQLite makes of a declared type: the rules of its documentation, in their order.
local function affinity(declared)
  local text = declared:upper()
  if text:find("INT", 1, true) then return "integer" end
  if text:find("CHAR", 1, true) or text:find("CLOB", 1, true) or text:find("TEXT", 1, true) then
    return "text"
  end
  if text == "" or text:find("BLOB", 1, true) then return "none" end
  if text:find("REAL", 1, true) or text:find("FLOA", 1, true) or text:find("DOUB", 1, true) then
    return "real"
  end
  return "numeric"
end

local function kept_as(column)
  return storage[column.type] or affinity(column.declared)
end

-- ---- values as they are ------------------------------------------------------------------

--- Texts that are no number, so that SQLite leaves them alone.
local function no_number(v)
  return v .. " GLOB '*[^-+0-9.eE \t\n\v\f\r]*'"
end

local function same_text(v, kind)
  return ("CAST(CAST(%s AS %s) AS TEXT) = %s"):format(v, kind, v)
end

local function case(v, branches)
  local list = {}
  for _, kind in ipairs { "integer", "real", "text", "blob" } do
    if branches[kind] then
      list[#list + 1] = ("WHEN '%s' THEN %s"):format(kind, branches[kind])
    end
  end
  return ("CASE typeof(%s) %s WHEN 'null' THEN 1 ELSE 0 END"):format(v, table.concat(list, " "))
end

--- Whether a value stays what it is in a column that keeps its values so.
local fits = {
  integer = function(v)
    return case(v, {
      integer = "1", real = ("CAST(%s AS INTEGER) = %s"):format(v, v),
      text = same_text(v, "INTEGER"),
    })
  end,
  real = function(v)
    return case(v, {
      integer = is_exact(v), real = "1",
      text = ("%s OR (%s AND %s)"):format(same_text(v, "REAL"), same_text(v, "INTEGER"),
        is_exact(("CAST(%s AS INTEGER)"):format(v))),
    })
  end,
  text = function(v)
    return case(v, {
      integer = "1", real = ("CAST(CAST(%s AS TEXT) AS REAL) = %s"):format(v, v), text = "1",
    })
  end,
  blob = function(v) return case(v, { text = "1", blob = "1" }) end,
  numeric = function(v)
    return case(v, {
      integer = "1", real = "1", blob = "1",
      text = ("%s OR %s"):format(no_number(v), same_text(v, "NUMERIC")),
    })
  end,
}

--- Of a type of the engine's own SQLite changes only what looks like a number.
local function fits_other(kind, v)
  if kind == "none" then return nil end
  if kind == "integer" then kind = "numeric" end
  if kind == "real" then
    return case(v, {
      integer = is_exact(v), real = "1", blob = "1",
      text = ("%s OR %s"):format(no_number(v), fits.real(v)),
    })
  end
  if kind == "text" then
    return case(v, {
      integer = "1", real = ("CAST(CAST(%s AS TEXT) AS REAL) = %s"):format(v, v), text = "1",
      blob = "1",
    })
  end
  return fits[kind](v)
end

local cast = { integer = "INTEGER", real = "REAL", text = "TEXT", blob = "BLOB" }

local function as_it_is(old, new, v)
  if new.type == "other" then
    local kind = kept_as(new)
    return v, kind ~= kept_as(old) and fits_other(kind, v) or nil
  end
  local kind = kept_as(new)
  local same = old.type ~= "other" and kept_as(old) == kind
  local text = ("CAST(%s AS %s)"):format(v, cast[kind])
  if same then return v, nil end
  return text, fits[kind](v)
end

-- ---- decimals ----------------------------------------------------------------------------

local function power(digits) return "1" .. ("0"):rep(digits) end

--- From one number of digits behind the point to another.
local function rescaled(from, to, v)
  if from == to then return v, nil end
  local factor = power(math.abs(to - from))
  if to > from then
    -- An integer that becomes too large would be a float.
    return ("%s * %s"):format(v, factor),
      ("%s IS NULL OR typeof(%s * %s) = 'integer'"):format(v, v, factor)
  end
  return ("%s / %s"):format(v, factor), ("%s IS NULL OR %s %% %s = 0"):format(v, v, factor)
end

local function real_to_decimal(scale, v)
  local factor = power(scale)
  return ("CAST(round(%s * %s) AS INTEGER)"):format(v, factor),
    ("%s IS NULL OR (typeof(%s) IN ('real', 'integer') AND (%s) AND "
      .. "round(%s * %s) / %s = %s)"):format(v, v, is_exact(v .. " * " .. factor), v, factor,
      factor, v)
end

local function text_to_decimal(scale, v)
  local digits = ("CAST(replace(%s, '.', '') AS INTEGER)"):format(v)
  return digits, ("%s IS NULL OR (typeof(%s) = 'text' AND length(%s) <= 17 AND "
    .. "printf('%%.%df', CAST(%s AS REAL)) = %s)"):format(v, v, v, scale, v, v)
end

local function decimal_to_text(scale, v)
  if scale == 0 then return ("CAST(%s AS TEXT)"):format(v), nil end
  return ("CASE WHEN %s < 0 THEN '-' ELSE '' END || (abs(%s) / %s) || '.' || "
    .. "substr('%s' || (abs(%s) %% %s), -%d)"):format(v, v, power(scale), ("0"):rep(scale), v,
    power(scale), scale), nil
end

local function to_decimal(old, scale, v)
  if old.type == "decimal" then return rescaled(old.scale, scale, v) end
  if old.type == "integer" or old.type == "id" then return rescaled(0, scale, v) end
  if old.type == "real" or old.type == "other" then return real_to_decimal(scale, v) end
  if old.type == "text" then return text_to_decimal(scale, v) end
end

local function from_decimal(scale, new, v)
  local kind = (new.type == "text" or new.type == "integer" or new.type == "real"
    or new.type == "other") and kept_as(new)
  if kind == "integer" then return rescaled(scale, 0, v) end
  if kind == "text" then return decimal_to_text(scale, v) end
  if kind == "real" or kind == "numeric" then
    return ("%s / %s.0"):format(v, power(scale)), ("%s IS NULL OR %s"):format(v, is_exact(v))
  end
end

-- ---- all of them -------------------------------------------------------------------------

--- Types whose values mean nothing as values of most others.
local function is_foreign(old, new)
  if old.type == new.type or new.type == "other" then return false end
  local pair = { [old.type] = true, [new.type] = true }
  if pair.boolean then return not (pair.integer or pair.other) end
  return pair.blob and not pair.other and new.type ~= "blob" or false
end

--- The value in a column of its new type.
---@param old table the column as it was
---@param new table
---@param v string the value, an expression
---@return string expression
---@return string? fits a condition that holds for the values that nothing is lost of; nil: all
function M.of(old, new, v)
  if old.type == "decimal" or new.type == "decimal" then
    local converted, condition
    if new.type == "decimal" then
      converted, condition = to_decimal(old, new.scale, v)
    else
      converted, condition = from_decimal(old.scale, new, v)
    end
    if not converted then return v, v .. " IS NULL" end
    return converted, condition
  end
  if is_foreign(old, new) then return v, v .. " IS NULL" end
  return as_it_is(old, new, v)
end

--- What must hold for every value of a column that has this type now, beside what the database
--- checks by itself: a date that is none would be refused where it is read.
---@param old table
---@param new table
---@return string? condition on the name of the column
function M.form(old, new)
  if old.type == new.type then return nil end
  local names = { json = true, uuid = true, date = true, timestamp = true, boolean = true }
  return names[new.type] and types.form(new) or nil
end

return M
