--- How PostgreSQL differs: where it tells about its tables, and the forms of its SQL.
local core = require "tuff.core"
local errors = require "tuff.error"
local identifier = require "tuff.identifier"

local M = {}

--- A query of tuff itself: the limits of the script do not count.
local function ask(db, method, sql, ...)
  core.own(db)
  return db[method](db, sql, ...)
end

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
  return ask(db, "value", [[
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
  return ask(db, "all", [[
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
  return ask(db, "exists", [[
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
M.row_id, M.row_ids = nil, {}

--- In a primary key there is no NULL.
M.null_keys = false

--- Whether a value is a blob, as SQL: one reads as a string.
M.is_blob = "pg_typeof(%s) = 'bytea'::regtype"

--- A value as it is stored, and compared.
M.stored = "%s"

--- Whether a table or view has a column.
---@param db tuff.Database
---@param table string
---@param column string
---@return boolean
function M.has_column(db, table, column)
  return ask(db, "exists", [[
    select 1 from pg_attribute where attrelid = to_regclass(?) and attname = ? and attnum > 0
      and not attisdropped]], identifier.quote(M.table_name(db, table)), column)
end

--- A text that changes whenever the tables do, tuff's own left out.
---@param db tuff.Database
---@return string
function M.fingerprint(db)
  return core.sha256(ask(db, "value", [[
    with own as (select oid, relname, relkind from pg_class
      where relnamespace = current_schema()::regnamespace and relname not like 'tuff\_%')
    select coalesce(string_agg(line, e'\n' order by line collate "C"), '') from (
      select relkind::text || ' ' || relname || ' ' || case
          when relkind in ('v', 'm') then pg_get_viewdef(oid)
          when relkind = 'i' then pg_get_indexdef(oid) else '' end as line
      from own
      union all
      select 'c ' || relname || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' '
          || attnotnull || attidentity::text || attgenerated::text
          || coalesce(pg_get_expr(adbin, adrelid), '')
      from own join pg_attribute on attrelid = own.oid and attnum > 0 and not attisdropped
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where relkind in ('r', 'p', 'f')
      union all
      select 'k ' || relname || ' ' || conname || ' ' || pg_get_constraintdef(c.oid)
      from own join pg_constraint c on conrelid = own.oid
      union all
      select 't ' || relname || ' ' || pg_get_triggerdef(t.oid)
      from own join pg_trigger t on tgrelid = own.oid where not tgisinternal) lines]]))
end

--- How the tables of tuff's own are declared.
M.integer, M.table_options = "bigint", ""

--- Whether no other runner of migrations is in its transaction on this schema: then it is this
--- one's turn until the end of the transaction. Who waits asks again in a new one, which sees what
--- the other has done; and never in the server: that would keep CREATE INDEX CONCURRENTLY from
--- ending, which waits for every statement that runs.
---@param db tuff.Database in a transaction
---@return boolean
function M.take_turn(db)
  return ask(db, "value",
    "select pg_try_advisory_xact_lock(hashtext('tuff ' || current_schema()))")
end

--- Waits, outside of any transaction.
---@param db tuff.Database
---@param ms number
function M.rest(db, ms)
  ask(db, "value", "select pg_sleep(cast(? as double precision))", ms / 1000)
end

--- Keeps other runners of migrations off while one works in many transactions, until the scope of
--- what it returns ends, or the session. Behind a pooler nothing is kept: there each transaction
--- takes its turn, and that is all.
---@param db tuff.Database
---@param wait number milliseconds
---@return table? scope with a __close
function M.alone(db, wait)
  if core.state(db).options.pooler then return nil end
  local deadline = core.now() + wait
  local key = "(hashtext('tuff'), hashtext('alone ' || current_schema()))"
  while not ask(db, "value", "select pg_try_advisory_lock" .. key) do
    if core.now() > deadline then
      errors.raise("busy", "another program migrates this database, and has not come to its end",
        { hint = "try again later, or give more time by wait" })
    end
    M.rest(db, 50)
  end
  return setmetatable({}, { __close = function()
    pcall(ask, db, "value", "select pg_advisory_unlock" .. key)
  end })
end

--- Runs fn(db, inside) on an empty database; inside: in a transaction that is open. It is a schema
--- of its own, from which extensions are to be found where they were installed.
---@param db tuff.Database
---@param undone fun(db: tuff.Database, fn: function) which runs a function and undoes all of it
---@param fn fun(db: tuff.Database, inside: boolean)
function M.with_empty(db, undone, fn)
  undone(db, function()
    ask(db, "run", "create schema tuff_trial")
    ask(db, "value", [[
      select set_config('search_path',
        concat_ws(', ', 'tuff_trial', string_agg(nspname, ', ')), true)
      from (select distinct quote_ident(nspname) as nspname from pg_extension
        join pg_namespace n on n.oid = extnamespace where nspname <> 'pg_catalog') of_extensions]])
    fn(db, true)
  end)
end

--- What looks at what a change of the schema leaves.
---@return table
function M.soundness()
  return require "tuff.schema.postgres.soundness"
end

--- Sends a text to a channel.
M.notify = "select pg_notify(?, ?)"

--- Names of the tables and views a script may mean.
---@param db tuff.Database
---@return string[]
function M.relations(db)
  return ask(db, "column", [[
    select relname::text from pg_class
    where relkind in ('r', 'p', 'v', 'f') and pg_table_is_visible(oid)
      and relnamespace <> 'pg_catalog'::regnamespace and relname not like 'tuff\_%']])
end

--- The table or view that a name means in the schema in which tables are made, and what it is where
--- a script may not drop it.
---@param db tuff.Database
---@param name string
---@return { name: string, kept: string? }?
function M.relation(db, name)
  return ask(db, "row", [[
    select relname::text as name, case
      when relnamespace = 'pg_catalog'::regnamespace then 'a table of PostgreSQL itself'
      when relname like 'tuff\_%' then 'a table of tuff itself'
      when relkind in ('v', 'm') then 'a view' end as kept
    from pg_class
    where relkind in ('r', 'p', 'f', 'v', 'm')
      and relnamespace in (current_schema()::regnamespace, 'pg_catalog'::regnamespace)
      and (relname = :name or relname = lower(:name collate "C"))
    order by relname <> :name, relnamespace = 'pg_catalog'::regnamespace limit 1]], { name = name })
end

--- The tables that refer to a table by foreign keys, but for itself.
---@param db tuff.Database
---@param name string
---@return string[]
function M.children(db, name)
  return ask(db, "column", [[
    select distinct c.relname::text collate "C" from pg_constraint k
      join pg_class c on c.oid = k.conrelid
    where k.contype = 'f' and k.confrelid = to_regclass(quote_ident(?))
      and k.conrelid <> k.confrelid
    order by 1]], name)
end

--- Drops a table and what belongs to it, unless others need it.
---@param db tuff.Database
---@param name string
---@return string[] users "view favorites"
function M.drop(db, name)
  local users = ask(db, "column", [[
    select distinct 'view ' || c.relname collate "C" from pg_depend d
      join pg_rewrite r on r.oid = d.objid join pg_class c on c.oid = r.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
      and d.refobjid = to_regclass(quote_ident(?)) and r.ev_class <> d.refobjid
    order by 1]], name)
  if #users == 0 then ask(db, "run", "drop table " .. identifier.quote(name)) end
  return users
end

--- The id that the next row of a table is given by a sequence, which is looked at and not moved.
---@param db tuff.Database
---@param name string
---@return integer? id nil: there is no such column
function M.next_id(db, name)
  local found = ask(db, "row", [[
    select s.seqrelid::regclass::text as name, s.seqincrement as step
    from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      join pg_sequence s
        on s.seqrelid = pg_get_serial_sequence(quote_ident(:name), a.attname)::regclass
    where i.indrelid = to_regclass(quote_ident(:name)) and i.indisprimary and i.indnatts = 1]],
    { name = name })
  return found and ask(db, "value", "select last_value + case when is_called "
    .. "then cast(? as bigint) else 0 end from " .. found.name, found.step)
end

--- Where a table of tuff itself is, in SQL.
---@param name string
---@return string
function M.own_table(name)
  return name
end

--- Whether a table of tuff itself is there, in the schema in which tables are made.
---@param db tuff.Database
---@param name string
---@return boolean
function M.has_own_table(db, name)
  return ask(db, "exists", [[select from pg_class where relname = ? and relkind = 'r'
    and relnamespace = current_schema()::regnamespace]], name)
end

--- Makes a table of tuff itself, in a transaction. Of two that make it at once one waits: `if not
--- exists` alone would let it fail.
---@param db tuff.Database
---@param sql string CREATE TABLE
function M.create_own_table(db, sql)
  ask(db, "run", "select pg_advisory_xact_lock(hashtext('tuff'), hashtext('own tables'))")
  ask(db, "run", sql)
end

--- The type of a column of JSON that gives back what was stored: jsonb would change numbers.
M.json = "json"

--- Names of the tables of the schema in which tables are made.
---@param db tuff.Database
---@param name string? only the table that this name means, see M.table_name
---@return string[]
function M.tables(db, name)
  return ask(db, "column", [[
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
