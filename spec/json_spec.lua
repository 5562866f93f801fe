local tuff = require "tuff"
local json = require "tuff.json"
local errors = require "spec.support.errors"
local fixture = require "spec.support.fixture"

local function exactly(expected, actual)
  if math.type(expected) ~= math.type(actual) or expected ~= actual then
    error(("expected %s %s, got %s %s"):format(math.type(expected), expected,
      math.type(actual) or type(actual), tostring(actual)), 2)
  end
end

describe("JSON", function()
  fixture.clean_up()

  describe("numbers", function()
    it("that are integers stay integers, exact to 64 bits", function()
      for _, n in ipairs { 0, 1, -1, 2147483648, 9007199254740993, -9007199254740993,
        math.maxinteger, math.mininteger } do
        assert.are.equal(tostring(n), json.encode(n))
        exactly(n, json.decode(tostring(n)))
        exactly(n, json.decode("[" .. tostring(n) .. "]")[1])
      end
    end)

    it("that are floats come back exactly, and as floats", function()
      for _, x in ipairs { 0.5, 0.1, 0.1 + 0.2, 1.0, -3.0, 1e300, 5e-324, 2.0 ^ 53, 2.0 ^ 63, 1e15,
        123456789012345680.0, math.pi, 1 / 3, 1.7976931348623157e308, 2.2250738585072014e-308 } do
        exactly(x, json.decode(json.encode(x)))
        exactly(-x, json.decode(json.encode({ -x }))[1])
      end
    end)

    it("keep the short form of a float where that is exact", function()
      assert.are.equal("0.1", json.encode(0.1))
      assert.are.equal("1.0", json.encode(1.0))
      assert.are.equal("0.5", json.encode(0.5))
    end)

    it("in every notation are read", function()
      exactly(100.0, json.decode("1e2"))
      exactly(100.0, json.decode("1E+2"))
      exactly(0.25, json.decode("25e-2"))
      exactly(-0.5, json.decode("-0.5"))
      exactly(1.0, json.decode("1.0"))
      exactly(10, json.decode("10"))
    end)

    it("keep the sign of a float that is zero", function()
      assert.are.equal(-math.huge, 1 / json.decode("-0.0"))
      assert.are.equal("-0.0", json.encode(json.decode("-0.0")))
    end)

    it("that no Lua number holds are never changed in silence", function()
      errors.expect(nil, json.decode, "1e400")
      errors.expect(nil, json.decode, "[-1e999]")
      for _, text in ipairs { "9223372036854775808", "-9223372036854775809",
        "18446744073709551617", "123456789012345678901234567890" } do
        local ok, value = pcall(json.decode, text)
        assert.is_true(not ok and tuff.is_error(value) or math.type(value) == "float", text)
      end
    end)

    it("that are none are refused", function()
      for _, x in ipairs { 0 / 0, math.huge, -math.huge } do
        errors.expect(nil, json.encode, x)
        errors.expect(nil, json.encode, { a = { x } })
      end
    end)
  end)

  describe("null", function()
    it("is tuff.null", function()
      assert.is_true(rawequal(tuff.null, json.decode("null")))
      assert.are.equal("null", json.encode(tuff.null))
      assert.are.same({ 1, tuff.null, 3, tuff.null }, json.decode("[1,null,3,null]"))
      assert.are.same({ a = tuff.null }, json.decode('{"a":null}'))
      assert.are.equal("[1,null]", (json.encode({ 1, tuff.null }):gsub("%s", "")))
    end)
  end)

  describe("texts", function()
    it("come back byte for byte", function()
      for _, text in ipairs { "", "a", "größe", "画像", "😀", '"', "\\", "/", "\b\f\n\r\t",
        "\0", "a\0b", "\x01\x1f\x7f", "\u{2028}\u{2029}", "\u{FFFF}", "\u{10FFFF}",
        "</script>", ("long"):rep(100000) } do
        local encoded = json.encode(text)
        assert.is_nil(encoded:find("[\0-\31]"))
        assert.is_true(text == json.decode(encoded))
        assert.is_true(text == json.decode(json.encode({ [text .. "k"] = text }))[text .. "k"])
      end
    end)

    it("are read with every escape", function()
      assert.are.equal('"\\/\b\f\n\r\t', json.decode([["\"\\\/\b\f\n\r\t"]]))
      assert.are.equal("Aé€", json.decode([["\u0041\u00e9\u20AC"]]))
      assert.are.equal("😀", json.decode([["\ud83d\ude00"]]))
      assert.are.equal("\0", json.decode([["\u0000"]]))
    end)

    it("that are no UTF-8 are refused, in both directions", function()
      for _, bytes in ipairs { "\xff", "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82" } do
        errors.expect(nil, json.encode, bytes)
        errors.expect(nil, json.encode, { [bytes] = 1 })
        errors.expect(nil, json.decode, '"' .. bytes .. '"')
      end
    end)

    it("with half a pair of surrogates are refused", function()
      for _, text in ipairs { [["\ud83d"]], [["\ude00"]], [["\ud83dx"]], [["\ud83d\u0041"]],
        [["\ud83d\ud83d"]] } do
        errors.expect(nil, json.decode, text)
      end
    end)
  end)

  describe("arrays and objects", function()
    it("come back as they were", function()
      local value = { nodes = { { id = 1, type = "vae" }, { id = 2, inputs = { 1, 2.5, "x" } } },
        on = true, off = false, deep = { { { { "end" } } } } }
      assert.are.same(value, json.decode(json.encode(value)))
    end)

    it("stay apart when they are empty", function()
      for _, text in ipairs { "[]", "{}", '{"a":[]}', '{"a":{}}', "[[],{}]", "[[[]]]" } do
        assert.are.equal(text, (json.encode(json.decode(text)):gsub("%s", "")))
      end
      assert.are.same({}, json.decode("[]"))
      assert.are.same({}, json.decode("{}"))
      assert.are.equal(0, #json.decode(" [ ] "))
      assert.is_nil(next(json.decode(" { } ")))
    end)

    it("that were empty stay an array and an object when they are filled", function()
      local array, object = json.decode("[]"), json.decode("{}")
      array[1] = "x"
      object.a = 1
      assert.are.equal('["x"]', (json.encode(array):gsub("%s", "")))
      assert.are.equal('{"a":1}', (json.encode(object):gsub("%s", "")))
    end)

    it("may have blanks of every kind between the parts", function()
      assert.are.same({ a = { 1, 2 }, b = "x" },
        json.decode(' \t\r\n{ "a" : [ 1 ,\n2 ] , "b"\t:"x" } \n'))
    end)

    it("may have keys of any text", function()
      local value = { [""] = 1, ["a b"] = 2, ['"'] = 3, ["größe"] = 4, ["1"] = 5 }
      assert.are.same(value, json.decode(json.encode(value)))
    end)

    it("may be large", function()
      local list = {}
      for n = 1, 4000 do list[n] = { n, tostring(n) } end
      local back = json.decode(json.encode(list))
      assert.are.equal(4000, #back)
      assert.are.same({ 3777, "3777" }, back[3777])
    end)

    it("that are neither are refused", function()
      for _, wrong in ipairs { { 1, 2, a = 3 }, { [true] = 1 }, { [1.5] = 1 }, { [{}] = 1 },
        { [1] = 1, [1000000] = 2 }, { [print] = 1 } } do
        errors.expect(nil, json.encode, wrong)
      end
    end)

    it("with values that JSON does not know are refused", function()
      local thread = coroutine.create(print)
      for _, wrong in ipairs { print, thread, io.stdout } do
        errors.expect(nil, json.encode, wrong)
        errors.expect(nil, json.encode, { a = wrong })
        errors.expect(nil, json.encode, { wrong })
      end
    end)
  end)

  describe("nesting", function()
    it("of 100 levels is fine", function()
      local text = ("["):rep(100) .. ("]"):rep(100)
      assert.are.equal(text, (json.encode(json.decode(text)):gsub("%s", "")))
      text = ('{"a":'):rep(100) .. "1" .. ("}"):rep(100)
      assert.are.equal(text, (json.encode(json.decode(text)):gsub("%s", "")))
    end)

    it("of 1000 levels is the most, to write and to read", function()
      local function nested(levels)
        local value = setmetatable({}, json.array)
        for _ = 2, levels do value = { value } end
        return value
      end
      assert.is_table(json.decode(json.encode(nested(1000))))
      errors.expect("range", json.encode, nested(1001))
    end)

    it("without end is an error, not a crash", function()
      for _, text in ipairs { ("["):rep(1000000), ("["):rep(1000000) .. ("]"):rep(1000000),
        ('{"a":'):rep(100000), ('[{"a":'):rep(50000) } do
        errors.expect(nil, json.decode, text)
      end
      local deep = {}
      for _ = 1, 30000 do deep = { deep } end
      errors.expect(nil, json.encode, deep)
    end)

    it("in a circle is an error, not a crash", function()
      local circle = { a = {} }
      circle.a.b = circle
      errors.expect(nil, json.encode, circle)
      local array = {}
      array[1] = array
      errors.expect(nil, json.encode, array)
    end)

    it("of one table in two places is no circle", function()
      local shared = { x = 1 }
      assert.are.same({ shared, shared }, json.decode(json.encode({ shared, shared })))
    end)
  end)

  describe("that is wrong", function()
    local wrong = { "", " ", "nul", "tru", "True", "NULL", "undefined", "NaN", "Infinity", "-",
      "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10", "1 2", "[", "]", "[1", "[1,", "[1,]",
      "[,1]", "[1 2]", "{", "}", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}',
      "{a:1}", "{'a':1}", "{1:2}", '{"a":1 "b":2}', "{-1.:2}", "[\f]", "'a'", '"', '"a', '"\\',
      '"\\x"', '"\\u12"', '"\\u12G4"', '"a\nb"', '"a\tb"', '"\0"', "[1]x", "[1],", "{}{}",
      "// c\n1", '{"a":}', "/* c */ 1", "1;", "null\0", "[1}", "{]", ":", "," }

    it("is a tuff.Error", function()
      for _, text in ipairs(wrong) do
        local ok, err = pcall(json.decode, text)
        assert.is_false(ok, ("%q was read"):format(text))
        assert.is_true(tuff.is_error(err), ("%q: %s"):format(text, tostring(err)))
        assert.is_truthy(err.message:find("%S"))
      end
    end)

    it("is refused wherever it is cut", function()
      local text = '{"key":[1,2.5e3,"x\\u00e9",true,null,{"a":{}}]}'
      assert.is_table(json.decode(text))
      for length = 0, #text - 1 do
        errors.expect(nil, json.decode, text:sub(1, length))
      end
    end)

    it("in any single byte is an error, or reads as what it then means", function()
      local text = '{"a":[1,"x",true]}'
      for place = 1, #text do
        for byte = 0, 255, 5 do
          local changed = text:sub(1, place - 1) .. string.char(byte) .. text:sub(place + 1)
          local ok, value = pcall(json.decode, changed)
          if ok then
            assert.are.equal("table", type(value))
            assert.are.same(value, json.decode(json.encode(value)))
          else
            assert.is_true(tuff.is_error(value), changed)
          end
        end
      end
    end)

    it("as an argument is misuse", function()
      for _, argument in ipairs { {}, true, print, tuff.null } do
        errors.expect("misuse", json.decode, argument)
      end
      errors.expect("misuse", json.decode)
    end)
  end)

  describe("beside SQLite", function()
    it("means the same by a text", function()
      local db <close> = tuff.open(":memory:")
      for _, value in ipairs { { a = 9007199254740993 }, { a = 0.1 + 0.2 }, { a = 1.0 },
        { a = "größe \" \\ \n" }, { a = math.mininteger } } do
        local read = db:value("select json_extract(?, '$.a')", json.encode(value))
        exactly(value.a, read)
      end
      assert.are.same({ 1, { b = "x" } }, json.decode(db:value("select json('[1,{\"b\":\"x\"}]')")))
    end)
  end)
end)

fixture.each_engine("JSON in a column", function(engine)
  local db

  before_each(function()
    db = engine.database("create table t(id {key}, data {json})")
  end)

  local function refused(code, text)
    return errors.expect(code, db.insert, db, "t", { data = text })
  end

  it("is read as it was stored, whatever text was taken", function()
    local texts = { "[9223372036854775807,-9223372036854775808]", "1e308", "[-1.5E+3,15e-1,0e5]",
      "[0.0,1e0,1.0e2,-0.00012e3,12345678901234567890e-5,1e-400]", '"1e5 \\" 2e5"',
      '"\\ud83d\\ude00"', ("["):rep(1000) .. "1" .. ("]"):rep(1000), " { } ",
      "0." .. ("0"):rep(400) .. "1e700", '{"a":{"b":[true,false,null,{}]}}' }
    if engine.supports("json_text") then texts[#texts + 1] = "[-0.0]" end
    for _, text in ipairs(texts) do
      local id = db:insert("t", { data = text })
      assert.are.equal(json.encode(json.decode(text)),
        json.encode(db:value("select data from t where id = ?", id)))
    end
  end)

  it("is refused with a number that could not be read back", function()
    for _, number in ipairs { "12345678901234567890123", "9223372036854775808",
      "-9223372036854775809", "1e309", "-1.8e308", "0.01e311" } do
      local err = refused("range", '{"a":[' .. number .. "]}")
      errors.mentions(err, "out of range", "string")
      assert.is_nil(err.message:find(number, 1, true))
    end
    assert.are.equal(0, db:value("select count(*) from t"))
  end)

  it("is refused where it is nested too deeply to be read back", function()
    errors.mentions(refused("range", ("["):rep(1001) .. ("]"):rep(1001)), "1000")
    errors.mentions(refused("range", ('{"a":'):rep(1001) .. "1" .. ("}"):rep(1001)), "1000")
    refused("range", ("["):rep(100000))
  end)

  it("is refused with half a character, as tuff.json refuses it", function()
    for _, text in ipairs { [["\ud800"]], [["\udc00"]], [["\ud800\u0041"]], [["\ud83dx"]] } do
      refused("type", text)
      errors.expect("type", json.decode, text)
    end
  end)

  it("keeps the order of its keys, and blanks, where the engine keeps its text", function()
    local text = '{"b": 1,  "a": [ 1.50 ]}'
    db:insert("t", { data = text })
    assert.are.equal(engine.supports("json_text") and text or '{"a": [1.50], "b": 1}',
      db:value("select cast(data as text) from t"))
  end)

  it("holds a NUL in a string, or refuses it", function()
    if engine.supports("json_text") then
      db:insert("t", { data = { "a\0b" } })
      assert.are.same({ "a\0b" }, db:value("select data from t"))
    else
      refused("type", { "a\0b" })
      refused("type", [["\u0000"]])
    end
  end)

  it("that another program has written and nobody can read names its column, and can be "
    .. "read as text", function()
    local text = "[12345678901234567890123]"
    db:exec("insert into t values (1, '" .. text .. "')")
    for _, method in ipairs { "all", "row", "value", "column", "arrays" } do
      errors.mentions(errors.expect("type", db[method], db, "select data as d from t"),
        "column d", "out of range", "cast(")
    end
    errors.mentions(errors.expect("type", function()
      for _ in db:rows("select data from t") do error("a row") end
    end), "out of range", "cast(")
    assert.are.equal(text, db:value("select cast(data as text) from t"))
  end)
end)
