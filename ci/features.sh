#!/usr/bin/env bash
# Each crate builds, without a warning, with no feature, each feature alone, and all of them.
. "$(dirname "$0")/lib.sh"
for crate in $(workspace crates); do
    run cargo clippy -q -p "$crate" --locked --no-default-features -- -D warnings
    for feature in $(workspace features "$crate"); do
        run cargo clippy -q -p "$crate" --locked --no-default-features --features "$feature" -- -D warnings
    done
    run cargo clippy -q -p "$crate" --locked --all-features -- -D warnings
done
