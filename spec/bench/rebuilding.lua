-- What a change of the schema costs: a table of a million rows that is built anew, against the bare
-- statements, and the difference between two schemas of many tables.

local statistics = require "bench.statistics"

local M = {}

local ROWS, ROUNDS, TABLES, LIMIT = 1000000, 5, 200, 10

local function now() return require("tuff.core").now() end

local function images(default)
  local s = require "tuff.schema"
  return s.define { s.table("images", {
    s.id(), s.text("path"):not_null(), s.integer("folder_id"), s.real("score"):default(default),
    s.integer("n"), s.index { "path" }, s.index { "folder_id", "score" }, s.index { "n" },
  }) }
end

local function filled(path)
  local db <close> = require("tuff").open(path, { durability = "normal" })
  db:apply(images(0))
  db:run(([[
    insert into images(path, folder_id, score, n)
    with recursive numbers(i) as (select 1 union all select i + 1 from numbers where i < %d)
    select 'folder/image_' || (i * 7919 %% 1000003), i %% 1000, i * 0.25, i * 7919 %% 1000003
    from numbers]]):format(ROWS))
end

--- The least that makes such a table of another one.
local bare = [[
  begin immediate;
  create table other(id integer primary key autoincrement, path text not null, folder_id integer,
    score real default 1.0, n integer);
  insert into other(id, path, folder_id, score, n)
    select id, path, folder_id, score, n from images;
  create index other_path on other(path);
  create index other_folder on other(folder_id, score);
  create index other_n on other(n);
  commit]]

--- Milliseconds, from opening to closing. Where secure_delete is on, as Debian builds SQLite, the
--- table that is dropped is written over with zeros, which the bare statements have none of.
local function timed(path, secure, fn)
  local began = now()
  local db <close> = require("tuff").open(path, { durability = "normal" })
  db:exec("pragma secure_delete = " .. (secure and "on" or "off"))
  fn(db)
  db:close()
  return now() - began
end

local function copy_of(path, name)
  local db <close> = require("tuff").open(path)
  os.remove(name)
  db:backup(name, { file = true })
  return name
end

--- Medians: the rebuild to the bare statements, and its milliseconds.
local function rebuild(path, secure)
  local ratios, times = {}, {}
  for round = 1, ROUNDS do
    local figures, order = {}, { "bare", "apply" }
    if round % 2 == 0 then order = { "apply", "bare" } end
    for _, way in ipairs(order) do
      figures[way] = timed(copy_of(path, path .. ".copy"), secure, function(db)
        if way == "bare" then db:exec(bare) else db:apply(images(1)) end
      end)
    end
    ratios[round], times[round] = figures.apply / figures.bare, figures.apply
  end
  return statistics.median(ratios), statistics.median(times)
end

--- Many tables with a bit of everything.
local function many(limit)
  local s = require "tuff.schema"
  local items = {}
  for i = 1, TABLES do
    items[i] = s.table("images" .. i, {
      s.id(), s.text("path", { max_length = 4096 }):not_null():unique(),
      s.integer("folder_id"):references("images" .. math.max(1, i - 1)):index(),
      s.real("score"):check("score between 0 and " .. limit), s.boolean("favorite"):default(false),
      s.decimal("price", { precision = 10, scale = 2 }), s.timestamp("created_at"):default(s.now),
      s.text("path_lower"):generated("lower(path)"), s.index { "folder_id", "created_at" },
      s.index { s.expr "lower(path)", where = "favorite" },
    })
  end
  return s.define(items)
end

local function diff()
  local db <close> = require("tuff").open(":memory:")
  db:apply(many(LIMIT))
  local times = { same = {}, other = {} }
  for round = 1, ROUNDS do
    for name, schema in pairs { same = many(LIMIT), other = many(LIMIT + 1) } do
      collectgarbage()
      local began = os.clock()
      db:diff(schema)
      times[name][round] = (os.clock() - began) * 1000
    end
  end
  return statistics.median(times.same), statistics.median(times.other)
end

--- Takes two minutes.
---@param path string  of a database that is not there yet
---@return { rows: integer, ratio: number, ms: number, secure: number, tables: integer,
---  same: number, other: number }  medians: of the rebuild to the bare statements, also with
---  secure_delete; milliseconds of it, and of the difference between two schemas that are the same,
---  and that differ in every table
function M.measure(path)
  filled(path)
  local ratio, ms = rebuild(path, false)
  local secure = rebuild(path, true)
  local same, other = diff()
  return {
    rows = ROWS, ratio = ratio, ms = ms, secure = secure, tables = TABLES, same = same,
    other = other,
  }
end

return M
