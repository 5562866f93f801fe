--- luafilesystem, without the global variable that it makes when it is loaded.
local before = rawget(_G, "lfs")
local lfs = require "lfs"
rawset(_G, "lfs", before)

return lfs
