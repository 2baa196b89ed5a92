//! `RESULTS.md`, written from `results/<area>.jsonl` and never by hand.
//!
//! A run with `--write` keeps its rows in `results/<area>.jsonl` (first line: machine, profile,
//! versions). What people have to say about rows that fall short stands in
//! `results/<area>.short.toml`. `RESULTS.md` is a pure function of the two; a test compares.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::areas::Area;
use crate::compare::{goal, value, verdict};
use crate::row::Row;

/// The rows of one area and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub origin: Origin,
    pub rows: Vec<Row>,
}

/// The first line of `results/<area>.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub area: String,
    pub machine: String,
    pub compiler: String,
    pub profile: String,
    pub quick: bool,
    /// Name and version of each peer.
    pub peers: Vec<(String, String)>,
}

/// `results/<area>.short.toml`: what was found out about rows that fall short.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShortRows {
    #[serde(default)]
    row: Vec<ShortRow>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShortRow {
    id: String,
    /// Instructions an operation, by callgrind (`ci/icount.sh`).
    ours_instructions: Option<f64>,
    peer_instructions: Option<f64>,
    /// What was tried and what it gave: two at least.
    remedies: Vec<String>,
}

impl Results {
    #[must_use]
    pub fn of_this_run(area: &Area, quick: bool, rows: Vec<Row>) -> Self {
        let lock = fs::read_to_string(package().join("../Cargo.lock")).unwrap_or_default();
        let version = |name: &&str| ((*name).to_owned(), locked_version(&lock, name));
        let origin = Origin {
            area: area.name.to_owned(),
            machine: machine(),
            compiler: compiler(),
            profile: profile(),
            quick,
            peers: area.crates.iter().map(version).collect(),
        };
        Self { origin, rows }
    }

    /// Writes `results/<area>.jsonl` and `RESULTS.md`. If this is `part` of an area, the other rows
    /// stay, provided they come from the same machine, compiler and profile.
    pub fn write(mut self, part: bool) -> Result<(), String> {
        let path = results().join(format!("{}.jsonl", self.origin.area));
        if part && path.exists() {
            self = Self::read(&path)?.replaced_by(self)?;
        }
        fs::create_dir_all(results()).map_err(|error| error.to_string())?;
        save(&path, &self.lines())?;
        render_to_file()
    }

    fn replaced_by(self, newer: Self) -> Result<Self, String> {
        let (old, new) = (&self.origin, &newer.origin);
        if (&old.machine, &old.compiler, &old.profile, old.quick)
            != (&new.machine, &new.compiler, &new.profile, new.quick)
        {
            return Err(format!(
                "results/{}.jsonl is from another machine, compiler, profile or --quick; \
                 run the whole area, without --only",
                old.area
            ));
        }
        let mut rows = self.rows;
        for row in newer.rows {
            match rows.iter_mut().find(|old| old.id == row.id) {
                Some(old) => *old = row,
                None => rows.push(row),
            }
        }
        Ok(Self { origin: newer.origin, rows })
    }

    fn lines(&self) -> String {
        let mut text = serde_json::to_string(&self.origin).expect("plain strings") + "\n";
        for row in &self.rows {
            text += &row.json();
            text.push('\n');
        }
        text
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut lines = text.lines();
        let origin = serde_json::from_str(lines.next().unwrap_or_default())?;
        let rows = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { origin, rows })
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Writes `RESULTS.md` from what `results/` holds.
pub fn render_to_file() -> Result<(), String> {
    save(&package().join("RESULTS.md"), &render_stored()?)
}

fn render_stored() -> Result<String, String> {
    let mut paths: Vec<PathBuf> = fs::read_dir(results())
        .map_err(|error| format!("results/: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    paths.sort();
    let mut areas = Vec::new();
    for path in paths {
        let results = Results::read(&path)?;
        let notes = path.with_extension("short.toml");
        let short = match fs::read_to_string(&notes) {
            Ok(text) => {
                toml::from_str(&text).map_err(|error| format!("{}: {error}", notes.display()))?
            }
            Err(_) => ShortRows::default(),
        };
        areas.push((results, short));
    }
    Ok(render(&areas))
}

fn render(areas: &[(Results, ShortRows)]) -> String {
    let mut text = String::from(
        "# Results\n\n\
         Written by `cargo bench -q -p benches --features <area> --bench compare -- <area> --write`; do not edit.\n\
         Times are nanoseconds an operation, the best of interleaved rounds in one run; only ratios carry over to \
         another machine.\nA ratio above 1 means that ours is better, whatever the unit.\n",
    );
    for (results, short) in areas {
        section(&mut text, results, short);
    }
    text
}

fn section(text: &mut String, results: &Results, short: &ShortRows) {
    let Origin { area, machine, compiler, profile, quick, peers } = &results.origin;
    let count = |holds| results.rows.iter().filter(|row| row.holds == Some(holds)).count();
    let peers: Vec<String> =
        peers.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(
        text,
        "\n## {area}\n\n{machine}; {compiler}; {profile}{}. Peers: {}.\n\n\
         {} rows: {} hold, {} fall short, the others have no goal or could not run.",
        if *quick { "; `--quick`" } else { "" },
        if peers.is_empty() { "none".to_owned() } else { peers.join(", ") },
        results.rows.len(),
        count(true),
        count(false),
    );
    let fallen: Vec<&Row> = results.rows.iter().filter(|row| row.holds == Some(false)).collect();
    if !fallen.is_empty() {
        let _ = writeln!(text, "\n### Short of the goal\n");
        for row in fallen {
            short_row(text, row, short.row.iter().find(|note| note.id == row.id));
        }
    }
    let _ = writeln!(
        text,
        "\n### All rows\n\n| row | workload | ours | peer | ratio | goal | | note |\n\
         |---|---|---:|---:|---:|---:|---|---|"
    );
    for row in &results.rows {
        let peer = row.peer.as_ref().map_or_else(String::new, |peer| {
            format!("{} {}", peer.name, value(peer.value, row.unit))
        });
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let cells = [
            &row.id,
            &row.workload,
            &value(row.ours.value, row.unit),
            &peer,
            &ratio,
            &goal(row),
            verdict(row.holds),
            &row.note,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

fn short_row(text: &mut String, row: &Row, note: Option<&ShortRow>) {
    let reached = match (row.ratio, row.ours.value) {
        (Some(ratio), _) => format!("{ratio:.2}x"),
        (None, ours) => value(ours, row.unit),
    };
    let _ = writeln!(text, "- **{}**: {reached}, the goal is {}.", row.id, goal(row));
    let Some(note) = note else {
        let _ = writeln!(text, "  Not examined yet.");
        return;
    };
    if let (Some(ours), Some(peer)) = (note.ours_instructions, note.peer_instructions) {
        let _ = writeln!(text, "  Instructions an operation: ours {ours:.1}, peer {peer:.1}.");
    }
    for remedy in &note.remedies {
        let _ = writeln!(text, "  - {remedy}");
    }
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn results() -> PathBuf {
    package().join("results")
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let family = info.lines().find_map(|line| line.strip_prefix("cpu family")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} (family {}), {cores} cores, {} {}",
        model.unwrap_or("unknown processor"),
        family.unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

fn compiler() -> String {
    let run = std::process::Command::new("rustc").arg("--version").output();
    run.map_or_else(
        |_| "rustc unknown".into(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    )
}

fn profile() -> String {
    let checks = if cfg!(debug_assertions) { ", debug assertions ON" } else { "" };
    let vectors =
        if cfg!(target_feature = "avx2") { "with AVX2" } else { "baseline target features" };
    format!("profile bench (opt-level 3, lto thin, codegen-units 1{checks}), {vectors}")
}

/// The version of a peer that the benches use. Where the lock has several, their own dependencies name it.
fn locked_version(lock: &str, name: &str) -> String {
    let benches =
        lock.split("[[package]]").find(|package| package.contains("\nname = \"benches\"\n"));
    let named = benches.and_then(|package| package.split_once(&format!("\n \"{name} ")));
    if let Some((version, _)) = named.and_then(|(_, rest)| rest.split_once('"')) {
        return version.to_owned();
    }
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    version.map_or_else(|| "unknown".to_owned(), |version| version.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Better, Side, Subject, Unit};

    fn sample() -> Results {
        let subject = Subject::new("x.P1", "a | b", Unit::Ns, Better::Lower);
        let rows = vec![
            subject.at("fast").against(Side::new("ours", 1.0), Side::new("p", 3.0), Some(2.0)),
            subject.at("slow").against(Side::new("ours", 2.0), Side::new("q", 3.0), Some(2.0)),
            subject.at("bytes").limit(Side::new("ours", 9.0), 8.0),
        ];
        let origin = Origin {
            area: "x".into(),
            machine: "m".into(),
            compiler: "rustc 1".into(),
            profile: "bench".into(),
            quick: false,
            peers: vec![("p".into(), "1.2.3".into())],
        };
        Results { origin, rows }
    }

    #[test]
    fn rows_come_back_from_their_file_as_they_were() {
        assert_eq!(Results::parse(&sample().lines()).unwrap(), sample());
    }

    #[test]
    fn a_row_that_falls_short_stands_in_plain_sight_with_what_was_tried() {
        let short = toml::from_str(
            "[[row]]\nid = \"x.P1/slow\"\nours_instructions = 40\npeer_instructions = 61.5\n\
             remedies = [\"unrolled by four: no change\", \"prefetch: 3 % worse\"]\n",
        )
        .unwrap();
        let text = render(&[(sample(), short)]);
        assert!(text.contains("3 rows: 1 hold, 2 fall short"), "{text}");
        assert!(text.contains("- **x.P1/slow**: 1.50x, the goal is 2.00x."), "{text}");
        assert!(text.contains("ours 40.0, peer 61.5"), "{text}");
        assert!(text.contains("  - prefetch: 3 % worse"), "{text}");
        let bytes = "- **x.P1/bytes**: 9.00 ns, the goal is <= 8.00 ns.\n  Not examined yet.";
        assert!(text.contains(bytes), "{text}");
        assert!(text.contains("| a \\| b |"), "{text}");
        assert!(text.contains("Peers: p 1.2.3."), "{text}");
    }

    #[test]
    fn a_part_replaces_its_own_rows_and_refuses_another_machine() {
        let mut part = sample();
        part.rows.truncate(1);
        part.rows[0].note = "again".into();
        let merged = sample().replaced_by(part.clone()).unwrap();
        assert_eq!((merged.rows.len(), merged.rows[0].note.as_str()), (3, "again"));
        part.origin.machine = "another".into();
        assert!(sample().replaced_by(part).unwrap_err().contains("run the whole area"));
    }

    #[test]
    fn the_version_of_a_peer_is_the_locked_one() {
        let lock = "[[package]]\nname = \"pa\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"p\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked_version(lock, "p"), "1.2.3");
        assert_eq!(locked_version(lock, "q"), "unknown");
        // Of two versions it is the one that the benches use.
        let two = "\n[[package]]\nname = \"p\"\nversion = \"0.9.0\"\n\n[[package]]\nname = \"benches\"\nversion = \"0.0.0\"\ndependencies = [\n \"p 1.2.3\",\n]\n\n[[package]]\nname = \"p\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked_version(two, "p"), "1.2.3");
    }

    #[test]
    fn results_md_is_what_the_results_folder_gives() {
        let stored = fs::read_to_string(package().join("RESULTS.md")).unwrap();
        assert!(
            stored == render_stored().unwrap(),
            "RESULTS.md differs from results/: cargo bench -q -p benches --bench compare -- --render"
        );
    }
}
