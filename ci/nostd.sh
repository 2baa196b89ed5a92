#!/usr/bin/env bash
# The no_std proof: a host staticlib with its own panic handler and allocator links every crate
# with default features off (and every feature on that does not need std), and a C program calls it. If std creeps in, there are two panic
# handlers and the build fails; the last step lets it creep in, to see that it does.
. "$(dirname "$0")/lib.sh"
command -v cc >/dev/null || skip "no C linker"
at=$target/nostd
mkdir -p "$at/src"

# manifest FEATURES-OF-CORE: a package that depends on every crate, outside the workspace
manifest() {
    cat <<M
[package]
name = "nostd"
version = "0.0.0"
edition = "2024"
publish = false
[lib]
crate-type = ["staticlib"]
[profile.dev]
panic = "abort"
[workspace]
[dependencies]
M
    for crate in $(workspace crates); do
        # Every feature that does not say it needs std.
        features=$(workspace nostd "$crate" | sed 's/.*/"&"/' | paste -sd, -)
        if [ "$crate" = archstone-core ] && [ -n "$1" ]; then features="\"$1\""; fi
        echo "$crate = { path = \"$root/crates/${crate#archstone-}\", default-features = false, features = [$features] }"
    done
}
build() { cargo build -q --manifest-path "$at/Cargo.toml" --target-dir "$at/target"; }

{
    cat ci/nostd/lib.rs
    for crate in $(workspace crates); do echo "extern crate ${crate//-/_};"; done
} >"$at/src/lib.rs"
manifest "" >"$at/Cargo.toml"
cp Cargo.lock "$at/Cargo.lock" # the same versions as the workspace
build
cc ci/nostd/main.c "$at/target/debug/libnostd.a" -o "$at/probe"
"$at/probe"

manifest std >"$at/Cargo.toml"
if out=$(build 2>&1); then
    echo "std crept in and the proof did not notice"
    exit 1
fi
grep -q 'panic_impl' <<<"$out" || { echo "$out"; exit 1; }
echo "no_std: $(workspace crates | wc -l) crates linked without std; with std the build fails, as it must"
