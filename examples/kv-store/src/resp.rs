//! Redis' protocol: requests in, replies out. The parser is `redis-protocol`; what stands here
//! bounds what it is given: no nested arrays, no bulk string over [`MAX_BULK`], no more than
//! [`MAX_ARGS`] arguments.

use crate::store::{Store, StoreError};
use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, RangeFrame, Resp2Frame};

/// The most bytes of one argument; values over [`crate::store::MAX_PAIR`] are refused one by one,
/// what is over this ends the connection.
pub const MAX_BULK: usize = 64 * 1_024;
/// The most arguments of one request.
pub const MAX_ARGS: usize = 1_024;
/// The most bytes of one request, and of what is read ahead.
pub const MAX_REQUEST: usize = 256 * 1_024;
/// The most bytes of a line: a length, or a command typed by hand.
const MAX_LINE: usize = 4 * 1_024;

/// What stands at the beginning of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not yet a whole request.
    More,
    /// The arguments, and how many bytes they took. None: an empty line.
    Request(Vec<Vec<u8>>, usize),
    /// No request: say why, and hang up.
    Bad(String),
}

/// The line at the beginning of `bytes`, without its end, and its length with it.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Parsed> {
    let shown = &bytes[..bytes.len().min(MAX_LINE)];
    match shown.iter().position(|&byte| byte == b'\n') {
        Some(at) => Ok(Some((shown[..at].strip_suffix(b"\r").unwrap_or(&shown[..at]), at + 1))),
        None if shown.len() < MAX_LINE => Ok(None),
        None => Err(Parsed::Bad(format!("a line of more than {MAX_LINE} bytes"))),
    }
}

fn length(line: &[u8], what: &str, limit: usize) -> Result<usize, Parsed> {
    let number = std::str::from_utf8(line).ok().and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(n @ 0..) if n as u64 <= limit as u64 => Ok(n as usize),
        // Redis takes an array of less than none as an empty one.
        Some(..0) if what == "multibulk" => Ok(0),
        Some(n) => Err(Parsed::Bad(format!("invalid {what} length {n}, the limit is {limit}"))),
        None => Err(Parsed::Bad(format!("invalid {what} length"))),
    }
}

/// Takes the first request of `bytes`.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    match try_parse(bytes) {
        Ok(parsed) | Err(parsed) => parsed,
    }
}

fn try_parse(bytes: &[u8]) -> Result<Parsed, Parsed> {
    let Some((first, mut at)) = line(bytes)? else { return Ok(Parsed::More) };
    let Some(count) = first.strip_prefix(b"*") else {
        // Typed by hand.
        let words = first.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Parsed::Request(words.map(<[u8]>::to_vec).collect(), at));
    };
    let count = length(count, "multibulk", MAX_ARGS)?;
    let mut args = Vec::new();
    for _ in 0..count {
        let rest = &bytes[at..];
        let Some((head, _)) = line(rest)? else { return Ok(Parsed::More) };
        let Some(size) = head.strip_prefix(b"$") else {
            let found = head.first().map_or(' ', |&byte| char::from(byte));
            return Err(Parsed::Bad(format!("expected '$', got {found:?}")));
        };
        length(size, "bulk", MAX_BULK)?;
        match decode_range(rest) {
            Ok(None) => return Ok(Parsed::More),
            Ok(Some((RangeFrame::BulkString((start, end)), used))) => {
                if rest.get(used - 2..used) != Some(b"\r\n") {
                    return Err(Parsed::Bad("a bulk string of another length".into()));
                }
                args.push(rest[start..end].to_vec());
                at += used;
            }
            Ok(Some(_)) => return Err(Parsed::Bad("expected a bulk string".into())),
            Err(error) => return Err(Parsed::Bad(error.to_string())),
        }
    }
    Ok(Parsed::Request(args, at))
}

/// Appends a reply.
pub fn reply(out: &mut Vec<u8>, frame: &OwnedFrame) {
    let at = out.len();
    out.resize(at + frame.encode_len(false), 0);
    match encode(&mut out[at..], frame, false) {
        Ok(used) => out.truncate(at + used),
        Err(_) => out.truncate(at),
    }
}

/// An error as a reply: one line, whatever the client sent.
#[must_use]
pub fn error(what: &str) -> OwnedFrame {
    let line: String =
        what.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    OwnedFrame::Error(format!("ERR {line}"))
}

/// Does what a request asks.
pub fn execute(store: &mut Store, args: &[Vec<u8>]) -> OwnedFrame {
    let Some((name, args)) = args.split_first() else { return error("empty command") };
    let name = name.to_ascii_lowercase();
    let done = match (&name[..], args) {
        (b"ping", []) => Ok(OwnedFrame::SimpleString(b"PONG".to_vec())),
        (b"ping", [text]) => Ok(OwnedFrame::BulkString(text.clone())),
        (b"get", [key]) => {
            store.get(key).map(|value| value.map_or(OwnedFrame::Null, OwnedFrame::BulkString))
        }
        (b"set", [key, value]) => {
            store.set(key, value.clone()).map(|()| OwnedFrame::SimpleString(b"OK".to_vec()))
        }
        (b"set", [_, _, ..]) => return error("syntax error: SET has no options here"),
        (b"del", [_, ..]) => count(args, |key| store.delete(key)),
        (b"exists", [_, ..]) => count(args, |key| Ok(store.get(key)?.is_some())),
        (b"info", [] | [_]) => Ok(OwnedFrame::BulkString(store.info().into_bytes())),
        (b"ping" | b"get" | b"set" | b"del" | b"exists" | b"info", _) => {
            let name = String::from_utf8_lossy(&name);
            return error(&format!("wrong number of arguments for '{name}' command"));
        }
        _ => {
            let name = String::from_utf8_lossy(&name);
            return error(&format!(
                "unknown command '{name}'; there are PING, GET, SET, DEL, EXISTS, INFO"
            ));
        }
    };
    done.unwrap_or_else(|why| match why {
        StoreError::Unavailable => OwnedFrame::Error(format!("UNAVAILABLE {why}")),
        StoreError::TooLarge { .. } => error(&why.to_string()),
    })
}

/// Of how many keys it was so.
fn count(
    keys: &[Vec<u8>],
    mut was: impl FnMut(&[u8]) -> Result<bool, StoreError>,
) -> Result<OwnedFrame, StoreError> {
    let mut sum = 0;
    for key in keys {
        sum += i64::from(was(key)?);
    }
    Ok(OwnedFrame::Integer(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(parsed: Parsed) -> (Vec<String>, usize) {
        let Parsed::Request(args, used) = parsed else { panic!("{parsed:?}") };
        (args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect(), used)
    }

    #[test]
    fn requests_are_taken_one_by_one_and_cut_ones_wait() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n*1\r\n$4\r\nPING\r\nping x\r\n\r\n";
        let (first, used) = words(parse(bytes));
        assert_eq!((first, used), (vec!["GET".into(), "a\r\n".into()], 22));
        assert_eq!(words(parse(&bytes[used..])), (vec!["PING".into()], 14));
        assert_eq!(words(parse(&bytes[used + 14..])).0, ["ping", "x"]);
        for cut in 0..22 {
            assert_eq!(parse(&bytes[..cut]), Parsed::More, "{cut}");
        }
        assert_eq!(words(parse(b"\r\n")), (vec![], 2));
        assert_eq!(words(parse(b"*-1\r\n")), (vec![], 5));
    }

    #[test]
    fn what_is_too_long_too_many_or_nested_is_refused_at_once() {
        let nested = b"*1\r\n".repeat(30_000);
        let long = [b'x'; MAX_LINE + 1];
        for bytes in [
            &b"*1025\r\n"[..],
            b"*999999999999999999999\r\n",
            b"*1\r\n$65537\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$9223372036854775807\r\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n$1\r\nabc",
            b"*x\r\n",
            &nested,
            &long,
        ] {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
            assert!(matches!(parse(bytes), Parsed::Bad(_)), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_request_that_was_written_is_read_and_no_bytes_make_it_panic(
            args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
            junk in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..60),
        ) {
            let frames = args.iter().cloned().map(OwnedFrame::BulkString).collect();
            let mut bytes = Vec::new();
            reply(&mut bytes, &OwnedFrame::Array(frames));
            let whole = bytes.len();
            bytes.extend(&junk);
            prop_assert_eq!(parse(&bytes), Parsed::Request(args, whole));
            match parse(&junk) {
                Parsed::Request(_, used) => prop_assert!(used <= junk.len() && used > 0),
                Parsed::More | Parsed::Bad(_) => {}
            }
        }

        #[test]
        fn an_error_is_one_line(what in ".{0,300}") {
            let mut bytes = Vec::new();
            reply(&mut bytes, &error(&what));
            prop_assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 1);
        }
    }
}
