--- Random operations from a seed, and the shrinking of a sequence that fails.

local property = {}

--- A generator that gives the same numbers for the same seed on every machine.
---@param seed integer
---@return fun(limit: integer): integer from 1 to limit
function property.random(seed)
  local state = (seed * 0x9E3779B97F4A7C15) ~ 0x2545F4914F6CDD1D
  if state == 0 then state = 1 end
  return function(limit)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return (state >> 1) % limit + 1
  end
end

--- A sequence of operations.
---@param seed integer
---@param count integer
---@param makers { [1]: integer, [2]: function }[] a weight, and what makes an operation
---@return table[] operations
function property.generate(seed, count, makers)
  local random, total = property.random(seed), 0
  for _, maker in ipairs(makers) do total = total + maker[1] end
  local operations = {}
  for index = 1, count do
    local ticket = random(total)
    for _, maker in ipairs(makers) do
      ticket = ticket - maker[1]
      if ticket <= 0 then
        operations[index] = maker[2](random)
        break
      end
    end
  end
  return operations
end

local function without(list, from, count)
  local rest = {}
  for index, each in ipairs(list) do
    if index < from or index >= from + count then rest[#rest + 1] = each end
  end
  return rest
end

--- Takes away all that a failing sequence can do without.
---@param operations table[]
---@param fails fun(operations: table[]): any true when it still fails
---@return table[] minimal no single operation of it can be left out
function property.shrink(operations, fails)
  local current = operations
  local size = #current
  while size >= 1 do
    local from, removed = 1, false
    while from <= #current do
      local candidate = without(current, from, size)
      if fails(candidate) then
        current, removed = candidate, true
      else
        from = from + size
      end
    end
    if not (size == 1 and removed) then size = size // 2 end
  end
  return current
end

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for place, part in ipairs(value) do parts[place] = shown(part) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

--- A sequence as text that can be read, and pasted into a test.
---@param operations table[]
---@return string
function property.show(operations)
  local lines = {}
  for index, operation in ipairs(operations) do lines[index] = "  " .. shown(operation) .. "," end
  return table.concat(lines, "\n")
end

--- Tries seed after seed; fails with the smallest failing sequence of the first that fails.
---@param options table seeds: how many; count: operations of each; makers: see generate;
---   run(operations): says what went wrong, nil when nothing did
function property.check(options)
  for seed = 1, options.seeds do
    local operations = property.generate(seed, options.count, options.makers)
    local reason = options.run(operations)
    if reason then
      local minimal = property.shrink(operations, options.run)
      error(("seed %d fails: %s\nshrunk from %d to %d operations:\n%s\nwhich fail with: %s"):format(
        seed, reason, #operations, #minimal, property.show(minimal),
        tostring(options.run(minimal))), 2)
    end
  end
end

return property
