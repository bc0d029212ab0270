#!/bin/sh
# Run the tests of the core and of the installed package; leave their counts in build/counts as "passed failed".

mkdir -p build
{
  cargo test --manifest-path src/rust/Cargo.toml --locked --package nlmers-core --lib --tests --no-fail-fast
  echo $? >build/cargo.status
} 2>&1 | tee build/cargo.log
cargo_status=$(cat build/cargo.status)
Rscript tools/test.R build/testthat.counts
r_status=$?

# One line "test result: ok. 3 passed; 0 failed; ..." for each test binary; none at all when the build failed.
core=$(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' build/cargo.log)
front=$(cat build/testthat.counts 2>/dev/null || echo "0 1")
at_least_one_failed() { # counts, status
  [ "$2" -ne 0 ] && [ "${1#* }" -eq 0 ] && echo "${1% *} 1" || echo "$1"
}
core=$(at_least_one_failed "$core" "$cargo_status")
front=$(at_least_one_failed "$front" "$r_status")
printf '\ncore (cargo):       %s passed, %s failed\n' "${core% *}" "${core#* }"
printf 'package (testthat): %s passed, %s failed\n' "${front% *}" "${front#* }"
echo "$core $front" | awk '{ print $1 + $3, $2 + $4 }' >build/counts
[ "$cargo_status" -eq 0 ] && [ "$r_status" -eq 0 ]
