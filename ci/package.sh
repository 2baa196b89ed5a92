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
# --allow-dirty: a script that packs into the target folder must also run on work in progress.
# shellcheck disable=SC2046
run cargo package -q $(workspace crates | packages) --allow-dirty --locked
