--- Tells of migrations while they run: a line that is rewritten on a terminal, and one that stays
--- when a migration is done.
local core = require "tuff.core"
local output = require "tuff.cli.output"

local M = {}

---@class tuff.cli.Follow
---@field out tuff.cli.Output
---@field hear fun(current: table) called when a migration is done
---@field current table? the migration that runs: id, began, down, rows
local Follow = {}
Follow.__index = Follow

--- What an event of migrations:up says.
---@param event table
---@return string
function M.text(event)
  if event.verifying then return ("%s: looking at %s"):format(event.id, event.verifying) end
  if not event.total then return event.id end
  local share = event.total > 0 and event.done / event.total * 100 or 100
  local left = event.left_ms and event.done < event.total
    and (", %s left"):format(output.duration(event.left_ms)) or ""
  return ("%s: %3.0f %% of %d rows of %s%s"):format(event.id, share, event.total, event.table, left)
end

--- The migration that was running is done.
function Follow:done()
  local current = self.current
  if not current then return end
  self.current = nil
  local rows = current.rows and ", " .. output.count(current.rows, "row") or ""
  self.out:line(("%s  %s  %s%s"):format(
    self.out:colour("green", current.down and "taken back" or "applied"), current.id,
    output.duration(core.now() - current.began), rows))
  self.hear(current)
end

--- The migration that was running has failed.
---@return table? current
function Follow:stop()
  self.out:clear()
  return self.current
end

--- Hears an event of migrations:up or down.
---@param event table
function Follow:event(event)
  if event.phase then
    self:done()
    self.current = { id = event.id, began = core.now(), down = event.down }
  elseif event.done and self.current then
    self.current.rows = event.done
  end
  self.out:show(M.text(event))
end

---@param out tuff.cli.Output
---@param hear fun(current: table)
---@return tuff.cli.Follow
function M.new(out, hear)
  return setmetatable({ out = out, hear = hear }, Follow)
end

return M
