--- A file that was catalogued more than once becomes one image, the oldest one. It takes the places
--- of the others in albums.

return {
  phase = "pre", -- the index that keeps it so is made when this is done
  up = function(db, step)
    if not step.has "Images.path" then return end -- younger ones could not have a file twice
    db:exec [[
      create table Copies as
        select i.id, first.id as first_id
        from Images i
        join (select path, min(id) as id from Images group by path having count(*) > 1) first
          on first.path = i.path;
      create table Entries as
        select e.album_id, c.first_id as image_id, min(e.position) as position
        from AlbumImages e join Copies c on c.id = e.image_id
        group by e.album_id, c.first_id;
      delete from AlbumImages where image_id in (select id from Copies);
      insert into AlbumImages (album_id, image_id, position)
        select album_id, image_id, position from Entries;

      -- In a migration nothing follows its parent by itself.
      delete from Copies where id = first_id;
      delete from ImageTags where image_id in (select id from Copies);
      delete from NodeProperties where node_id in (
        select id from Nodes where image_id in (select id from Copies));
      delete from Nodes where image_id in (select id from Copies);
      delete from Images where id in (select id from Copies);
      drop table Entries;
      drop table Copies]]
  end,
}
