--- Folders that have lost their parents, or hang in a wrong one, find them by their paths.

-- A path is that of the parent, a slash and the name; the root of all folders has no parent.
local PARENT = [[
  case Folders.path
    when Folders.name then null
    when '/' || Folders.name then '/'
    else substr(Folders.path, 1, length(Folders.path) - length(Folders.name) - 1)
  end]]

local FOUND = ("(select above.id from Folders above where above.path = %s)"):format(PARENT)

return {
  transaction = false,
  up = function(_, step)
    step.batch { table = "Folders", set = "parent_id = " .. FOUND }
  end,
  done = function(db)
    return not db:exists("select 1 from Folders where parent_id is distinct from " .. FOUND)
  end,
}
