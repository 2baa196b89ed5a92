#!/usr/bin/env bash
# The README's picture: the summary of a real run of top-k in a terminal of 80 columns, as SVG.
# picture.sh draws it anew; picture.sh --check fails when a run no longer says the same, numbers of
# the machine aside (times, rates, memory).
. "$(dirname "$0")/lib.sh"
system=top-k
svg=examples/$system/run.svg
[ -d "examples/$system" ] || skip "$system is not here yet"
run cargo build --release --locked -q -p "$system"
run cargo build --locked -q -p tour
new=$(mktemp)
trap 'rm -f "$new"' EXIT
python3 ci/terminal.py 80 24 "$target/release/$system" | "$target/debug/tour" picture "cargo run --release -p $system" >"$new"
if [ "${1:-}" = --check ]; then
    python3 ci/same_picture.py "$svg" "$new"
else
    cp "$new" "$svg"
fi
