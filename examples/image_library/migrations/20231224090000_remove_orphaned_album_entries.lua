--- Entries of albums whose album or image is gone, from the time when nothing kept them together.

return {
  id = "RupertAvery20231224_0001_CleanupOrphanedAlbumImageEntries", -- as libraries know it
  up = function(db)
    db:run [[
      delete from AlbumImages
      where not exists (select 1 from Albums where Albums.id = AlbumImages.album_id)
         or not exists (select 1 from Images where Images.id = AlbumImages.image_id)]]
  end,
}
