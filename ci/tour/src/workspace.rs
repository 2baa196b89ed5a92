//! The packages, as cargo and their own manifests tell it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The seven crates in the order of the README. The line stands until the crate is there and says
/// it itself, in its manifest's `description`.
pub const SEVEN: [(&str, &str); 7] = [
    (
        "ratelimit",
        "Every rate-limiting algorithm, exact, a word a key, all or nothing across dimensions",
    ),
    ("sketch", "Counts, top-k, membership, distinct counts and quantiles in fixed memory"),
    (
        "cache",
        "Every eviction policy under one API, lock-free hits, and the strategies around a cache",
    ),
    (
        "hashring",
        "Every placement scheme under one trait, plans of what moves, the rings the world runs",
    ),
    ("geo", "Exact geometry on sphere and ellipsoid, an index of places, live objects and fences"),
    ("crdt", "Clocks, replicated types and anti-entropy from one core"),
    ("lock", "Leases with fencing, intervals and groups, and coordination as pure state machines"),
];

/// A package of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its manifest's description.
    pub description: String,
    /// Its folder, relative to the root.
    pub folder: PathBuf,
    /// `[package.metadata.design]`, where it has one.
    pub design: Option<Design>,
}

/// A reference design, from `[package.metadata.design]`.
#[derive(Debug, Clone)]
pub struct Design {
    /// Its number in the source document.
    pub number: u64,
    /// The source document's title.
    pub title: String,
    /// `works`, or what it still lacks.
    pub status: String,
}

/// A system of the source document.
#[derive(Debug, Clone)]
pub struct System {
    /// Its number there.
    pub number: u64,
    /// The package here.
    pub package: String,
    /// Its title there.
    pub title: String,
}

/// The workspace at a root.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Its packages, by name.
    pub packages: Vec<Package>,
    /// The systems of the source document, by number.
    pub systems: Vec<System>,
}

impl Workspace {
    /// The workspace that this very package belongs to.
    #[must_use]
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().expect("the root of the clone");
        let metadata = cargo(&root, &["metadata", "--format-version", "1", "--no-deps"]);
        let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
        let mut packages: Vec<Package> =
            array(&metadata["packages"]).iter().map(|p| package(&root, p)).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let systems = systems(&root.join("examples/designs.tsv"));
        Self { root, packages, systems }
    }

    /// The crate in `crates/<short>`, when it is built already.
    #[must_use]
    pub fn library(&self, short: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.folder == Path::new("crates").join(short))
    }

    /// The designs that are there, by number: packages under `examples/` with their metadata.
    #[must_use]
    pub fn designs(&self) -> Vec<(&Package, &Design)> {
        let mut found: Vec<_> = self
            .packages
            .iter()
            .filter(|p| p.folder.starts_with("examples"))
            .filter_map(|p| Some((p, p.design.as_ref()?)))
            .collect();
        found.sort_by_key(|(_, design)| design.number);
        found
    }

    /// How many packages a user of `name` builds besides it, with default features: ours, theirs.
    #[must_use]
    pub fn dependencies(&self, name: &str) -> (usize, usize) {
        let tree = ["tree", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"];
        let tree = cargo(&self.root, &tree);
        let all: BTreeSet<&str> = tree
            .lines()
            .filter_map(|l| l.split_whitespace().next())
            .filter(|n| !n.is_empty() && *n != name)
            .collect();
        let ours = all.iter().filter(|n| n.starts_with("archstone-")).count();
        (ours, all.len() - ours)
    }

    /// The text of a file under the root; empty when it is not there.
    #[must_use]
    pub fn text(&self, relative: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.root.join(relative)).unwrap_or_default()
    }
}

fn package(root: &Path, value: &Value) -> Package {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    let folder = manifest.parent().expect("a folder").strip_prefix(root).expect("inside the root");
    let design = &value["metadata"]["design"];
    let design = design.is_object().then(|| Design {
        number: design["number"].as_u64().expect("design.number is a number"),
        title: text(&design["title"]),
        status: text(&design["status"]),
    });
    Package {
        name: text(&value["name"]),
        description: text(&value["description"]),
        folder: folder.to_path_buf(),
        design,
    }
}

fn systems(table: &Path) -> Vec<System> {
    let text = std::fs::read_to_string(table).expect("examples/designs.tsv");
    let rows = text.lines().filter(|l| !l.starts_with('#')).skip(1);
    rows.map(|row| {
        let mut cells = row.split('\t');
        let mut next = || cells.next().expect("number, package, title");
        let number = next().parse().expect("a number");
        System { number, package: next().to_owned(), title: next().to_owned() }
    })
    .collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn cargo(root: &Path, args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo).args(args).current_dir(root).output().expect("cargo runs");
    assert!(out.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("cargo writes UTF-8")
}
