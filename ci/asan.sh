#!/usr/bin/env bash
# Address sanitizer over the crates that have unsafe code. Needs a nightly toolchain.
. "$(dirname "$0")/lib.sh"
crates=$(workspace unsafe)
[ -n "$crates" ] || skip "no crate has unsafe code"
cargo +nightly --version >/dev/null 2>&1 || skip "no nightly toolchain"
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=$target/asan RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=1
export LSAN_OPTIONS=suppressions=$root/ci/lsan.supp
# --target keeps build scripts and macros out of it.
# shellcheck disable=SC2086
run cargo +nightly test -q $(packages <<<"$crates") --lib --tests --target "$host" --locked
