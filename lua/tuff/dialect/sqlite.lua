--- How SQLite differs: where it tells about its tables, and the forms of its SQL.
local core = require "tuff.core"
local identifier = require "tuff.identifier"

local M = {}

--- A query of tuff itself: the limits of the script do not count.
local function ask(db, method, sql, ...)
  core.own(db)
  return db[method](db, sql, ...)
end

--- What changes whenever the schema does, unless a transaction is rolled back.
---@param db tuff.Database
---@return string
function M.schema_version(db)
  return ask(db, "value", "pragma main.schema_version") .. "."
    .. ask(db, "value", "pragma temp.schema_version")
end

--- The name of a table, which SQLite finds in any case of its letters.
---@param _ tuff.Database
---@param name string
---@return string
function M.table_name(_, name)
  return name
end

--- The columns of a table, in order, without those that cannot be written.
---@param db tuff.Database
---@param name string
---@return { name: string, key: integer }[] key: position in the primary key, from 1; or 0
function M.columns(db, name)
  return ask(db, "all", "select name, pk as key from pragma_table_xinfo(?) where hidden = 0 "
    .. "order by cid", name)
end

--- The column that stands for the primary key where a table declares none.
M.row_id = "rowid"

--- Its names, of which a column may have taken some.
M.row_ids = { "rowid", "_rowid_", "oid" }

--- In a primary key there may be NULL.
M.null_keys = true

--- Whether a value is a blob, as SQL: one reads as a string, and is equal to no text.
M.is_blob = "typeof(%s) = 'blob'"

--- A value as it is stored, and compared, whatever its column is declared as: a decimal is a scaled
--- integer.
M.stored = "+%s"

--- Nobody is there to pass a text on.
M.notify = nil

--- Names of the tables and views a script may mean.
---@param db tuff.Database
---@return string[]
function M.relations(db)
  return ask(db, "column", "select name from pragma_table_list where schema <> 'temp' "
    .. "and name not like 'sqlite\\_%' escape '\\' and name not like 'tuff\\_%' escape '\\'")
end

--- Names of the tables of the main database, without those that virtual tables keep their rows in,
--- and those of the full-text search of others.
---@param db tuff.Database
---@param name string? only the table of this name
---@return string[]
function M.tables(db, name)
  return ask(db, "column", [[
    select l.name from pragma_table_list l
    where l.schema = 'main' and l.type in ('table', 'virtual')
      and l.name not like 'sqlite\_%' escape '\' and l.name not like 'tuff\_%' escape '\'
      and (l.type <> 'virtual' or not exists (
        select 1 from main.sqlite_schema m where m.type = 'table' and l.name = m.name || '_search'))
      and (:name is null or l.name = :name collate nocase)
    order by l.name]], { name = name or core.null })
end

--- Whether a table or view has a column.
---@param db tuff.Database
---@param table string
---@param column string
---@return boolean
function M.has_column(db, table, column)
  return ask(db, "exists", "select 1 from pragma_table_xinfo(?) where name = ? collate nocase",
    table, column)
end

--- A text that changes whenever the tables do, tuff's own left out.
---@param db tuff.Database
---@return string
function M.fingerprint(db)
  return core.sha256(table.concat(ask(db, "column", [[
    select type || ' ' || name || ' ' || coalesce(sql, '') from main.sqlite_schema
    where tbl_name not like 'tuff\_%' escape '\' and name not like 'sqlite\_%' escape '\'
    order by type, name]]), "\n"))
end

--- How the tables of tuff's own are declared.
M.integer, M.table_options = "integer", " strict"

--- One writes at a time, and has the lock since its transaction began.
M.take_turn = nil

--- Two that work in many transactions take turns, which is well.
M.alone = nil

--- The table or view that a name means, and what it is where a script may not drop it.
---@param db tuff.Database
---@param name string
---@return { name: string, kept: string? }?
function M.relation(db, name)
  return ask(db, "row", [[
    select l.name, case
      when l.name like 'sqlite\_%' escape '\' then 'a table of SQLite itself'
      when l.name like 'tuff\_%' escape '\' then 'a table of tuff itself'
      when l.type = 'view' then 'a view'
      when l.type = 'shadow' then 'a part of a virtual table' end as kept
    from pragma_table_list l where l.schema = 'main' and l.name = ? collate nocase]], name)
end

--- The tables that refer to a table by foreign keys, but for itself.
---@param db tuff.Database
---@param name string
---@return string[]
function M.children(db, name)
  return ask(db, "column", [[
    select distinct l.name from pragma_table_list l, pragma_foreign_key_list(l.name, 'main') f
    where l.schema = 'main' and l.type = 'table' and f."table" = :name collate nocase
      and l.name <> :name collate nocase
    order by l.name]], { name = name })
end

--- Drops a table and what belongs to it.
---@param db tuff.Database in a transaction, which is to be rolled back where others need the table
---@param name string
---@return string[] users "view favorites", "table images": its triggers speak of it
function M.drop(db, name)
  local broken = require "tuff.schema.sqlite.broken"
  local of, before = db:schema():table(name), broken.by_name(db)
  ask(db, "run", "drop table main." .. identifier.quote(name))
  if of and of.search then
    local virtual = require("tuff.schema.sqlite.search").objects(of)
    ask(db, "run", "drop table main." .. identifier.quote(virtual.name))
  end
  local users = {}
  for user in pairs(broken.by_name(db)) do
    if not before[user] then users[#users + 1] = user end
  end
  table.sort(users)
  return users
end

--- The id that the next row of a table is given by AUTOINCREMENT: SQLite counts from the greatest
--- one that there was, or is.
---@param db tuff.Database
---@param name string
---@return integer? id nil: there is no such column, or no id left
function M.next_id(db, name)
  local sql = ask(db, "value", "select sql from main.sqlite_schema where type = 'table' "
    .. "and name = ?", name)
  local kinds, texts = core.tokens(sql or "", { brackets = true, backticks = true })
  for i, text in ipairs(texts) do
    if kinds:sub(i, i) == "w" and text:lower() == "autoincrement" then
      local last = ask(db, "value", [[select max(
          coalesce((select seq from main.sqlite_sequence where name = ?), 0),
          coalesce((select max(rowid) from main.]] .. identifier.quote(name) .. "), 0))", name)
      return last < math.maxinteger and last + 1 or nil
    end
  end
end

--- Where a table of tuff itself is, in SQL: an attached file may have one of that name, too.
---@param name string
---@return string
function M.own_table(name)
  return "main." .. name
end

--- Whether a table of tuff itself is there.
---@param db tuff.Database
---@param name string
---@return boolean
function M.has_own_table(db, name)
  return ask(db, "exists", "select 1 from main.sqlite_schema where type = 'table' and name = ?",
    name)
end

--- Makes a table of tuff itself, in a transaction.
---@param db tuff.Database
---@param sql string CREATE TABLE
function M.create_own_table(db, sql)
  ask(db, "run", sql)
end

--- The type of a column of JSON that gives back what was stored.
M.json = "json text"

--- Runs fn(db, inside) on an empty database; inside: in a transaction that is open.
---@param _ tuff.Database
---@param _ function
---@param fn fun(db: tuff.Database, inside: boolean)
function M.with_empty(_, _, fn)
  local scratch <close> = require("tuff").open(":memory:")
  fn(scratch, false)
end

--- What makes and reads schemas here.
---@return table
function M.schema()
  return require "tuff.schema.sqlite"
end

--- What looks at what a change of the schema leaves.
---@return table
function M.soundness()
  return require "tuff.schema.sqlite.soundness"
end

return M
