--- The ledger: which migrations a database has seen, in two tables of its own. One line each for
--- what was run; and beside it what happened when, failures too.
local core = require "tuff.core"
local errors = require "tuff.error"
local settings = require "tuff.settings"

local M = {}

--- The number of this form of the tables. What a later version writes is not read.
M.FORMAT = 1

---@class tuff.LedgerEntry
---@field sequence integer in the order in which they were first applied
---@field id string
---@field phase "pre"|"main"|"post"
---@field kind "script"|"batch"|"repeatable"|"baseline"
---@field state "running"|"failed"|"applied"
---@field checksum string? of its text when it was applied
---@field tokens string? of its tokens, see tuff.migrate.source
---@field fingerprint string? of the schema that it left
---@field cursor string? how far its batches have come, as JSON, see tuff.migrate.batch
---@field done integer? rows of that batch
---@field total integer? an estimate of all of them
---@field attempt integer how often it was begun
---@field started string in UTC
---@field finished string?
---@field ms integer?
---@field error string? why it failed

local columns = {
  "sequence", "id", "phase", "kind", "state", "checksum", "tokens", "fingerprint", "cursor",
  "done", "total", "attempt", "started", "finished", "ms", "error",
}

local numbers = { sequence = true, done = true, total = true, attempt = true, ms = true }

---@return string the time, in UTC
function M.now()
  return os.date("!%Y-%m-%dT%H:%M:%SZ") --[[@as string]]
end

local function own(db, method, ...)
  core.own(db)
  return db[method](db, ...)
end

local function dialect_of(db)
  return core.state(db).dialect
end

local function check_format(db)
  local format = db.settings:get("tuff.ledger")
  if math.type(format) == "integer" and format <= M.FORMAT then return end
  errors.raise("migration", ("the ledger of migrations has the format %s, and this version of "
    .. "tuff knows %d"):format(tostring(format), M.FORMAT),
    { hint = "a newer version of tuff has written it: update this one" })
end

--- Makes its tables. To be called in a transaction that has its turn.
---@param db tuff.Database
function M.create(db)
  local dialect = dialect_of(db)
  if dialect.has_own_table(db, "tuff_migrations") then return check_format(db) end
  local list = {}
  for i, name in ipairs(columns) do
    list[i] = name .. " " .. (numbers[name] and dialect.integer or "text")
      .. (name == "sequence" and " primary key" or name == "id" and " not null unique" or "")
  end
  dialect.create_own_table(db, ("create table tuff_migrations(%s)%s"):format(
    table.concat(list, ", "), dialect.table_options))
  dialect.create_own_table(db, ("create table tuff_migration_events(sequence %s primary key, "
    .. "id text not null, event text not null, time text not null, ms %s, error text)%s")
    :format(dialect.integer, dialect.integer, dialect.table_options))
  settings.put(db, "tuff.ledger", M.FORMAT)
end

---@class tuff.Ledger
---@field entries tuff.LedgerEntry[] in their order
---@field by_id table<string, tuff.LedgerEntry>

--- Reads it; that of a database without one is empty, and nothing is written.
---@param db tuff.Database
---@return tuff.Ledger
function M.read(db)
  local ledger = { entries = {}, by_id = {} }
  if not dialect_of(db).has_own_table(db, "tuff_migrations") then return ledger end
  check_format(db)
  ledger.entries = own(db, "all", "select * from tuff_migrations order by sequence")
  for _, entry in ipairs(ledger.entries) do ledger.by_id[entry.id] = entry end
  return ledger
end

---@param db tuff.Database
---@param id string
---@return tuff.LedgerEntry?
function M.entry(db, id)
  return own(db, "row", "select * from tuff_migrations where id = ?", id)
end

--- Writes fields of the line of a migration, which is made where it is not there.
---@param db tuff.Database
---@param id string
---@param fields table<string, any> core.null takes a value away
function M.write(db, id, fields)
  local names, values = {}, {}
  for _, name in ipairs(columns) do
    if fields[name] ~= nil then names[#names + 1], values[#values + 1] = name, fields[name] end
  end
  if M.entry(db, id) then
    values[#values + 1] = id
    own(db, "run", ("update tuff_migrations set %s = ? where id = ?"):format(
      table.concat(names, " = ?, ")), table.unpack(values))
    return
  end
  local sequence = own(db, "value", "select coalesce(max(sequence), 0) + 1 from tuff_migrations")
  table.move(values, 1, #values, 3)
  values[1], values[2] = sequence, id
  own(db, "run", ("insert into tuff_migrations(sequence, id, %s) values (?%s)"):format(
    table.concat(names, ", "), (", ?"):rep(#names + 1)), table.unpack(values))
end

--- Takes the line of a migration out.
---@param db tuff.Database
---@param id string
function M.remove(db, id)
  own(db, "run", "delete from tuff_migrations where id = ?", id)
end

--- That of the schema which the last migration has left.
---@param ledger tuff.Ledger
---@return string? fingerprint nil: it is not known
function M.fingerprint(ledger)
  local last
  for _, entry in ipairs(ledger.entries) do
    local later = not last or (entry.finished or "") >= (last.finished or "")
    if entry.state == "applied" and entry.fingerprint and later then last = entry end
  end
  return last and last.fingerprint
end

--- Sets it anew where one that came later was taken back.
---@param db tuff.Database
---@param fingerprint string
function M.set_fingerprint(db, fingerprint)
  own(db, "run", [[
    update tuff_migrations set fingerprint = ? where sequence = (
      select sequence from tuff_migrations where state = 'applied'
      order by finished desc, sequence desc limit 1)]], fingerprint)
end

--- Notes that something has happened.
---@param db tuff.Database
---@param id string
---@param event "applied"|"failed"|"rolled back"|"not rolled back"|"baseline"
---@param fields { ms: integer?, error: string? }?
function M.note(db, id, event, fields)
  fields = fields or {}
  local sequence = own(db, "value",
    "select coalesce(max(sequence), 0) + 1 from tuff_migration_events")
  own(db, "run", "insert into tuff_migration_events(sequence, id, event, time, ms, error) "
    .. "values (?, ?, ?, ?, ?, ?)", sequence, id, event, M.now(), fields.ms or core.null,
    fields.error or core.null)
end

return M
