#!/usr/bin/env bash
# What takes longer than CI may, by hand: more cases for every property, more preemptions for loom,
# more seeds for the designs, minutes of fuzzing a target, demo scale. FUZZ_SECONDS=60 a target.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2046
PROPTEST_CASES=${PROPTEST_CASES:-20000} run cargo test --release -q $(workspace crates | packages) --all-features --lib --tests
LOOM_MAX_PREEMPTIONS=5 run bash ci/loom.sh
run bash ci/shuttle.sh
SEEDS=${SEEDS:-20} run bash ci/designs.sh
for design in $(workspace designs); do
    began=$SECONDS
    "$target/release/$design" >/dev/null 2>&1 || { echo "$design in demo scale: exit $?"; exit 1; }
    echo "$design in demo scale: $((SECONDS - began)) s"
done
if [ -d fuzz ] && cargo +nightly fuzz --version >/dev/null 2>&1; then
    for fuzz_target in $(cargo +nightly fuzz list); do
        run cargo +nightly fuzz run "$fuzz_target" -- -max_total_time="${FUZZ_SECONDS:-60}"
    done
else
    echo "SKIPPED fuzz: needs fuzz/ and cargo-fuzz on a nightly" >&2
fi
