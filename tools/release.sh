#!/usr/bin/env bash
# Build the source tarball with its vendored crates and prove that it installs without a network.
set -eu

[ -z "$(git status --porcelain)" ] || printf 'note: the tarball holds changes that are not committed\n'
bash tools/source.sh build/release/nlmers
cp build/vendor.tar.xz build/release/nlmers/src/rust/
cd build/release
rm -f nlmers_*.tar.gz
unset CARGO_TARGET_DIR
R CMD build nlmers

rm -rf library
mkdir library
alone=
if unshare --map-root-user --net true 2>/dev/null; then alone="unshare --map-root-user --net"; fi
# Crates that other builds have downloaded must not help: CARGO_HOME is an empty folder.
CARGO_HOME=$(mktemp -d) $alone R CMD INSTALL --library=library nlmers_*.tar.gz >install.log 2>&1 || {
  cat install.log
  exit 1
}
grep 'vendored' install.log
R_LIBS="$PWD/library" Rscript -e 'library(nlmers, lib.loc = "library"); cat("installed offline:", format(packageVersion("nlmers")), "\n")'
ls -l nlmers_*.tar.gz
