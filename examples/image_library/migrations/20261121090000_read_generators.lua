--- Models, seeds and samplers stand in the files, which have to be read again for them.

return {
  up = function(_, step)
    step.rescan()
  end,
}
