//! What a design says about itself before it runs.

/// The static description of one reference design.
///
/// Everything the shared flags are checked against is here, so that a wrong `--without` or
/// `--backend` is answered before any work starts.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    /// Package name, as in `cargo run -p <system>`.
    pub system: &'static str,
    /// Number in the source document.
    pub number: u8,
    /// The source document's title.
    pub title: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// What `--without` can switch off.
    pub safeguards: &'static [Safeguard],
    /// Every requirement, estimate and trade-off of the source document's section, by id.
    pub source: &'static [SourceRow],
    /// The engines that `--backend` can reach; empty when there is none.
    pub backends: &'static [Backend],
    /// What `--serve` needs; `None` when the design serves nothing.
    pub serve: Option<Backend>,
    /// Commands to try next, printed at the end of the summary (the first three).
    pub next: &'static [&'static str],
}

/// One line of the real path that `--without NAME` switches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Safeguard {
    /// The name on the command line, in kebab-case.
    pub name: &'static str,
    /// What it does, as one line.
    pub what: &'static str,
    /// The name of the invariant that breaks without it.
    pub breaks: &'static str,
}

/// One row of the source document's section that the claims table must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// `6.FR3`, `8.NFR5`, `1.E4` (estimate), `1.T2` (trade-off) ...
    pub id: &'static str,
    /// A few words.
    pub name: &'static str,
    /// What the document says, shortened.
    pub document: &'static str,
}

/// An engine (or server) that is a cargo feature of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The scheme of its URL: `redis` for `redis://host`.
    pub scheme: &'static str,
    /// The cargo feature that builds it.
    pub feature: &'static str,
    /// Whether this binary has it: `cfg!(feature = "redis")`.
    pub built: bool,
}

impl Design {
    /// The safeguard called `name`.
    #[must_use]
    pub fn safeguard(&self, name: &str) -> Option<&'static Safeguard> {
        self.safeguards.iter().find(|safeguard| safeguard.name == name)
    }

    /// The text below the options in `--help`: the safeguards, backends and exit statuses.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = String::new();
        if !self.safeguards.is_empty() {
            text.push_str("Safeguards (--without NAME breaks the invariant in brackets):\n");
            let width = self.safeguards.iter().map(|s| s.name.len()).max().unwrap_or(0);
            for Safeguard { name, what, breaks } in self.safeguards {
                text.push_str(&format!("  {name:width$}  {what} [{breaks}]\n"));
            }
            text.push('\n');
        }
        if !self.backends.is_empty() {
            text.push_str("Backends (--backend URL):\n");
            for Backend { scheme, feature, built } in self.backends {
                let state = if *built { "built in" } else { "needs --features" };
                let feature = if *built { "" } else { feature };
                text.push_str(&format!("  {scheme}://...  {state} {feature}\n"));
            }
            text.push('\n');
        }
        text.push_str(
            "Exit status: 0 every invariant held, 1 one broke, 2 usage or unreadable input.",
        );
        text
    }
}
