#!/usr/bin/env bash
# loom or shuttle over the production types: model.sh loom | model.sh shuttle.
# The cfg changes every fingerprint, so each has a target folder of its own.
. "$(dirname "$0")/lib.sh"
kind=${1:?loom or shuttle}
export CARGO_TARGET_DIR=$target/$kind RUSTFLAGS="--cfg archstone_$kind"
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-3}
models=$(workspace cfg "archstone_$kind")
[ -n "$models" ] || skip "no crate has a $kind model yet"
while read -r crate test; do
    out=$(run cargo test -q -p "$crate" --test "$test" --locked 2>&1) || { echo "$out"; exit 1; }
    echo "$out"
    # A cfg with a slip in it would compile to an empty test file that passes.
    grep -qE 'test result: ok\. [1-9]' <<<"$out" || { echo "$crate: tests/$test.rs ran no model"; exit 1; }
done <<<"$models"
