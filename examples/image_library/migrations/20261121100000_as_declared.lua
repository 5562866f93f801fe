--- The tables of older libraries were made by statements of the program. From now on they are what
--- schema.lua declares: integers of one kind, ids that are never given twice, names of constraints
--- and indexes, and no paths in Images, which names and folders tell.

return {
  phase = "post", -- whatever needs what goes here has been done
  up = function(_, step)
    local schema = require "image_library.schema"
    local ours = {} -- people may have tables and views of their own in the same database
    for index, table in ipairs(schema.tables) do
      ours[index] = table.name
    end
    step.apply(schema, { only = ours, allow_drop = { "images.path" } })
  end,
}
