//! The generated parts of the READMEs: between `<!-- tour: NAME -->` and `<!-- /tour -->`.

use std::fmt::Write as _;
use std::path::Path;

use crate::chart;
use crate::workspace::{Package, SEVEN, System, Workspace};

/// The files that have generated parts.
pub const FILES: [&str; 2] = ["README.md", "examples/README.md"];

/// The longest snippet that the README shows of a crate.
const SNIPPET_LINES: usize = 7;

/// `text` with every generated part written anew.
///
/// # Errors
/// When a marker names no part, is not closed, or a part cannot be written.
pub fn render(text: &str, workspace: &Workspace) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!-- tour: ") {
        let (name, after) = after.split_once(" -->").ok_or("a marker does not end")?;
        let (_, after) =
            after.split_once("<!-- /tour -->").ok_or(format!("part {name} does not end"))?;
        let body = part(name, workspace)?;
        let _ = write!(out, "{before}<!-- tour: {name} -->\n{}\n<!-- /tour -->", body.trim_end());
        rest = after;
    }
    Ok(out + rest)
}

fn part(name: &str, workspace: &Workspace) -> Result<String, String> {
    match name {
        "crates" => crates(workspace),
        "costs" => Ok(costs(workspace)),
        "designs" => Ok(designs(workspace, "examples/")),
        "designs-here" => Ok(designs(workspace, "")),
        "picture" => Ok(picture(workspace)),
        "coming" => Ok(coming(workspace, " · ", |s| format!("{} {}", s.number, s.title))),
        "coming-table" => {
            let head = "| # | package to be | the source calls it |\n|---:|---|---|\n".to_owned();
            Ok(head
                + &coming(workspace, "\n", |s| {
                    format!("| {} | {} | {} |", s.number, s.package, s.title)
                }))
        }
        "numbers" => Ok(numbers(workspace)),
        _ => Err(format!("no part of the READMEs is called {name:?}")),
    }
}

/// The seven, one line and one snippet each.
fn crates(workspace: &Workspace) -> Result<String, String> {
    let mut out = String::new();
    let mut missing = Vec::new();
    for (short, line) in SEVEN {
        let Some(library) = workspace.library(short) else {
            missing.push((short, line));
            continue;
        };
        let folder = library.folder.display();
        let _ = writeln!(out, "**[`{}`]({folder})**: {}.\n", library.name, library.description);
        if let Ok(code) = snippet(library, workspace) {
            let _ = writeln!(out, "```rust\n{code}```\n");
        }
        if chart(short, workspace).is_some() {
            let _ = writeln!(out, "![{short} beside its peers]({})\n", chart_file(short));
        }
    }
    if !missing.is_empty() {
        out.push_str("Not built yet:\n\n");
        for (short, line) in missing {
            let _ = writeln!(out, "- `archstone-{short}`: {line}.");
        }
    }
    Ok(out)
}

/// Where a crate's chart stands, relative to the root.
#[must_use]
pub fn chart_file(short: &str) -> String {
    format!("benches/results/{short}.svg")
}

/// The chart of a crate, when its area was measured.
#[must_use]
pub fn chart(short: &str, workspace: &Workspace) -> Option<String> {
    chart::svg(short, &workspace.text(format!("benches/results/{short}.jsonl")))
}

/// The crate's own first example, run as a doc-test where it stands: the first `rust` block of its
/// README (or the one after a line `<!-- tour -->`), which its `lib.rs` must include.
///
/// # Errors
/// When there is none, it is too long, or nothing tests it.
pub fn snippet(library: &Package, workspace: &Workspace) -> Result<String, String> {
    let readme = library.folder.join("README.md");
    let named = |why: &str| format!("{}: {why}", readme.display());
    let text = workspace.text(&readme);
    let text = text.split_once("<!-- tour -->").map_or(text.as_str(), |(_, after)| after);
    let block = text.split_once("```rust\n").and_then(|(_, after)| after.split_once("```"));
    let (code, _) = block.ok_or_else(|| named("has no ```rust block"))?;
    let lines = code.lines().count();
    if lines > SNIPPET_LINES || code.lines().any(|l| l.starts_with("# ")) {
        return Err(named(&format!(
            "its first rust block (or the one after a line <!-- tour -->) is shown in the README, so \
             it has at most {SNIPPET_LINES} lines and hides none; it has {lines}"
        )));
    }
    let tested = workspace
        .text(library.folder.join("src/lib.rs"))
        .contains("include_str!(\"../README.md\")");
    if !tested {
        return Err(named(
            "is not a doc-test: lib.rs lacks `#[cfg(doctest)] #[doc = include_str!(\"../README.md\")] struct Readme;`",
        ));
    }
    Ok(code.to_owned())
}

/// Where each crate comes from, what it brings with it, and what a first build takes.
fn costs(workspace: &Workspace) -> String {
    let cold = workspace.text("ci/cold.tsv");
    let seconds = |name: &str| match measured(&cold, name) {
        Some((_, cpu)) => format!("{cpu} s"),
        None => "not measured".to_owned(),
    };
    let mut out =
        String::from("| in your `Cargo.toml` | dependencies | cold build, CPU |\n|---|---|---|\n");
    for (short, _) in SEVEN {
        let Some(library) = workspace.library(short) else { continue };
        let (ours, theirs) = workspace.dependencies(&library.name);
        let also = if ours > 0 { " + `archstone-core`" } else { "" };
        let path = Path::new("../archstone").join(&library.folder);
        let _ = writeln!(
            out,
            "| `{} = {{ path = \"{}\" }}` | {theirs}{also} | {} |",
            library.name,
            path.display(),
            seconds(&library.name)
        );
    }
    out
}

/// The designs that run, with links relative to the README they stand in.
fn designs(workspace: &Workspace, prefix: &str) -> String {
    let mut out =
        String::from("| # | the source calls it | run it | what it shows |\n|---:|---|---|---|\n");
    for (package, design) in workspace.designs() {
        let Package { name, description, .. } = package;
        let status =
            if design.status == "works" { String::new() } else { format!(" ({})", design.status) };
        let _ = writeln!(
            out,
            "| {} | [{}]({prefix}{name}) | `cargo demo {name}` | {description}{status} |",
            design.number, design.title
        );
    }
    out
}

/// The systems that have no package yet.
fn coming(workspace: &Workspace, between: &str, show: impl Fn(&System) -> String) -> String {
    let here = |name: &str| workspace.packages.iter().any(|p| p.name == name && p.design.is_some());
    let list: Vec<String> =
        workspace.systems.iter().filter(|s| !here(&s.package)).map(show).collect();
    list.join(between)
}

/// The picture that `ci/picture.sh` draws of a real run.
fn picture(workspace: &Workspace) -> String {
    let file = "examples/top-k/run.svg";
    if !workspace.root.join(file).exists() {
        return String::new();
    }
    format!("![a run of the design top-k in a terminal]({file})")
}

/// What `ci/cold.sh` measured of the whole.
fn numbers(workspace: &Workspace) -> String {
    let cold = workspace.text("ci/cold.tsv");
    let machine = cold.lines().next().and_then(|l| l.strip_prefix("# ")).unwrap_or_default();
    let Some((clock, cpu)) = measured(&cold, "first-line") else { return String::new() };
    format!(
        "From `git clone` to its first line: {clock} s with an empty target folder, {cpu} s of CPU ({machine})."
    )
}

/// Seconds by the clock and of CPU, from the row called `name`.
fn measured<'a>(cold: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let row = cold.lines().find(|l| l.split('\t').next() == Some(name))?;
    let mut cells = row.split('\t').skip(1);
    Some((cells.next()?, cells.next()?))
}
