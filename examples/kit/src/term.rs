//! What is at the other end of standard output, and how to write for it.

use std::io::{self, IsTerminal};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Width and colour of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns, between 40 and 120: a narrower window wraps, a wider one is not filled.
    pub width: usize,
    /// Whether colours are wanted.
    pub color: bool,
}

/// What a coloured piece of text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// Look here.
    Warn,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

/// Marks that open a verdict; [`Terminal::paint`] colours from one to the end of its phrase.
pub mod mark {
    /// Held, met.
    pub const GOOD: &str = "✓";
    /// Broke, missed.
    pub const BAD: &str = "✗";
    /// A figure that is wrong, or something to look at.
    pub const WARN: &str = "≠";
    /// Not done, not known.
    pub const NONE: &str = "○";
}

impl Terminal {
    /// Standard output: its width and colours when it is a terminal and `NO_COLOR` is not set,
    /// otherwise 80 columns without colour.
    #[must_use]
    pub fn stdout() -> Self {
        let env = |name: &str| std::env::var(name).ok();
        let stdout = io::stdout();
        let size = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        Self::of(stdout.is_terminal(), size, env)
    }

    /// 80 columns, no colour: a pipe, a file, a test.
    #[must_use]
    pub const fn plain() -> Self {
        Self { width: 80, color: false }
    }

    fn of(tty: bool, size: Option<usize>, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| env(name).is_some_and(|value| !value.is_empty());
        let asked = env("COLUMNS").and_then(|text| text.parse().ok());
        let width = if tty { size.or(asked) } else { asked };
        let color = tty && !set("NO_COLOR") && env("TERM").as_deref() != Some("dumb");
        Self { width: width.unwrap_or(80).clamp(40, 120), color }
    }

    /// `text` in the colour of `tone`, or as it is.
    #[must_use]
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warn => "33",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Colours every verdict of rendered text: from its [`mark`] to the next two spaces or the
    /// end of the line. Done after layout, so that colours never disturb widths.
    #[must_use]
    pub fn paint(&self, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() + 64);
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            let mut rest = line;
            while let Some((at, tone)) = first_mark(rest) {
                out.push_str(&rest[..at]);
                let phrase = &rest[at..];
                let len = phrase.find("  ").unwrap_or(phrase.len());
                out.push_str(&self.tone(tone, &phrase[..len]));
                rest = &phrase[len..];
            }
            out.push_str(rest);
            out.push_str(end);
        }
        out
    }
}

fn first_mark(text: &str) -> Option<(usize, Tone)> {
    let marks = [
        (mark::GOOD, Tone::Good),
        (mark::BAD, Tone::Bad),
        (mark::WARN, Tone::Warn),
        (mark::NONE, Tone::Dim),
    ];
    marks.iter().filter_map(|(mark, tone)| Some((text.find(mark)?, *tone))).min_by_key(|m| m.0)
}

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` without control characters, which could move the cursor or colour the screen of who
/// looks at a hostile log: each becomes `\x1b` or the like.
#[must_use]
pub fn clean(text: &str) -> String {
    if !text.chars().any(hidden) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut out, c| {
        if hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

/// Control characters and those that reorder or hide what follows (bidirectional overrides).
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` in at most `columns`, its middle replaced by `…` when it is longer: the two ends of a
/// path or host say most.
#[must_use]
pub fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let keep = columns.saturating_sub(1);
    let tail_columns = keep / 3;
    let head = take_columns(text.chars(), keep - tail_columns);
    let tail: String = take_columns(text.chars().rev(), tail_columns).chars().rev().collect();
    if columns == 0 { String::new() } else { format!("{head}…{tail}") }
}

/// Words of `text` in lines of at most `columns`; a longer word is broken.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word;
        loop {
            let line = lines.last_mut().expect("one line at least");
            let used = width(line);
            let gap = usize::from(used > 0);
            if used + gap + width(word) <= columns {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if used > 0 {
                lines.push(String::new());
                continue;
            }
            let mut head = take_columns(word.chars(), columns);
            if head.is_empty() {
                // A wide character in a single column: overflow rather than loop for ever.
                head.extend(word.chars().next());
            }
            word = &word[head.len()..];
            line.push_str(&head);
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// `text` padded with spaces to `columns` at its right.
#[must_use]
pub fn pad(text: &str, columns: usize) -> String {
    let gap = columns.saturating_sub(width(text));
    format!("{text}{:gap$}", "")
}

fn take_columns(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detect(tty: bool, size: Option<usize>, env: &[(&str, &str)]) -> Terminal {
        let find = |name: &str| env.iter().find(|e| e.0 == name).map(|e| e.1.to_owned());
        Terminal::of(tty, size, find)
    }

    #[test]
    fn a_pipe_gets_80_columns_and_no_colour() {
        assert_eq!(detect(false, Some(200), &[]), Terminal::plain());
        assert_eq!(detect(false, None, &[("COLUMNS", "60")]).width, 60);
    }

    #[test]
    fn a_terminal_gets_its_width_within_reason_and_colour_unless_told_not_to() {
        assert_eq!(detect(true, Some(100), &[]), Terminal { width: 100, color: true });
        assert_eq!(detect(true, Some(20), &[]).width, 40);
        assert_eq!(detect(true, Some(300), &[]).width, 120);
        assert!(!detect(true, None, &[("NO_COLOR", "1")]).color);
        assert!(detect(true, None, &[("NO_COLOR", "")]).color, "an empty NO_COLOR is not set");
        assert!(!detect(true, None, &[("TERM", "dumb")]).color);
    }

    #[test]
    fn painting_colours_the_phrase_after_a_mark_and_nothing_else() {
        let color = Terminal { width: 80, color: true };
        assert_eq!(color.paint("a  ✓ met  b\n"), "a  \x1b[32m✓ met\x1b[0m  b\n");
        assert_eq!(color.paint("x  ✗ broke"), "x  \x1b[1;31m✗ broke\x1b[0m");
        assert_eq!(color.paint("nothing"), "nothing");
        assert_eq!(Terminal::plain().paint("✓ met"), "✓ met");
    }

    #[test]
    fn hostile_text_cannot_drive_the_terminal() {
        assert_eq!(clean("/a\x1b[2Jb\u{202e}c\n"), "/a\\u{1b}[2Jb\\u{202e}c\\n");
        assert_eq!(clean("/käse"), "/käse");
    }

    proptest! {
        #[test]
        fn shortened_text_fits(text in "\\PC{0,60}", columns in 0_usize..40) {
            prop_assert!(width(&shorten(&text, columns)) <= columns);
        }

        #[test]
        fn wrapped_lines_fit_and_lose_no_character(text in "[a-z ä東]{0,80}", columns in 2_usize..30) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
