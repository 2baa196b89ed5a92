#!/usr/bin/env bash
# Tests against the real servers. What $ARCHSTONE_REQUIRE names must be installed.
. "$(dirname "$0")/lib.sh"
echo "required: ${ARCHSTONE_REQUIRE:-nothing; what is missing is skipped aloud}"
for package in $(workspace tests engine); do
    run cargo test -q -p "$package" --all-features --test engine --locked
done
