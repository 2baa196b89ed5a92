//! `--merge FILE..`: the saved states of other runs as one list.

use crate::Options;
use crate::checkpoint::Checkpoint;
use crate::counters::Counter;
use kit::{Failure, Table, Terminal};

/// Merges the files, writes the result where `--save` says, and returns what to print.
///
/// # Errors
/// When a file cannot be read, is damaged, or has another shape than the first.
pub fn run(options: &Options, terminal: &Terminal) -> Result<String, Failure> {
    let mut all: Option<Checkpoint> = None;
    for path in &options.merge {
        let one = Checkpoint::load(path)?;
        match &mut all {
            None => all = Some(one),
            Some(all) => {
                all.merge(one).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    let all = all.ok_or("--merge needs a file")?;
    if let Some(path) = &options.save {
        all.save(path)?;
    }
    let wanted = |field| options.field.is_none_or(|asked| asked == field);
    let lists = all.summaries.iter().filter(|(field, _)| wanted(*field));
    if options.json {
        let list = |(field, summary): &(_, _)| {
            let field: &crate::field::Field = field;
            let top = Counter::top(summary, options.k);
            let bound = Counter::bound(summary).most();
            (field.name().to_owned(), crate::list_json(&top, bound, all.events))
        };
        let lists: serde_json::Map<_, _> = lists.map(list).collect();
        return Ok(format!("{:#}\n", serde_json::Value::Object(lists)));
    }
    let events = kit::human::thousands(all.events);
    let mut text = format!("{events} events of {} states\n", options.merge.len());
    for (field, summary) in lists {
        let mut table = Table::new(["at most", "at least", field.name()]);
        for hit in Counter::top(summary, options.k) {
            table.row([hit.count.into(), (hit.count - hit.error).into(), hit.key.into()]);
        }
        let floor = kit::human::thousands(summary.floor());
        text += &format!("\n{}\n", table.render(terminal));
        text += &format!("a key that is not listed here was seen at most {floor} times\n");
    }
    Ok(text)
}
