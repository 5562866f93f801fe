--- Writes a schema as the script that declares it.
local declarable = require "tuff.schema.declarable"
local model = require "tuff.schema.model"
local sql = require "tuff.schema.sql"
local types = require "tuff.schema.types"

local M = {}

local WIDTH = 100

-- ---- values ------------------------------------------------------------------------------

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\" }

local function escaped(text, quote)
  local special = "[%c\\" .. quote .. (utf8.len(text) and "]" or "\x80-\xff]")
  text = text:gsub(special, function(byte)
    return escapes[byte] or byte == quote and "\\" .. byte or ("\\%03d"):format(byte:byte())
  end)
  return quote .. text .. quote
end

--- A string of Lua, in the quotes that need least escapes. SQL of several lines stands as it is.
local function text_of(text)
  local plain = not text:find("[%c]") or not text:find("[^%C\n\t]")
  local several = text:find("\n", 1, true) or text:find('"', 1, true) and text:find("'", 1, true)
  if plain and several and utf8.len(text) then
    local level = ""
    while text:find("]" .. level .. "]", 1, true) or text:sub(-#level - 1) == "]" .. level do
      level = level .. "="
    end
    return ("[%s[%s%s]%s]"):format(level, text:find("\n", 1, true) and "\n" or "", text, level)
  end
  return escaped(text, text:find('"', 1, true) and not text:find("'", 1, true) and "'" or '"')
end

local function value_of(value)
  if type(value) == "string" then return text_of(value) end
  if type(value) == "number" then
    local edge = value == math.mininteger and math.type(value) == "integer"
    return edge and "math.mininteger" or sql.number(value)
  end
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = value_of(item) end
  return "{ " .. table.concat(items, ", ") .. " }"
end

--- What stands in braces: texts of items, and options; nil where there are none.
local function braces(items, options)
  local list = { table.unpack(items) }
  for _, option in ipairs(options) do
    if option[2] ~= nil then list[#list + 1] = option[1] .. " = " .. value_of(option[2]) end
  end
  return #list > 0 and list or nil
end

-- ---- calls -------------------------------------------------------------------------------

--- A call: its name, and arguments that are texts or in braces; the last ones may be nil.
local function call(name, ...)
  local arguments = {}
  for i = 1, select("#", ...) do arguments[#arguments + 1] = (select(i, ...)) end
  return { name = name, arguments = arguments }
end

local function in_line(list) return "{ " .. table.concat(list, ", ") .. " }" end

local function in_lines(indent)
  return function(list)
    return "{\n" .. indent .. "  " .. table.concat(list, ",\n" .. indent .. "  ") .. ",\n" .. indent
      .. "}"
  end
end

--- The text of a call.
local function text_with(of, write_braces)
  local texts = {}
  for i, argument in ipairs(of.arguments) do
    texts[i] = type(argument) == "table" and write_braces(argument) or argument
  end
  local only = #texts == 1 and texts[1]:find("^{")
  return of.name .. (only and " " .. texts[1] or "(" .. table.concat(texts, ", ") .. ")")
end

local function text_in_line(of) return text_with(of, in_line) end

local function fits(text) return #text <= WIDTH and not text:find("\n", 1, true) end

--- Adds a call, or the calls of a chain, each of which has a line of its own where all have none.
local function write_calls(out, indent, calls)
  local texts = {}
  for i, of in ipairs(calls) do texts[i] = text_in_line(of) end
  local line = indent .. table.concat(texts, ":") .. ","
  if not fits(line) then
    for i, of in ipairs(calls) do
      local deeper = i == 1 and indent or indent .. "  "
      if not fits(deeper .. ":" .. texts[i]) then
        texts[i] = text_with(of, in_lines(deeper))
      end
    end
    line = indent .. table.concat(texts, "\n" .. indent .. "  :") .. ","
  end
  out[#out + 1] = line
end

local function chosen(object)
  return not object.unnamed and object.name or nil
end

-- ---- columns -----------------------------------------------------------------------------

local function index_options(index)
  return { { "name", chosen(index) }, { "unique", index.unique }, { "where", index.where } }
end

local function key_options(key)
  return { { "name", chosen(key) }, { "on_conflict", key.on_conflict } }
end

local function same(a, b)
  return a ~= nil and b ~= nil and model.equal(a, b)
end

--- What a foreign key says beside its columns and its table.
local function reference_options(schema, key)
  local other = model.find(schema.tables, key.table)
  local main = other and other.primary_key and model.columns_of(other.primary_key.parts)
  return {
    { "name", chosen(key) },
    { "columns", not same(main, key.references) and key.references or nil },
    { "on_delete", key.on_delete }, { "on_update", key.on_update },
    { "deferrable", key.deferrable == "deferred" or key.deferrable }, { "match", key.match },
  }
end

local function constructor(column, all_checked)
  local options = {
    { "max_length", column.max_length }, { "precision", column.precision },
    { "scale", column.scale }, { "checked", not all_checked and column.checked or nil },
    { "verbatim", column.verbatim },
  }
  local name = value_of(column.name)
  if column.type == "id" then return call("s.id", column.name ~= "id" and name or nil) end
  local second
  if column.type == "enum" then second = value_of(column.values) end
  if column.type == "other" then
    return call("s.column", name, column.declared ~= "" and value_of(column.declared) or nil)
  end
  local given = braces({}, options)
  if second then return call("s.enum", name, second, given) end
  return call("s." .. column.type, name, given)
end

local function default_of(default)
  if default.kind == "now" then return "s.now" end
  if default.kind == "expression" then
    return text_in_line(call("s.expr", text_of(default.expression)))
  end
  return value_of(default.value)
end

--- The parts of a key or an index of this column alone.
local function is_plain(key, column)
  local part = key.parts[1]
  return #key.parts == 1 and part.column == column.name and not part.path and not part.collate
end

local function is_own(key, column)
  return is_plain(key, column) and not key.parts[1].descending
end

--- What is said of nullness and the primary key.
local function add_key_calls(of, column, add)
  local key, in_key = of.primary_key, false
  for _, part in ipairs(key and key.parts or {}) do
    in_key = in_key or part.column == column.name
  end
  if key and is_plain(key, column) then
    local options = key_options(key)
    options[3] = { "descending", key.parts[1].descending }
    local given = braces({}, options)
    if column.type ~= "id" or given then add("primary_key", given) end
  end
  if in_key and not column.not_null then add("nullable") end
  if column.not_null and (not in_key or column.not_null_conflict) then
    add("not_null", braces({}, { { "on_conflict", column.not_null_conflict } }))
  end
end

--- A column with all that is of it alone, as a list: the constructor and the calls behind it.
local function column_calls(schema, of, column, all_checked)
  local calls = { constructor(column, all_checked) }
  local function add(name, ...) calls[#calls + 1] = call(name, ...) end
  add_key_calls(of, column, add)
  for _, key in ipairs(of.uniques) do
    if is_own(key, column) then add("unique", braces({}, key_options(key))) end
  end
  if column.default then add("default", default_of(column.default)) end
  local generated = column.generated
  if generated then
    add("generated", text_of(generated.expression), braces({}, { { "stored", generated.stored } }))
  end
  if column.collate then add("collate", value_of(column.collate)) end
  for _, check in ipairs(of.checks) do
    if check.column == column.name then
      add("check", text_of(check.expression), braces({}, key_options(check)))
    end
  end
  for _, key in ipairs(of.foreign_keys) do
    if #key.columns == 1 and key.columns[1] == column.name then
      add("references", value_of(key.table), braces({}, reference_options(schema, key)))
    end
  end
  for _, index in ipairs(of.indexes) do
    if is_own(index, column) then add("index", braces({}, index_options(index))) end
  end
  if column.comment then add("comment", text_of(column.comment)) end
  return calls
end

-- ---- constraints -------------------------------------------------------------------------

local function path_text(part)
  local text, plain = part.column, not part.column:find("[.%[%]]")
  for _, step in ipairs(part.path) do
    plain = plain and (type(step) == "number" or not step:find("[.%[%]]"))
    text = text .. (type(step) == "number" and "[" .. step .. "]" or "." .. step)
  end
  return plain and value_of(text) or value_of { part.column, table.unpack(part.path) }
end

local function part_text(part)
  local text
  if part.path then
    text = text_in_line(call("s.path", path_text(part)))
  elseif part.column then
    text = value_of(part.column)
  else
    text = text_in_line(call("s.expr", text_of(part.expression)))
  end
  if part.collate then text = text_in_line(call("s.collate", text, value_of(part.collate))) end
  return part.descending and text_in_line(call("s.desc", text)) or text
end

local function parts_of(key)
  local texts = {}
  for i, part in ipairs(key.parts) do texts[i] = part_text(part) end
  return texts
end

local function names_of(names)
  local texts = {}
  for i, name in ipairs(names) do texts[i] = value_of(name) end
  return texts
end

--- What stands in a table behind its columns.
local function table_items(schema, of)
  local items = {}
  local function add(...) items[#items + 1] = call(...) end
  local function is_said(key, test)
    local column = key.parts[1].column and model.find(of.columns, key.parts[1].column)
    return column and test(key, column)
  end
  local key = of.primary_key
  if key and not is_said(key, is_plain) then
    add("s.primary_key", braces(parts_of(key), key_options(key)))
  end
  for _, each in ipairs(of.uniques) do
    if not is_said(each, is_own) then add("s.unique", braces(parts_of(each), key_options(each))) end
  end
  for _, each in ipairs(of.checks) do
    if not each.column then
      add("s.check", text_of(each.expression), braces({}, key_options(each)))
    end
  end
  for _, each in ipairs(of.foreign_keys) do
    if #each.columns > 1 then
      local options = { { "references", each.table } }
      table.move(reference_options(schema, each), 1, 6, 2, options)
      add("s.foreign_key", braces(names_of(each.columns), options))
    end
  end
  for _, each in ipairs(of.indexes) do
    if not is_said(each, is_own) then
      add("s.index", braces(parts_of(each), index_options(each)))
    end
  end
  local search = of.search
  if search then
    add("s.search", braces(names_of(search.columns), {
      { "tokenize", search.tokenize }, { "prefix", search.prefix }, { "language", search.language },
    }))
  end
  return items
end

-- ---- tables ------------------------------------------------------------------------------

--- Whether all columns are checked whose types can be.
local function all_checked(of)
  local some = false
  for _, column in ipairs(of.columns) do
    if column.checked then
      some = true
    elseif not types.types[column.type].certain then
      return false
    end
  end
  return some
end

local function write_table(out, schema, of)
  local checked = all_checked(of)
  out[#out + 1] = ("  s.table(%s, {"):format(value_of(of.name))
  for _, column in ipairs(of.columns) do
    write_calls(out, "    ", column_calls(schema, of, column, checked))
  end
  for _, item in ipairs(table_items(schema, of)) do write_calls(out, "    ", { item }) end
  for _, option in ipairs {
    { "comment", of.comment }, { "strict", of.strict }, { "without_rowid", of.without_rowid },
    { "checks", checked or nil },
  } do
    if option[2] ~= nil then
      out[#out + 1] = "    " .. option[1] .. " = " .. value_of(option[2]) .. ","
    end
  end
  out[#out + 1] = "  }),"
end

-- ---- what is no table --------------------------------------------------------------------

local function view_call(view)
  return call("s.view", value_of(view.name), text_of(view.select),
    braces({}, { { "columns", view.columns } }))
end

local function trigger_call(trigger)
  return call("s.trigger", value_of(trigger.name), braces({}, {
    { trigger.timing:gsub(" ", "_"), trigger.event }, { "of", trigger.columns },
    { "on", trigger.table }, { "when", trigger.condition }, { "run", trigger.body },
  }))
end

local function virtual_call(virtual)
  return call("s.virtual_table", value_of(virtual.name), value_of(virtual.module),
    virtual.arguments and text_of(virtual.arguments))
end

-- ---- the script ---------------------------------------------------------------------------

local function write_left_out(out, left_out)
  for _, each in ipairs(left_out) do
    local of = each.table and each.table ~= each.name and " of " .. each.table or ""
    local text = ("\nLeft out: %s %s%s: %s"):format(each.kind, each.name, of, each.reason)
    if each.sql then text = text .. "\n" .. each.sql end
    out[#out + 1] = (text:gsub("\r", ""):gsub("\n", "\n-- "):gsub("^\n", "\n"))
  end
end

--- Writes a schema.
---@param schema tuff.Schema
---@return string script
---@return table[] left_out { kind, name, table?, reason, sql? }
function M.write(schema)
  local reduced, left_out = declarable.of(schema)
  local out = { 'local s = require "tuff.schema"\n', "return s.define {" }
  for _, of in ipairs(reduced.tables) do write_table(out, reduced, of) end
  for _, virtual in ipairs(reduced.virtual_tables) do
    write_calls(out, "  ", { virtual_call(virtual) })
  end
  for _, view in ipairs(reduced.views) do write_calls(out, "  ", { view_call(view) }) end
  for _, trigger in ipairs(reduced.triggers) do
    write_calls(out, "  ", { trigger_call(trigger) })
  end
  out[#out + 1] = "}"
  write_left_out(out, left_out)
  return table.concat(out, "\n") .. "\n", left_out
end

return M
