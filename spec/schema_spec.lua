local s = require "tuff.schema"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"
local model = require "tuff.schema.model"

local function library()
  return s.define {
    s.table("folders", { s.id(), s.text("path"):not_null():unique() }),
    s.table("images", {
      s.id(),
      s.text("path", { max_length = 40 }):not_null():unique(),
      s.integer("folder_id"):references("folders", { on_delete = "cascade" }):index(),
      s.real("score"):check("score between 0 and 10"),
      s.boolean("favorite"):not_null():default(false),
      s.json("workflow"):default({ b = { 1, 2 }, a = "x" }),
      s.blob("thumbnail", { max_length = 3 }),
      s.decimal("price", { precision = 5, scale = 2 }):default("1.5"),
      s.timestamp("created_at"):default(s.now),
      s.date("day"):default(s.now),
      s.uuid("uuid"),
      s.enum("state", { "open", "it's done" }):default("open"),
      s.text("path_lower"):generated("lower(path)"),
      s.integer("bytes"):generated("length(path)", { stored = true }),
      s.index { "folder_id", s.desc "created_at" },
      s.index { s.expr "lower(path)", where = "favorite" },
      s.json_index("workflow.b[0]"),
      s.unique { "folder_id", "path" },
      s.check("score is null or score >= 0"),
      s.search { "path", "path_lower" },
      comment = "What was found",
    }),
    s.view("favorites", "select * from images where favorite"),
    s.trigger("touch", {
      after = "insert", on = "folders", when = "new.path = 'x'",
      run = "insert into images(path) values (new.path);",
    }),
  }
end

describe("a schema", function()
  fixture.clean_up()

  describe("when it is declared", function()
    it("is plain data that says what was declared, in the same words for every form", function()
      local images = library():table("images")
      assert.are.same({ name = "id", type = "id", not_null = true }, images.columns[1])
      assert.are.same({ name = "path", type = "text", max_length = 40, not_null = true },
        images.columns[2])
      assert.are.same({ kind = "literal", value = '{"a":"x","b":[1,2]}' },
        images.columns[6].default)
      assert.are.same({ kind = "literal", value = "1.50" }, images.columns[8].default)
      assert.are.same({ kind = "now" }, images.columns[9].default)
      assert.are.same({
        name = "images_folder_id_fkey", unnamed = true, columns = { "folder_id" },
        table = "folders", references = { "id" }, on_delete = "cascade",
      }, images.foreign_keys[1])
      assert.are.same({ column = "workflow", path = { "b", 0 } }, images.indexes[4].parts[1])
    end)

    it("is equal to another one whatever the order, but for that of columns", function()
      local function of(first, second, check)
        return s.define {
          s.table("b", { s.id() }),
          s.table("a", { first, second, s.index { "y" }, s.index { "x" }, s.check(check) }),
        }
      end
      local x, y = s.text("x"), s.text("y"):unique()
      local one, two = of(x, y, "x <> y"), of(x, y, 'X <>\n"y" -- differ')
      two.tables[1], two.tables[2] = two.tables[2], two.tables[1]
      assert.is_true(one == two)
      assert.are.equal(one:fingerprint(), two:fingerprint())
      local turned, other = of(y, x, "x <> y"), of(x, y, "x < y")
      assert.is_false(one == turned)
      assert.is_true(model.equal(one, turned, { order = false }))
      assert.is_false(one == other)
      assert.are_not.equal(one:fingerprint(), other:fingerprint())
    end)

    it("may use a piece in two tables", function()
      local day = s.date("day"):index():check("day > '2000-01-01'")
      local schema = s.define { s.table("a", { day }), s.table("b", { day }) }
      assert.are.equal("a_day_idx", schema.tables[1].indexes[1].name)
      assert.are.equal("b_day_idx", schema.tables[2].indexes[1].name)
      assert.are.equal("b_day_check", schema.tables[2].checks[1].name)
    end)

    it("may use a part in several indexes", function()
      local part = s.expr "lower(a)"
      local schema = s.define { s.table("t", {
        s.text("a"), s.index { part }, s.index { s.desc(part) },
        s.index { s.collate(part, "nocase") },
      }) }
      assert.are.same({ { expression = "lower(a)" } }, schema.tables[1].indexes[1].parts)
      assert.are.same({ { expression = "lower(a)", descending = true } },
        schema.tables[1].indexes[2].parts)
    end)

    it("takes an expression that is a column for that column", function()
      local schema = s.define { s.table("t", { s.text("a b"), s.index { s.expr '"a b"' } }) }
      assert.are.same({ { column = "a b" } }, schema.tables[1].indexes[1].parts)
      assert.is_true(schema == s.define { s.table("t", { s.text("a b"), s.index { "a b" } }) })
    end)

    it("keeps a piece of SQL without what surrounds it", function()
      local schema = s.define {
        s.table("t", { s.integer("a"):check(" a > 0 -- comment") }),
        s.view("v", "select 1 ;\n/* end"),
      }
      assert.are.equal("a > 0", schema.tables[1].checks[1].expression)
      assert.are.equal("select 1", schema.views[1].select)
    end)
  end)

  describe("names what has no name", function()
    local function names(...)
      local found = {}
      model.each_constraint(s.define({ s.table(...) }).tables[1], function(_, object)
        found[#found + 1] = object.name
      end)
      return found
    end

    it("by its table and its columns", function()
      assert.are.same({ "t_pkey", "t_a_key", "t_a_b_key", "t_a_fkey", "t_b_check", "t_check",
        "t_a_idx", "t_lower_b_idx", "t_j_x_0_idx" },
        names("t", {
          s.id(), s.integer("a"):unique():references("t"):index(), s.text("b"):check("b <> ''"),
          s.json("j"), s.unique { "a", "b" }, s.check "a > id", s.index { s.expr "lower(b)" },
          s.json_index("j.x[0]"),
        }))
    end)

    it("with a hash where another one has that name, whatever stands before it", function()
      local a, b = s.check "x > 1", s.check "x > 2"
      local first = names("t", { s.integer("x"), a, b })
      assert.are.equal("t_check", first[1])
      assert.is_truthy(first[2]:find("^t_check_%x%x%x%x%x%x%x%x$"))
      local second = names("t", { s.integer("x"), s.check "x > 3", a, b })
      assert.are.equal(first[2], second[3])
      local schema = s.define { s.table("t", { s.integer("x"), a, b }) }
      assert.is_true(schema == s.define { s.table("t", { s.integer("x"), b, a }) })
    end)

    it("with at most 63 bytes, and no character cut in two", function()
      local name = ("ü"):rep(40)
      local function long_names()
        return names(name,
          { s.integer("a"):unique():index(), s.integer(name):unique():index() })
      end
      local found, seen = long_names(), {}
      for _, each in ipairs(found) do
        assert.is_true(#each <= 63 and utf8.len(each) ~= nil, each)
        assert.is_nil(seen[each])
        seen[each] = true
      end
      assert.are.same(found, long_names())
    end)
  end)

  -- ---- mistakes --------------------------------------------------------------------------

  describe("with mistakes", function()
    local function line() return debug.getinfo(2, "l").currentline end

    --- Declares what fn declares; the mistakes by the line, from that of the call.
    local function mistakes(fn, from)
      local err = errors.expect("schema", fn)
      local found = {}
      for _, mistake in ipairs(err.mistakes) do
        local number = math.tointeger(mistake.source:match("schema_spec%.lua:(%d+)$"))
        found[#found + 1] = ("%d: %s%s"):format(number - from, mistake.message,
          mistake.hint and "; " .. mistake.hint or "")
      end
      return found, err
    end

    it("names all of them at once, each with its line", function()
      local found, err = mistakes(function()
        s.define {
          s.table("folders", { s.id(), s.text("name") }),
          s.table("images", {
            s.id(),
            s.text("path", { max_lenght = 40 }):not_nul(),
            s.integer("folder_id"):references("folder"):index { where = "folder > 0" },
            s.decimal("price", { precision = 19 }),
            s.text("Price"),
            s.txt("name"):not_null(),
            s.text("lower"):generated("lower(pth)"):default("x"),
            s.index { "folder_id", "creatd" },
            s.primary_key { "path" },
            s.check "pathh <> ''",
            without_row_id = true,
          }),
          s.table("Images", { s.id() }),
          s.trigger("touch", { after = "insert", on = "folderss", run = "select 1" }),
        }
      end, line() - 19)
      assert.are.same({
        '3: s.table has no option without_row_id; did you mean "without_rowid"?',
        '5: s.text has no option max_lenght; did you mean "max_length"?',
        '5: there is no method not_nul; did you mean "not_null"?',
        '6: table images refers to table folder, which is not declared; did you mean "folders"?',
        "6: the condition of an index names column folder, which table images does not have",
        "7: option precision of s.decimal must be an integer from 1 to 18, not 19",
        "8: there are two columns named Price",
        '9: tuff.schema has no txt; did you mean "text"?',
        '10: a generated column names column pth, which table images does not have; did you mean '
          .. '"path"?',
        "10: column lower is generated, and so can have no default",
        "11: an index names column creatd, which table images does not have",
        "12: a table has one primary key; s.primary_key { … } takes several columns; s.id is one "
          .. "already",
        '13: a check names column pathh, which table images does not have; did you mean "path"?',
        "16: there are two tables, views or indexes named Images",
        '17: trigger touch is on table folderss, which is not declared; did you mean "folders"?',
      }, found)
      assert.is_truthy(err.message:find("^15 mistakes in the schema:\n  spec/schema_spec.lua:"))
      assert.are.equal("there are two columns named Price", err.fields["images.Price"])
      assert.is_truthy(err.source:find("schema_spec"))
    end)

    it("is one error with that line where there is one", function()
      local _, err = mistakes(function()
        s.define { s.table("t", { s.id(), s.index { "b" } }) }
      end, 0)
      assert.are.equal("an index names column b, which table t does not have", err.message)
      assert.is_truthy(err.source:find("schema_spec.lua:" .. line() - 3, 1, true))
    end)

    local function refused(message, ...)
      local items = { ... }
      local err = errors.expect("schema", function() s.define { s.table("t", items) } end)
      errors.mentions(err, message)
    end

    it("is refused where a column cannot be what it is said to be", function()
      refused("not empty, not 5", s.text(5))
      refused("not empty, not nil", s.text())
      refused("needs a precision", s.decimal("a"))
      refused("more than its precision", s.decimal("a", { precision = 2, scale = 3 }))
      refused("an integer from 1 to 2147483647, not 0", s.text("a", { max_length = 0 }))
      refused("has no option max_length", s.integer("a", { max_length = 5 }))
      refused("options of s.text must be a table", s.text("a", 5))
      refused("texts that differ", s.enum("a", { "x", "x" }))
      refused("texts that differ", s.enum("a", {}))
      refused("texts that differ", s.enum("a"))
      refused("texts that differ", s.enum("a", { 0 / 0, 5 }))
      refused("not generated", s.text("a"):generated("'x'"))
      refused("no columns", s.check "1")
      refused("cannot be in the primary key", s.text("b"), s.text("a"):generated("b"):primary_key())
      refused("cannot hold */", s.text("a"):comment("x */ y"))
      refused("a comment must be a text", s.text("a"):comment(5))
      refused("the name of a collation", s.text("a"):collate())
    end)

    it("is refused where a default is no value of its column", function()
      refused("the default of a must be an integer", s.integer("a"):default(1.5))
      refused("the default of a must be an integer", s.integer("a"):default("1"))
      refused("a finite number", s.real("a"):default(1 / 0))
      refused("no longer than", s.text("a", { max_length = 2 }):default("abc"))
      refused("no longer than", s.text("a"):default("\xff"))
      refused("true or false", s.boolean("a"):default(1))
      refused("a table, or a string of JSON", s.json("a"):default("{"))
      refused("a table, or a string of JSON", s.json("a"):default({ 1, x = 2 }))
      refused("2026-11-21T", s.timestamp("a"):default("yesterday"))
      refused("2026-11-21", s.date("a"):default("2026-02-30"))
      refused("lower case", s.uuid("a"):default("0B54D5B6-6D4A-4B8E-9F5E-2F8A7C1D3E4F"))
      refused("one of its values", s.enum("a", { "x" }):default("y"))
      for _, value in ipairs { "1000", "1.234", "1.", ".5", "1e2", 1000, -1000, 1.5, "x" } do
        refused("fits its precision", s.decimal("a", { precision = 5, scale = 2 }):default(value))
      end
      refused("ids are given", s.id():default(5))
      refused("must be an integer", s.integer("a"):default(s.now))
      refused("needs a value", s.integer("a"):default(nil))
      refused("names b: no column has a value yet", s.integer("a"):default(s.expr "b + 1"))
    end)

    it("is refused where a key or an index is none", function()
      refused("names column b twice", s.text("b"), s.unique { "b", "b" })
      refused("consists of columns", s.text("b"), s.unique { s.expr "lower(b)" })
      refused("needs a column", s.text("b"), s.unique {})
      refused("takes a table", s.text("b"), s.unique "b")
      refused("not empty, not 5", s.text("b"), s.unique { 5 })
      refused("options of s.json_index must be a table", s.json("b"), s.json_index("b.x", "y"))
      refused("takes a table", s.text("b"), s.index(s.desc "b"))
      refused("one primary key", s.id(), s.text("b"):primary_key())
      refused("which holds no JSON", s.text("b"), s.json_index("b.x"))
      refused("what leads to the value", s.json("b"), s.json_index("b"))
      refused("what leads to the value", s.json("b"), s.json_index("b.x[y]"))
      refused("what leads to the value", s.json("b"), s.json_index { "b", 'a"b' })
      refused("what leads to the value", s.json("b"), s.json_index 'b.a"b')
      refused("what leads to the value", s.json("b"), s.json_index { "b", -1 })
      refused("what leads to the value", s.json("b"), s.json_index(5))
      refused('"rollback", "abort"', s.text("b"):unique { on_conflict = "ignored" })
      refused('did you mean "ignore"?', s.text("b"):unique { on_conflict = "ignored" })
      refused("two tables, views or indexes named i", s.text("b"):index { name = "i" },
        s.index { "b", name = "i" })
    end)

    it("is refused where a reference leads nowhere", function()
      local function refers(message, column)
        errors.mentions(errors.expect("schema", function()
          s.define {
            s.table("parent", {
              s.id(), s.text("name"), s.text("code"):unique(), s.integer("x"), s.integer("y"),
              s.unique { "x", "y" },
            }),
            s.table("child", { s.id(), s.integer("a"), s.integer("b"), column }),
          }
        end), message)
      end
      refers("not declared", s.integer("r"):references("parents"))
      refers("which table parent does not have",
        s.integer("r"):references("parent", { columns = "idd" }))
      refers("several rows of table parent may have the same name",
        s.text("r"):references("parent", { columns = "name" }))
      refers("holds integer, and parent.code, which it refers to, holds text",
        s.integer("r"):references("parent", { columns = "code" }))
      refers("of 1 columns refers to 2",
        s.integer("r"):references("parent", { columns = { "x", "y" } }))
      refers("of 2 columns refers to 1", s.foreign_key { "a", "b", references = "parent" })
      refers("needs the option references", s.foreign_key { "a", "b" })
      refers("foreign key names column c", s.foreign_key {
        "a", "c", references = "parent", columns = { "x", "y" },
      })
      refers('"cascade", "restrict"', s.integer("r"):references("parent", { on_delete = "casade" }))
      refers('did you mean "set null"?',
        s.integer("r"):references("parent", { on_update = "set nul" }))
      assert.is_truthy(s.define {
        s.table("p", { s.id(), s.text("a"), s.index { "a", unique = true } }),
        s.table("c", { s.text("a"):references("p", { columns = "a" }) }),
      })
      assert.is_truthy(s.define {
        s.table("self", { s.id(), s.integer("other"):references("self") }),
      })
    end)

    it("is refused where SQL is not whole", function()
      refused("a quote is open", s.text("a"):check("a <> 'x"))
      refused("a parenthesis is open", s.text("a"):check("(a <> 'x'"))
      refused("a parenthesis is closed", s.text("a"):check("a <> 'x') , (b"))
      refused("a semicolon ends it", s.text("a"):check("a <> 'x'; drop table t"))
      refused("must be a text", s.text("a"):check("  "))
      refused("must be a text", s.check(nil))
      refused("must be a text", s.text("a"), s.index { s.expr(5) })
    end)

    it("is refused where a trigger or a view cannot be what it is said to be", function()
      local function object(message, ...)
        local items = { s.table("t", { s.id(), s.text("a") }), s.view("v", "select 1"), ... }
        errors.mentions(errors.expect("schema", s.define, items), message)
      end
      local run = "select 1"
      object("needs one of before, after and instead_of", s.trigger("x", { on = "t", run = run }))
      object("needs one of", s.trigger("x", {
        on = "t", run = run, after = "insert", before = "insert",
      }))
      object("needs the option on", s.trigger("x", { after = "insert", run = run }))
      object("needs the option run", s.trigger("x", { after = "insert", on = "t" }))
      object("instead_of is for views", s.trigger("x", { after = "insert", on = "v", run = run }))
      object("instead_of is for views", s.trigger("x", {
        instead_of = "insert", on = "t", run = run,
      }))
      object("names column b", s.trigger("x", { after = "update", of = "b", on = "t", run = run }))
      object("is for a trigger on update", s.trigger("x", {
        after = "insert", of = "a", on = "t", run = run,
      }))
      object("names column b", s.trigger("x", {
        after = "insert", on = "t", when = "new.b > 1", run = run,
      }))
      object("did you mean", s.trigger("x", { after = "inserts", on = "t", run = run }))
      object("two tables, views or indexes named T", s.view("T", "select 1"))
      object("two triggers named X", s.trigger("x", { after = "insert", on = "t", run = run }),
        s.trigger("X", { after = "insert", on = "t", run = run }))
      object("is no table, view or trigger", s.text("a"))
      object("is no table, view or trigger", 5)
      object("the module of a virtual table", s.virtual_table("x"))
      object("begin with sqlite_ are taken", s.view("SQLITE_x", "select 1"))
      object("begin with tuff_ are taken", s.virtual_table("tuff_x", "rtree", "a, b, c"))
    end)

    it("is refused where a table cannot be as it is said to be", function()
      local function of(message, given)
        errors.mentions(errors.expect("schema", function() s.define { s.table("t", given) } end),
          message)
      end
      of("takes its columns as a table", 5)
      of("item 2 is no column", { s.id(), "name" })
      of("item 2 is no column", { s.id(), nil, s.text("a") })
      of("s.now is what a column may default to", { s.id(), s.now })
      of("item 2 is no column", { s.id(), s.expr "1" })
      of("needs a primary key", { s.text("a"), without_rowid = true })
      of("has no s.id", { s.id(), without_rowid = true })
      of("no columns of type boolean", { s.boolean("a"), strict = true })
      of("option strict of s.table must be", { s.id(), strict = 1 })
      of("one s.search", { s.id(), s.text("a"), s.search { "a" }, s.search { "a" } })
      of("holds no text", { s.id(), s.real("a"), s.search { "a" } })
      of("needs a primary key that is one integer", { s.text("a"), s.search { "a" } })
      of("cannot hold */", { s.id(), comment = "*/" })
      errors.mentions(errors.expect("schema", s.define, { s.table("t", { s.id() }), tables = {} }),
        "s.define has no option tables")
      errors.expect("misuse", s.define, 5)
      errors.expect("misuse", s.define, s.table("t", { s.id() }))
      of("cannot be named rank", { s.id(), s.text("rank"), s.search { "rank" } })
    end)

    it("says nothing wrong of words that are no columns", function()
      for _, expression in ipairs {
        "a between 1 and 2 or a is not null and not a in (1, 2)",
        "cast(a as text) collate nocase <> 'x'",
        "a > current_timestamp and extract(epoch from a) > 0", "a = x'00' and A <> \"a\"",
        "case when a then 1 else 2 end", "a::numeric(10, 2) > 0", "t.a like 'x' escape '\\'",
        "json_extract(a, '$.b') is null", "interval '1 day' > a", "substring(a from 1 for 2) = ''",
        "a = any (array[1, 2])", "a at time zone 'utc' > a",
      } do
        s.define { s.table("t", { s.text("a"):check(expression) }) }
      end
    end)
  end)
end)
