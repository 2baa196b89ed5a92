//! Snapshots of reports for the tests of designs.

use std::path::Path;

/// Compares `text` with the file at `path`; with `ARCHSTONE_BLESS=1` it writes the file instead.
///
/// # Panics
/// When they differ, naming the first line that does, or the file cannot be read.
pub fn check(path: impl AsRef<Path>, text: &str) {
    let bless = std::env::var_os("ARCHSTONE_BLESS").is_some_and(|value| value == "1");
    compare(path.as_ref(), text, bless);
}

fn compare(path: &Path, text: &str, bless: bool) {
    if bless {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("the snapshot's folder");
        }
        std::fs::write(path, text).expect("the snapshot is written");
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!("{}: {error}; write it with ARCHSTONE_BLESS=1", path.display())
    });
    if let Some((line, was, is)) = first_difference(&kept, text) {
        let path = path.display();
        panic!("{path}:{line} differs\n  was {was}\n  is  {is}\naccept it with ARCHSTONE_BLESS=1");
    }
}

fn first_difference<'a>(kept: &'a str, text: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut old, mut new) = (kept.lines(), text.lines());
    for line in 1.. {
        match (old.next(), new.next()) {
            (None, None) => return None,
            (was, is) if was == is => {}
            (was, is) => return Some((line, was.unwrap_or("(end)"), is.unwrap_or("(end)"))),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb", "a\nc"), Some((2, "b", "c")));
        assert_eq!(first_difference("a", "a\nb"), Some((2, "(end)", "b")));
        assert_eq!(first_difference("a\nb", "a"), Some((2, "b", "(end)")));
    }

    #[test]
    #[should_panic(expected = "ARCHSTONE_BLESS=1")]
    fn a_missing_snapshot_says_how_to_write_it() {
        compare(Path::new("no/such/snapshot.json"), "text", false);
    }
}
