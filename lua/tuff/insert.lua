--- Inserting rows that are tables. The SQL is built once for each table and set of
--- columns; names are quoted and values bound.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"
local options_of = require "tuff.options"

local M = {}

-- ---- what is known of tables -------------------------------------------------------------

---@class tuff.KnownTable
---@field name string as the database has it
---@field columns table<string, integer> its number by name
---@field names string[] of the columns, in order
---@field key string[] the columns of the primary key, or what stands for it
---@field elements table<string, string> the types of columns that can be given as arrays
---@field dialect table
---@field sql table<string, tuff.InsertTexts> by columns and options

--- What is known of a table, remembered until the schema changes.
---@return tuff.KnownTable
---@return boolean remembered whether it was known before
local function describe(db, name)
  errors.check(name, "string", "the name of the table")
  local state = core.state(db)
  local dialect = state.dialect
  local version = dialect.schema_version(db)
  if state.schema_version ~= version then
    state.schema_version, state.tables = version, {}
  end
  local known = state.tables[name]
  if known then return known, true end
  known = { name = dialect.table_name(db, name), columns = {}, names = {}, key = {},
    elements = {}, sql = {}, dialect = dialect }
  if known.name:lower():find("^tuff_") then
    errors.raise("auth", "tables whose name begins with tuff_ are tuff's own", { table = name })
  end
  for i, column in ipairs(dialect.columns(db, known.name)) do
    known.columns[column.name] = i
    known.names[i] = column.name
    if column.key > 0 then known.key[column.key] = column.name end
    known.elements[column.name] = column.element
  end
  if #known.names == 0 then
    errors.raise("not_found", ("no such table: %s"):format(errors.shown(name)),
      { table = name, hint = errors.did_you_mean(name, dialect.relations(db)) })
  end
  if #known.key == 0 then known.key[1] = dialect.row_id end
  state.tables[name] = known
  return known, false
end

--- The same for a row: asked again where the row has a column that was not known.
local function describe_for(db, name, row)
  local known, remembered = describe(db, name)
  if not remembered or type(row) ~= "table" then return known end
  for column in pairs(row) do
    if type(column) == "string" and not known.columns[column] then
      core.state(db).schema_version = nil
      return (describe(db, name))
    end
  end
  return known
end

--- The columns of a row, sorted, so that equal sets of columns give equal SQL.
local function columns_of(known, name, row, number)
  if type(row) ~= "table" then
    errors.raise("misuse", ("a row must be a table keyed by column, not a %s"):format(type(row)),
      { row = number })
  end
  local columns = {}
  for column in pairs(row) do
    if type(column) ~= "string" then
      errors.raise("misuse", ("a row must be a table keyed by column, not by a %s"):format(
        type(column)), { row = number })
    end
    if not known.columns[column] then
      errors.raise("not_found", ("table %s has no column %s"):format(name, errors.shown(column)),
        { table = name, row = number, hint = errors.did_you_mean(column, known.names) })
    end
    columns[#columns + 1] = column
  end
  table.sort(columns)
  return columns
end

-- ---- SQL ---------------------------------------------------------------------------------

local function check_columns(known, name, columns, what)
  errors.check(columns, "table", what)
  for _, column in ipairs(columns) do
    if not known.columns[column] then
      errors.raise("not_found", ("table %s has no column %s, named in %s"):format(
        name, errors.shown(column), what), { hint = errors.did_you_mean(column, known.names) })
    end
  end
  return columns
end

--- The columns that say which row it is, where they have to be named.
local function conflict_key(known, name, options)
  if options.key then return check_columns(known, name, options.key, "the option key") end
  if options.on_conflict == "ignore" or not known.dialect.conflict_needs_key then return nil end
  if known.key[1] then return known.key end
  errors.raise("misuse", ("table %s has no primary key: which row is it that exists already?")
    :format(errors.shown(name)), { hint = "name the columns of a unique key by the option key" })
end

--- What happens where a row exists already.
local function conflict_clause(known, name, columns, options)
  local how = options.on_conflict
  if not how then return "" end
  local key = conflict_key(known, name, options)
  local target = key and " (" .. identifier.quote_all(key) .. ")" or ""
  if how == "ignore" then return " on conflict" .. target .. " do nothing" end
  local is_key, set = {}, {}
  for _, column in ipairs(known.key) do is_key[column] = true end
  for _, column in ipairs(key or {}) do is_key[column] = true end
  for _, column in ipairs(how == "replace" and known.names or columns) do
    if not is_key[column] then
      local quoted = identifier.quote(column)
      set[#set + 1] = quoted .. " = excluded." .. quoted
    end
  end
  if #set == 0 then -- only the key was given: the row stays as it is, but counts and is returned
    local quoted = identifier.quote((key or known.key)[1])
    set[1] = ("%s = %s.%s"):format(quoted, identifier.quote(known.name), quoted)
  end
  return " on conflict" .. target .. " do update set " .. table.concat(set, ", ")
end

--- What of the SQL does not depend on the columns of a row.
local function variant_of(options, returning)
  return table.concat({
    options.on_conflict or "", options.key and table.concat(options.key, "\0") or "",
    returning and table.concat(returning, "\0") or "",
  }, "\1")
end

--- The same insertion of many rows by arrays, one for each column; nil: it cannot be done.
local function batch_sql(known, head, columns, tail)
  local elements = {}
  for i, column in ipairs(columns) do
    elements[i] = known.elements[column]
    if not elements[i] then return nil end
  end
  if #elements == 0 then return nil end
  return head .. known.dialect.arrays(elements) .. tail
end

---@class tuff.InsertTexts
---@field one string inserts one row
---@field copy string? begins a bulk load, if the table takes one
---@field batch string? inserts rows given as arrays

--- What inserts rows of these columns.
---@return tuff.InsertTexts
local function insert_sql(known, name, columns, options, returning, variant)
  local signature = table.concat(columns, "\0") .. "\1" .. variant
  local texts = known.sql[signature]
  if texts then return texts end
  local head, values = "insert into " .. identifier.quote(known.name) .. " ", "default values"
  local tail = conflict_clause(known, name, columns, options)
  if returning and #returning > 0 then
    tail = tail .. " returning " .. identifier.quote_all(returning)
  end
  if #columns > 0 then
    head = head .. "(" .. identifier.quote_all(columns) .. ") "
    values = "values (" .. ("?, "):rep(#columns - 1) .. "?)"
  end
  texts = { one = head .. values .. tail }
  if known.dialect.copy and #columns > 0 and tail == "" then
    texts.copy = known.dialect.copy(known.name, columns)
  end
  texts.batch = batch_sql(known, head, columns, tail)
  known.sql[signature] = texts
  return texts
end

-- ---- one row -----------------------------------------------------------------------------

--- Inserts one row.
---@param db tuff.Database
---@param name string table
---@param row table values by column; an absent column takes its default
---@return any ... the primary key: one value for each of its columns
function M.one(db, name, row)
  errors.check_self(db, "tuff.connection", "insert")
  local known = describe_for(db, name, row)
  local columns = columns_of(known, name, row)
  local values = {}
  for i, column in ipairs(columns) do values[i] = row[column] end
  local sql = insert_sql(known, name, columns, {}, known.key, "key").one
  core.own(db)
  if #known.key == 0 then
    db:run(sql, table.unpack(values, 1, #columns))
    return
  end
  local inserted = db:row(sql, table.unpack(values, 1, #columns))
  local key = {}
  for i, column in ipairs(known.key) do key[i] = inserted[column] end
  return table.unpack(key, 1, #known.key)
end

-- ---- many rows ---------------------------------------------------------------------------

local allowed = {
  on_conflict = options_of.checks.one_of("ignore", "replace", "update"),
  key = function(value)
    return type(value) == "table" and value[1] ~= nil, "a list of columns"
  end,
  returning = function(value)
    return type(value) == "table" or type(value) == "string", "a list of columns"
  end,
}

--- Raises `misuse` where an array of rows has a hole, or is no array: nothing may be left out in
--- silence. `count` rows were read.
local function check_array(rows, count)
  local key = next(rows, count > 0 and count or nil)
  if key == nil or math.type(key) == "integer" and key >= 1 and key <= count then return end
  errors.raise("misuse", ("the rows given to insert_many are no array: there is a key %s, but no "
    .. "row %d"):format(math.type(key) == "integer" and tostring(key) or "of type " .. type(key),
    count + 1), { hint = "give an array of rows, { row }, without holes" })
end

local FEW = 4 -- fewer rows gain nothing by another way than one by one

--- The faster ways for rows of these columns, of which one is to be tried.
local function ways_of(db, known, sql, ways)
  if not ways.many or not (sql.copy or sql.batch) then return nil, nil end
  if sql.copy and ways.copies == nil then ways.copies = known.dialect.copies(db, known.name) end
  if sql.copy and ways.copies then return sql.copy, nil end
  return nil, sql.batch
end

--- Rows in runs of equal columns, each run by one prepared statement.
local function insert_runs(db, name, rows, options, results)
  local known = describe(db, name)
  local returning = options.returning
  if type(returning) == "string" then returning = { returning } end
  if returning then check_columns(known, name, returning, "the option returning") end
  local variant = variant_of(options, returning)
  local ways = { many = type(rows) == "function" or rows[FEW] ~= nil }
  local pending = nil
  local source = rows
  if type(rows) == "function" then
    source = function()
      local row = pending
      pending = nil
      if row == nil then row = rows() end
      return row
    end
    local level = core.level(db)
    pending = rows()
    if core.level(db) ~= level then
      errors.raise("misuse", "the iterator given to insert_many began or ended a transaction")
    end
  end
  local changes, number = 0, 1
  local row = pending
  if type(rows) == "table" then row = rows[1] end
  while row ~= nil do
    local columns = columns_of(known, name, row, number)
    if #columns == 0 and options.on_conflict then
      errors.raise("misuse", "a row without columns cannot be inserted with on_conflict",
        { row = number, hint = "give it a column, as tuff.null where it has no value" })
    end
    local sql = insert_sql(known, name, columns, options, returning, variant)
    local copy, batch = ways_of(db, known, sql, ways)
    core.own(db)
    local changed, reached, stopped = core.insert_rows(db, sql.one, columns, source, number,
      results, copy, batch)
    if stopped ~= nil and reached == number then
      errors.raise("misuse", ("row %d changed while it was read"):format(number))
    end
    changes, number, row, pending = changes + changed, reached, stopped, stopped
  end
  if type(rows) == "table" then check_array(rows, number - 1) end
  return changes
end

---@class tuff.InsertOptions
---@field on_conflict "ignore"|"replace"|"update"|nil where a row exists already: keep it; make it
---  the new row, absent columns at their defaults; or change the columns that are given
---@field key string[]? the columns that say which row it is. If absent, any key of the table; on
---  PostgreSQL, unless rows are ignored, its primary key
---@field returning string[]|string|nil columns to return of each row that was written

--- Inserts many rows, all or none. After an error that is retryable an array is inserted again, as
--- db:transaction would; an iterator is not, because it cannot begin anew.
---@param db tuff.Database
---@param name string table
---@param rows table[]|fun(): table? an array of rows, or an iterator
---@param options tuff.InsertOptions?
---@return integer|table[] count the rows changed, or with `returning` what they returned
function M.many(db, name, rows, options)
  errors.check_self(db, "tuff.connection", "insert_many")
  options = options_of.given(options, allowed, "insert_many")
  errors.check(rows, "table|function", "the rows given to insert_many")
  -- What an iterator has given cannot be asked for again.
  local retry = type(rows) == "function" and 0 or nil
  return db:transaction({ retry = retry }, function()
    local results = options.returning and {} or nil
    local changes = insert_runs(db, name, rows, options, results)
    return results or changes
  end)
end

return M
