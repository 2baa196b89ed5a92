#!/usr/bin/env bash
# Every bench compiles, and `compare --quick` of every area prints rows of the agreed shape.
# Numbers are not judged: the machine may be busy. RESULTS.md is where they are.
. "$(dirname "$0")/lib.sh"
areas=$(workspace areas)
[ -n "$areas" ] || skip "no bench area yet"
features=$(tr '\n' ',' <<<"$areas")
run cargo bench -q -p benches --features "$features" --no-run --locked
for area in $areas; do
    run cargo bench -q -p benches --features "$features" --bench compare --locked -- "$area" --quick --json \
        >"$target/compare-$area.jsonl"
    python3 ci/bench_rows.py "$area" "$target/compare-$area.jsonl"
done
