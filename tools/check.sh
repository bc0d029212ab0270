#!/usr/bin/env bash
# R CMD check of a fresh copy: no error and no warning.
set -eu

bash tools/source.sh build/check/nlmers
cd build/check
export CARGO_TARGET_DIR="$PWD/../target"
# saemix is suggested but not needed: its tests use recorded numbers without it.
export _R_CHECK_FORCE_SUGGESTS_=false
rm -f nlmers_*.tar.gz
R CMD build nlmers
# The manual needs LaTeX.
R CMD check --no-manual nlmers_*.tar.gz || true
status=$(grep '^Status:' nlmers.Rcheck/00check.log || echo "Status: 1 ERROR")
printf '%s\n' "$status"
case "$status" in *ERROR* | *WARNING*) exit 1 ;; esac
