--- Arguments and options that several commands have.
local M = {}

--- Which database.
---@param parser table
function M.database(parser)
  parser:argument("DATABASE", "A file or a URL, postgres://user@host/name."):target("place")
    :args("?"):argname("DATABASE")
  M.database_option(parser)
end

---@param parser table
function M.database_option(parser)
  parser:option("-d --database", "The same by an option; else it is TUFF_DATABASE, or "
    .. "what tuff.config.lua says."):argname("DATABASE")
end

---@param parser table
function M.migrations(parser)
  parser:option("-m --migrations", "The directory of the migrations. (migrations)"):argname("DIR")
end

---@param parser table
function M.schema(parser)
  parser:option("--schema", "A file of Lua that returns a schema."):argname("FILE")
end

---@param parser table
function M.json(parser)
  parser:flag("--json", "Print one object of JSON, on a failure too.")
end

--- A number above 0; argparse tells what is wrong with others.
---@param text string
---@return integer?
---@return string?
function M.positive(text)
  local number = math.tointeger(tonumber(text))
  if number and number > 0 then return number end
  return nil, ("'%s' is no number above 0"):format(text)
end

--- What may be applied though it looks wrong.
---@param parser table
function M.leave(parser)
  parser:flag("--allow-out-of-order", "Run what is older than others that were applied.")
  parser:flag("--allow-changed", "Go on though applied migrations were changed since.")
end

--- The copy before the first change.
---@param parser table
function M.backup(parser)
  parser:mutex(
    parser:option("--backup", "Where the copy of the database is put. (beside it)"):argname("DIR"),
    parser:flag("--no-backup", "Make no copy."))
end

--- What may become of things that a schema has no more.
---@param parser table
function M.losses(parser)
  parser:option("--rename", "A table or column that has another name now: images.name=images.path.")
    :argname("OLD=NEW"):count("*"):convert(function(text)
      local old, new = text:match("^([^=]+)=([^=]+)$")
      if old then return { old = old, new = new } end
      return nil, ("'%s' is no OLD=NEW"):format(text)
    end)
  parser:option("--allow-drop", "A table or column that may go, with what it holds.")
    :argname("NAME"):count("*")
end

--- The same as db:diff and db:apply want it.
---@param options table
---@return tuff.DiffOptions
function M.of_diff(options)
  local renames
  for _, rename in ipairs(options.rename or {}) do
    renames = renames or {}
    renames[rename.old] = rename.new
  end
  local drops = options.allow_drop or {}
  return { renames = renames, allow_drop = #drops > 0 and drops or nil }
end

return M
