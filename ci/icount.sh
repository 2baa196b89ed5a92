#!/usr/bin/env bash
# Instructions an operation of one contender, by callgrind: for rows of RESULTS.md below their goal.
# usage: ci/icount.sh AREA ENTRY-ID CONTENDER [ROUNDS]
#   ci/icount.sh core core.hash/8..=40 "xxhash-rust xxh3_64"
# Only what runs inside benches::measure::measured_section counts: no set-up, no workload.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
area=$1 id=$2 contender=$3 rounds=${4:-1}
command -v valgrind >/dev/null || { echo "icount: valgrind is not there (Debian: apt-get install valgrind)" >&2; exit 2; }
cd "$(dirname "$0")/.."
binary=$(cargo bench -q -p benches --features "$area" --bench compare --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*compare-[^"]*\)".*/\1/p' | tail -1)
[ -n "$binary" ] || { echo "icount: the bench did not build" >&2; exit 1; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
valgrind --tool=callgrind --toggle-collect='*measured_section*' --callgrind-out-file="$work/out" \
  "$binary" "$area" --only "$id" --alone "$contender" --rounds "$rounds" >"$work/stdout" 2>"$work/stderr" ||
  { grep -v '^==' "$work/stderr" >&2; exit 2; }
operations=$(sed -n 's/^operations //p' "$work/stdout")
instructions=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/stderr")
awk -v i="$instructions" -v n="$operations" -v who="$contender" -v id="$id" \
  'BEGIN { printf "%s, %s: %.2f instructions an operation (%d / %d)\n", id, who, i / n, i, n }'
