--- A file that could not be read was taken for a broken one. Nothing is wrong with it as far as is
--- known: it is read again when it is there.

return {
  up = function(db)
    db:run [[
      update Images set unavailable = true, broken = false, problem = null
      where broken and problem like 'file cannot be read%']]
  end,
}
