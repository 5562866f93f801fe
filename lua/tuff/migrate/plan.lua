--- What there is to do: the migrations that a program brings, compared with the ledger. Pending is
--- what the ledger has not, wherever it stands in the order, never what is newer than some mark.
local errors = require "tuff.error"

local M = {}

---@alias tuff.migrate.State "pending"|"applied"|"failed"|"running"|"changed"|"again"|"missing"

---@class tuff.MigrationStatus
---@field id string
---@field phase "pre"|"main"|"post"
---@field kind "script"|"batch"|"repeatable"|"baseline"
---@field state tuff.migrate.State "changed": its text is another one since it was applied;
---  "again": so it is, and it is repeatable; "missing": the ledger has it, the program has not
---@field out_of_order boolean? it is pending, and newer ones were applied
---@field applied string? when, in UTC
---@field ms integer?
---@field done integer? rows of its batch
---@field total integer?
---@field error string? why it failed
---@field source tuff.migrate.Source? nil: it is missing
---@field entry tuff.LedgerEntry? nil: it was never begun

local ranks = { pre = 1, main = 2, post = 4 }

--- Views and triggers that are made anew come when the tables are as they will be.
local function rank(source)
  return source.kind == "repeatable" and 3 or ranks[source.phase]
end

local function state_of(source, entry)
  if not entry then return "pending" end
  if entry.state ~= "applied" then return entry.state end
  local changed = source.checksum and entry.checksum and source.checksum ~= entry.checksum
    and source.tokens ~= entry.tokens
  if not changed then return "applied" end
  return source.kind == "repeatable" and "again" or "changed"
end

local function status_of(source, entry)
  local applied = entry and entry.state == "applied"
  return {
    id = source and source.id or entry.id, phase = source and source.phase or entry.phase,
    kind = (not source or applied and entry.kind == "baseline") and entry.kind or source.kind,
    state = source and state_of(source, entry) or "missing",
    applied = applied and entry.finished or nil, ms = applied and entry.ms or nil,
    done = entry and entry.done, total = entry and entry.total, error = entry and entry.error,
    source = source, entry = entry,
  }
end

--- Those that a database had before count as what they are.
local function is_repeatable(status)
  return (status.source or status).kind == "repeatable"
end

--- The names of migrations that were applied and stand behind this one in its phase.
local function newer_applied(list, at)
  for i = #list, at + 1, -1 do
    local other = list[i]
    if other.phase == list[at].phase and not is_repeatable(other) and other.applied then
      return other.id
    end
  end
end

--- All of them, in the order of their names; behind them those that are missing.
---@param sources tuff.migrate.Source[]
---@param ledger tuff.Ledger
---@return tuff.MigrationStatus[]
function M.status(sources, ledger)
  local list, known = {}, {}
  for i, source in ipairs(sources) do
    list[i] = status_of(source, ledger.by_id[source.id])
    known[source.id] = true
  end
  for i, status in ipairs(list) do
    -- On an empty database newer ones are recorded before those that are fresh have run.
    local never = status.state == "pending"
      or status.state == "failed" and not status.source.fresh
    if never and not is_repeatable(status) then
      status.behind = newer_applied(list, i)
      status.out_of_order = status.behind and true or nil
    end
  end
  for _, entry in ipairs(ledger.entries) do
    if not known[entry.id] then list[#list + 1] = status_of(nil, entry) end
  end
  return list
end

-- ---- what is refused ---------------------------------------------------------------------

local refusals = {
  missing = function(status, newest)
    -- What has failed as a whole has left nothing.
    if status.entry.state == "failed" and status.kind ~= "batch" then return end
    -- Ids of another scheme do not tell when they came.
    if not status.id:find("^" .. ("%d"):rep(14)) or not newest or status.id < newest then
      return
    end
    return ("the database has the migration %s, which this program does not know: it was migrated "
      .. "by a newer one"):format(status.id), "use the newer program, or restore an older database"
  end,
  changed = function(status, _, options)
    if options.allow_changed then return end
    return ("the migration %s was changed after it had been applied"):format(status.id),
      "restore its file and write a new migration; or allow it by allow_changed = true"
  end,
  pending = function(status, _, options)
    if not status.out_of_order or options.allow_out_of_order then return end
    return ("the migration %s was never applied, though %s was, which is newer")
      :format(status.id, status.behind),
      "give its file a newer name; or allow it by allow_out_of_order = true"
  end,
}
refusals.failed = refusals.pending

local function check(list, options)
  local newest
  for _, status in ipairs(list) do newest = status.source and status.source.order or newest end
  for _, status in ipairs(list) do
    local refuse = refusals[status.state]
    local message, hint
    if refuse then message, hint = refuse(status, newest, options) end
    if message then errors.raise("migration", message, { hint = hint }) end
  end
end

-- ---- the plan ----------------------------------------------------------------------------

local runs = { pending = true, failed = true, running = true, again = true }

--- The migration of this id, for the option `to`.
---@param sources tuff.migrate.Source[]
---@param id string its id, or the beginning of it that no other has
---@return integer its place
function M.find(sources, id)
  local found = {}
  for i, source in ipairs(sources) do
    if source.id == id then return i end
    if source.id:sub(1, #id) == id then found[#found + 1] = i end
  end
  if #found == 1 then return found[1] end
  local names = {}
  for i, source in ipairs(sources) do names[i] = source.id end
  if #found == 0 then
    errors.raise("migration", "there is no migration " .. errors.shown(id),
      { hint = errors.did_you_mean(id, names) })
  end
  for i, place in ipairs(found) do found[i] = names[place] end
  errors.raise("migration", ("%d migrations begin with %s: %s"):format(#found, errors.shown(id),
    table.concat(found, ", ", 1, math.min(#found, 5)) .. (#found > 5 and ", …" or "")))
  return 0
end

---@class tuff.PlanOptions
---@field to string? the last one, by its id or the beginning of it
---@field allow_out_of_order boolean?
---@field allow_changed boolean?

--- What is to be run, in this order: phase pre, main, repeatable ones, post; in each by name.
--- Raises `migration` where something must be decided first.
---@param sources tuff.migrate.Source[]
---@param ledger tuff.Ledger
---@param options tuff.PlanOptions
---@return tuff.MigrationStatus[]
function M.pending(sources, ledger, options)
  local list = M.status(sources, ledger)
  check(list, options)
  local last = options.to and M.find(sources, options.to) or #sources
  local plan, place = {}, {}
  for i = 1, last do
    local status = list[i]
    if runs[status.state] then
      plan[#plan + 1] = status
      place[status] = rank(status.source) * (#sources + 1) + i
    end
  end
  table.sort(plan, function(a, b) return place[a] < place[b] end)
  return plan
end

--- What was applied, the last one first, as far as it can be taken back.
---@param sources tuff.migrate.Source[]
---@param ledger tuff.Ledger
---@param options { steps: integer?, to: string? } how many; or down to this one, which stays
---@return tuff.MigrationStatus[]
function M.applied(sources, ledger, options)
  local last = options.to and sources[M.find(sources, options.to)].id
  local of = {}
  for _, status in ipairs(M.status(sources, ledger)) do of[status.id] = status end
  local plan = {}
  for i = #ledger.entries, 1, -1 do
    local entry = ledger.entries[i]
    if entry.id == last or not last and #plan == (options.steps or 1) then break end
    if not is_repeatable(of[entry.id]) and entry.state == "applied" then
      plan[#plan + 1] = of[entry.id]
    end
  end
  if last and not (ledger.by_id[last] and ledger.by_id[last].state == "applied") then
    errors.raise("migration", ("the migration %s is not applied"):format(last))
  end
  for _, status in ipairs(plan) do
    if not status.source then
      errors.raise("migration", ("the migration %s cannot be taken back: its file is missing")
        :format(status.id))
    end
    if not status.source.down then
      errors.raise("migration", ("the migration %s cannot be taken back: it has no down")
        :format(status.id), { hint = "restore a backup, or write a migration that mends it" })
    end
  end
  return plan
end

return M
