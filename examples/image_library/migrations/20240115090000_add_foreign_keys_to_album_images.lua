--- From now on an entry of an album goes with its album, and with its image.

-- An image that was put into an album twice stands at the first of its places.
local REPEATED = [[
  select album_id, image_id, min(position) as position from AlbumImages
  group by album_id, image_id having count(*) > 1]]

return {
  up = function(db, step)
    local entries = db:all(REPEATED)
    db:run(([[
      delete from AlbumImages where (album_id, image_id) in (
        select album_id, image_id from (%s) as repeated)]]):format(REPEATED))
    db:insert_many("AlbumImages", entries)
    step.apply(require "image_library.schema", { only = { "albumimages" } })
  end,
}
