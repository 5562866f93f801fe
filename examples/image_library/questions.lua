--- The questions that are put to the catalogue, each answered by a table of text.

local attempt = require "image_library.attempt"
local report = require "image_library.report"
local selections = require "image_library.selections"
local text = require "image_library.text"

local M = {}

-- A saved query is whatever somebody wrote: it gets a moment, and only its first rows are shown.
local QUERY_TIMEOUT = 2000
local QUERY_ROWS = 20

-- What lies beneath a folder counts for it too, so each folder is joined to all above it. Here and
-- below, a sum is cast because PostgreSQL makes a decimal number of a sum of integers.
local BIGGEST_FOLDERS = [[
with recursive
  own (folder_id, images, bytes) as (
    select folder_id, count(*), sum(bytes) from Images group by folder_id),
  above (folder_id, ancestor_id) as (
    select folder_id, folder_id from own
    union all
    select above.folder_id, f.parent_id
    from above join Folders f on f.id = above.ancestor_id where f.parent_id is not null)
select f.path as folder, coalesce(mine.images, 0) as images,
       cast(sum(own.images) as bigint) as beneath, cast(sum(own.bytes) as bigint) as size
from above
join own using (folder_id)
join Folders f on f.id = above.ancestor_id
left join own mine on mine.folder_id = f.id
group by f.id, f.path, mine.images order by size desc, folder limit 10]]

local SIZE_CLASSES = [[
with Sized (side, bytes) as (
  select case when width < height then height else width end, bytes from Images)
select case
    when side is null then 'unknown'
    when side <= 16 then 'up to 16'
    when side <= 32 then 'up to 32'
    when side <= 64 then 'up to 64'
    when side <= 256 then 'up to 256'
    when side <= 1024 then 'up to 1024'
    when side <= 4096 then 'up to 4096'
    else 'larger'
  end as "longer side", count(*) as images, cast(sum(bytes) as bigint) as size
from Sized group by "longer side" order by min(side) is null, min(side)]]

local FORMATS = [[
select coalesce(format, 'none') as format, count(*) as images,
       cast(sum(bytes) as bigint) as size, count(metadata) as "with metadata",
       count(*) filter (where broken) as damaged
from Images group by format order by images desc, format]]

local TAGS = [[
select t.name as tag, count(*) as images
from ImageTags it join Tags t on t.id = it.tag_id
group by t.id order by images desc, tag limit 10]]

local ALBUM = [[
select ai.position as "no", i.name as image, f.path as folder,
       i.width || ' x ' || i.height as pixels, i.bytes as size
from Albums a
join AlbumImages ai on ai.album_id = a.id
join Images i on i.id = ai.image_id
join Folders f on f.id = i.folder_id
where a.name = ? order by ai.position limit 5]]

local SIZES = { size = report.size }

---Runs a query and shows its rows, columns in the order in which the query has them.
---@param db tuff.Database
---@param title string
---@param sql string
---@param ... any parameters
---@return string
local function answer(db, title, sql, ...)
  local query <close> = db:prepare(sql)
  return report.table(title, query:names(), query:all(...), SIZES)
end

---Folders, sizes, formats, tags and an album, as one moment saw them.
---@param db tuff.Database
---@param album string name of the album to show
---@return string
function M.overview(db, album)
  return db:read(function(snapshot)
    return table.concat {
      answer(snapshot, "Biggest folders", BIGGEST_FOLDERS),
      answer(snapshot, "By size in pixels", SIZE_CLASSES),
      answer(snapshot, "By format", FORMATS),
      answer(snapshot, "Most used tags", TAGS),
      answer(snapshot, ("Album: %s"):format(album), ALBUM, album),
    }
  end)
end

local function run_saved(reader, query)
  -- What bounds its time also ends a loop that was left early.
  return reader:read({ timeout = QUERY_TIMEOUT }, function(snapshot)
    local prepared <close> = snapshot:prepare(query.sql)
    local rows = {}
    for row in prepared:rows() do
      rows[#rows + 1] = row
      if #rows == QUERY_ROWS then break end
    end
    return report.table("Saved query: " .. query.name, prepared:names(), rows)
  end)
end

---Runs the saved queries on a connection that cannot write. One that fails says so in its place,
---and the others run all the same.
---@param db tuff.Database
---@return string
function M.saved(db)
  local reader <close> = db:reader()
  local answers = {}
  for index, query in ipairs(reader:all("select name, sql from Queries order by id")) do
    local ok, result = attempt.call(run_saved, reader, query)
    answers[index] = ok and result
      or ("\nSaved query: %s\n  failed: %s\n"):format(
        text.printable(query.name), (attempt.explain(result):gsub("\n", "\n  ")))
  end
  return table.concat(answers)
end

---The images of a selection.
---@param db tuff.Database
---@param name string see image_library.selections
---@return string
function M.selection(db, name)
  local selection = selections.by_name[name]
  return answer(db, selection.title, selection.sql)
end

---What was left out of the catalogue, grouped by the reason.
---@param problems { path: string, reason: string }[]
---@return string nothing if there are none
function M.left_out(problems)
  if #problems == 0 then
    return ""
  end
  local groups = {}
  for _, problem in ipairs(problems) do
    local group = groups[problem.reason]
    if not group then
      group = { reason = problem.reason, times = 0, ["for example"] = problem.path }
      groups[problem.reason], groups[#groups + 1] = group, group
    end
    group.times = group.times + 1
  end
  table.sort(groups, function(a, b)
    return a.times > b.times or a.times == b.times and a.reason < b.reason
  end)
  return report.table("Left out", { "reason", "times", "for example" }, groups)
end

return M
