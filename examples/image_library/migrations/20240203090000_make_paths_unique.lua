--- A file that was catalogued twice becomes one image, the older one. It takes the places of the
--- others in albums.

return {
  phase = "pre", -- the index that keeps it so is made when this is done
  up = function(db, step)
    if not step.has "Images.path" then return end -- younger ones could not have a file twice
    db:exec [[
      create table Duplicates as
        select i.id, first.id as first_id
        from Images i
        join (select path, min(id) as id from Images group by path having count(*) > 1) first
          on first.path = i.path and first.id <> i.id;
      insert into AlbumImages (album_id, image_id, position)
        select e.album_id, d.first_id, min(e.position)
        from AlbumImages e join Duplicates d on d.id = e.image_id
        where not exists (select 1 from AlbumImages there
          where there.album_id = e.album_id and there.image_id = d.first_id)
        group by e.album_id, d.first_id;

      -- In a migration nothing follows its parent by itself.
      delete from AlbumImages where image_id in (select id from Duplicates);
      delete from ImageTags where image_id in (select id from Duplicates);
      delete from NodeProperties where node_id in (
        select id from Nodes where image_id in (select id from Duplicates));
      delete from Nodes where image_id in (select id from Duplicates);
      delete from Images where id in (select id from Duplicates);
      drop table Duplicates]]
  end,
}
