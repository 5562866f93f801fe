-- The table for people, with its foot.

local M = {}

local function columns(contenders)
  local shown = {}
  for _, contender in ipairs(contenders) do
    if not contender.absent and not contender.internal and contender.name ~= "raw" then
      shown[#shown + 1] = contender
    end
  end
  return shown
end

local verdict = { [true] = "reached", [false] = "missed" }

local function rows(lines, shown)
  local result = { { "work", "raw C", "target", "" } }
  for _, contender in ipairs(shown) do table.insert(result[1], contender.title) end
  for i, line in ipairs(lines) do
    local row = {
      line.title,
      line.cells.raw or "",
      line.target or "",
      verdict[line.reached] or "",
    }
    for _, contender in ipairs(shown) do
      row[#row + 1] = line.cells[contender.name] or "-"
    end
    result[i + 1] = row
  end
  return result
end

local function widths(table_rows)
  local result = {}
  for _, row in ipairs(table_rows) do
    for i, cell in ipairs(row) do result[i] = math.max(result[i] or 0, #cell) end
  end
  return result
end

local function print_aligned(table_rows)
  local width = widths(table_rows)
  for _, row in ipairs(table_rows) do
    local padded = {}
    for i, cell in ipairs(row) do
      local space = (" "):rep(width[i] - #cell)
      padded[i] = i == 1 and cell .. space or space .. cell
    end
    print((table.concat(padded, "  "):gsub("%s+$", "")))
  end
end

local function print_contenders(contenders, library)
  local versions, absent, raw = {}, {}, contenders[1]
  for _, contender in ipairs(contenders) do
    if contender.absent then
      absent[#absent + 1] = contender.title
    elseif not contender.internal then
      local own = contender.library or raw.library
      local other = own ~= raw.library and (" with %s %s"):format(library, own) or ""
      versions[#versions + 1] = contender.version .. other
    end
  end
  print(("Measured: %s; %s %s."):format(table.concat(versions, "; "), library, raw.library))
  if absent[1] then print("Not installed: " .. table.concat(absent, ", ") .. ".") end
end

local function print_failures(contenders, works, results)
  for _, work in ipairs(works) do
    for _, contender in ipairs(contenders) do
      local record = results[work.name][contender.name]
      if record and record.failed then
        print(("failed: %s, %s: %s"):format(contender.title, work.name, record.failed))
      end
    end
  end
end

local waiting = [[
Waiting: %d processes made %d transactions each, holding the lock for %g ms: %d failed; of the
others 99 %% got the lock within %.0f ms, and the last one within %.0f ms.
]]

local calling = [[
Calling: a function of Lua costs %.2f us a call above one of SQLite's own, the median of rounds
of %d calls.
]]

local rebuilding = [[
Schemas: a table of %d rows and 3 indexes is built anew in %.0f ms, %.2f times the bare statements
(target 1.3), checked before the commit; %.2f times where secure_delete writes zeros over the table
that is dropped. The difference between two schemas of %d tables takes %.0f ms where they are the
same (target 200), %.0f ms where every table differs.
]]

---@param report { engine: table, contenders: table[], works: table[], results: table,
---  lines: table[], rounds: integer, waiting: table|nil, calling: table|nil, rebuilding: table|nil,
---  note: string|nil }
function M.print(report)
  print_aligned(rows(report.lines, columns(report.contenders)))
  print()
  print_failures(report.contenders, report.works, report.results)
  local waited = report.waiting
  if waited then
    print(waiting:format(waited.processes, waited.each, waited.hold, waited.failed, waited.p99,
      waited.longest))
  end
  local called = report.calling
  if called then print(calling:format(called.us, called.calls)) end
  local rebuilt = report.rebuilding
  if rebuilt then
    print(rebuilding:format(rebuilt.rows, rebuilt.ms, rebuilt.ratio, rebuilt.secure, rebuilt.tables,
      rebuilt.same, rebuilt.other))
  end
  print(report.engine.foot:format(report.rounds))
  print_contenders(report.contenders, report.engine.library)
  if report.note then print(report.note) end
end

return M
