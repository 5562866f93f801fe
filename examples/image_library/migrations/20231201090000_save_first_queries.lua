--- The saved queries that a library is born with. They are rows like any other: change them, add
--- your own.

local QUERIES = {
  {
    name = "Same name in many folders",
    sql = [[
select name, count(*) as folders, min(bytes) as smallest, max(bytes) as largest
from Images group by name having count(*) > 1
order by folders desc, name limit 5]],
  },
  {
    name = "Nodes of workflows",
    sql = [[
select n.class_type, count(distinct n.image_id) as images, count(p.name) as properties
from Nodes n left join NodeProperties p on p.node_id = n.id
group by n.class_type order by images desc, n.class_type limit 10]],
  },
  {
    name = "Damaged files",
    sql = [[
select f.path as folder, i.name, i.problem
from Images i join Folders f on f.id = i.folder_id
where i.broken order by f.path, i.name limit 10]],
  },
}

return {
  fresh = true,
  up = function(db)
    -- A library that is older than this migration has them, or has lost them on purpose.
    if db:exists "select 1 from Folders" then return end
    local now = os.date("!%Y-%m-%dT%H:%M:%S.000000Z")
    for _, query in ipairs(QUERIES) do
      db:insert("Queries", { name = query.name, sql = query.sql, created_at = now })
    end
  end,
}
