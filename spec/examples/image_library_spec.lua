package.path = "examples/?.lua;" .. package.path

local lfs = require "lfs"
local tuff = require "tuff"
local json = require "tuff.json"
local fixture = require "spec.support.fixture"
local process = require "spec.support.process"
local temporary = require "spec.support.temporary"
local fixtures = require "image_library.fixtures"
local generation = require "image_library.generation"
local image = require "image_library.image"
local report = require "image_library.report"
local scan = require "image_library.scan"
local selections = require "image_library.selections"
local text = require "image_library.text"
local walk = require "image_library.walk"
local workflow = require "image_library.workflow"
local Catalogue = require "image_library.catalogue"

local TABLES = {
  "Folders", "Images", "Tags", "ImageTags", "Albums", "AlbumImages", "Nodes", "NodeProperties",
  "Queries",
}

local MAIN = "examples/image_library/main.lua"

local quoted, contents = process.quote, temporary.read

local place, tree, database -- of the test

-- Called in a `describe`: each of its tests has an empty tree, and a database that `path_of` names.
local function before_each_test(path_of)
  before_each(function()
    place = temporary.directory()
    tree, database = place .. "/tree", path_of()
    assert(lfs.mkdir(tree))
  end)
end

local function read(bytes)
  fixtures.write(place .. "/file", bytes)
  return assert(image.read(place .. "/file"))
end

-- Runs the program as a user does, with the modules that this spec has found.
local function run(arguments, prefix)
  local out, err = place .. "/out", place .. "/err"
  local _, _, status = os.execute(
    ("LUA_PATH=%s LUA_CPATH=%s %s lua5.4 %s %s </dev/null >%s 2>%s"):format(
      quoted(package.path), quoted(package.cpath), prefix or "", MAIN, arguments, out, err))
  return { status = status, out = contents(out), err = contents(err) }
end

local function catalogue(prefix)
  return run(quoted(tree) .. " --database " .. quoted(database), prefix)
end

-- The same within this process, where an error can be put in its way.
local function scan_here(on_image)
  local library <close> = Catalogue.open(database)
  return scan.run(library, walk.tree(assert(walk.real_path(tree))), on_image)
end

local function count(sql, ...)
  local db <close> = tuff.open(database, { readonly = true })
  return db:value(sql, ...)
end

-- PostgreSQL lets no reference dangle, nor can it be told to.
local function check_references(db)
  if db.engine == "sqlite" then assert.same({}, db:all("pragma foreign_key_check")) end
end

describe("The image library", function()
  before_each_test(function() return place .. "/library.db" end)
  fixture.clean_up()

  describe("reading a file", function()
    it("finds the size of every format", function()
      local expected = {
        png = fixtures.png(70000, 3),
        jpeg = fixtures.jpeg(70, 3),
        gif = fixtures.gif(70, 3),
        webp = fixtures.webp_file(fixtures.webp_lossless(16384, 3)),
      }
      local widths = { png = 70000, jpeg = 70, gif = 70, webp = 16384 }
      for format, bytes in pairs(expected) do
        local header = read(bytes)
        assert.same({ format, widths[format], 3 }, { header.format, header.width, header.height })
        assert.is_nil(header.problem)
      end
    end)

    it("finds the size of the other two forms of WebP", function()
      local lossy = read(fixtures.webp_file(fixtures.webp_lossy()))
      assert.same({ "webp", 1, 1 }, { lossy.format, lossy.width, lossy.height })
      local extended = read(fixtures.webp_extended(64, 32, fixtures.exif({}), "<x/>"))
      assert.same({ "webp", 64, 32 }, { extended.format, extended.width, extended.height })
    end)

    it("finds texts in PNG and says which it had to leave out", function()
      local header = read(fixtures.png(2, 2, fixtures.png_text("Author", "Ren\xE9")
        .. fixtures.png_international_text("Title", "\u{263A}")
        .. fixtures.png_compressed_text("Comment", "text")))
      assert.same({ Author = "René", Title = "\u{263A}" }, header.texts)
      assert.same({ "Comment: compressed" }, header.omitted)
    end)

    it("finds comments and EXIF texts in JPEG, in either byte order", function()
      for _, order in ipairs { "<", ">" } do
        local exif = fixtures.exif({ [0x010E] = "A harbour", [0x013B] = "Zoë", [0x010F] = "abc" },
          order)
        local header = read(fixtures.jpeg(8, 8,
          fixtures.jpeg_segment(0xE1, "Exif\0\0" .. exif) .. fixtures.jpeg_segment(0xFE, "Noon")))
        assert.same({ ImageDescription = "A harbour", Artist = "Zoë", Make = "abc",
                      Comment = "Noon" }, header.texts)
      end
    end)

    it("finds a long comment in GIF and EXIF in WebP", function()
      local comment = ("long "):rep(100) .. "end"
      assert.equal(comment, read(fixtures.gif(3, 3, comment)).texts.Comment)
      local exif = fixtures.exif({ [0x013B] = "Zoë" })
      assert.same({ Artist = "Zoë", xmp_bytes = "5" },
        read(fixtures.webp_extended(9, 9, exif, "<xx/>")).texts)
    end)

    it("goes by the contents and not by the name", function()
      fixtures.write(place .. "/picture.png", fixtures.jpeg(5, 5))
      assert.equal("jpeg", image.read(place .. "/picture.png").format)
    end)

    it("leaves a text out that is longer than a catalogue wants", function()
      local header = read(fixtures.png(2, 2, fixtures.png_text("Comment", ("x"):rep(2 << 20))))
      assert.same({}, header.texts)
      assert.equal(1, #header.omitted)
      assert.is_nil(header.problem)
    end)

    it("says what is wrong with a file that is cut off anywhere", function()
      local exif = fixtures.exif({ [0x010E] = "A harbour" })
      for _, whole in ipairs {
        fixtures.png(4, 4, fixtures.png_text("Comment", "text")),
        fixtures.jpeg(4, 4, fixtures.jpeg_segment(0xE1, "Exif\0\0" .. exif)):match("^(.-\xFF\xDA)"),
        fixtures.gif(4, 4, "text"),
        fixtures.webp_extended(4, 4, exif, "<x/>"):sub(1, -9),
      } do
        for length = 0, #whole - 1 do
          local header = read(whole:sub(1, length))
          -- WebP may end behind any chunk.
          if header.format ~= "webp" or not header.width then
            assert.is_string(header.problem, ("%d of %q"):format(length, whole))
          end
        end
      end
    end)

    it("returns valid text and no error for files with wrong bytes anywhere", function()
      math.randomseed(20240601)
      local exif = fixtures.exif({ [0x010E] = "A harbour", [0x013B] = "Zoë" })
      local files = {
        fixtures.png(4, 4, fixtures.png_text("Comment", "text")
          .. fixtures.png_international_text("Title", "\u{263A}")),
        fixtures.jpeg(4, 4, fixtures.jpeg_segment(0xE1, "Exif\0\0" .. exif)),
        fixtures.gif(4, 4, "text"),
        fixtures.webp_extended(4, 4, exif, "<x/>"),
      }
      for round = 1, 2000 do
        local bytes = files[round % #files + 1]
        for _ = 1, math.random(4) do
          local at = math.random(#bytes)
          bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
        end
        local header = read(bytes)
        assert.truthy(header.problem or header.width > 0 and header.height > 0)
        for name, value in pairs(header.texts) do
          assert.truthy(utf8.len(name) and utf8.len(value) and not value:find("\0", 1, true))
        end
      end
    end)

    it("returns nil and a reason for a file that cannot be opened", function()
      local header, reason = image.read(place .. "/missing.png")
      assert.is_nil(header)
      assert.equal("No such file or directory", reason)
    end)
  end)

  describe("names", function()
    it("become text and come back byte for byte", function()
      for _, name in ipairs { "plain", "café", "caf\xE9", "caf\\xE9", "\\", "\\\xFF", "\\x\xFFx",
                              "\xED\xA0\x80", "\xC3", "a\\x5Cx" } do
        local escaped = text.escape(name)
        assert.truthy(utf8.len(escaped))
        assert.equal(name, text.unescape(escaped))
      end
      assert.equal("caf\\xE9", text.escape("caf\xE9"))
      assert.equal("caf\\x5CxE9", text.escape("caf\\xE9"))
    end)

    it("cannot send commands to a terminal", function()
      local shown = report.table("\27[2J", { "name" }, { { name = "\27[31m\u{9B}red\n" } })
      assert.is_nil(shown:gsub("\n", ""):find("%c"))
      assert.is_nil(shown:find("\u{9B}", 1, true))
    end)
  end)

  describe("a workflow", function()
    it("is read from the nodes as they were executed", function()
      local nodes = assert(workflow.read { prompt = fixtures.PROMPT, workflow = fixtures.DRAWING })
      assert.equal(2, #nodes)
      local sampler = nodes[1]
      assert.same({ "3", "KSampler", "The sampler" },
        { sampler.key, sampler.class_type, sampler.title })
      local values, links = {}, {}
      for _, property in ipairs(sampler.properties) do
        values[property.name] = json.decode(property.value)
        links[property.name] = property.is_link
      end
      assert.same({ cfg = 7.5, seed = 1125899906842624, model = { "4", 0 }, text = 'NaN " stays' },
        values)
      assert.same({ cfg = false, seed = false, model = true, text = false }, links)
    end)

    it("is read from the drawing if there is nothing else", function()
      local nodes = assert(workflow.read { workflow = fixtures.DRAWING })
      assert.same({ "7", "SaveImage", "Out" },
        { nodes[1].key, nodes[1].class_type, nodes[1].title })
      assert.same({ name = "widget 001", value = '"ComfyUI"', is_link = false },
        nodes[1].properties[1])
      assert.equal("image", nodes[2].properties[1].name)
    end)

    it("is not what other programs call a prompt", function()
      assert.same({ n = 2 }, table.pack(workflow.read { prompt = "a cat" }))
    end)

    it("that is damaged is a problem and no error", function()
      for _, source in ipairs { "{", '{"1": ', "{]", '{"1": {"class_type": "a"', '{"1": 1}',
                                '{"1": ' .. ("["):rep(1e5), '{"nodes": [1, {}, {"id": 1}]}' } do
        assert.is_nil((workflow.read { prompt = source, workflow = source }))
      end
      local _, problem = workflow.read { prompt = "{" }
      assert.equal("prompt: no valid JSON", problem)
    end)

    it("holds each name once", function()
      local nodes = workflow.read {
        workflow = [[{"nodes": [{"id": 1, "type": "a"}, {"id": "1", "type": "b"}]}]],
      }
      assert.equal(1, #nodes)
    end)
  end)

  describe("the generator of an image", function()
    local function of(texts)
      return generation.read(texts, (workflow.read(texts)))
    end

    it("is read from a line of values behind the prompts", function()
      assert.same({ model_hash = "6ce0161689", seed = 4294967296123, sampler = "Euler a" }, of {
        parameters = "a cat, Seed: none\nNegative prompt: dogs\nSteps: 20, Sampler: Euler a, "
          .. "CFG scale: 7, Seed: 4294967296123, Size: 512x512, Model hash: 6ce0161689, Model: x",
      })
    end)

    it("is read from JSON in the forms that there are", function()
      assert.same({ seed = 5, sampler = "k_euler" },
        of { Comment = [[{"seed": 5, "sampler": "k_euler", "steps": 28}]] })
      assert.same({ seed = 6, sampler = "ddim", model_hash = "abc" },
        of { ["sd-metadata"] = [[{"model_hash": "abc", "image": {"seed": 6, "sampler": "ddim"}}]] })
      assert.same({ seed = 7, sampler = "euler", model_hash = "def" },
        of { invokeai_metadata = [[{"seed": 7, "scheduler": "euler", "model": {"hash": "def"}}]] })
    end)

    it("is read from the sampler of a workflow", function()
      assert.same({ seed = 1125899906842624 }, of { prompt = fixtures.PROMPT })
      assert.same({ seed = 9, sampler = "dpmpp_2m" }, of {
        prompt = [[{ "1": { "class_type": "KSamplerAdvanced",
          "inputs": { "noise_seed": 9, "sampler_name": "dpmpp_2m", "model": ["4", 0] } } }]],
      })
    end)

    it("knows no seed that does not fit, or comes from elsewhere", function()
      assert.same({}, of { parameters = "Steps: 1, Seed: 18446744073709551616" })
      assert.same({ sampler = "x" }, of { Comment = [[{"seed": 1.5, "sampler": "x"}]] })
      assert.same({}, of {
        prompt = [[{"1": {"class_type": "KSampler", "inputs": {"seed": ["2", 0]}}}]],
      })
    end)

    it("may say anything", function()
      for _, source in ipairs { "", "{", "[]", "Seed: ", "Seed: x, Sampler: ,", "{}",
                                '{"seed": {}, "sampler": [1], "model": [], "image": 1}',
                                '{"image": {"seed": "\\u0000", "sampler": ""}}' } do
        assert.same({}, of {
          parameters = source, Comment = source, prompt = source, ["sd-metadata"] = source,
        })
      end
    end)
  end)

  describe("in trouble", function()
    it("explains itself on request", function()
      local result = run("--help")
      assert.equal(0, result.status)
      assert.truthy(result.out:find("--database", 1, true))
    end)

    it("names a directory that is not there, and fails", function()
      local result = run(quoted(place .. "/nowhere") .. " -d " .. quoted(database))
      assert.equal(1, result.status)
      assert.equal("", result.out)
      assert.equal(("image_library: %s/nowhere: No such file or directory\n"):format(place),
        result.err)
      assert.is_nil(lfs.attributes(database))
    end)

    it("names a server that does not answer, but not the password, and fails", function()
      local url = "postgres://user:sekret@/app?host=" .. place
      local result = run(quoted(tree) .. " -d " .. quoted(url))
      assert.equal(1, result.status)
      assert.equal("", result.out)
      assert.truthy(result.err:find("^image_library: "))
      assert.truthy(result.err:find(place, 1, true))
      assert.is_nil(result.err:find("sekret", 1, true))
    end)

    it("fails on wrong arguments and on a file that is no database", function()
      assert.equal(1, run("").status)
      assert.equal(1, run("--nonsense x").status)
      fixtures.write(database, ("no database\n"):rep(1000))
      local result = catalogue()
      assert.equal(1, result.status)
      assert.truthy(result.err:find("library.db", 1, true))
      assert.equal(("no database\n"):rep(1000), contents(database))
    end)
  end)
end)

fixture.each_engine("The image library", function(engine)
  before_each_test(function()
    engine.database():close()
    return engine.path()
  end)

  describe("run on a tree", function()
    it("stores it in nine tables and says how much it was", function()
      local counts = fixtures.tree(tree)
      local result = catalogue()
      assert.equal("", result.err)
      assert.equal(0, result.status)
      assert.equal(("catalogued %d images in %d folders"):format(counts.images, counts.folders),
        result.out:match("([^\n]*)\n$"))
      assert.equal(("%d new, 0 changed, 0 removed"):format(counts.images),
        result.out:match("^[^\n]*"))

      local db <close> = tuff.open(database, { readonly = true })
      for _, name in ipairs(TABLES) do
        assert.truthy(db:exists(("select 1 from %s"):format(name)), name .. " is empty")
      end
      assert.equal(counts.images, db:value("select count(*) from Images"))
      assert.equal(counts.bytes, db:value("select cast(sum(bytes) as bigint) from Images"))
      assert.equal(counts.broken, db:value("select count(*) from Images where broken"))
      check_references(db)
    end)

    it("says the same as on any other engine", function()
      fixtures.tree(tree)
      local elsewhere = run(quoted(tree) .. " --database " .. quoted(place .. "/library.db"))
      assert.equal(elsewhere.out, catalogue().out)
    end)

    it("keeps booleans, times and JSON as what they are", function()
      fixtures.tree(tree)
      catalogue()
      local db <close> = tuff.open(database, { readonly = true })
      local harbour = db:row("select * from Images where name = 'harbour.jpg'")
      assert.is_false(harbour.broken)
      assert.equal("A harbour #sea", harbour.metadata.ImageDescription)
      assert.equal(27, #harbour.modified_at)
      assert.equal(640 * 480, harbour.pixels)
      assert.is_true(db:value("select broken from Images where name = 'empty.png'"))
      assert.same({ "4", 0 }, db:value("select value from NodeProperties where name = 'model'"))
      assert.equal(7.5, db:value("select value from NodeProperties where name = 'cfg'"))
      assert.equal("NaN \" stays", db:value("select value from NodeProperties where name = 'text'"))
    end)

    it("keeps the values of a workflow to the letter", function()
      local inputs = { text = "a\0b", big = 1e15, small = -0.0, [""] = "é" }
      fixtures.write(tree .. "/a.png", fixtures.png(1, 1, fixtures.png_text("prompt",
        json.encode { ["1"] = { class_type = "a", inputs = inputs } })))
      catalogue()
      local db <close> = tuff.open(database, { readonly = true })
      local values = {}
      for _, name, value in db:tuples("select name, value from NodeProperties") do
        values[name] = value
      end
      assert.same(inputs, values)
      assert.equal("float", math.type(values.big))
    end)

    it("makes tags of folders, names, keywords and hashtags", function()
      fixtures.tree(tree)
      catalogue()
      local db <close> = tuff.open(database, { readonly = true })
      local function tags(name)
        return db:column([[
          select t.name from Tags t join ImageTags it on it.tag_id = t.id
          join Images i on i.id = it.image_id where i.name = ? order by t.name]], name)
      end
      assert.same({ "boats", "harbour", "jpeg", "photos", "sea" }, tags("harbour.jpg"))
      assert.same({ "beach", "keywords", "photos", "png", "summer" }, tags("keywords.png"))
      assert.same({ "comfyui", "generated", "png", "prompt" }, tags("prompt.png"))
    end)

    it("stores names that are no UTF-8, and shows none that could harm a terminal", function()
      fixtures.tree(tree)
      local result = catalogue()
      assert.is_nil(result.out:gsub("\n", ""):find("%c"))
      local db <close> = tuff.open(database, { readonly = true })
      local names = db:column([[
        select i.name from Images i join Folders f on f.id = i.folder_id
        where f.name = 'names' order by width]])
      assert.same({ "caf\\xE9.png", "caf\\x5CxE9.png", "\27[31mred\n.png" }, names)
    end)

    it("notes links that lead nowhere, in a circle or to a folder", function()
      fixtures.tree(tree)
      local out = catalogue().out
      assert.truthy(out:find("link to nothing%s+2 "))
      assert.truthy(out:find("link to a folder, not followed%s+1 "))
      assert.truthy(out:find("metadata left out: Comment: compressed%s+1 "))
    end)

    it("reads a link to a file, and waits for no pipe", function()
      fixtures.write(tree .. "/a/real.png", fixtures.png(3, 3))
      lfs.link("a/real.png", tree .. "/link.png", true)
      os.execute("mkfifo " .. quoted(tree .. "/pipe.png"))
      assert.truthy(catalogue("timeout 20").out:find("catalogued 2 images in 2 folders\n$"))
    end)

    it("writes nothing but the report into a pipe", function()
      fixtures.tree(tree)
      local result = catalogue()
      assert.equal("", result.err)
      assert.is_nil(result.out:find("[\r\27]"))
    end)

    it("says that an empty directory holds no image", function()
      local result = catalogue()
      assert.equal(0, result.status)
      assert.truthy(result.out:find("catalogued 0 images in 0 folders\n$"))
    end)

    it("fills an album with the largest images, in order", function()
      fixtures.tree(tree)
      catalogue()
      local db <close> = tuff.open(database, { readonly = true })
      assert.same({ "harbour.jpg", "prompt.png", "lossless.webp" }, db:column([[
        select i.name from AlbumImages ai join Images i on i.id = ai.image_id
        join Albums a on a.id = ai.album_id
        where a.name = 'Largest images' order by ai.position limit 3]]))
    end)
  end)

  describe("run again", function()
    -- What no write leaves as it was: the file, or the places and the writers of all rows.
    local function stored()
      local db <close> = tuff.open(database, { readonly = true })
      if db.engine == "sqlite" then return contents(database) end
      local rows = {}
      for _, name in ipairs(TABLES) do
        rows[#rows + 1] = db:value(
          ("select string_agg(ctid || ' ' || xmin, ',' order by ctid) from %s"):format(name))
      end
      return table.concat(rows, "\n")
    end

    it("writes no byte if nothing has changed", function()
      fixtures.tree(tree)
      catalogue()
      local before = stored()
      local result = catalogue()
      assert.equal("0 new, 0 changed, 0 removed", result.out:match("^[^\n]*"))
      assert.truthy(before == stored(), "the database has changed")
    end)

    it("touches only what is new, changed or gone", function()
      local counts = fixtures.tree(tree)
      catalogue()
      local before = count("select id from Images where name = 'harbour.jpg'")
      fixtures.write(tree .. "/photos/harbour.jpg", fixtures.jpeg(100, 50))
      fixtures.write(tree .. "/photos/another.png", fixtures.png(7, 7))
      assert(lfs.touch(tree .. "/web/lossless.webp", 1000000000))
      os.remove(tree .. "/generated/prompt.png")
      os.execute("rm -r " .. quoted(tree .. "/icons"))
      local result = catalogue()
      assert.equal("1 new, 2 changed, 4 removed", result.out:match("^[^\n]*"))
      assert.truthy(result.out:find(("catalogued %d images in %d folders\n$"):format(
        counts.images - 3, counts.folders - 2)))

      local db <close> = tuff.open(database, { readonly = true })
      assert.same({ id = before, width = 100 },
        db:row("select id, width from Images where name = 'harbour.jpg'"))
      assert.equal("2001-09-09T01:46:40.000000Z",
        db:value("select modified_at from Images where name = 'lossless.webp'"))
      assert.is_false(db:exists("select 1 from Tags where name = 'boats'"))
      assert.is_false(db:exists("select 1 from Nodes where class_type = 'KSampler'"))
      assert.is_false(db:exists("select 1 from Folders where path like '%/icons%'"))
      check_references(db)
    end)

    it("keeps what lies in a folder that cannot be read at the moment", function()
      local counts = fixtures.tree(tree)
      scan_here()
      local dir = lfs.dir
      finally(function() lfs.dir = dir end)
      lfs.dir = function(path)
        if path:find("/icons$") then
          error("cannot open " .. path .. ": Permission denied")
        end
        return dir(path)
      end
      local changes = scan_here()
      assert.same({ 0, 0, 0 }, { changes.new, changes.changed, changes.removed })
      assert.equal(counts.images, count("select count(*) from Images"))
      assert.equal("folder cannot be read: Permission denied", changes.problems[1].reason)
    end)

    it("leaves other trees, albums and saved queries in the same database alone", function()
      fixtures.write(tree .. "/a/1.png", fixtures.png(1, 1))
      fixtures.write(tree .. "-2/a/2.png", fixtures.png(2, 2))
      fixtures.write(tree .. "0/a/3.png", fixtures.png(3, 3))
      for _, suffix in ipairs { "", "-2", "0" } do
        run(quoted(tree .. suffix) .. " -d " .. quoted(database))
      end
      do
        local db <close> = tuff.open(database)
        local album = db:insert("Albums", {
          name = "Mine", created_at = "2024-01-01T00:00:00.000000Z",
        })
        db:run("insert into AlbumImages select ?, id, 1 from Images where name = '1.png'", album)
        db:run("update Queries set sql = 'select 42 as answer' where id = 1")
        db:run("delete from Queries where id = 2")
      end
      fixtures.write(tree .. "/a/1.png", fixtures.png(9, 9))
      local result = catalogue()
      assert.equal("0 new, 1 changed, 0 removed", result.out:match("^[^\n]*"))
      assert.truthy(result.out:find("\n  answer\n  %-%-%-%-%-%-\n      42\n"))
      assert.equal(3, count("select count(*) from Images"))
      assert.equal(2, count("select count(*) from Queries"))
      assert.equal(1, count([[
        select count(*) from AlbumImages ai join Albums a on a.id = ai.album_id
        where a.name = 'Mine']]))
    end)

    -- Sets what only people say of an image, and forgets what stands in its file.
    local function mark(name)
      local db <close> = tuff.open(database)
      db:run([[update Images set rating = 9, favorite = true, seed = null, sampler = null
        where name = ?]], name)
    end

    local function ask_for_rescan()
      local db <close> = tuff.open(database)
      db.settings:set("rescan", true)
    end

    it("reads every file again where a migration has asked for it, and only once", function()
      local counts = fixtures.tree(tree)
      catalogue()
      mark("prompt.png")
      ask_for_rescan()
      assert.equal(("0 new, %d changed, 0 removed"):format(counts.images),
        catalogue().out:match("^[^\n]*"))
      local db <close> = tuff.open(database, { readonly = true })
      assert.same({ rating = 9, favorite = true, seed = 1125899906842624 },
        db:row "select rating, favorite, seed from Images where name = 'prompt.png'")
      assert.is_nil(db.settings:get("rescan"))
      assert.equal("0 new, 0 changed, 0 removed", catalogue().out:match("^[^\n]*"))
    end)

    it("forgets of no tree, nor of the rest of one, that it is to be read again", function()
      for number = 1, 1500 do
        fixtures.write(("%s/%04d.png"):format(tree, number), fixtures.png(1, 1))
      end
      fixtures.write(tree .. "-2/1.png", fixtures.png(1, 1))
      catalogue()
      run(quoted(tree .. "-2") .. " -d " .. quoted(database))
      ask_for_rescan()
      assert.is_false(pcall(scan_here, function(done)
        if done == 1400 then error("interrupted!") end
      end))
      assert.equal("0 new, 500 changed, 0 removed", catalogue().out:match("^[^\n]*"))
      local other = run(quoted(tree .. "-2") .. " -d " .. quoted(database))
      assert.equal("0 new, 1 changed, 0 removed", other.out:match("^[^\n]*"))
    end)

    it("marks what cannot be read at the moment, until it can be", function()
      fixtures.tree(tree)
      catalogue()
      mark("harbour.jpg")
      local read_file, dir = image.read, lfs.dir
      finally(function() image.read, lfs.dir = read_file, dir end)
      assert(lfs.touch(tree .. "/photos/harbour.jpg", 1000000000))
      image.read = function(path)
        if path:find("harbour") then return nil, "Permission denied" end
        return read_file(path)
      end
      lfs.dir = function(path)
        if path:find("/icons/16x16$") then error("cannot open: Permission denied") end
        return dir(path)
      end
      scan_here()
      assert.equal(3, count("select count(*) from Images where unavailable"))
      assert.equal(2, count([[select count(*) from Images i join Folders f on f.id = i.folder_id
        where unavailable and f.path like '%/icons/16x16/actions']]))
      assert.equal(640, count("select width from Images where name = 'harbour.jpg'"))

      image.read, lfs.dir = read_file, dir
      assert.equal("0 new, 3 changed, 0 removed", catalogue().out:match("^[^\n]*"))
      assert.equal(0, count("select count(*) from Images where unavailable"))
      assert.is_true(count("select favorite from Images where name = 'harbour.jpg'"))
    end)

    it("hangs a tree that was catalogued alone into the one around it", function()
      fixtures.write(tree .. "/a/b/1.png", fixtures.png(1, 1))
      run(quoted(tree .. "/a/b") .. " -d " .. quoted(database))
      local result = catalogue()
      assert.equal("0 new, 0 changed, 0 removed", result.out:match("^[^\n]*"))
      assert.equal("a", count([[
        select above.name from Folders f join Folders above on above.id = f.parent_id
        where f.name = 'b']]))
    end)
  end)

  describe("asked for a selection", function()
    it("lists it behind all else", function()
      fixtures.tree(tree)
      catalogue()
      do
        local db <close> = tuff.open(database)
        db:run "update Images set favorite = true where name in ('harbour.jpg', 'wait.gif')"
      end
      local out = run(quoted(tree) .. " --show favorites -s best -d " .. quoted(database)).out
      local listed = out:match("\nFavorites\n(.-)\n\n")
      assert.truthy(listed:find("harbour.jpg", 1, true) and listed:find("wait.gif", 1, true))
      assert.is_nil(listed:find("prompt.png", 1, true))
      assert.truthy(out:find("\nBest rated\n  (nothing)\n", 1, true))
      assert.is_nil(catalogue().out:find("Favorites", 1, true))
    end)

    --- How a query is answered. Its parameters do not matter, nor how many rows there are.
    local function plan_of(db, sql)
      sql = sql:gsub(":%a+", "'/x'"):gsub("in %?", "in (1)"):gsub("%?", "1")
      if db.engine == "sqlite" then
        return table.concat(db:arrays("explain query plan " .. sql).detail, "\n")
      end
      return table.concat(db:column("explain " .. sql), "\n")
    end

    local function opened()
      local library = Catalogue.open(database)
      if library.db.engine == "postgres" then library.db:exec "set enable_seqscan = off" end
      return library
    end

    local INDEXES = {
      best = "images_rating_idx", deletion = "images_for_deletion", favorites = "images_favorite",
      models = "images_model_hash_idx", nsfw = "images_nsfw", seeds = "images_seed_idx",
      unavailable = "images_unavailable",
    }

    for _, name in ipairs(selections.names) do
      it("finds it by its index: " .. name, function()
        local library <close> = opened()
        local plan = plan_of(library.db, selections.by_name[name].sql)
        assert.truthy(plan:find(INDEXES[name], 1, true), plan)
        assert.is_nil(plan:find("Seq Scan on images", 1, true))
      end)
    end

    it("finds what a scan needs by an index, too", function()
      fixtures.tree(tree)
      local library <close> = opened()
      local queries = {}
      library.db:trace(function(traced)
        if traced.sql:find("^%s*select") and traced.sql:find("[Ff]older") then
          queries[traced.sql] = true
        end
      end)
      local root = walk.tree(assert(walk.real_path(tree)))
      scan.run(library, root)
      library:count(root.root)
      library:remove_folders { 1 }
      library.db:trace(nil)
      local found = 0
      for sql in pairs(queries) do
        local plan = plan_of(library.db, sql)
        assert.is_nil((plan .. "\n"):find("SCAN %a+\n"), plan)
        assert.is_nil(plan:find("Seq Scan", 1, true), plan)
        found = found + 1
      end
      assert.equal(4, found)
    end)
  end)

  describe("saved queries", function()
    local function save(name, sql)
      local db <close> = tuff.open(database)
      db:insert("Queries", { name = name, sql = sql, created_at = "2024-01-01T00:00:00.000000Z" })
    end

    it("cannot write, and one that fails does not stop the others", function()
      fixtures.tree(tree)
      catalogue()
      save("Wipe", "delete from Images")
      save("Sly", "with gone as (delete from Images returning id) select * from gone")
      save("Unfair", "drop table Images")
      save("Nonsense", "selec 1")
      save("Endless", [[
        with recursive n (x) as (select 1 union all select x + 1 from n)
        select count(*) from n]])
      save("Last", "select count(*) as images from Images")
      local result = catalogue("timeout 60")
      assert.equal(0, result.status)
      assert.truthy(result.out:find("Saved query: Wipe\n  failed: "))
      assert.truthy(result.out:find("Saved query: Sly\n  failed: "))
      assert.truthy(result.out:find("Saved query: Unfair\n  failed: "))
      assert.truthy(result.out:find("Saved query: Nonsense\n  failed: "))
      assert.truthy(result.out:find("Saved query: Endless\n  failed: "))
      assert.truthy(result.out:find("Saved query: Last\n  images\n"))
      assert.truthy(count("select count(*) from Images") > 0)
    end)
  end)

  describe("interrupted", function()
    it("keeps whole batches when it is interrupted, and goes on from there", function()
      for number = 1, 1500 do
        fixtures.write(("%s/%04d.png"):format(tree, number), fixtures.png(1, 1))
      end
      local ok, err = pcall(scan_here, function(done)
        if done == 1400 then error("interrupted!") end
      end)
      assert.is_false(ok)
      assert.truthy(tostring(err):find("interrupted!", 1, true))
      assert.equal(1000, count("select count(*) from Images"))
      assert.equal("500 new, 0 changed, 0 removed", catalogue().out:match("^[^\n]*"))
    end)

    -- The program waits for this lock, and is interrupted while it does.
    local function lock(db)
      local statements = {
        sqlite = "update Albums set automatic = false",
        postgres = "lock table Images in exclusive mode",
      }
      db:run(statements[db.engine])
    end

    local function is_waiting(db, child)
      if db.engine == "postgres" then
        return db:exists("select 1 from pg_locks where not granted")
      end
      return process.succeeds(
        ("ls -l /proc/%d/fd | grep -q %s"):format(child.pid, quoted(database)))
    end

    it("ends at Ctrl-C with a message, status 1 and an unchanged database", function()
      fixtures.tree(tree)
      catalogue()
      fixtures.write(tree .. "/new.png", fixtures.png(1, 1))
      local result
      do
        local db <close> = tuff.open(database)
        local tx <close> = db:begin()
        lock(db)
        local child = process.start {
          chunk = "arg = { [0] = ..., select(2, ...) } dofile(arg[0])",
          arguments = { lfs.currentdir() .. "/" .. MAIN, tree, "--database", database },
        }
        for _ = 1, 600 do
          if is_waiting(db, child) then break end
          process.succeeds("sleep 0.05")
        end
        assert(process.succeeds(("sleep 0.2; kill -INT %d"):format(child.pid)))
        result = child:wait()
        tx:rollback()
      end
      assert.equal("image_library: interrupted\n", result.errors)
      assert.equal(1, result.code)
      assert.equal("", result.output)
      assert.equal("1 new, 0 changed, 0 removed", catalogue().out:match("^[^\n]*"))
    end)
  end)
end)
