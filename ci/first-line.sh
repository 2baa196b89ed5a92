#!/usr/bin/env bash
# Seconds from clone to the first line of the README's first command, with an empty target folder
# and the downloads done. The goal is 60 on two idle cores; CI fails over $FIRST_LINE_MAX (120)
# when the processors were at work for as long.
. "$(dirname "$0")/lib.sh"
command=$(grep -oE '^cargo run --release -p [a-z0-9-]+' README.md | head -1)
[ -n "$command" ] || { echo "the README no longer has its first command"; exit 1; }
cargo metadata --locked --no-deps --format-version 1 | grep -q "\"name\":\"${command##* }\"" || skip "${command##* } is not here yet"
cargo fetch --locked -q
python3 ci/first_line.py "$command" "${FIRST_LINE_MAX:-120}"
