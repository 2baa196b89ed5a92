//! The report for a reader.

use crate::invariant::{self, Record};
use crate::report::{Report, Wall};
use crate::table::Table;
use crate::term::{self, Terminal, Tone, mark};
use crate::value::Value;
use crate::{Verdict, diagram, estimate, human};

/// Lines of the summary: a screen of the old size, whole.
const SUMMARY_LINES: usize = 24;

/// Columns of the labels before the facts.
const LABEL: usize = 12;

/// The summary and the eight blocks, coloured for `terminal`.
pub(crate) fn report(report: &Report, terminal: &Terminal) -> String {
    let mut out = summary(report, terminal);
    let blocks: [(&str, String); 8] = [
        ("The problem in numbers", estimates(report, terminal)),
        ("The architecture, and what flowed", architecture(report)),
        ("The load run", load(report, terminal)),
        ("Faults and recovery", faults(report, terminal)),
        ("Invariants", invariants(report, terminal)),
        ("Claims of the source document", claims(report, terminal)),
        ("Trade-offs as experiments", trade_offs(report, terminal)),
        ("Capacity plan", capacity(report, terminal)),
    ];
    for (number, (title, body)) in (1..).zip(blocks) {
        let heading = format!("── {number}  {title} ");
        let rule = "─".repeat(terminal.width.saturating_sub(term::width(&heading)));
        out.push_str(&format!("\n{}\n\n", terminal.tone(Tone::Strong, &(heading + &rule))));
        let body = body.trim_end();
        out.push_str(&terminal.paint(if body.is_empty() { "– nothing" } else { body }));
        out.push('\n');
    }
    out
}

/// What fits one screen: the answer (or what broke), how it did, what to try.
pub(crate) fn summary(report: &Report, terminal: &Terminal) -> String {
    let mut top = vec![title(report, terminal)];
    if !report.without.is_empty() {
        top.push(terminal.paint(&format!("{} without {}", mark::WARN, report.without.join(", "))));
    }
    top.push(terminal.tone(Tone::Dim, &"─".repeat(terminal.width)));

    let facts = facts(report, terminal);
    let next = next(report, terminal);
    // Two empty lines: before the facts, before the commands.
    let room = SUMMARY_LINES.saturating_sub(top.len() + facts.len() + next.len() + 2);
    let broken = invariant::first_broken(&report.invariants);
    let broken = broken.map(|record| violation(record, terminal, room.saturating_sub(4)));
    let broken: Vec<&str> = broken.iter().flat_map(|text| text.lines()).collect();
    let gap = usize::from(!broken.is_empty());
    let answer = report.answer.render(terminal);
    let answer = first_lines(&answer, room.saturating_sub(broken.len() + gap));

    let paint = |line: &&str| terminal.paint(line);
    let mut lines = top;
    lines.extend(answer.iter().map(paint));
    lines.extend((gap > 0).then(String::new));
    lines.extend(broken.iter().map(paint));
    lines.push(String::new());
    lines.extend(facts);
    lines.push(String::new());
    lines.extend(next);
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn title(report: &Report, terminal: &Terminal) -> String {
    let design = report.design;
    let left = format!("{}  {}  {}", design.number, design.system, design.title);
    let left = term::shorten(&left, terminal.width);
    let took = human::duration(report.wall.elapsed);
    let right = format!("seed {}, {}, {took}", report.seed, report.scale);
    let (left_width, right_width) = (term::width(&left), term::width(&right));
    let (left, right) = (terminal.tone(Tone::Strong, &left), terminal.tone(Tone::Dim, &right));
    if left_width + 2 + right_width > terminal.width {
        return left;
    }
    format!("{left}{:gap$}{right}", "", gap = terminal.width - left_width - right_width)
}

fn first_lines(text: &str, room: usize) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push("… all of it with --json");
    }
    lines
}

fn next(report: &Report, terminal: &Terminal) -> Vec<String> {
    let label = |at: usize| if at == 0 { "try next" } else { "" };
    let line = |(at, command): (usize, &&str)| {
        format!("{}{command}", terminal.tone(Tone::Dim, &term::pad(label(at), LABEL)))
    };
    report.design.next.iter().take(3).enumerate().map(line).collect()
}

/// One broken invariant: where, what, and the events that led there, in at most `room` lines.
fn violation(record: &Record, terminal: &Terminal, room: usize) -> String {
    let Some(first) = &record.first_seed_event else { return String::new() };
    let mut out = format!("{} broke: {}\n", mark::BAD, record.name);
    let what =
        format!("  seed {}, event {}: {}", first.seed, first.event, term::clean(&first.what));
    out.push_str(&term::shorten(&what, terminal.width));
    let events = first.history.len().min(room.saturating_sub(2));
    for event in &first.history[first.history.len() - events..] {
        out.push_str("\n    ");
        out.push_str(&term::shorten(&term::clean(event), terminal.width - 4));
    }
    out
}

fn facts(report: &Report, terminal: &Terminal) -> Vec<String> {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(rate) = report.wall.rate() {
        let events = human::count(report.wall.events as f64);
        facts.push(("speed", format!("{events} events, {} events/s", human::count(rate))));
    }
    if let Some(memory) = memory(&report.wall) {
        facts.push(("memory", memory));
    }
    if let Some(worst) = &report.worst_error {
        let (seen, bound) = (worst.seen.human(), worst.bound.human());
        facts.push(("error", format!("{}: worst {seen}, bound {bound}", worst.what)));
    }
    facts.push(("invariants", invariant_line(&report.invariants)));
    let met = report.claims.count(Verdict::Met);
    let wrong = report.claims.count(Verdict::WrongFigure);
    let all = report.claims.rows().len();
    if all > 0 {
        let mut text = format!("{met} of {all} met");
        if wrong > 0 {
            let s = human::plural(wrong as u64);
            text.push_str(&format!(", {wrong} figure{s} of the document wrong"));
        }
        facts.push(("claims", text));
    }
    let fact = |(label, text): (&str, String)| {
        let label = terminal.tone(Tone::Dim, &term::pad(label, LABEL));
        format!("{label}{}", terminal.paint(&term::shorten(&text, terminal.width - LABEL)))
    };
    facts.into_iter().map(fact).collect()
}

fn memory(wall: &Wall) -> Option<String> {
    let part = |(name, bytes): &(String, u64)| format!("{name} {}", human::bytes(*bytes));
    let mut parts: Vec<String> = wall.memory.iter().map(part).collect();
    parts.extend(wall.peak_rss.map(|bytes| format!("resident peak {}", human::bytes(bytes))));
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn invariant_line(records: &[Record]) -> String {
    let checks = records.iter().fold(0, |sum: u64, record| sum.saturating_add(record.checked));
    if checks == 0 {
        return format!("{} none checked", mark::NONE);
    }
    let checks = human::count(checks as f64);
    let broken: Vec<&Record> = records.iter().filter(|record| record.violations > 0).collect();
    match broken.first() {
        None => format!("{} all {} held in {checks} checks", mark::GOOD, records.len()),
        Some(first) => {
            format!("{} {} of {} broke: {}", mark::BAD, broken.len(), records.len(), first.name)
        }
    }
}

fn estimates(report: &Report, terminal: &Terminal) -> String {
    let mut table = Table::new(["id", "what", "document", "computed", "verdict"]);
    for row in &report.estimates {
        let verdict = match row.verdict() {
            estimate::Verdict::Agrees => format!("{} agrees", mark::GOOD),
            estimate::Verdict::NotGiven => format!("{} not given", mark::NONE),
            estimate::Verdict::WrongUnit => format!("{} wrong unit", mark::WARN),
            estimate::Verdict::WrongFigure => {
                format!("{} {}", mark::WARN, row.off_by().unwrap_or_else(|| "wrong".to_owned()))
            }
        };
        let computed = row.computed_text();
        let texts = [&row.id, &row.what, &row.document, &computed, &verdict];
        table.row(texts.map(|text| Value::from(text.as_str())));
    }
    if table.is_empty() { String::new() } else { table.render(terminal) }
}

fn architecture(report: &Report) -> String {
    match diagram::fill(report.diagram.trim_matches('\n'), &report.flow) {
        Ok(drawing) => drawing,
        Err(problems) => format!("{}\n{} {}", report.diagram, mark::BAD, problems.join("; ")),
    }
}

fn load(report: &Report, terminal: &Terminal) -> String {
    let mut text = report.load.render(terminal);
    for (title, latencies) in
        [("virtual time", &report.latency), ("this machine's clock", &report.wall.latency)]
    {
        if latencies.is_empty() {
            continue;
        }
        let mut table =
            Table::new([&format!("latency, {title}")[..], "n", "p50", "p99", "p99.9", "max"]);
        for (operation, p) in latencies.iter() {
            let span = |nanos| Value::Span(std::time::Duration::from_nanos(nanos));
            table.row([
                operation.into(),
                p.n.into(),
                span(p.p50),
                span(p.p99),
                span(p.p999),
                span(p.max),
            ]);
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&table.render(terminal));
    }
    text
}

fn faults(report: &Report, terminal: &Terminal) -> String {
    let mut table = Table::new(["at", "fault", "effect", "recovered after"]);
    for fault in &report.faults {
        let span = |ms| Value::Span(std::time::Duration::from_millis(ms));
        let recovered = fault.recovered_ms.map_or_else(|| "never".into(), span);
        table.row([
            span(fault.at_ms),
            fault.kind.as_str().into(),
            fault.effect.as_str().into(),
            recovered,
        ]);
    }
    if table.is_empty() { String::new() } else { table.render(terminal) }
}

fn invariants(report: &Report, terminal: &Terminal) -> String {
    let mut table = Table::new(["invariant", "checked", "violations", "verdict"]);
    for record in &report.invariants {
        let verdict = match (record.checked, record.violations) {
            (0, 0) => format!("{} never checked", mark::NONE),
            (_, 0) => format!("{} held", mark::GOOD),
            _ => format!("{} broke", mark::BAD),
        };
        table.row([
            record.name.as_str().into(),
            record.checked.into(),
            record.violations.into(),
            verdict.into(),
        ]);
    }
    let mut text = if table.is_empty() { String::new() } else { table.render(terminal) };
    for record in &report.invariants {
        if record.violations > 0 {
            text.push_str("\n\n");
            text.push_str(&violation(record, terminal, usize::MAX));
        }
    }
    let mut table = Table::new(["without", "breaks", "seen at seed"]);
    for ablation in &report.ablations {
        let broke = ablation.broke.as_deref().unwrap_or("nothing");
        table.row([ablation.safeguard.as_str().into(), broke.into(), ablation.seed.into()]);
    }
    if !table.is_empty() {
        text.push_str("\n\n");
        text.push_str(&table.render(terminal));
    }
    text
}

/// Not a table: five columns of prose would wrap into slivers. The verdicts stand in a column, the
/// words beside them (below them in a narrow terminal): the claim, then what was found.
fn claims(report: &Report, terminal: &Terminal) -> String {
    let rows = report.claims.rows();
    let id_width = rows.iter().map(|row| term::width(&row.id)).max().unwrap_or(0);
    let verdict_width = term::width(&Verdict::WrongFigure.human());
    let beside = id_width + verdict_width + 4;
    let narrow = terminal.width < beside + 40;
    let indent = if narrow { 2 } else { beside };
    let mut out = String::new();
    for row in rows {
        let found = match (row.measured_text(), row.evidence.as_str()) {
            (found, "") => found,
            (_, evidence) if row.measured == Value::Missing => evidence.to_owned(),
            (found, evidence) => format!("{found} ({evidence})"),
        };
        let claim = format!("{}: {}", row.name, row.document);
        let mut lines = wrap_clean(&claim, terminal.width - indent);
        lines.extend(wrap_clean(&format!("→ {found}"), terminal.width - indent));
        let verdict = term::pad(&row.verdict.human(), verdict_width);
        let head = format!("{}  {verdict}  ", term::pad(&row.id, id_width));
        let start = if narrow { format!("{}\n  ", head.trim_end()) } else { head };
        let gap = format!("\n{:indent$}", "");
        out.push_str(&format!("{start}{}\n", lines.join(&gap)));
    }
    out
}

fn wrap_clean(text: &str, columns: usize) -> Vec<String> {
    term::wrap(&term::clean(text), columns)
}

fn trade_offs(report: &Report, terminal: &Terminal) -> String {
    let one = |trade: &crate::TradeOff| {
        let question = wrap_clean(&format!("{} {}", trade.id, trade.question), terminal.width);
        let question = question.iter().map(|line| terminal.tone(Tone::Strong, line));
        let question = question.collect::<Vec<_>>();
        let finding = wrap_clean(&trade.finding, terminal.width);
        let table = trade.table.render(terminal);
        format!("{}\n\n{table}\n\n{}", question.join("\n"), finding.join("\n"))
    };
    report.trade_offs.iter().map(one).collect::<Vec<_>>().join("\n\n\n")
}

fn capacity(report: &Report, terminal: &Terminal) -> String {
    let mut table =
        Table::new(["component", "one core here", "load", "cores", "engine at that size"]);
    for row in &report.wall.capacity {
        let rate = |value| format!("{} {}", human::count(value), row.unit);
        table.row([
            row.component.as_str().into(),
            rate(row.per_core).into(),
            rate(row.needed).into(),
            row.cores().into(),
            row.engine.as_str().into(),
        ]);
    }
    if table.is_empty() { String::new() } else { table.render(terminal) }
}
