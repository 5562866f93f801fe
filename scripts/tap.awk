# tap.awk: reads what a suite printed and prints "PASSED FAILED SKIPPED", then what is to be said of
# its failures and skips. Set by the caller: status, the suite's exit status; limit, the seconds it
# had; found, what a sanitizer reported. A suite that crashed or did not run what it
# planned counts as one more failure.

function say(text) { said = said "\n" text }

/^(not )?ok( |$)/ {
  seen++
  name = $0
  sub(/^(not )?ok *[0-9]* *(- *)?/, "", name)
  failing = 0
  if (match(toupper(name), /# *SKIP/)) {
    skipped++
    say("  skipped: " substr(name, 1, RSTART - 2) ":" substr(name, RSTART + RLENGTH))
  } else if (/^not /) {
    failed++
    failing = 1
    say("  FAILED: " name)
  } else {
    passed++
  }
  last = name
  next
}

/^1\.\.[0-9]+/ {
  planned = substr($1, 4) + 0
  has_plan = 1
  if (planned == 0 && match(toupper($0), /# *SKIP/)) {
    skipped++
    all_skipped = 1
    say("  skipped: " substr($0, RSTART + RLENGTH + 1))
  }
  failing = 0
  next
}

/^# running: / { last = substr($0, 12); failing = 0; next }

/^#/ && failing { say("    " $0) }

END {
  if (status == 124) how = "stopped after " limit " s"
  else if (status > 128) how = "killed by signal " (status - 128)
  else if (status) how = "exit status " status
  else how = "exit status 0"

  if (!has_plan) wrong = "no plan, " how
  else if (planned != seen) wrong = planned " planned, " seen + 0 " run, " how
  else if (planned == 0 && !all_skipped) wrong = "ran nothing, " how
  else if (status && !failed) wrong = "all passed, yet " how
  if (wrong) {
    failed++
    say("  FAILED: the suite itself: " wrong (last ? "; the last was: " last : ""))
  }
  if (found) {
    failed++
    say("  FAILED: the sanitizer found something")
  }
  print passed + 0, failed + 0, skipped + 0 said
}
