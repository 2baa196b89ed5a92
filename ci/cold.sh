#!/usr/bin/env bash
# Measures what the README says of costs into ci/cold.tsv, seconds by the clock and of CPU: a cold
# release build of each crate with its default features, and clone to first line. By hand, on an
# idle machine: the numbers are of this machine. `cargo run -q -p tour` then writes them into the README.
. "$(dirname "$0")/lib.sh"
cargo fetch --locked -q
at=$(mktemp -d)
TIMEFORMAT='%R %U'

trap 'rm -rf "$at"' EXIT
{
    echo "# $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), rustc $(rustc -V | cut -d' ' -f2)"
    for crate in $(workspace crates); do
        { time CARGO_TARGET_DIR=$at/$crate cargo build -q --release --locked -p "$crate"; } 2>&1 |
            awk -v c="$crate" 'NF == 2 { printf "%s\t%.1f\t%.1f\n", c, $1, $2 }'
    done
    # A line that is drawn and drawn again ends with what it said last.
    bash ci/first-line.sh | tr '\r' '\n' |
        sed -nE 's/.*first line after ([0-9.]+) s \(([0-9]+) s of CPU\).*/first-line\t\1\t\2/p'
} | tee "$at/cold.tsv"
mv "$at/cold.tsv" ci/cold.tsv
