--- How SQLite differs: where it tells about its tables, and the forms of its SQL.
local core = require "tuff.core"

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
