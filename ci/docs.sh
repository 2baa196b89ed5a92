#!/usr/bin/env bash
# Documentation without a warning (a dead link is one), and every example in it run.
. "$(dirname "$0")/lib.sh"
RUSTDOCFLAGS="-D warnings" run cargo doc -q --workspace --lib --no-deps --all-features --locked
# shellcheck disable=SC2046
run cargo test -q --doc $(workspace crates | packages) --all-features --locked
