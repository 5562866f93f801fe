--- Words that mean something in an expression of SQL, on either engine, and so name no column
--- unless they are quoted.
local words = [[
  abort action add after all alter always analyze and any array as asc asymmetric at attach
  autoincrement before begin between both by cascade case cast check collate column commit conflict
  constraint create cross current current_catalog current_date current_role current_schema
  current_time current_timestamp current_user database default deferrable deferred delete desc
  detach distinct do document drop each else end escape except exclude exclusive exists explain fail
  false filter first following for foreign from full generated glob group groups having if ignore
  ilike immediate in index indexed initially inner insert instead intersect into is isnull join key
  last lateral leading left like limit localtime localtimestamp match materialized natural no
  normalized not nothing notnull null nulls of offset on or order others outer over overlaps
  partition placing plan pragma preceding primary query raise range recursive references regexp
  reindex release rename replace restrict returning right rollback row rows savepoint select
  session_user set similar some symmetric table temp temporary then ties to trailing transaction
  trigger true unbounded union unique unknown update user using vacuum values variadic view virtual
  when where window with without zone

  bigint bit boolean bytea char character date decimal double float int integer interval json jsonb
  numeric precision real smallint text time timestamp timestamptz uuid varchar varying

  century day decade dow doy epoch hour isodow isoyear microseconds millennium milliseconds minute
  month quarter second timezone week year

  nfc nfd nfkc nfkd rowid oid _rowid_
]]

local M = {}

for word in words:gmatch("%S+") do M[word] = true end

return M
