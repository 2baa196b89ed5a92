//! From the command line to the exit status.

use crate::args::{Args, Input, Scale};
use crate::design::Design;
use crate::generate::Seed;
use crate::invariant::Record;
use crate::progress::Progress;
use crate::report::{Ablation, Report};
use crate::term::Terminal;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Why a scenario could not run: printed, exit status 2. `?` makes one of any error.
pub type Failure = Box<dyn Error>;

/// What a scenario is given.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whose run it is.
    pub design: &'static Design,
    /// The number of `--seed`, for the report.
    pub seed: u64,
    /// How much to run.
    pub scale: Scale,
    /// Which safeguards are on.
    pub safeguards: Safeguards,
    /// The user's own input.
    pub data: Option<Input>,
    /// Where to serve.
    pub serve: Option<SocketAddr>,
    /// Where the report is printed.
    pub terminal: Terminal,
    backends: Vec<String>,
    svg: Option<PathBuf>,
    quiet: bool,
}

/// Which safeguards are on.
#[derive(Clone, Debug)]
pub struct Safeguards {
    design: &'static Design,
    off: Vec<&'static str>,
}

/// Parses the command line as `C`, a clap parser that flattens [`Args`]; `--help` also lists the
/// design's safeguards and backends. Ends the process on `--help` and on wrong flags.
#[must_use]
pub fn parse<C: clap::Parser>(design: &'static Design) -> C {
    let about = format!("{} (design {}): {}", design.title, design.number, design.about);
    // One help for -h and --help, and none of the parser's own doc comments in it.
    let help = clap::Arg::new("help")
        .short('h')
        .long("help")
        .help("Print this help")
        .action(clap::ArgAction::HelpShort);
    let command = C::command()
        .name(design.system)
        .about(about)
        .long_about(clap::builder::Resettable::Reset)
        .after_help(design.help())
        .disable_help_flag(true)
        .arg(help)
        .max_term_width(100);
    let matches = command.get_matches();
    C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Checks the flags, runs `scenario`, prints its report, and says how it went: 0 every invariant
/// held, 1 one broke, 2 wrong flags or unreadable input.
pub fn run(
    design: &'static Design,
    args: &Args,
    scenario: impl FnOnce(&Run) -> Result<Report, Failure>,
) -> ExitCode {
    let command_line: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let started = Instant::now();
    let outcome = args
        .check(design, &command_line)
        .map_err(Failure::from)
        .and_then(|()| Run::new(design, args))
        .and_then(|run| Ok((scenario(&run)?, run)));
    let (mut report, run) = match outcome {
        Ok(done) => done,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    report.wall.elapsed = started.elapsed();
    report.wall.peak_rss = peak_rss();
    report.note_ablations();
    for problem in report.claims.check_complete().err().unwrap_or_default() {
        eprintln!("warning: claims: {problem}");
    }
    if let Some(folder) = run.svg.as_ref().filter(|folder| !holds_charts(folder)) {
        eprintln!("warning: {} wrote no charts to {}", design.system, folder.display());
    }
    let text = if args.json { report.to_json_text() + "\n" } else { report.to_text(&run.terminal) };
    if let Err(error) = io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` closes the pipe when it has enough: that is no failure.
        if error.kind() != io::ErrorKind::BrokenPipe {
            eprintln!("error: standard output: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::from(u8::from(!report.all_held()))
}

fn holds_charts(folder: &std::path::Path) -> bool {
    let is_chart = |entry: io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "svg"))
    };
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(is_chart))
}

impl Run {
    fn new(design: &'static Design, args: &Args) -> Result<Self, Failure> {
        if let Some(folder) = &args.svg {
            std::fs::create_dir_all(folder)
                .map_err(|error| format!("--svg {}: {error}", folder.display()))?;
        }
        let mut safeguards = Safeguards::all(design);
        for name in &args.without {
            safeguards = safeguards.without(name);
        }
        Ok(Self {
            design,
            seed: args.seed,
            scale: args.scale,
            safeguards,
            data: args.data.clone(),
            serve: args.serve,
            terminal: Terminal::stdout(),
            backends: args.backend.clone(),
            svg: args.svg.clone(),
            quiet: false,
        })
    }

    /// A run for a test: quick, silent, with every safeguard on.
    #[must_use]
    pub fn test(design: &'static Design, seed: u64) -> Self {
        Self {
            design,
            seed,
            scale: Scale::Quick,
            safeguards: Safeguards::all(design),
            data: None,
            serve: None,
            terminal: Terminal::plain(),
            backends: Vec::new(),
            svg: None,
            quiet: true,
        }
    }

    /// The same run with the safeguard `name` off.
    ///
    /// # Panics
    /// When the design has no such safeguard.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.safeguards = self.safeguards.without(name);
        self
    }

    /// The same run with another seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same run at another scale.
    #[must_use]
    pub const fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// The root of every random stream of this run.
    #[must_use]
    pub const fn random(&self) -> Seed {
        Seed::new(self.seed)
    }

    /// The URL given for `scheme`, the last one when there are more.
    #[must_use]
    pub fn backend(&self, scheme: &str) -> Option<&str> {
        let of_scheme = |url: &&String| url.split_once("://").is_some_and(|(s, _)| s == scheme);
        self.backends.iter().rev().find(of_scheme).map(String::as_str)
    }

    /// Where to write the chart `name`, when `--svg` asks for charts.
    #[must_use]
    pub fn svg(&self, name: &str) -> Option<PathBuf> {
        self.svg.as_ref().map(|folder| folder.join(format!("{name}.svg")))
    }

    /// A progress line on standard error: silent when that is no terminal.
    #[must_use]
    pub fn progress(&self, what: &str, total: u64) -> Progress {
        if self.quiet { Progress::silent() } else { Progress::new(what, total) }
    }

    /// A word to the user on standard error, which must not wait for the report.
    pub fn say(&self, what: &str) {
        if !self.quiet {
            eprintln!("{}", crate::term::clean(what));
        }
    }
}

impl Safeguards {
    /// All of them on.
    #[must_use]
    pub const fn all(design: &'static Design) -> Self {
        Self { design, off: Vec::new() }
    }

    /// The same with `name` off.
    ///
    /// # Panics
    /// When the design has no such safeguard.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        let name = self.known(name);
        if !self.off.contains(&name) {
            self.off.push(name);
        }
        self
    }

    /// Whether the safeguard `name` is on.
    ///
    /// # Panics
    /// When the design has no such safeguard: a misspelt name must not read as "on".
    #[must_use]
    pub fn on(&self, name: &str) -> bool {
        !self.off.contains(&self.known(name))
    }

    /// Those that are off.
    #[must_use]
    pub fn off(&self) -> &[&'static str] {
        &self.off
    }

    fn known(&self, name: &str) -> &'static str {
        let found = self.design.safeguard(name);
        found.unwrap_or_else(|| panic!("{} has no safeguard {name:?}", self.design.system)).name
    }
}

/// Switches each safeguard off in turn and looks, seed by seed, for the first invariant that
/// breaks. `scenario` is the design's real path at quick scale.
pub fn ablate(
    design: &'static Design,
    seeds: impl IntoIterator<Item = u64> + Clone,
    mut scenario: impl FnMut(u64, &Safeguards) -> Vec<Record>,
) -> Vec<Ablation> {
    let mut ablation = |name: &'static str| {
        let safeguards = Safeguards::all(design).without(name);
        for seed in seeds.clone() {
            let records = scenario(seed, &safeguards);
            if let Some(record) = crate::invariant::first_broken(&records) {
                let broke = Some(record.name.clone());
                return Ablation { safeguard: name.to_owned(), broke, seed: Some(seed) };
            }
        }
        Ablation { safeguard: name.to_owned(), broke: None, seed: None }
    };
    design.safeguards.iter().map(|safeguard| ablation(safeguard.name)).collect()
}

/// The most memory this process ever held, where the system tells (Linux).
#[must_use]
pub fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
