//! Golden files: what a published implementation answers, read back line by line.
//!
//! `.gz` is decompressed as it is read, whatever its name. Lines that start with `#` are comments.
//! A malformed file is a mistake in the repository, so these functions panic and name the line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::de::DeserializeOwned;

/// `relative` under `$ARCHSTONE_DATA`, where the vectors live that are too large for the
/// repository; `None`, said aloud, when it is not set.
///
/// # Panics
/// When the variable is set and the file is not there: a wrong name must not look like a skip.
#[must_use]
pub fn data(relative: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("ARCHSTONE_DATA").filter(|v| !v.is_empty()) else {
        crate::skip("data", &format!("ARCHSTONE_DATA is not set, {relative} is not read"));
        return None;
    };
    let path = Path::new(&root).join(relative);
    assert!(path.exists(), "ARCHSTONE_DATA is set and {} is not there", path.display());
    Some(path)
}

/// `relative` under `testdata/` at the root of the repository.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn testdata(relative: &str) -> PathBuf {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata")).join(relative);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// Opens `path`, decompressing gzip by its first two bytes.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn open(path: impl AsRef<Path>) -> Box<dyn BufRead> {
    let path = path.as_ref();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut file = BufReader::new(file);
    let start = file.fill_buf().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    }
}

/// All bytes of `path`, decompressed.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let mut all = Vec::new();
    let path = path.as_ref();
    open(path).read_to_end(&mut all).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    all
}

/// The lines of `path`, without comments and empty ones.
///
/// # Panics
/// While iterating, when a line cannot be read or is not UTF-8.
pub fn lines(path: impl AsRef<Path>) -> impl Iterator<Item = String> {
    numbered(path.as_ref().to_path_buf()).map(|(_, line)| line)
}

/// One JSON value a line.
///
/// # Panics
/// While iterating, when a line is not a `T`.
pub fn jsonl<T: DeserializeOwned>(path: impl AsRef<Path>) -> impl Iterator<Item = T> {
    let path = path.as_ref().to_path_buf();
    numbered(path.clone()).map(move |(n, line)| {
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{} line {n}: {e}", path.display()))
    })
}

/// The rows of a comma-separated file with a header line. `T` is a struct whose fields the header
/// names, or a tuple in the order of the columns.
///
/// # Panics
/// While iterating, when a row is not a `T`.
pub fn csv<T: DeserializeOwned>(path: impl AsRef<Path>) -> impl Iterator<Item = T> {
    table(path.as_ref().to_path_buf(), b',', true)
}

/// [`csv()`], tab-separated, without quoting.
///
/// # Panics
/// While iterating, when a row is not a `T`.
pub fn tsv<T: DeserializeOwned>(path: impl AsRef<Path>) -> impl Iterator<Item = T> {
    table(path.as_ref().to_path_buf(), b'\t', true)
}

/// [`tsv`] of a file without a header line; `T` is a tuple.
///
/// # Panics
/// While iterating, when a row is not a `T`.
pub fn tsv_bare<T: DeserializeOwned>(path: impl AsRef<Path>) -> impl Iterator<Item = T> {
    table(path.as_ref().to_path_buf(), b'\t', false)
}

fn table<T: DeserializeOwned>(
    path: PathBuf,
    delimiter: u8,
    header: bool,
) -> impl Iterator<Item = T> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter == b',')
        .comment(Some(b'#'))
        .has_headers(header)
        .from_reader(open(&path));
    reader
        .into_deserialize()
        .map(move |row| row.unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

fn numbered(path: PathBuf) -> impl Iterator<Item = (usize, String)> {
    (1..)
        .zip(open(&path).lines())
        .map(move |(n, line)| {
            (n, line.unwrap_or_else(|e| panic!("{} line {n}: {e}", path.display())))
        })
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
