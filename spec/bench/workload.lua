-- What every contender does: the sizes, the SQL, the rows and the keys, and the list of works.
-- raw.c and contenders/python3.py repeat these figures; a difference shows as a wrong checksum.

local M = {
  table_rows = 1000000,    -- rows of the table that is read and updated
  inserts = 200000,
  reads = 200000,          -- point reads
  updates = 100000,
  streamed = 10000000,     -- rows of the lazy scan
  stream_mark = 1000000,   -- memory growth is counted from this row on
  cache_bytes = 64 * 1024 * 1024,
}

M.sql = {
  insert = "INSERT INTO t(id, name, score, tag, n) VALUES(?, ?, ?, ?, ?)",
  insert_named = "INSERT INTO t(id, name, score, tag, n) VALUES(:id, :name, :score, :tag, :n)",
  scan = "SELECT id, name, score, tag, n FROM t",
  get = "SELECT id, name, score, tag, n FROM t WHERE id = ?",
  update = "UPDATE t SET n = ?, score = ? WHERE id = ?",
  warm = "SELECT sum(length(name)), sum(score) FROM t",
  stream = [[
    WITH RECURSIVE counter(i) AS (
      SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < ]] .. M.streamed .. [[)
    SELECT i AS id, 'user_name_' || i AS name, i * 0.5 + 0.25 AS score,
      'tag' || (i % 16) AS tag, (i * 7919) % 1000003 AS n FROM counter]],
}

-- For bindings without options of their own; tuff has names for these.
M.settings = {
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = NORMAL",
  "PRAGMA cache_size = -" .. M.cache_bytes // 1024,
}

-- string.format, because `..` would leave each number behind as a string: garbage that the peak
-- memory of the bare tables would count.
---@param i integer
---@return table row
function M.row(i)
  return {
    id = i,
    name = ("user_name_%d"):format(i),
    score = i * 0.5 + 0.25,
    tag = ("tag%d"):format(i % 16),
    n = (i * 7919) % 1000003,
  }
end

---@param count integer
---@return table[] rows
function M.rows(count)
  local rows = {}
  for i = 1, count do rows[i] = M.row(i) end
  return rows
end

--- Keys that jump about in the whole table, none twice.
---@param count integer
---@return integer[] keys
function M.keys(count)
  local keys = {}
  for i = 1, count do keys[i] = (i * 7919) % M.table_rows + 1 end
  return keys
end

-- `data`: "empty" and "copy" are a fresh file for each run, whose content is checked afterwards;
-- "large" is one file that all read. `once`: not repeated, for it is no measure of time.
-- `target`: the ratio to raw C that tuff is to reach.
M.works = {
  { name = "insert", data = "empty", target = 1.5,
    title = "200 k inserts from tables, prepared" },
  { name = "insert_named", data = "empty",
    title = "the same, values by name" },
  { name = "insert_many", data = "empty", target = 1.22,
    title = "the same with insert_many" },
  { name = "tuples", data = "large", target = 1.5,
    title = "1 M rows x 5 columns by tuples" },
  { name = "rows", data = "large", target = 2.45,
    title = "1 M named rows by rows" },
  { name = "point_prepared", data = "large", target = 1.24,
    title = "200 k point reads, prepared" },
  { name = "point_text", data = "large", target = 0.40,
    title = "200 k point reads, SQL text each time" },
  { name = "point_transaction", data = "large",
    title = "the same inside one transaction" },
  { name = "update", data = "copy", target = 1.15,
    title = "100 k updates by key" },
  { name = "all", data = "large",
    title = "1 M named rows kept, all (raw C keeps none)" },
  { name = "arrays", data = "large",
    title = "1 M rows kept, arrays (raw C keeps none)" },
  { name = "stream", data = "large", once = true,
    title = "10 M rows lazily (one run)" },
}

return M
