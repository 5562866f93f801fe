--- What PostgreSQL tells of the namespace in which tables are made, the first of the search path:
--- a few queries, however many tables there are. What an extension has made is its own.
local core = require "tuff.core"

local M = {}

local namespace = "(select oid from pg_namespace where nspname = current_schema())"

-- What is usual is NULL in the answers, and so costs nothing.

--- A condition: the object is in the namespace, and no extension's.
local function own(catalogue, alias, column)
  return (("$alias.$column = $namespace and not exists (select from pg_depend e where e.classid = "
    .. "'$catalogue'::regclass and e.objid = $alias.oid and e.deptype = 'e')"):gsub("%$(%l+)", {
    catalogue = catalogue, alias = alias, column = column, namespace = namespace,
  }))
end

local relation = own("pg_class", "c", "relnamespace") .. " and c.relname not like 'tuff\\_%'"

local queries = {}

queries.relations = [[
  select c.oid::bigint as oid, c.relname::text as name, c.relkind::text as kind,
    obj_description(c.oid, 'pg_class') as comment, array_to_string(c.reloptions, ', ') as options,
    c.relpersistence = 'u' as unlogged, c.reloftype <> 0 as typed,
    c.relrowsecurity as row_security, pg_get_expr(c.relpartbound, c.oid) as bound,
    case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid, true) end as query,
    case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as partitioned,
    (select string_agg(h.inhparent::regclass::text, ', ' order by h.inhseqno) from pg_inherits h
      where h.inhrelid = c.oid) as parents,
    c.relhassubclass and exists (select from pg_inherits h where h.inhparent = c.oid) as inherited
  from pg_class c where c.relkind in ('r', 'p', 'f', 'v', 'm') and ]] .. relation .. [[
  order by c.oid]]

queries.columns = [[
  select a.attrelid::bigint as object, a.attnum as number, a.attname::text as name,
    format_type(a.atttypid, a.atttypmod) as declared,
    case when d.oid is not null then format_type(a.atttypid, null) end as base,
    nullif(a.attnotnull, false) as not_null, nullif(a.attidentity::text, '') as identity,
    nullif(a.attgenerated::text, '') as generated,
    pg_get_expr(d.adbin, d.adrelid, true) as expression,
    col_description(a.attrelid, a.attnum) as comment,
    case when a.attcollation <> t.typcollation then o.collname::text end as collate
  from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    left join pg_collation o on o.oid = a.attcollation
  where c.relkind in ('r', 'p', 'f', 'v') and a.attnum > 0 and not a.attisdropped and ]] .. relation
  .. " order by c.oid, a.attnum"

--- The sequences, with the columns whose they are.
queries.sequences = [[
  select c.relname::text as name, quote_ident(c.relname) as quoted, d.refobjid::bigint as object,
    d.refobjsubid as number,
    format('start with %s increment by %s minvalue %s maxvalue %s cache %s', s.seqstart,
      s.seqincrement, s.seqmin, s.seqmax, s.seqcache)
      || case when s.seqcycle then ' cycle' else '' end as options,
    s.seqstart = 1 and s.seqincrement = 1 and s.seqmin = 1 and s.seqcache = 1 and not s.seqcycle
      and s.seqmax = case s.seqtypid when 'bigint'::regtype then 9223372036854775807
        when 'integer'::regtype then 2147483647 else 32767 end as usual
  from pg_class c join pg_sequence s on s.seqrelid = c.oid
    left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid
      and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
  where ]] .. relation .. " order by c.oid"

queries.constraints = [[
  select k.conrelid::bigint as object, k.conname::text as name, k.contype::text as kind,
    pg_get_constraintdef(k.oid, true) as definition, array_to_string(k.conkey, ' ') as columns,
    case when k.contype = 'f' then k.confrelid::bigint end as other,
    array_to_string(k.confkey, ' ') as others,
    nullif(k.confupdtype::text, 'a') as on_update, nullif(k.confdeltype::text, 'a') as on_delete,
    nullif(k.confmatchtype::text, 's') as match, nullif(k.condeferrable, false) as deferrable,
    nullif(k.condeferred, false) as deferred
  from pg_class c join pg_constraint k on k.conrelid = c.oid
  where k.contype in ('p', 'u', 'f', 'c', 'x') and ]] .. relation .. " order by k.oid"

--- The indexes that no constraint has made.
queries.indexes = [[
  select i.indrelid::bigint as object, n.relname::text as name, i.indisunique as is_unique,
    i.indisvalid as valid, t.definition, i.indkey::text as columns,
    i.indoption::text as orders, i.indnkeyatts as count,
    pg_get_expr(i.indpred, i.indrelid, true) as condition,
    case when i.indexprs is not null or strpos(t.definition, ' COLLATE ') > 0 then to_json(array(
      select pg_get_indexdef(i.indexrelid, part, true) from generate_series(1, i.indnkeyatts) part))
      end as texts
  from pg_class c join pg_index i on i.indrelid = c.oid join pg_class n on n.oid = i.indexrelid,
    pg_get_indexdef(i.indexrelid, 0, true) as t(definition)
  where not exists (select from pg_constraint k where k.conindid = i.indexrelid
      and k.contype in ('p', 'u', 'x')) and ]] .. relation .. " order by n.oid"

queries.triggers = [[
  select t.tgname::text as name, c.relname::text as owner, t.tgrelid::bigint as object,
    pg_get_triggerdef(t.oid, true) as definition, t.tgtype::bigint as bits,
    t.tgattr::text as columns, t.tgenabled = 'O' as enabled,
    f.oid::bigint as function, f.proname::text as function_name, f.prosrc as source,
    l.lanname = 'plpgsql' and not f.prosecdef and f.proconfig is null as plain
  from pg_class c join pg_trigger t on t.tgrelid = c.oid join pg_proc f on f.oid = t.tgfoid
    join pg_language l on l.oid = f.prolang
  where not t.tgisinternal and ]] .. relation .. " order by t.oid"

--- What a model has no words for at all.
queries.others = [[
  select case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range'
      else 'composite type' end as kind, t.typname::text as name, null as owner,
    null::bigint as function, case t.typtype
      when 'e' then format('CREATE TYPE %I AS ENUM (%s)', t.typname, (select string_agg(
        quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e
        where e.enumtypid = t.oid))
      when 'd' then concat_ws(' ', format('CREATE DOMAIN %I AS %s', t.typname,
        format_type(t.typbasetype, t.typtypmod)), 'DEFAULT ' || t.typdefault,
        case when t.typnotnull then 'NOT NULL' end, (select string_agg(format('CONSTRAINT %I %s',
          k.conname, pg_get_constraintdef(k.oid, true)), ' ' order by k.oid) from pg_constraint k
          where k.contypid = t.oid))
      end as sql
  from pg_type t left join pg_class c on c.oid = t.typrelid
  where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c') and ]]
  .. own("pg_type", "t", "typnamespace") .. [[

  union all
  select case f.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
    f.proname::text, null, f.oid::bigint,
    case when f.prokind <> 'a' then pg_get_functiondef(f.oid) end
  from pg_proc f
  where f.proname not like 'tuff\_%' and ]] .. own("pg_proc", "f", "pronamespace") .. [[

  union all
  select 'rule', r.rulename::text, c.relname::text, null, pg_get_ruledef(r.oid, true)
  from pg_class c join pg_rewrite r on r.ev_class = c.oid
  where r.rulename <> '_RETURN' and ]] .. relation .. [[

  union all
  select 'policy', p.polname::text, c.relname::text, null, concat_ws(' ',
    format('CREATE POLICY %I ON %I', p.polname, c.relname),
    case when not p.polpermissive then 'AS RESTRICTIVE' end, case p.polcmd when 'r' then
      'FOR SELECT' when 'a' then 'FOR INSERT' when 'w' then 'FOR UPDATE' when 'd' then
      'FOR DELETE' end, (select 'TO ' || string_agg(quote_ident(r.rolname), ', ' order by r.rolname)
      from pg_roles r where r.oid = any (p.polroles)),
    'USING (' || pg_get_expr(p.polqual, p.polrelid, true) || ')',
    'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid, true) || ')')
  from pg_class c join pg_policy p on p.polrelid = c.oid where ]] .. relation .. [[

  union all
  select 'statistics', x.stxname::text, c.relname::text, null, pg_get_statisticsobjdef(x.oid)
  from pg_class c join pg_statistic_ext x on x.stxrelid = c.oid where ]] .. relation .. [[

  union all
  select 'comment', o.name, o.owner, null, d.description
  from (
    select n.oid, 'pg_class'::regclass as class, n.relname::text as name, n.relname::text as owner
    from pg_class n where n.relkind in ('v', 'm', 'S', 'i', 'I')
      and n.relnamespace = ]] .. namespace .. [[

    union all
    select k.oid, 'pg_constraint'::regclass, k.conname::text, c.relname::text
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where c.relnamespace = ]] .. namespace .. [[

    union all
    select t.oid, 'pg_trigger'::regclass, t.tgname::text, c.relname::text
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = ]] .. namespace .. [[
  ) as o join pg_description d on d.objoid = o.oid and d.classoid = o.class and d.objsubid = 0
  order by kind, name, owner, function]]

--- The rows of what is still there: of what another session has just dropped, PostgreSQL tells no
--- definition.
local function defined(rows)
  local left = {}
  for _, row in ipairs(rows) do
    if row.definition then left[#left + 1] = row end
  end
  return left
end

--- Rows grouped by the relation that they belong to.
local function grouped(rows)
  local groups = {}
  for _, row in ipairs(rows) do
    groups[row.object] = groups[row.object] or {}
    table.insert(groups[row.object], row)
  end
  return groups
end

---@class tuff.schema.postgres.Told
---@field relations table[]
---@field sequences table[]
---@field columns table<integer, table[]> by the relation, as the next ones
---@field constraints table<integer, table[]>
---@field indexes table<integer, table[]>
---@field triggers table[]
---@field others table[]

--- Asks for everything.
---@param db tuff.Database
---@return tuff.schema.postgres.Told
function M.of(db)
  local told = {}
  for name, query in pairs(queries) do
    core.own(db)
    told[name] = db:all(query)
  end
  for _, name in ipairs { "constraints", "indexes", "triggers" } do
    told[name] = defined(told[name])
  end
  for _, name in ipairs { "columns", "constraints", "indexes" } do
    told[name] = grouped(told[name])
  end
  return told
end

return M
