#!/bin/sh
# Install what is missing: R, the R packages named as arguments, and Rust. Stop with a sentence when that cannot be done.

MINIMUM=89 # rustc 1.89, as rust-version in src/rust/Cargo.toml

stop() {
  printf '\n%s\n\n' "$*" >&2
  exit 1
}

r_packages() { # those of the arguments that R cannot load
  # shellcheck disable=SC2016
  Rscript --vanilla -e 'have <- rownames(installed.packages()); cat(setdiff(commandArgs(TRUE), have))' "$@"
}

rust_is_recent() {
  minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
  command -v cargo >/dev/null 2>&1 && [ "${minor:-0}" -ge "$MINIMUM" ]
}

missing=
command -v cc >/dev/null 2>&1 || missing="$missing build-essential"
if command -v Rscript >/dev/null 2>&1; then
  if [ $# -gt 0 ]; then wanted=$(r_packages "$@") || stop "Rscript does not run."; fi
else
  missing="$missing r-base-dev"
  wanted=$*
fi
for package in $wanted; do
  missing="$missing r-cran-$(printf '%s' "$package" | tr '[:upper:]' '[:lower:]')"
  [ "$package" = rmarkdown ] && missing="$missing pandoc"
done
rust_is_recent || command -v curl >/dev/null 2>&1 || missing="$missing curl ca-certificates"

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null 2>&1 || stop "Please install first:$missing (this machine has no apt to do it)."
  sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || stop "Please run as root, this user has no sudo: apt-get install$missing"
    sudo=sudo
  fi
  printf 'Installing%s\n' "$missing"
  log=$(mktemp)
  $sudo apt-get update >"$log" 2>&1 || printf 'apt-get update failed, going on with the lists at hand.\n'
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    stop "apt-get could not install:$missing"
  }
  rm -f "$log"
fi

if ! rust_is_recent; then
  printf 'Installing Rust into .rust\n'
  script=$(mktemp)
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs -o "$script" 2>/dev/null &&
    RUSTUP_HOME="$PWD/.rust/rustup" CARGO_HOME="$PWD/.rust/cargo" RUSTUP_INIT_SKIP_PATH_CHECK=yes \
      sh "$script" -y --quiet --no-modify-path --profile minimal --component rustfmt,clippy >/dev/null || {
    rm -rf .rust "$script"
    stop "Rust 1.$MINIMUM or later is needed and could not be fetched: install it from https://rustup.rs and try again."
  }
  # The tools themselves, not the proxies of rustup, which would need RUSTUP_HOME.
  ln -s rustup/toolchains/*/bin .rust/bin
  rm -f "$script"
fi
