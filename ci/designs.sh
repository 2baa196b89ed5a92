#!/usr/bin/env bash
# Every reference design in quick scale: deterministic over seeds, every invariant held, every
# safeguard's removal breaks one. SEEDS=20 for more.
. "$(dirname "$0")/lib.sh"
designs=$(workspace designs)
[ -n "$designs" ] || skip "no design yet"
# shellcheck disable=SC2046
run cargo build --release --locked -q $(packages <<<"$designs")
# shellcheck disable=SC2086
python3 ci/designs.py --bin "$target/release" --seeds "${SEEDS:-3}" $designs
