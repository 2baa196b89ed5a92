#!/usr/bin/env bash
# Lints are errors: everything with all features, the crates with their default ones (a test that
# needs a feature must say so), then with none.
. "$(dirname "$0")/lib.sh"
run cargo clippy --workspace --all-targets --all-features --locked -q -- -D warnings
# shellcheck disable=SC2046
run cargo clippy $(workspace crates | packages) --all-targets --locked -q -- -D warnings
# shellcheck disable=SC2046
run cargo clippy $(workspace crates | packages) --no-default-features --locked -q -- -D warnings
