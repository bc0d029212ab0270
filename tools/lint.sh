#!/usr/bin/env bash
# Look at form: rustfmt, clippy, lintr, generated files. Everything is looked at before it fails.
set -u

failed=
step() {
  printf '%s\n' "$1"
  shift
  "$@" || failed=yes
}

rust() { (cd src/rust && cargo "$@"); }

step "rustfmt" rust fmt --all --check
step "clippy" rust clippy --quiet --workspace --all-targets --locked -- --deny warnings
step "lintr" Rscript tools/lint.R
step "generated files" Rscript tools/authors.R --check
[ -z "$failed" ]
