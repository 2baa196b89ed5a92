//! The command line: `cargo bench -q -p benches --features <area> --bench compare -- <area> ...`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::areas::{self, Area, Entry, Kind, Run, Trace};
use crate::measure::Budget;
use crate::results::{self, Results};
use crate::row::{Row, Unit};
use crate::workload;

/// Ours and the peers on the same inputs, in interleaved rounds.
#[derive(Debug, Parser)]
#[command(name = "compare", about, disable_version_flag = true)]
struct Args {
    /// The area to compare; the cargo feature of the same name builds it in
    area: Option<String>,
    /// End within a minute: fewer rounds, and nothing that needs gigabytes
    #[arg(long)]
    quick: bool,
    /// One JSON object a row on standard output, progress on standard error
    #[arg(long)]
    json: bool,
    /// Keep the rows in results/ and write RESULTS.md anew
    #[arg(long)]
    write: bool,
    /// Also run on the keys of this file (one a line, gzip or not), where an area takes one
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Only entries whose id begins so
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Print the ids of the area's entries and end
    #[arg(long)]
    list: bool,
    /// Write RESULTS.md anew from results/ and end (after a change of a .short.toml)
    #[arg(long)]
    render: bool,
    /// Run this contender alone, without a race: for callgrind (see ci/icount.sh)
    #[arg(long, value_name = "NAME", requires = "only")]
    alone: Option<String>,
    /// How many rounds --alone runs
    #[arg(long, value_name = "N", default_value_t = 1, requires = "alone")]
    rounds: u32,
    /// What cargo bench passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// Runs the command line and returns the exit status: 0, or 2 when it was called wrongly.
pub fn main<I: IntoIterator<Item = String>>(
    args: I,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => return fail(err, &error.to_string()),
        Err(help) => {
            let _ = write!(out, "{help}");
            return 0;
        }
    };
    match run(&args, out, err) {
        Ok(()) => 0,
        Err(message) => fail(err, &message),
    }
}

fn fail(err: &mut dyn Write, message: &str) -> u8 {
    let _ = writeln!(err, "{}", message.trim_end());
    2
}

fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), String> {
    if args.render {
        return results::render_to_file();
    }
    let mut area = find(args.area.as_deref())?;
    if args.trace.is_none() {
        let traced = format!("{}.trace", area.name);
        area.entries.retain(|entry| !entry.id.starts_with(&traced));
    }
    if let Some(prefix) = &args.only {
        area.entries.retain(|entry| match args.alone {
            Some(_) => entry.id == *prefix,
            None => entry.id.starts_with(prefix.as_str()),
        });
        if area.entries.is_empty() {
            return Err(format!(
                "no entry of area {} begins with {prefix}; --list names them",
                area.name
            ));
        }
    }
    if args.list {
        for entry in &area.entries {
            let _ = writeln!(out, "{}", entry.id);
        }
        return Ok(());
    }
    let trace = args.trace.as_deref().map(read_trace).transpose()?.map(Arc::new);
    let run = Run { quick: args.quick, trace, budget: budget(args.quick, &area.entries) };
    if let Some(name) = &args.alone {
        return alone(&area.entries, name, args.rounds, &run, out);
    }

    let mut rows = Vec::new();
    let total = area.entries.len();
    for (at, entry) in area.entries.iter().enumerate() {
        let _ = writeln!(err, "[{}/{total}] {}", at + 1, entry.id);
        for row in entry.run(&run) {
            if args.json {
                let _ = writeln!(out, "{}", row.json());
            }
            rows.push(row);
        }
    }
    if !args.json {
        let _ = writeln!(out, "{}", table(&rows));
    }
    if args.write {
        Results::of_this_run(&area, args.quick, rows).write(args.only.is_some())?;
    }
    Ok(())
}

fn find(name: Option<&str>) -> Result<Area, String> {
    let known = areas::NAMES.join(", ");
    let Some(name) = name else {
        return Err(format!("which area? one of: {known}"));
    };
    if let Some(area) = areas::find(name) {
        return Ok(area);
    }
    if areas::NAMES.contains(&name) {
        return Err(format!(
            "area {name} is not built in; this builds it:\n  \
             cargo bench -q -p benches --features {name} --bench compare -- {name}"
        ));
    }
    Err(format!("there is no area {name}; one of: {known}"))
}

fn read_trace(path: &Path) -> Result<Trace, String> {
    let keys = workload::lines(path)
        .map_err(|error| format!("cannot read the trace {}: {error}", path.display()))?;
    if keys.is_empty() {
        return Err(format!("the trace {} has no lines", path.display()));
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    Ok(Trace { name, keys })
}

/// A quick area ends within a minute on two idle cores: races share 40 seconds, the rest is for
/// workloads and for rows that are not races.
fn budget(quick: bool, entries: &[Entry]) -> Budget {
    let races = entries.iter().filter(|entry| matches!(entry.kind, Kind::Race(_))).count();
    if quick {
        let time = Duration::from_secs(40) / races.max(1) as u32;
        Budget { min_rounds: 3, max_rounds: 15, time: time.min(Duration::from_secs(4)) }
    } else {
        Budget { min_rounds: 7, max_rounds: 41, time: Duration::from_secs(8) }
    }
}

fn alone(
    entries: &[Entry],
    name: &str,
    rounds: u32,
    run: &Run,
    out: &mut dyn Write,
) -> Result<(), String> {
    let [Entry { id, kind: Kind::Race(make) }] = entries else {
        return Err("--alone needs --only to name one race; --list names them".to_owned());
    };
    let mut runners = make(run).into_runners();
    let names: Vec<String> = runners.iter().map(|runner| runner.name().to_owned()).collect();
    let Some(runner) = runners.iter_mut().find(|runner| runner.name() == name) else {
        return Err(format!("{id} has no contender {name}; one of: {}", names.join(", ")));
    };
    for _ in 0..rounds {
        runner.round();
    }
    let _ = writeln!(out, "operations {}", runner.operations() * u64::from(rounds));
    Ok(())
}

/// The table for people.
fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["row", "ours", "peer", "", "ratio", "goal", "", "note"]);
    for row in rows {
        let (peer, peer_name) = match &row.peer {
            Some(peer) => (value(peer.value, row.unit), peer.name.as_str()),
            None => (String::new(), ""),
        };
        table.add_row([
            row.id.clone(),
            value(row.ours.value, row.unit),
            peer,
            peer_name.to_owned(),
            row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x")),
            goal(row),
            verdict(row.holds).to_owned(),
            row.note.clone(),
        ]);
    }
    for column in [1, 2, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(crate) fn value(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    match unit {
        Unit::Ns if value >= 1000.0 => format!("{value:.0} ns"),
        Unit::Ns => format!("{value:.2} ns"),
        Unit::Bytes if value < 1024.0 => format!("{value:.1} B"),
        Unit::Bytes if value < 1024.0 * 1024.0 => format!("{:.1} KiB", value / 1024.0),
        Unit::Bytes => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        Unit::Ratio => format!("{value:.4}"),
        Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Count if value.abs() < 0.01 => format!("{value:.1e}"),
        Unit::Count => format!("{value:.2}"),
    }
}

pub(crate) fn goal(row: &Row) -> String {
    match (row.goal, row.limit) {
        (Some(goal), _) => format!("{goal:.2}x"),
        (None, Some(limit)) => {
            let sign = if row.better == crate::row::Better::Lower { "<=" } else { ">=" };
            format!("{sign} {}", value(Some(limit), row.unit))
        }
        (None, None) => String::new(),
    }
}

pub(crate) fn verdict(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "holds",
        Some(false) => "SHORT",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(args: &[&str]) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = ["compare"].iter().chain(args).map(|arg| (*arg).to_owned());
        let status = main(args, &mut out, &mut err);
        (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_wrong_area_ends_with_2_and_names_the_right_ones() {
        let (status, out, err) = call(&["skech", "--bench"]);
        assert_eq!((status, out.as_str()), (2, ""));
        let known = format!("there is no area skech; one of: {}", areas::NAMES.join(", "));
        assert!(err.contains(&known) && known.contains("sketch"), "{err}");
        assert_eq!(call(&[]).0, 2);
    }

    #[cfg(not(feature = "sketch"))]
    #[test]
    fn an_area_that_is_not_built_in_ends_with_2_and_the_command_that_builds_it() {
        let (status, _, err) = call(&["sketch"]);
        assert_eq!(status, 2);
        let command = "cargo bench -q -p benches --features sketch --bench compare -- sketch";
        assert!(err.contains(command), "{err}");
    }

    #[test]
    fn an_unknown_flag_ends_with_2_and_help_with_0() {
        assert_eq!(call(&["core", "--quik"]).0, 2);
        let (status, out, _) = call(&["--help"]);
        assert_eq!(status, 0);
        assert!(out.contains("--trace <FILE>"), "{out}");
    }

    #[cfg(feature = "core")]
    #[test]
    fn a_trace_that_cannot_be_read_ends_with_2_and_its_name() {
        let (status, _, err) = call(&["core", "--trace", "no/such/file"]);
        assert_eq!(status, 2);
        assert!(err.starts_with("cannot read the trace no/such/file: "), "{err}");
    }

    #[cfg(feature = "core")]
    #[test]
    fn only_and_list_choose_and_name_entries() {
        let (status, out, _) = call(&["core", "--list", "--only", "core.hash/u64"]);
        assert_eq!((status, out.as_str()), (0, "core.hash/u64\ncore.hash/u64-dependent\n"));
        assert_eq!(call(&["core", "--list", "--only", "core.nothing"]).0, 2);
    }

    #[cfg(feature = "core")]
    #[test]
    fn json_prints_one_object_a_row_and_nothing_else() {
        let (status, out, err) =
            call(&["core", "--quick", "--json", "--only", "core.hash/u64-dependent"]);
        assert_eq!(status, 0, "{err}");
        let rows: Vec<Row> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            ids,
            ["core.hash/u64-dependent/xxhash-rust", "core.hash/u64-dependent/rapidhash"]
        );
        assert!(rows.iter().all(|row| row.ratio.unwrap() > 0.0 && row.holds.is_none()));
    }

    #[cfg(feature = "core")]
    #[test]
    fn alone_runs_one_contender_and_says_how_many_operations() {
        let (status, out, _) =
            call(&["core", "--only", "core.hash/4000", "--alone", "archstone-core"]);
        assert_eq!((status, out.as_str()), (0, "operations 65536\n"));
        let (status, _, err) = call(&["core", "--only", "core.hash/4000", "--alone", "nobody"]);
        assert_eq!(status, 2);
        assert!(err.contains("rapidhash v3"), "{err}");
    }

    #[test]
    fn values_and_goals_read_well() {
        assert_eq!(value(Some(65536.0), Unit::Bytes), "64.0 KiB");
        assert_eq!(value(None, Unit::Ns), "-");
        let subject = crate::row::Subject::new("a", "w", Unit::Ratio, crate::row::Better::Higher);
        assert_eq!(goal(&subject.limit(crate::row::Side::new("ours", 1.0), 1.0)), ">= 1.0000");
    }
}
