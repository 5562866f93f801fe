--- The nine tables of an image library, and the questions it is born with.

local M = {}

-- Two-word types carry the type of a value through plain SQL: BOOLEAN INTEGER reads back as a
-- boolean, JSON TEXT as a table, TIMESTAMP TEXT is an ISO-8601 string in UTC with microseconds.
M.sql = [[
create table if not exists Folders (
  id integer primary key,
  parent_id integer references Folders (id) on delete cascade,
  name text not null,
  path text not null unique
);
create index if not exists Folders_parent on Folders (parent_id);

create table if not exists Images (
  id integer primary key,
  folder_id integer not null references Folders (id) on delete cascade,
  name text not null,
  format text check (format in ('png', 'jpeg', 'gif', 'webp')),
  width integer check (width > 0),
  height integer check (height > 0),
  pixels integer generated always as (width * height) virtual,
  bytes integer not null check (bytes >= 0),
  modified_at timestamp text not null,
  added_at timestamp text not null,
  broken boolean integer not null default 0,
  problem text,
  metadata json text,
  unique (folder_id, name)
);
create index if not exists Images_pixels on Images (pixels);
create index if not exists Images_broken on Images (folder_id) where broken;

create table if not exists Tags (
  id integer primary key,
  name text not null unique
);

create table if not exists ImageTags (
  image_id integer not null references Images (id) on delete cascade,
  tag_id integer not null references Tags (id) on delete cascade,
  primary key (image_id, tag_id)
) without rowid;
create index if not exists ImageTags_tag on ImageTags (tag_id);

create table if not exists Albums (
  id integer primary key,
  name text not null unique,
  automatic boolean integer not null default 0,
  created_at timestamp text not null
);

create table if not exists AlbumImages (
  album_id integer not null references Albums (id) on delete cascade,
  image_id integer not null references Images (id) on delete cascade,
  position integer not null,
  primary key (album_id, image_id)
) without rowid;
create index if not exists AlbumImages_image on AlbumImages (image_id);

create table if not exists Nodes (
  id integer primary key,
  image_id integer not null references Images (id) on delete cascade,
  key text not null,
  class_type text not null,
  title text,
  unique (image_id, key)
);
create index if not exists Nodes_class on Nodes (class_type);

create table if not exists NodeProperties (
  node_id integer not null references Nodes (id) on delete cascade,
  name text not null,
  value json text not null,
  is_link boolean integer not null default 0,
  primary key (node_id, name)
) without rowid;

create table if not exists Queries (
  id integer primary key,
  name text not null unique,
  sql text not null,
  created_at timestamp text not null
);
]]

---Saved queries of a new library. They are rows like any other: change them, add your own.
---@type { name: string, sql: string }[]
M.queries = {
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

return M
