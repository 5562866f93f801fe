--- How PostgreSQL differs: where it tells about its tables, and the forms of its SQL.
local core = require "tuff.core"
local identifier = require "tuff.identifier"

local M = {}

--- What other sessions do to tables nothing tells that is cheap to ask: what is known of a table is
--- asked again where it does not fit a row.
---@param db tuff.Database
---@return integer
function M.schema_version(db)
  return core.schema(db)
end

--- The table that a name means: the one of just that name, or else the one that SQL means by it
--- without quotes. So a script may write a table's name in its own way on both engines.
---@param db tuff.Database
---@param name string
---@return string name as the catalogue has it; where there is no such table, as it was given
function M.table_name(db, name)
  return db:value([[
    select relname::text from pg_class where oid = coalesce(
      to_regclass(quote_ident(:name)), to_regclass(quote_ident(lower(:name collate "C"))))]],
    { name = name }) or name
end

--- The columns of a table, in order, without those that cannot be written. Their types as elements
--- of arrays are without their limits, to which a cast would cut. What is an array itself, or
--- composite, does not come out of an array as it went in.
---@param db tuff.Database
---@param name string
---@return { name: string, key: integer, element: string? }[] key: position in the primary key, from
---  1; or 0. element: its type, for M.arrays
function M.columns(db, name)
  return db:all([[
    select a.attname::text as name,
      coalesce(array_position(i.indkey::int2[], a.attnum), -1) + 1 as key,
      case when t.typcategory not in ('A', 'C') and t.typarray <> 0
        then format_type(a.atttypid, -1) end as element
    from pg_attribute a join pg_type t on t.oid = a.atttypid
      left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = to_regclass(quote_ident(?)) and a.attnum > 0 and not a.attisdropped
      and a.attgenerated = ''
    order by a.attnum]], name)
end

--- Whether rows go into this table by COPY, now: it takes none that has rules or hides rows, and
--- tells which row has failed only where nothing fires after it, be it the check of a foreign key.
---@param db tuff.Database
---@param name string
---@return boolean
function M.copies(db, name)
  return db:exists([[
    select from pg_class c
    where c.oid = to_regclass(quote_ident(?)) and c.relkind in ('r', 'p') and not c.relhasrules
      and not row_security_active(c.oid)
      and not exists(select from pg_trigger where tgrelid = c.oid and tgtype & 4 <> 0)]], name)
end

--- What begins a COPY of rows with these columns.
---@param name string
---@param columns string[]
---@return string
function M.copy(name, columns)
  return ("copy %s (%s) from stdin"):format(identifier.quote(name), identifier.quote_all(columns))
end

--- A query of rows that are given as arrays, one for each column.
---@param elements string[] their types
---@return string
function M.arrays(elements)
  return "select * from unnest(?::" .. table.concat(elements, "[], ?::") .. "[])"
end

--- `do update` has to say which key it means.
M.conflict_needs_key = true

--- A row without a primary key has no name.
M.row_id = nil

--- Sends a text to a channel.
M.notify = "select pg_notify(?, ?)"

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
---@param name string? only the table that this name means, see M.table_name
---@return string[]
function M.tables(db, name)
  return db:column([[
    select relname::text from pg_class
    where relkind in ('r', 'p', 'f')
      and relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and relname not like 'tuff\_%' and (cast(:name as text) is null or relname = :name
        or relname = lower(:name collate "C"))
    order by relname collate "C"]], { name = name or core.null })
end

--- What makes and reads schemas here.
---@return table
function M.schema()
  return require "tuff.schema.postgres"
end

return M
