//! Lines of somebody's file, however long.

use std::io::{self, BufRead};

/// The next line into `line`, its newline included, at most `most` bytes of it; `false` at the end.
///
/// What is longer is read over and never held, so a file without a newline costs `most` bytes.
///
/// # Errors
/// Those of the source, but for interruptions.
pub fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let seen = match source.fill_buf() {
            Ok(seen) => seen,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if seen.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = seen.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(seen.len(), |at| at + 1);
        let room = most.saturating_sub(line.len());
        line.extend_from_slice(&seen[..used.min(room)]);
        source.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn a_long_line_is_cut_and_the_next_one_whole_whatever_the_buffer() {
        for buffer in 1..9 {
            let mut source = BufReader::with_capacity(buffer, &b"abcdefgh\n\nij\nkl"[..]);
            let (mut line, mut lines) = (Vec::new(), Vec::new());
            while next_line(&mut source, &mut line, 4).expect("memory") {
                lines.push(line.clone());
            }
            assert_eq!(lines, [&b"abcd"[..], b"\n", b"ij\n", b"kl"], "buffer of {buffer}");
        }
    }
}
