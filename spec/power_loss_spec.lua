local lfs = require "lfs"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"

local soak = os.getenv("TUFF_SOAK") == "1"

--- Where the programs of csrc/test lie: beside the module that these specs use.
local module = package.searchpath("tuff.core", package.cpath)
local built = module:match("^(.*)/tuff/core%.so$") .. "/test"
local here = lfs.currentdir()

--- On a disk of memory: nothing here depends on what the disk of this machine does.
local function directory()
  local base = os.getenv("TMPDIR")
  if lfs.attributes("/dev/shm", "mode") == "directory" then base = "/dev/shm" end
  return temporary.directory(base)
end

local function command(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = process.quote(tostring(word)) end
  return table.concat(quoted, " ")
end

--- Runs the workload under the recorder and replays power losses.
---@param options string of tuff.open, as Lua
---@param images integer how many are wanted
---@param how { lies: boolean?, program: string?, in_place: boolean? }? lies: the disk only says
---   that it has synced; program: what works and checks instead; in_place: images lie where the
---   files lay
---@return table<string, integer> counts by what the checker answered, and `images`
---@return string shown what was wrong with the first ones
local function replay(options, images, how)
  how = how or {}
  local own = here .. "/spec/power_loss/"
  local one = how.program and own .. how.program .. ".lua"
  local programs = one and { { one, "workload" }, { one, "check" } }
    or { { own .. "workload.lua" }, { own .. "check.lua" } }
  local place = directory()
  -- The journals of several files name each other by their whole path: then the images have to
  -- lie where the files lay, and recoveries, which lie elsewhere, are not replayed.
  local live, log = place .. (how.in_place and "/images/first" or "/live"), place .. "/log"
  assert(lfs.mkdir(place .. "/images") and lfs.mkdir(live))
  local preload = os.getenv("LD_PRELOAD")
  local environment = command {
    "env", "LUA_PATH=" .. here .. "/?.lua;" .. package.path:gsub("%./", here .. "/"),
    "LUA_CPATH=" .. package.cpath:gsub("%./", here .. "/"),
  }
  local recorded = command {
    "LD_PRELOAD=" .. (preload and preload .. ":" or "") .. built .. "/recorder.so",
    "DISK_LOG=" .. log, "DISK_DIRECTORY=" .. live, how.lies and "DISK_LIES=1" or "DISK_HONEST=1",
  }
  local workload = command { "lua5.4", table.unpack(programs[1]) } .. " " .. command {
    options, soak and 60 or 30,
  }
  assert(os.execute(("cd %s && %s %s %s > /dev/null"):format(process.quote(live), environment,
    recorded, workload)))
  local shown = place .. "/shown"
  local output = process.capture(("%s %s 2> %s"):format(environment, command {
    built .. "/replayer", "--images", images,
  } .. " " .. (how.in_place and "" or command {
    "--again", soak and 100 or 50, "--recorder", built .. "/recorder.so",
  }) .. " " .. command { log, place .. "/images", "lua5.4", table.unpack(programs[2]) } .. " "
    .. command { options }, process.quote(shown)))
  local counts = {}
  for word, count in output:gmatch("(%a+) (%d+)") do counts[word] = math.tointeger(count) end
  return counts, temporary.read(shown)
end

describe("after a power loss", function()
  local images = soak and 4000 or 200

  after_each(temporary.remove_all)

  --- Every image is a state that was committed, and no acknowledged one is missing.
  local function loses_nothing(options)
    local counts, shown = replay(options, images)
    assert.equal(counts.images, counts.ok, shown)
    assert.is_true(counts.images >= images and counts.recoveries > 0)
  end

  --- Every image is a state that was committed, though perhaps not the last.
  local function keeps_a_prefix(options)
    local counts, shown = replay(options, images)
    assert.equal(counts.images, counts.ok + (counts.lost or 0), shown)
  end

  local two_files = { program = "two_files", in_place = true }

  it("nothing acknowledged is lost", function() loses_nothing("{}") end)

  it("nothing acknowledged is lost where checkpoints are frequent", function()
    loses_nothing("{ page_size = 65536 }")
  end)

  it("nothing acknowledged is lost with a rollback journal", function()
    loses_nothing("{ journal = 'delete' }")
  end)

  it("durability = \"normal\" keeps a prefix of what was committed", function()
    keeps_a_prefix("{ durability = 'normal' }")
  end)

  it("durability = \"normal\" keeps a prefix with a rollback journal", function()
    keeps_a_prefix("{ durability = 'normal', journal = 'delete' }")
  end)

  it("a transaction over two files is in both with a rollback journal", function()
    local counts, shown = replay("{ journal = 'delete' }", images, two_files)
    assert.equal(counts.images, counts.ok, shown)
  end)

  it("a transaction over two files with logs may be in one alone, but none is lost", function()
    local counts, shown = replay("{}", images, two_files)
    assert.equal(counts.images, counts.ok + (counts.apart or 0), shown)
  end)

  it("a copy is the last one that was made, or the next, whole", function()
    for _, options in ipairs { "{}", "{ journal = 'delete' }" } do
      local counts, shown = replay(options, images, { program = "copy" })
      assert.equal(counts.images, counts.ok, shown)
      assert.is_true(counts.recoveries > 0)
    end
  end)

  it("a migration is there whole or not at all, and the next run ends the rest", function()
    for _, options in ipairs { "{}", "{ journal = 'delete' }" } do
      local counts, shown = replay(options, images // 2, { program = "migration" })
      assert.equal(counts.images, counts.ok, shown)
      assert.is_true(counts.recoveries > 0)
    end
  end)

  it("this would be noticed: a disk that lies loses and corrupts", function()
    for _, options in ipairs { "{}", "{ journal = 'delete' }" } do
      local counts = replay(options, 200, { lies = true })
      assert.is_true((counts.lost or 0) > 10, "nothing was lost")
      assert.is_true((counts.corrupt or 0) + (counts.halved or 0) > 3, "nothing was corrupted")
    end
    local counts = replay("{}", 200, { lies = true, program = "copy" })
    assert.is_true((counts.lost or 0) + (counts.corrupt or 0) > 10, "no copy was lost")
  end)
end)
