#!/usr/bin/env bash
# Formatting of every package, and Cargo.lock up to date.
. "$(dirname "$0")/lib.sh"
run cargo metadata --locked --format-version 1 >/dev/null
run cargo fmt --all --check
for script in ci/*.sh .ci/run; do bash -n "$script"; done
python3 - ci/*.py <<'P'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
P
