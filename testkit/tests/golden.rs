//! The readers, on files written here.

use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;
use testkit::golden;

fn write(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    key: String,
    hash: u64,
}

#[test]
fn a_table_reads_by_header_or_by_position_gzipped_or_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = b"# source: here\nkey\thash\na\"b\t7\nc\t18446744073709551615\n";
    let want = [Row { key: "a\"b".into(), hash: 7 }, Row { key: "c".into(), hash: u64::MAX }];
    for bytes in [text.to_vec(), gz(text)] {
        let path = write(&dir, "t.tsv", &bytes);
        assert_eq!(golden::tsv::<Row>(&path).collect::<Vec<_>>(), want);
        let by_position: Vec<(String, u64)> = golden::tsv(&path).collect();
        assert_eq!(by_position[1], ("c".to_owned(), u64::MAX));
    }
    let bare = write(&dir, "bare.tsv", b"1\t2.5\n3\t4\n");
    assert_eq!(golden::tsv_bare::<(u32, f64)>(&bare).collect::<Vec<_>>(), [(1, 2.5), (3, 4.0)]);
    let quoted = write(&dir, "q.csv", b"key,hash\n\"a,b\",1\n");
    assert_eq!(golden::csv::<Row>(&quoted).next(), Some(Row { key: "a,b".into(), hash: 1 }));
}

#[test]
fn json_lines_and_plain_lines_skip_comments_and_keep_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = write(
        &dir,
        "v.jsonl.gz",
        &gz(b"# c\n{\"key\":\"x\",\"hash\":1}\n\n{\"key\":\"y\",\"hash\":2}\n"),
    );
    let rows: Vec<Row> = golden::jsonl(&path).collect();
    assert_eq!(rows.iter().map(|r| r.hash).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(golden::lines(&path).count(), 2);
    assert!(golden::bytes(&path).starts_with(b"# c\n"));
}

#[test]
#[should_panic(expected = "line 2")]
fn a_malformed_line_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = write(&dir, "v.jsonl", b"{\"key\":\"x\",\"hash\":1}\n{\"key\":3}\n");
    golden::jsonl::<Row>(&path).for_each(drop);
}

#[test]
fn several_gzip_members_read_as_one_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = write(&dir, "m.gz", &[gz(b"one\n"), gz(b"two\n")].concat());
    assert_eq!(golden::lines(&path).collect::<Vec<_>>(), ["one", "two"]);
}
