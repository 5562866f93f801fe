--- Reads the schema of a database of SQLite, whoever made it. The statements that SQLite has stored
--- tell most; its pragmas tell what it made of them, and whether they were understood. What was not
--- is in `unmanaged`, as text.
local core = require "tuff.core"
local create_table = require "tuff.schema.sqlite.create_table"
local default = require "tuff.schema.sqlite.default"
local model = require "tuff.schema.model"
local objects = require "tuff.schema.sqlite.objects"
local parts = require "tuff.schema.sqlite.parts"
local search = require "tuff.schema.sqlite.search"
local types = require "tuff.schema.sqlite.types"

local M = {}

-- ---- what SQLite tells -------------------------------------------------------------------

--- A query of tuff itself: the limits of the script do not count.
local function ask(db, sql)
  core.own(db)
  return db:all(sql)
end

local shown = [[
  m.name not like 'sqlite\_%' escape '\' and m.tbl_name not like 'tuff\_%' escape '\']]

--- All objects in the order in which they were made.
---@param db tuff.Database
---@return { type: string, name: string, tbl_name: string, rootpage: integer, sql: string }[]
function M.objects(db)
  return ask(db, "select m.type, m.name, m.tbl_name, m.rootpage, m.sql from main.sqlite_schema m "
    .. "where m.sql is not null and " .. shown .. " order by m.rowid")
end

--- Rows grouped by the object that they belong to.
local function grouped(rows)
  local groups = {}
  for _, row in ipairs(rows) do
    groups[row.object] = groups[row.object] or {}
    table.insert(groups[row.object], row)
  end
  return groups
end

--- The columns of all tables that have rows of their own.
local function columns_of(db)
  return grouped(ask(db, [[
    select m.name as object, x.name, x.type, x."notnull" as not_null, x.hidden
    from main.sqlite_schema m join pragma_table_xinfo(m.name, 'main') x
    where m.type = 'table' and m.rootpage > 0 and ]] .. shown .. " order by m.rowid, x.cid"))
end

--- The parts of all indexes that were made by CREATE INDEX.
local function index_parts_of(db)
  return grouped(ask(db, [[
    select m.name as object, x.cid, x.name
    from main.sqlite_schema m join pragma_index_xinfo(m.name, 'main') x
    where m.type = 'index' and m.sql is not null and x.key = 1 and ]] .. shown
    .. " order by m.rowid, x.seqno"))
end

--- Tables in which virtual tables keep what they hold.
local function shadows_of(db)
  local shadows = {}
  for _, row in ipairs(ask(db, "select name from pragma_table_list where schema = 'main' "
    .. "and type = 'shadow'")) do
    shadows[row.name] = true
  end
  return shadows
end

-- ---- tables ------------------------------------------------------------------------------

--- The column of a name whose capitals may differ.
local function find(of, name)
  local found = model.find(of.columns, name)
  if found then return found end
  for _, column in ipairs(of.columns) do
    if column.name:lower() == name:lower() then return column end
  end
end

local function spelled(of, name)
  local column = find(of, name)
  return column and column.name or name
end

--- Names of columns as their definitions spell them, and no collation that a column has anyway.
local function settle_parts(of, list)
  for _, part in ipairs(list) do
    local column = part.column and find(of, part.column)
    part.column = column and column.name or part.column
    parts.settle_collation(part, column)
  end
end

--- Takes over what SQLite has made of the columns; false: it has other ones.
local function settle_columns(of, told)
  if #told ~= #of.columns then return false end
  for i, column in ipairs(of.columns) do
    local row = told[i]
    local generated = row.hidden == 2 or row.hidden == 3
    if row.name ~= column.name or generated ~= (column.generated ~= nil) then return false end
    column.declared = row.type or ""
    column.not_null = row.not_null == 1 or nil
    if not column.not_null then column.not_null_conflict = nil end
    if column.collate and column.collate:upper() == "BINARY" then column.collate = nil end
  end
  return true
end

--- Finds out whether the primary key is another name for the rowid: the words DESC of a key that
--- stands apart do not change that, those in the definition of the column do.
local function settle_key(of)
  local key = of.primary_key
  local part = key and #key.parts == 1 and key.parts[1]
  local column = part and find(of, part.column)
  if column and column.type == "integer" and not of.without_rowid
    and (of.key_apart or not part.descending) then
    part.descending, part.collate = nil, nil
    column.not_null, column.not_null_conflict = true, nil
    if of.autoincrement then column.type = "id" end
  end
  of.key_apart, of.autoincrement = nil, nil
end

local function read_table(row, told)
  local of, reason = create_table.parse(row.sql)
  if not of then return nil, reason end
  of.name = row.name
  if not settle_columns(of, told or {}) then
    return nil, "its columns are not what SQLite says they are"
  end
  types.read(of)
  settle_key(of)
  for _, column in ipairs(of.columns) do
    if column.default then column.default = default.read(column, column.default) end
  end
  if of.primary_key then settle_parts(of, of.primary_key.parts) end
  for _, key in ipairs(of.uniques) do settle_parts(of, key.parts) end
  for _, key in ipairs(of.foreign_keys) do
    for i, name in ipairs(key.columns) do key.columns[i] = spelled(of, name) end
  end
  return of
end

--- References name tables and columns with the capitals that these have.
local function settle_references(schema, tables)
  for _, of in ipairs(schema.tables) do
    for _, key in ipairs(of.foreign_keys) do
      local other = tables[key.table:lower()]
      if other then
        key.table = other.name
        for i, name in ipairs(key.references or {}) do key.references[i] = spelled(other, name) end
      end
    end
  end
end

-- ---- indexes -----------------------------------------------------------------------------

--- Takes over what SQLite has made of the parts; false: it has others.
local function settle_index(of, index, told)
  if #told ~= #index.parts then return false end
  for i, part in ipairs(index.parts) do
    local holder = part.path and find(of, part.column)
    local is_path = holder and holder.type == "json"
    if told[i].cid >= 0 then
      part.column, part.path, part.expression = told[i].name, nil, nil
    elseif not is_path then -- also what looks like a name: a string in double quotes, or the rowid
      part.column, part.path, part.expression = nil, nil, part.written
    end
    part.written = nil
  end
  settle_parts(of, index.parts)
  return true
end

local function read_index(row, of, told)
  local index, reason = objects.index(row.sql)
  if not index then return nil, reason end
  index.name, index.table = row.name, nil
  if not settle_index(of, index, told or {}) then
    return nil, "its parts are not what SQLite says they are"
  end
  return index
end

-- ---- the whole ---------------------------------------------------------------------------

--- Virtual tables know the tables that they keep their rows in: their names begin with its own.
local function settle_shadows(schema, shadows)
  for _, virtual in ipairs(schema.virtual_tables) do
    virtual.shadows = {}
    for name in pairs(shadows) do
      if name:sub(1, #virtual.name + 1) == virtual.name .. "_" then
        table.insert(virtual.shadows, name)
      end
    end
    table.sort(virtual.shadows)
  end
end

---@class tuff.schema.Told
---@field objects table[] see M.objects
---@field columns table<string, table[]> by the name of the table
---@field index_parts table<string, table[]> by the name of the index
---@field shadows table<string, boolean> by the name of the table

--- The schema of what SQLite has told. Raises nothing, whatever the texts are.
---@param told tuff.schema.Told
---@return tuff.Schema
function M.schema_of(told)
  local schema, tables, shadows = model.new(), {}, told.shadows

  local function unmanaged(row, reason)
    table.insert(schema.unmanaged, {
      kind = row.type, name = row.name, table = row.tbl_name, sql = row.sql, reason = reason,
    })
  end
  local function add(list, row, object, reason)
    if not object then return unmanaged(row, reason) end
    table.insert(list, object)
    return object
  end

  local reading = {}
  function reading.table(row)
    if shadows[row.name] then return end
    if row.rootpage == 0 then
      return add(schema.virtual_tables, row, objects.virtual_table(row.sql))
    end
    tables[row.name:lower()] = add(schema.tables, row, read_table(row, told.columns[row.name]))
  end
  function reading.index(row)
    if shadows[row.tbl_name] then return end
    local of = tables[row.tbl_name:lower()]
    if not of then return unmanaged(row, "its table is not managed") end
    add(of.indexes, row, read_index(row, of, told.index_parts[row.name]))
  end
  function reading.view(row) add(schema.views, row, objects.view(row.sql)) end
  function reading.trigger(row) add(schema.triggers, row, objects.trigger(row.sql)) end

  for _, row in ipairs(told.objects) do reading[row.type](row) end
  settle_references(schema, tables)
  settle_shadows(schema, shadows)
  for _, of in ipairs(schema.tables) do search.read(schema, of) end
  return model.complete(schema)
end

--- Reads the schema of a database, which must not change meanwhile.
---@param db tuff.Database
---@return tuff.Schema
---@return tuff.schema.Told told what it was read from
function M.read(db)
  local told = {
    objects = M.objects(db), columns = columns_of(db), index_parts = index_parts_of(db),
    shadows = shadows_of(db),
  }
  return M.schema_of(told), told
end

return M
