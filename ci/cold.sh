#!/usr/bin/env bash
# Measures what the README says of costs, on an idle machine, into ci/cold.tsv: a cold release build
# of each crate with its default features, and the time from clone to the first line. By hand: the
# numbers are of this machine. `cargo run -q -p tour` then writes them into the README.
. "$(dirname "$0")/lib.sh"
cargo fetch --locked -q
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
{
    echo "# $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), rustc $(rustc -V | cut -d' ' -f2)"
    for crate in $(workspace crates); do
        began=$(date +%s.%N)
        CARGO_TARGET_DIR=$at/$crate cargo build -q --release --locked -p "$crate"
        ended=$(date +%s.%N)
        awk -v c="$crate" -v a="$began" -v b="$ended" 'BEGIN { printf "%s\t%.1f\n", c, b - a }'
    done
    FIRST_LINE_MAX=600 bash ci/first-line.sh | sed -n 's/.*first line after \([0-9.]*\) s.*/first-line\t\1/p'
} | tee "$at/cold.tsv"
mv "$at/cold.tsv" ci/cold.tsv
