#!/usr/bin/env bash
# The tests: the README's own command, then the crates with every feature on.
. "$(dirname "$0")/lib.sh"
command=$(grep -oE '^cargo test --workspace.*$' README.md | head -1)
[ -n "$command" ] || { echo "the README no longer has its test command"; exit 1; }
echo "+ $command"
$command
# shellcheck disable=SC2046
run cargo test -q $(workspace crates | packages) --all-features --lib --tests
