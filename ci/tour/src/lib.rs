//! What the READMEs show is written from what the packages say, so that it cannot drift.
//!
//! `cargo run -q -p tour` rewrites the generated parts of `README.md` and `examples/README.md`; the
//! test `tests/drift.rs` fails when that would change a byte. `cargo run -q -p tour -- picture`
//! draws a terminal's output, read from standard input, as SVG.

pub mod chart;
pub mod picture;
pub mod readme;
pub mod workspace;
