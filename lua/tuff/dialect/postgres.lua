--- How PostgreSQL differs: where it tells about its tables, and the forms of its SQL.
local core = require "tuff.core"

local M = {}

--- Nothing that is cheap to ask tells whether the schema has changed: what is known of a table
--- is asked again where it does not fit a row.
---@return string
function M.schema_version()
  return ""
end

--- The columns of a table, in order, without those that cannot be written.
---@param db tuff.Database
---@param name string
---@return { name: string, key: integer }[] key: position in the primary key, from 1; or 0
function M.columns(db, name)
  return db:all([[
    select a.attname::text as name,
      coalesce(array_position(i.indkey::int2[], a.attnum), -1) + 1 as key
    from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = to_regclass(quote_ident(?)) and a.attnum > 0 and not a.attisdropped
      and a.attgenerated = ''
    order by a.attnum]], name)
end

--- A row without a primary key has no name.
M.row_id = nil

--- Names of the tables and views a script may mean.
---@param db tuff.Database
---@return string[]
function M.relations(db)
  return db:column([[
    select relname::text from pg_class
    where relkind in ('r', 'p', 'v', 'f') and pg_table_is_visible(oid)
      and relnamespace <> 'pg_catalog'::regnamespace and relname not like 'tuff\_%']])
end

--- Names of the tables of the schema in which tables are made.
---@param db tuff.Database
---@param name string? only the table of this name
---@return string[]
function M.tables(db, name)
  return db:column([[
    select relname::text from pg_class
    where relkind in ('r', 'p', 'f') and relnamespace = current_schema()::regnamespace
      and relname not like 'tuff\_%' and (cast(:name as text) is null or relname = :name)
    order by relname collate "C"]], { name = name or core.null })
end

return M
