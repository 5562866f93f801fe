std = "lua54"
max_line_length = 100
exclude_files = { "build" }

files["spec"] = { std = "+busted" }
files["lua/tuff/meta"] = {
  ignore = { "212", "241" }, -- declarations for the editor: no body, so nothing uses what they name
}
files["scripts/coverage_hook.lua"] = {
  ignore = { "122" }, -- it wraps coroutine.create, coroutine.wrap and os.exit
}
