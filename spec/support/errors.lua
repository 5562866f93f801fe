--- Expectations about failures: every one of them is a tuff.Error with a code and a message.

local tuff = require "tuff"

local errors = {}

local known = {}
for code in ([[syntax constraint conflict busy timeout interrupted readonly full io corrupt
  notadb auth type range closed misuse connection serialization transaction_aborted unsupported
  not_found migration backup schema validation memory]]):gmatch("%S+") do
  known[code] = true
end

local function listed(codes, code)
  if codes == nil then return known[code] end
  if type(codes) == "string" then return codes == code end
  for _, each in ipairs(codes) do
    if each == code then return true end
  end
  return false
end

local function describe(value)
  return type(value) == "table" and type(value.code) == "string"
    and ("%s (code %s)"):format(tostring(value), value.code) or tostring(value)
end

--- Insists that a call fails with a tuff.Error that reads well.
---@param codes string|string[]|nil the code, or those of which it is one; nil for any
---@param fn function
---@param ... any its arguments
---@return table err the error
function errors.expect(codes, fn, ...)
  local ok, err = pcall(fn, ...)
  local wanted = type(codes) == "table" and table.concat(codes, " or ") or codes or "tuff.Error"
  if ok then error(("expected the error %s, but the call succeeded"):format(wanted), 2) end
  if not tuff.is_error(err) then
    error(("expected the error %s, got %s: %s"):format(wanted, type(err), tostring(err)), 2)
  end
  if not listed(codes, err.code) then
    error(("expected the error %s, got %s"):format(wanted, describe(err)), 2)
  end
  if type(err.message) ~= "string" or not err.message:find("%S") then
    error(("the error %s has no message"):format(tostring(err.code)), 2)
  end
  local text = tostring(err)
  if not text:find(err.message, 1, true) then
    error(("the text %q lacks the message %q"):format(text, err.message), 2)
  end
  return err
end

--- Insists that a failure says something, in its text or in its hint.
---@param err table
---@param ... string plain texts, each of which must occur
function errors.mentions(err, ...)
  local text = tostring(err) .. "\n" .. tostring(err.hint or "")
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then
      error(("the error %q does not mention %q"):format(text, part), 2)
    end
  end
end

--- Insists that a secret occurs nowhere in a failure: not in its text, not in any field.
---@param err table
---@param secret string
function errors.conceals(err, secret)
  local seen = {}
  local function search(value, where)
    if type(value) == "string" then
      if value:find(secret, 1, true) then
        error(("the secret stands in %s: %s"):format(where, value), 0)
      end
    elseif type(value) == "table" and not seen[value] then
      seen[value] = true
      for key, each in pairs(value) do
        search(key, where)
        search(each, where .. "." .. tostring(key))
      end
    end
  end
  search(tostring(err), "the text")
  search(err, "the error")
end

return errors
