#!/usr/bin/env bash
# Copy the files of the project, without what is ignored, to the folder named as argument.
set -eu

rm -rf "$1"
mkdir -p "$1"
git ls-files --cached --others --exclude-standard -z |
  while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
  tar --create --null --files-from=- |
  tar --extract --directory "$1"
