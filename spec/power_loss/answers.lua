--- answers.lua: for each line `DIRECTORY<tab>MARK` that comes in, one goes out which says what
--- becomes of the promise of the mark; see csrc/test/disk/replayer.c.

--- Answers until the end of the input.
---@param answer fun(directory: string, said: string?, k: integer): string what is found in the
---  directory, "ok" or what is wrong, where the workload last said "begin" or "done" of its k-th
---  transaction, or nothing; an error means that it is corrupt
return function(answer)
  for line in io.lines() do
    local directory, mark = line:match("^(.-)\t(.*)$")
    local said, k = mark:match("^(%a+) (%d+)$")
    local good, found = pcall(answer, directory, said, math.tointeger(k or 0))
    io.write(good and found or "corrupt: " .. tostring(found):gsub("\n", " "), "\n")
    io.stdout:flush()
  end
end
