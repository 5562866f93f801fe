--- Images had their whole paths at first. Their folders have the rest of it.

return {
  phase = "pre", -- a name is declared as what no image may lack
  up = function(db, step)
    if not step.has "Images.path" or step.has "Images.name" then return end
    db:exec "alter table Images add column name text"
    -- What rtrim leaves is the path up to its last slash.
    db:run "update Images set name = substr(path, length(rtrim(path, replace(path, '/', ''))) + 1)"
  end,
}
