--- Work on all rows of a table in pieces, each a transaction of its own that also keeps how far it
--- has come: killed at any moment, it goes on behind the last piece that was committed, and each
--- row is seen once. Two programs that do so at the same time take turns.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"
local json = require "tuff.json"
local ledger = require "tuff.migrate.ledger"
local options_of = require "tuff.options"
local sql_of = require "tuff.schema.sql"

local M = {}

local quote, quote_all = identifier.quote, identifier.quote_all
local checks = options_of.checks

--- How long one piece should take, in milliseconds: others wait for it who want to write.
local AIM = 100
local SMALLEST, LARGEST, LARGEST_READ, FIRST = 10, 100000, 10000, 1000

---@class tuff.BatchOptions
---@field table string
---@field where string? SQL: only rows for which it is true
---@field size integer? rows of the first piece (1000); the others are as large as fits into 0.1 s
---@field each (fun(db: tuff.Database, rows: table[]))? what to do with the rows of a piece
---@field set string? SQL: `path_lower = lower(path)`, instead of each
---@field key string[]? the columns that name a row, if not its primary key

local allowed = {
  table = checks.text, where = checks.text, size = checks.count, each = checks.callback,
  set = checks.text,
  key = function(value) return type(value) == "table" and #value > 0, "a list of columns" end,
}

--- The columns that name a row, in their order.
local function key_of(db, dialect, options)
  if options.key then return options.key end
  local key, taken = {}, {}
  for _, column in ipairs(dialect.columns(db, dialect.table_name(db, options.table))) do
    if column.key > 0 then key[column.key] = column.name end
    taken[column.name:lower()] = true
  end
  if #key > 0 then return key end
  for _, name in ipairs(dialect.row_ids) do
    if not taken[name] then return { name } end
  end
  errors.raise("migration", ("the table %s has no primary key"):format(options.table),
    { hint = "name columns that no two rows have in common: key = { … }" })
end

---@class tuff.migrate.Batch
---@field number integer the how manieth of its migration
---@field name string the table, quoted
---@field key string[] the columns that name a row
---@field keys string the same, quoted
---@field select string the same, named "key 1", and whether it is a blob, "blob 1"
---@field nulls string? what is true where one of them is NULL, if that may be
---@field backwards string the same, for an order from the last to the first
---@field where string "", or " and (…)"; what the script wrote may end in a comment
---@field size integer rows of the next piece
---@field most integer

--- Refuses a `set` that gives rows another place in the order: they would be met again.
local function check_set(options, key)
  if not options.set then return end
  local is_key = {}
  for _, name in ipairs(key) do is_key[name:lower()] = true end
  for _, name in ipairs(sql_of.assigned(options.set)) do
    if is_key[name:lower()] then
      errors.raise("migration", ("set changes %s, by which the rows of %s are found"):format(name,
        options.table), { hint = "name columns that stay, and no two rows share: key = { … }" })
    end
  end
end

local function new(db, number, options)
  local dialect, backwards, select, nulls = core.state(db).dialect, {}, {}, {}
  local key = key_of(db, dialect, options)
  check_set(options, key)
  for i, name in ipairs(key) do
    backwards[i] = quote(name) .. " desc"
    select[i] = ('%s as "key %d", %s as "blob %d"'):format(dialect.stored:format(quote(name)), i,
      dialect.is_blob:format(quote(name)), i)
    nulls[i] = quote(name) .. " is null"
  end
  return {
    select = table.concat(select, ", "),
    nulls = (options.key or dialect.null_keys) and table.concat(nulls, " or ") or nil,
    number = number, name = quote(dialect.table_name(db, options.table)),
    key = key, keys = quote_all(key), backwards = table.concat(backwards, ", "),
    where = options.where and (" and (%s\n)"):format(options.where) or "",
    size = math.max(options.size or FIRST, 1), each = options.each, set = options.set,
    most = options.set and LARGEST or LARGEST_READ,
  }
end

--- `(a, b) > (?, ?)`, or what is always true.
local function compared(batch, how, key)
  if not key then return "1 = 1" end
  local marks = ("?, "):rep(#key - 1) .. "?"
  return ("(%s) %s (%s)"):format(batch.keys, how, marks)
end

-- Blobs in a key are { hex = "00ff" }, as JSON can say it.

local function hex_of(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function blob_of(hex)
  local bytes = hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
  return core.blob(bytes)
end

--- The values of keys, and of what follows.
local function values_of(from, ...)
  local values = table.move(from or {}, 1, from and #from or 0, 1, {})
  for _, value in ipairs { ... } do values[#values + 1] = value end
  for i, value in ipairs(values) do
    if type(value) == "table" then values[i] = blob_of(value.hex) end
  end
  return table.unpack(values)
end

--- A row without a key would be behind none, and be left out.
local function check_nulls(db, batch)
  if not batch.nulls then return end
  core.own(db)
  if not db:exists(("select 1 from %s where (%s)%s"):format(batch.name, batch.nulls,
    batch.where)) then return end
  errors.raise("migration", ("the key of %s is NULL in some rows: %s"):format(batch.name,
    batch.keys), { hint = "name other columns by key = { … }, or leave these rows out by where" })
end

--- The key of the first row of a query, nil where there is none.
local function key_by(db, batch, sql, ...)
  core.own(db)
  local row = db:row(sql, ...)
  if not row then return nil end
  local key = {}
  for i = 1, #batch.key do
    local value = row["key " .. i]
    local is_blob = row["blob " .. i]
    key[i] = (is_blob == 1 or is_blob == true) and { hex = hex_of(value) } or value
  end
  return key
end

--- The key with which the piece ends that begins behind `from`, nil where there is no row; and
--- whether it is the last one.
local function end_of(db, batch, from)
  local sql = ("select %s from %s where %s%s order by "):format(batch.select, batch.name,
    compared(batch, ">", from), batch.where)
  local key = key_by(db, batch, sql .. batch.keys .. " limit 1 offset ?",
    values_of(from, batch.size - 1))
  if key then return key, false end
  return key_by(db, batch, sql .. batch.backwards .. " limit 1", values_of(from)), true
end

--- Works on the rows behind `from` up to `to`; how many there were.
local function work(db, batch, from, to)
  local where = ("%s and %s%s"):format(compared(batch, ">", from), compared(batch, "<=", to),
    batch.where)
  if batch.set then
    return db:run(("update %s set %s\nwhere %s"):format(batch.name, batch.set, where),
      values_of(from, table.unpack(to)))
  end
  local sql = ("select * from %s where %s order by %s"):format(batch.name, where, batch.keys)
  local rows = db:all(sql, values_of(from, table.unpack(to)))
  batch.each(db, rows)
  return #rows
end

--- How far it has come, as the ledger keeps it: the batch of its migration, and the last key.
local function read_cursor(entry, batch)
  local cursor = entry.cursor and json.decode(entry.cursor)
  if not cursor or cursor.batch < batch.number then return nil, false end
  return cursor.key, cursor.batch > batch.number or cursor.over == true
end

--- How many rows there are behind a key.
local function estimate(db, batch, from)
  core.own(db)
  return db:value(("select count(*) from %s where %s%s"):format(batch.name,
    compared(batch, ">", from), batch.where), values_of(from))
end

--- Does one piece, in a transaction that has its turn.
---@return boolean more
---@return table? told how far it has come
local function step(db, id, batch)
  local entry = ledger.entry(db, id)
  if not entry or entry.state == "applied" then return false end
  local from, over = read_cursor(entry, batch)
  if over then return false end
  local done, total = from and entry.done or 0, from and entry.total
  if not from then
    check_nulls(db, batch)
    total = estimate(db, batch)
  end
  local to, last = end_of(db, batch, from)
  local count = to and work(db, batch, from, to) or 0
  ledger.write(db, id, {
    cursor = json.encode { batch = batch.number, key = to or from, over = last or nil },
    done = done + count, total = math.max(total or 0, done + count), state = "running",
  })
  return not last, { done = done + count, total = math.max(total or 0, done + count) }
end

--- Goes over the rows of a table.
---@param run tuff.migrate.Run
---@param options tuff.BatchOptions
function M.run(run, options)
  errors.check(options, "table", "what step.batch is given")
  options_of.check(options, allowed, "step.batch")
  if not options.table then errors.raise("misuse", "step.batch needs the option table") end
  if (options.each ~= nil) == (options.set ~= nil) then
    errors.raise("misuse", "step.batch needs either each, a function, or set, a text of SQL")
  end
  run.batches = (run.batches or 0) + 1
  local batch = new(run.db, run.batches, options)
  local began, first = core.now(), nil
  repeat
    local at = core.now()
    local more, told = run.turn(function(db) return step(db, run.id, batch) end)
    local ms = core.now() - at
    if told then
      first = first or told.done
      local rate = (told.done - first) / math.max(core.now() - began, 0.001)
      run.progress { id = run.id, table = options.table, done = told.done, total = told.total,
        left_ms = rate > 0 and math.max(told.total - told.done, 0) / rate or nil }
    end
    -- Twice as large or half as large at most, so that one slow moment does not decide.
    local factor = math.min(math.max(AIM / math.max(ms, 0.01), 0.5), 2)
    batch.size = math.min(math.max(math.floor(batch.size * factor), SMALLEST), batch.most)
  until not more
end

return M
