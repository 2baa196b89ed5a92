//! The part of RFC 9651 (structured field values) that the rate-limit fields use: lists of strings
//! or tokens with parameters, dictionaries of integers.
//!
//! Parsing is strict, as section 4.2 demands: any error fails the whole field, and the caller
//! ignores a field that failed. Input is bounded by the caller's own header limit; memory used is
//! at most a small multiple of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A bare item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bare {
    Integer(i64),
    /// A string or a token.
    Text(String),
    Bytes(Vec<u8>),
    /// Decimals, booleans, dates, display strings: valid, and nothing to us.
    Other,
}

impl Bare {
    /// A whole number that is not negative.
    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Self::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }
}

/// A member of a list, or of a dictionary under its key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) value: Bare,
    pub(super) parameters: Vec<(String, Bare)>,
}

impl Item {
    /// The last parameter of that name: a later one replaces an earlier (RFC 9651, 3.1.2).
    pub(super) fn parameter(&self, name: &str) -> Option<&Bare> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A list of items; `None` when malformed. Inner lists are not used by these fields and fail.
pub(super) fn list(field: &str) -> Option<Vec<Item>> {
    let mut cursor = Cursor::new(field);
    let mut items = Vec::new();
    cursor.members(|cursor| {
        items.push(cursor.item()?);
        Some(())
    })?;
    Some(items)
}

/// A dictionary in the order of its keys; `None` when malformed.
pub(super) fn dictionary(field: &str) -> Option<Vec<(String, Item)>> {
    let mut cursor = Cursor::new(field);
    let mut entries = Vec::new();
    cursor.members(|cursor| {
        let key = cursor.key()?;
        let item = if cursor.take(b'=') {
            cursor.item()?
        } else {
            Item { value: Bare::Other, parameters: cursor.parameters()? }
        };
        entries.push((key, item));
        Some(())
    })?;
    Some(entries)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(field: &'a str) -> Self {
        Self { rest: field.trim_matches(' ').as_bytes() }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn skip(&mut self, white: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&white) {
            self.rest = &self.rest[1..];
        }
    }

    /// The longest prefix of bytes that `belongs` accepts.
    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !belongs(b)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// Comma-separated members up to the end; a trailing comma is an error.
    fn members(&mut self, mut member: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.rest.is_empty() {
            return Some(());
        }
        loop {
            member(self)?;
            self.skip(|b| b == b' ' || b == b'\t');
            if self.rest.is_empty() {
                return Some(());
            }
            if !self.take(b',') {
                return None;
            }
            self.skip(|b| b == b' ' || b == b'\t');
        }
    }

    fn item(&mut self) -> Option<Item> {
        let value = self.bare()?;
        Some(Item { value, parameters: self.parameters()? })
    }

    fn parameters(&mut self) -> Option<Vec<(String, Bare)>> {
        let mut parameters = Vec::new();
        while self.take(b';') {
            self.skip(|b| b == b' ');
            let key = self.key()?;
            let value = if self.take(b'=') { self.bare()? } else { Bare::Other };
            parameters.push((key, value));
        }
        Some(parameters)
    }

    fn key(&mut self) -> Option<String> {
        if !self.peek().is_some_and(|b| b.is_ascii_lowercase() || b == b'*') {
            return None;
        }
        let key = self.run(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*')
        });
        text(key)
    }

    fn bare(&mut self) -> Option<Bare> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Bare::Text),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let token =
                    self.run(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b));
                text(token).map(Bare::Text)
            }
            b':' => self.bytes().map(Bare::Bytes),
            b'?' => {
                self.next();
                matches!(self.next()?, b'0' | b'1').then_some(Bare::Other)
            }
            b'@' => {
                self.next();
                matches!(self.number()?, Bare::Integer(_)).then_some(Bare::Other)
            }
            b'%' => {
                self.next();
                self.string().map(|_| Bare::Other)
            }
            _ => None,
        }
    }

    /// An integer of at most 15 digits, or a decimal of at most 12 and 3.
    fn number(&mut self) -> Option<Bare> {
        let negative = self.take(b'-');
        let digits = self.run(|b| b.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        if self.take(b'.') {
            let fraction = self.run(|b| b.is_ascii_digit());
            let fits = digits.len() <= 12 && (1..=3).contains(&fraction.len());
            return fits.then_some(Bare::Other);
        }
        let value = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some(Bare::Integer(if negative { -value } else { value }))
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"').then_some(())?;
        let mut out = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(out),
                b'\\' => match self.next()? {
                    escaped @ (b'"' | b'\\') => out.push(char::from(escaped)),
                    _ => return None,
                },
                plain @ 0x20..=0x7e => out.push(char::from(plain)),
                _ => return None,
            }
        }
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        self.take(b':').then_some(())?;
        let encoded = self.run(|b| b != b':');
        self.take(b':').then_some(())?;
        unbase64(encoded)
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    core::str::from_utf8(bytes).ok().map(String::from)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 (RFC 4648, 4); padding may be missing, as RFC 9651 lets a sender drop it.
fn unbase64(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut end = encoded.len();
    while end > 0 && encoded[end - 1] == b'=' && encoded.len() - end < 2 {
        end -= 1;
    }
    let digits = &encoded[..end];
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for &digit in digits {
        let value = ALPHABET.iter().position(|&letter| letter == digit)? as u32;
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// `bytes` in standard base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> impl fmt::Display + '_ {
    Base64(bytes)
}

struct Base64<'a>(&'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, &b| word << 8 | u32::from(b));
            let word = word << (8 * (3 - chunk.len()));
            for i in 0..4 {
                let digit = ALPHABET[(word >> (18 - 6 * i) & 63) as usize];
                f.write_char(if i > chunk.len() { '=' } else { char::from(digit) })?;
            }
        }
        Ok(())
    }
}

/// `name` as a quoted string; the caller has checked that it is printable ASCII.
pub(super) fn quoted(name: &str) -> impl fmt::Display + '_ {
    Quoted(name)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn base64_round_trips_every_length() {
        for len in 0..40_u8 {
            let bytes: Vec<u8> = (0..len).map(|i| i.wrapping_mul(37)).collect();
            let encoded = base64(&bytes).to_string();
            assert_eq!(encoded.len(), bytes.len().div_ceil(3) * 4);
            assert_eq!(unbase64(encoded.as_bytes()), Some(bytes.clone()));
            assert_eq!(unbase64(encoded.trim_end_matches('=').as_bytes()), Some(bytes));
        }
        assert_eq!(base64(b"any carnal pleas").to_string(), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_eq!(unbase64(b"A"), None);
        assert_eq!(unbase64(b"A=B="), None);
    }

    #[test]
    fn malformed_fields_fail_whole() {
        for bad in [
            "\"a\";q=1,",
            "\"a",
            "\"a\\x\"",
            "\"a\" \"b\"",
            "(1 2)",
            "\"a\";Q=1",
            "1.2345",
            "1234567890123456",
            ":a",
            "\"\u{e9}\"",
            ",",
            "\"a\";q=",
            "?2",
            "--1",
            "\"a\";;q=1",
        ] {
            assert_eq!(list(bad), None, "{bad:?}");
        }
        assert_eq!(list(""), Some(Vec::new()));
        assert_eq!(list(" \"a\" ,\t\"b\";x ").map(|items| items.len()), Some(2));
    }
}
