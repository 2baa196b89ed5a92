//! The cursor on any bytes: what the test and the fuzz target run.

#![allow(unreachable_pub, reason = "shared by a test and a fuzz target")]

use archstone_core::bytes::Reader;

/// The first bytes say what to read, in turn; whatever happens, the cursor stays inside.
pub fn any_bytes(bytes: &[u8]) {
    let (script, input) = bytes.split_at(bytes.len().min(16));
    let mut reader = Reader::new(input);
    for &what in script {
        let left = reader.remaining();
        let read = match what % 9 {
            0 => reader.u8("u8").map(drop),
            1 => reader.u16("u16").map(drop),
            2 => reader.u32("u32").map(drop),
            3 => reader.u64("u64").map(drop),
            4 => reader.f64("f64").map(drop),
            5 => reader.varint("varint").map(drop),
            6 => reader.varint_up_to(what.into(), "small").map(|v| assert!(v <= what.into())),
            7 => reader.bytes(what.into(), "bytes").map(drop),
            _ => reader.count(usize::from(what) + 1, "count").map(|n| {
                assert!(n * (usize::from(what) + 1) <= left, "a count that the input cannot hold");
            }),
        };
        if let Err(error) = read {
            assert!(error.at <= input.len(), "an error outside the input");
        }
        assert!(reader.position() <= input.len());
    }
    let left = reader.remaining();
    assert_eq!(reader.finish().is_ok(), left == 0);
}
