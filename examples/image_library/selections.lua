--- Selections of images that people ask for, each answered by an index of its own.

local M = {}

local LISTED = [[
select f.path as folder, i.name as image, i.bytes as size, i.rating
from Images i join Folders f on f.id = i.folder_id
where ]]

---@type table<string, { title: string, sql: string }>
M.by_name = {
  favorites = {
    title = "Favorites",
    sql = LISTED .. "i.favorite order by i.added_at desc limit 20",
  },
  best = {
    title = "Best rated",
    sql = LISTED .. "i.rating is not null order by i.rating desc limit 20",
  },
  nsfw = {
    title = "Not safe for work",
    sql = LISTED .. "i.nsfw order by i.added_at desc limit 20",
  },
  deletion = {
    title = "To be deleted",
    sql = LISTED .. "i.for_deletion order by i.bytes desc limit 20",
  },
  unavailable = {
    title = "Unavailable at the moment",
    sql = LISTED .. "i.unavailable order by i.added_at desc limit 20",
  },
  models = {
    title = "Models",
    sql = [[
select model_hash as model, count(*) as images from Images
where model_hash is not null group by model_hash order by images desc, model limit 20]],
  },
  seeds = {
    title = "Seeds of several images",
    sql = [[
select seed, count(*) as images from Images
where seed is not null group by seed having count(*) > 1 order by images desc, seed limit 20]],
  },
}

---@type string[] their names, sorted
M.names = {}
for name in pairs(M.by_name) do
  M.names[#M.names + 1] = name
end
table.sort(M.names)

return M
