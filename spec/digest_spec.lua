local core = require "tuff.core"

describe("a SHA-256", function()
  it("is that of the standard", function()
    for text, digest in pairs {
      [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq =
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      [("a"):rep(1000000)] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    } do
      assert.are.equal(digest, core.sha256(text))
    end
  end)

  it("counts every byte, NUL too", function()
    assert.are_not.equal(core.sha256("a"), core.sha256("a\0"))
    assert.are_not.equal(core.sha256("a\0b"), core.sha256("a\0c"))
  end)

  it("is that of a string", function()
    assert.is_false(pcall(core.sha256))
    assert.is_false(pcall(core.sha256, {}))
  end)
end)
