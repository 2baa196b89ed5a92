#!/usr/bin/env bash
# Every crate packs, and builds from what it packed.
. "$(dirname "$0")/lib.sh"
for crate in $(workspace crates); do
    folder=crates/${crate#archstone-}
    for file in README.md CHANGELOG.md DESIGN.md LICENSE-MIT LICENSE-APACHE; do
        [ -e "$folder/$file" ] || { echo "$folder/$file is missing"; exit 1; }
    done
    cmp LICENSE-MIT "$folder/LICENSE-MIT" && cmp LICENSE-APACHE "$folder/LICENSE-APACHE"
done
# Cargo takes what comes from a registry for unchanging, its own overlay of just packed crates too: both
# what it unpacked and what it built of an earlier core under the same version would pass for today's.
export CARGO_TARGET_DIR=$target/packed
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/archstone-*-"$version" "$CARGO_TARGET_DIR"/debug/.fingerprint/archstone-*
# --allow-dirty: a script that packs into the target folder must also run on work in progress.
# shellcheck disable=SC2046
run cargo package -q $(workspace crates | packages) --allow-dirty --locked
