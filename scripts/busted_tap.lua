-- busted_tap.lua: what busted prints for run_suites.sh. Unlike busted's own TAP it says which test
-- begins, so that after a crash it is known; names the tests that are skipped; and reports what
-- fails outside a test: a spec that does not load, a setup, a teardown.

return function()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local pretty = require "pl.pretty"
  local count = 0

  local function say(format, ...)
    io.write(format:format(...), "\n")
    io.flush()
  end

  local function failed(report)
    local message = report.message
    if type(message) == "table" and not (getmetatable(message) or {}).__tostring then
      message = pretty.write(message)
    end
    local text = tostring(message) .. "\n" .. (report.trace and report.trace.traceback or "")
    count = count + 1
    say("not ok %d - %s", count, report.name)
    for line in text:gmatch("[^\n]+") do say("# %s", line) end
  end

  local function test_start(element)
    say("# running: %s", handler.getFullName(element))
    return nil, true
  end

  local function test_end(element, _, status)
    if status == "failure" then
      failed(handler.failures[#handler.failures])
    elseif status == "error" then
      failed(handler.errors[#handler.errors])
    else
      count = count + 1
      local name = handler.getFullName(element)
      if status == "pending" then
        local reason = handler.pendings[#handler.pendings].message or "see its name"
        name = name .. " # SKIP " .. reason:gsub("^[^:]+:%d+: ", "")
      end
      say("ok %d - %s", count, name)
    end
    return nil, true
  end

  local function outside_a_test(element)
    if element.descriptor ~= "it" then failed(handler.errors[#handler.errors]) end
    return nil, true
  end

  local function suite_end()
    say("1..%d", count)
    return nil, true
  end

  busted.subscribe({ "test", "start" }, test_start)
  busted.subscribe({ "test", "end" }, test_end)
  busted.subscribe({ "error" }, outside_a_test)
  busted.subscribe({ "suite", "end" }, suite_end)

  return handler
end
