//! Who there is and who asked: the users of a real log, and more of the same kind.

use crate::places;
use flate2::bufread::MultiGzDecoder;
use kit::lines::next_line;
use kit::{Failure, Seed};
use std::collections::HashMap;
use std::io::{BufReader, Read};

/// The NASA day: part of the binary, so that the first run needs no file.
const NASA: &[u8] = include_bytes!("../../../testdata/nasa_19950801.tsv.gz");
/// The longest line that is read.
const MAX_LINE: usize = 4_096;
/// The most lines that are read.
const MAX_LINES: u64 = 5_000_000;
/// Malformed lines that are shown.
const SHOWN: usize = 3;

/// One row of the table that is sharded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Given out in the order of arrival, from 1.
    pub id: u64,
    /// The name of its machine.
    pub name: String,
    /// A country's code, as the end of the name says; empty when it says none.
    pub area: String,
    /// How often it asked.
    pub visits: u64,
}

/// The users, and the requests in their order.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// By id, from 1.
    pub users: Vec<User>,
    /// How many of them are real; the others are made after them.
    pub real: usize,
    /// Ids in the order of the requests.
    pub requests: Vec<u64>,
    /// Lines that were no request.
    pub skipped: u64,
    /// The first of them.
    pub shown: Vec<(u64, String)>,
}

impl Input {
    /// The shipped day.
    ///
    /// # Panics
    /// Never: the file is part of the program.
    #[must_use]
    pub fn nasa() -> Self {
        let text = BufReader::new(MultiGzDecoder::new(NASA));
        Self::read(text, true).expect("it is part of the program")
    }

    /// One request a line: who, and (if the name does not say it) the country. `#` begins a comment;
    /// with `header` the first line names the columns.
    ///
    /// # Errors
    /// When it cannot be read, or has no request.
    pub fn read(source: impl Read, header: bool) -> Result<Self, Failure> {
        let (mut source, mut input) = (BufReader::new(source), Self::default());
        let mut ids: HashMap<String, u64> = HashMap::new();
        let mut line = Vec::new();
        for number in 1..=MAX_LINES {
            if !next_line(&mut source, &mut line, MAX_LINE)? {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.split('#').next().unwrap_or("").trim();
            if text.is_empty() || header && number == 1 {
                continue;
            }
            // A log has more columns than ours; only a country's code counts as one.
            let mut words = text.split_whitespace();
            let (name, area) = (words.next().unwrap_or(""), words.next());
            let clean = name.chars().all(|c| c.is_ascii_graphic());
            let area = match area.filter(|_| !header) {
                Some(code) if places::is_area(code) => code.to_ascii_lowercase(),
                Some(_) => {
                    input.skip(number, text);
                    continue;
                }
                None => places::area_of(name).to_owned(),
            };
            if !clean {
                input.skip(number, text);
                continue;
            }
            let next = input.users.len() as u64 + 1;
            let id = *ids.entry(name.to_owned()).or_insert(next);
            if id == next {
                input.users.push(User { id, name: name.to_owned(), area, visits: 0 });
            }
            input.users[id as usize - 1].visits += 1;
            input.requests.push(id);
        }
        input.real = input.users.len();
        if input.users.is_empty() {
            return Err("no request in it".into());
        }
        Ok(input)
    }

    fn skip(&mut self, number: u64, text: &str) {
        self.skipped += 1;
        if self.shown.len() < SHOWN {
            self.shown.push((number, text.chars().take(80).collect()));
        }
    }

    /// The first `count` users with their requests; past the real ones more are made, each after a
    /// real one that `seed` draws.
    #[must_use]
    pub fn sized(&self, count: usize, seed: Seed) -> Self {
        let mut draw = seed.stream("users");
        let mut users: Vec<User> = self.users.iter().take(count).cloned().collect();
        while users.len() < count {
            let id = users.len() as u64 + 1;
            let like = &self.users[draw.below(self.real as u64) as usize];
            let name = format!("user-{id}.{}", like.name.rsplit('.').next().unwrap_or("com"));
            users.push(User { id, name, area: like.area.clone(), visits: like.visits });
        }
        let mut requests: Vec<u64> =
            self.requests.iter().copied().filter(|&id| id <= count as u64).collect();
        let made = users.iter().skip(self.real);
        requests.extend(made.flat_map(|user| (0..user.visits).map(|_| user.id)));
        Self { real: self.real.min(count), users, requests, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nasa_day_has_its_hosts_and_requests() {
        let input = Input::nasa();
        assert_eq!((input.users.len(), input.requests.len()), (2_365, 30_969));
        assert_eq!(input.users[0].name, "pppa006.compuserve.com");
        assert_eq!(input.users.iter().map(|user| user.visits).sum::<u64>(), 30_969);
    }

    #[test]
    fn malformed_lines_are_counted_and_long_ones_do_not_grow() {
        let long = "x".repeat(100_000);
        let text = format!("# mine\nann\nann de\nbob\tfr\nbob nowhere\n{long}\neve jp\n");
        let input = Input::read(text.as_bytes(), false).unwrap();
        assert_eq!(
            input.users.iter().map(|u| u.area.as_str()).collect::<Vec<_>>(),
            ["", "fr", "", "jp"]
        );
        assert_eq!((input.requests.len(), input.skipped), (5, 1));
        assert_eq!(input.shown, [(5, "bob nowhere".to_owned())]);
        assert!(Input::read(&b"# nothing\n\n"[..], false).is_err());
    }

    #[test]
    fn more_users_are_like_the_real_ones_and_fewer_keep_their_requests() {
        let input = Input::nasa();
        let more = input.sized(5_000, Seed::new(1));
        assert_eq!((more.users.len(), more.real), (5_000, 2_365));
        let visits: u64 = more.users.iter().map(|user| user.visits).sum();
        assert!(more.requests.len() as u64 == visits && visits > 50_000);
        assert!((1..).zip(&more.users).all(|(id, user)| user.id == id));
        let few = input.sized(100, Seed::new(1));
        assert!(few.requests.iter().all(|&id| id <= 100) && !few.requests.is_empty());
    }
}
