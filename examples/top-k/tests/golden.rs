//! The NASA day against the tools that everybody has: `sort | uniq -c | sort -rn`.

use std::io::Write;
use std::process::{Command, Stdio};
use top_k::exact::{Exact, sort_uniq};
use top_k::field::Field;
use top_k::input::{Batch, Log};
use top_k::keys::Keys;
use top_k::part_one::NASA;

fn keys_of(field: Field) -> Keys {
    let mut log = Log::open(Box::new(NASA), None, false).expect("the shipped log");
    let (mut batch, mut keys) = (Batch::default(), Keys::default());
    while log.read(&mut batch) {
        batch.rows().iter().for_each(|row| keys.push(field.key(&batch, row)));
    }
    assert_eq!((log.stats.lines, log.stats.events, log.stats.malformed), (30_970, 30_969, 0));
    keys
}

/// What the shell finds: count and key, the most frequent first, ties by key.
fn shell(keys: &Keys) -> Option<Vec<(u64, String)>> {
    let command = "LC_ALL=C sort | uniq -c | LC_ALL=C sort -k1,1rn -k2";
    let mut shell = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let lines: String = keys.iter().flat_map(|key| [key, "\n"]).collect();
    let mut stdin = shell.stdin.take()?;
    let feeder = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let out = shell.wait_with_output().ok().filter(|out| out.status.success())?;
    feeder.join().ok()?.ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let line = |line: &str| {
        let (count, key) = line.trim_start().split_once(' ')?;
        Some((count.parse().ok()?, key.to_owned()))
    };
    text.lines().map(line).collect()
}

#[test]
fn exact_counts_are_those_of_sort_and_uniq() {
    for field in Field::ALL {
        let keys = keys_of(field);
        let mut exact = Exact::new(usize::MAX);
        keys.iter().for_each(|key| exact.add(key));
        let ours = exact.top(usize::MAX);
        assert_eq!(sort_uniq(&keys), ours, "{field}");
        let Some(theirs) = shell(&keys) else {
            testkit::skip("sort", "no shell with sort and uniq");
            return;
        };
        let theirs: Vec<_> = theirs.iter().map(|(count, key)| (key.as_str(), *count)).collect();
        assert_eq!(theirs, ours, "{field}");
    }
}

#[test]
fn the_most_visited_page_of_the_day_is_known() {
    let keys = keys_of(Field::Url);
    let top: Vec<_> = sort_uniq(&keys).into_iter().take(3).collect();
    let expected = [
        ("/images/NASA-logosmall.gif", 2140),
        ("/images/MOSAIC-logosmall.gif", 1756),
        ("/images/USA-logosmall.gif", 1748),
    ];
    assert_eq!(top, expected);
}
