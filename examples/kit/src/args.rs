//! The flags that all designs share.

use crate::design::{Backend, Design};
use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The shared flags; a design flattens them into its own parser and adds what it needs.
///
/// ```
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     shared: kit::Args,
///     /// How many to list
///     #[arg(long, default_value_t = 10)]
///     top: usize,
/// }
///
/// let cli = Cli::parse_from(["demo", "--seed", "7", "--top", "3"]);
/// assert_eq!((cli.shared.seed, cli.top), (7, 3));
/// ```
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seed of every random choice; one seed, one result
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub seed: u64,
    /// How much to run: under 2 s, under 15 s, or minutes
    #[arg(help_heading = HEADING, long, value_enum, default_value_t = Scale::Demo)]
    pub scale: Scale,
    /// Print the whole run as one JSON object on standard output
    #[arg(help_heading = HEADING, long)]
    pub json: bool,
    /// Write charts as SVG files into this folder
    #[arg(help_heading = HEADING, long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
    /// Switch a safeguard off and see which invariant breaks (repeatable)
    #[arg(help_heading = HEADING, long, value_name = "SAFEGUARD", value_delimiter = ',')]
    pub without: Vec<String>,
    /// Your own input instead of the shipped one; - is standard input
    #[arg(help_heading = HEADING, long, value_name = "PATH")]
    pub data: Option<Input>,
    /// A real engine to use, chosen by its scheme (repeatable)
    #[arg(help_heading = HEADING, long, value_name = "URL")]
    pub backend: Vec<String>,
    /// Serve over HTTP: HOST:PORT, :PORT or PORT
    #[arg(help_heading = HEADING, long, value_name = "ADDR", value_parser = parse_addr)]
    pub serve: Option<SocketAddr>,
}

/// The shared flags stand apart from the design's own in `--help`.
const HEADING: &str = "Options of every design";

/// How much a run does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Under 2 s: tests and CI.
    Quick,
    /// Under 15 s: what a newcomer sees.
    #[default]
    Demo,
    /// Minutes: the sizes the source document speaks of.
    Full,
}

impl Scale {
    /// One of three values, by scale.
    pub fn pick<T>(self, quick: T, demo: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Demo => demo,
            Self::Full => full,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.pick("quick", "demo", "full"))
    }
}

/// Where `--data` reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `-`
    Stdin,
    /// A path.
    File(PathBuf),
}

impl Input {
    /// Opens it; the error names the path.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Stdin => Ok(Box::new(io::stdin())),
            Self::File(path) => {
                let named = |e: io::Error| io::Error::new(e.kind(), format!("{self}: {e}"));
                // Opening a folder succeeds on Unix and fails at the first read; say it here.
                if path.is_dir() {
                    return Err(named(io::Error::from(io::ErrorKind::IsADirectory)));
                }
                Ok(Box::new(std::fs::File::open(path).map_err(named)?))
            }
        }
    }
}

impl std::str::FromStr for Input {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("an empty path".to_owned()),
            "-" => Ok(Self::Stdin),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Args {
    /// Checks `--without`, `--backend` and `--serve` against what `design` has; `command_line` is
    /// what followed the program's name, for the command that is suggested.
    pub fn check(&self, design: &Design, command_line: &[String]) -> Result<(), String> {
        for name in &self.without {
            if design.safeguard(name).is_none() {
                return Err(unknown_safeguard(design, name));
            }
        }
        for url in &self.backend {
            check_backend(design, url, command_line)?;
        }
        match (&self.serve, design.serve) {
            (Some(_), None) => Err(format!("{} serves nothing: no --serve", design.system)),
            (Some(_), Some(serve)) if !serve.built => {
                Err(not_built("--serve", design, serve, command_line))
            }
            _ => Ok(()),
        }
    }
}

fn check_backend(design: &Design, url: &str, command_line: &[String]) -> Result<(), String> {
    let Some((scheme, _)) = url.split_once("://") else {
        return Err(format!("--backend {url:?}: no scheme, expected one like redis://host:6379"));
    };
    match design.backends.iter().find(|backend| backend.scheme == scheme) {
        Some(backend) if backend.built => Ok(()),
        Some(backend) => {
            Err(not_built(&format!("backend {scheme}://"), design, *backend, command_line))
        }
        None if design.backends.is_empty() => {
            Err(format!("{} has no backends, found {url:?}", design.system))
        }
        None => {
            let known: Vec<_> = design.backends.iter().map(|b| b.scheme).collect();
            Err(format!("unknown backend {scheme:?}; {} knows {}", design.system, known.join(", ")))
        }
    }
}

#[cold]
fn unknown_safeguard(design: &Design, name: &str) -> String {
    let mut text = format!("unknown safeguard {name:?}; {} has", design.system);
    if design.safeguards.is_empty() {
        text.push_str(" none");
    }
    let width = design.safeguards.iter().map(|s| s.name.len()).max().unwrap_or(0);
    for safeguard in design.safeguards {
        text.push_str(&format!("\n  {:width$}  {}", safeguard.name, safeguard.what));
    }
    text
}

#[cold]
fn not_built(what: &str, design: &Design, backend: Backend, command_line: &[String]) -> String {
    let mut command =
        format!("cargo run --release -p {} --features {} --", design.system, backend.feature);
    for word in command_line {
        command.push(' ');
        command.push_str(&quoted(word));
    }
    format!("{what} is not built in; run\n\n  {command}\n")
}

/// `word` as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn parse_addr(text: &str) -> Result<SocketAddr, String> {
    let whole = match text.strip_prefix(':') {
        Some(port) => format!("127.0.0.1:{port}"),
        None if text.bytes().all(|b| b.is_ascii_digit()) => format!("127.0.0.1:{text}"),
        None => text.replacen("localhost:", "127.0.0.1:", 1),
    };
    whole.parse().map_err(|_| "expected IP:PORT, localhost:PORT, :PORT or PORT".to_owned())
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
