#!/bin/sh
# fuzz.sh SECONDS: runs each fuzz target that long, beginning with its corpus. New inputs are kept in
# build/fuzz/corpus/; one that fails is written to build/fuzz/ and belongs into csrc/test/corpus/.
set -u
status=0

for source in csrc/test/fuzz_*.c; do
  [ -e "$source" ] || continue
  target=$(basename "$source" .c)
  name=${target#fuzz_}
  mkdir -p "build/fuzz/corpus/$name"
  echo "$target, $1 s"
  "build/fuzz/test/$target" -max_total_time="$1" -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$name-" "build/fuzz/corpus/$name" "csrc/test/corpus/$name" || status=1
done

exit $status
