-- What every contender does, on every engine: the SQL, the rows and the keys. How many of them each
-- work has stands in engines/. raw.c and contender.py make the same; a difference shows as a wrong
-- checksum.

local M = {
  table_rows = 1000000,    -- rows of the table that is read and updated
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
  upsert = [[
    INSERT INTO t(id, name, score, tag, n) VALUES(?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, score = excluded.score, tag = excluded.tag, n = excluded.n]],
  warm = "SELECT sum(length(name)), sum(score) FROM t",
  stream = [[
    WITH RECURSIVE counter(i) AS (
      SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < ]] .. M.streamed .. [[)
    SELECT i AS id, 'user_name_' || i AS name, i * 0.5 + 0.25 AS score,
      'tag' || (i % 16) AS tag, (i * 7919) % 1000003 AS n FROM counter]],
}

-- For bindings to SQLite without options of their own; tuff has names for these.
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

--- Rows of which those within the table replace every twentieth row of it, and the rest is new.
---@param count integer
---@return table[] rows
function M.rows_to_upsert(count)
  local rows = {}
  for i = 1, count do
    rows[i] = M.row(i * 20)
    rows[i].n = i
  end
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

return M
