//! Part one: a real log, every field, every algorithm, every window, one pass.

use crate::Options;
use crate::checkpoint::Checkpoint;
use crate::field::Field;
use crate::input::{Batch, Format, Log, Stats};
use crate::side_by_side::SideBySide;
use crate::windows::{List, WINDOW, Window};
use crossbeam::channel;
use kit::{Failure, Input, Invariants, Progress, Run};
use std::io::Read;

/// The NASA day: part of the binary, so that the first run needs no file.
pub const NASA: &[u8] = include_bytes!("../../../testdata/nasa_19950801.tsv.gz");

/// A log as it was counted so far.
#[derive(Debug)]
pub struct PartOne {
    /// What it is called in the report.
    pub title: String,
    /// Its format.
    pub format: Format,
    /// What was read.
    pub stats: Stats,
    /// The fields that it has, the one asked for first.
    pub fields: Vec<(Field, SideBySide)>,
    /// Tumbling and sliding, over the first field.
    pub windows: [Window; 2],
    /// Lists published.
    pub published: u64,
    /// First and last second of the log.
    pub span: Option<(u64, u64)>,
}

/// What wants to know while the log is read: a live screen, a server, a database.
pub trait Watch {
    /// A batch was counted.
    fn counted(&mut self, so_far: &PartOne, batch: &Batch) -> Result<(), Failure>;
    /// A window ended.
    fn list(&mut self, field: Field, list: &List) -> Result<(), Failure>;
    /// Nothing came for a while: only a live log is ever quiet.
    fn quiet(&mut self, so_far: &PartOne) -> Result<(), Failure>;
}

impl PartOne {
    /// Reads the log of `run` to its end.
    ///
    /// # Errors
    /// When the log cannot be opened or a watcher fails.
    pub fn read(
        run: &Run,
        options: &Options,
        watch: &mut dyn Watch,
        invariants: &mut Invariants,
    ) -> Result<Self, Failure> {
        let (source, title): (Box<dyn Read + Send>, _) = match &run.data {
            None => (Box::new(NASA), "NASA Kennedy, 1 Aug 1995".to_owned()),
            Some(input) => {
                let source = input.open().map_err(|error| format!("--data {error}"))?;
                (source, kit::term::shorten(&input.to_string(), 30))
            }
        };
        let live = run.data == Some(Input::Stdin);
        let mut log =
            Log::open(source, options.format, live).map_err(|error| format!("{title}: {error}"))?;
        // The live screen is progress enough, and would be drawn over.
        let progress = if live { Progress::silent() } else { run.progress(&title, 0) };
        let mut all = Self::new(title, log.format(), run, options)?;
        let field = all.fields[0].0;

        // One thread parses, this one counts: two batches are on their way, no more.
        let (filled, batches) = channel::bounded::<(Batch, Stats)>(2);
        let (emptied, empty) = channel::unbounded::<Batch>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut batch = Batch::default();
                loop {
                    let more = log.read(&mut batch);
                    if filled.send((batch, log.stats.clone())).is_err() || !more {
                        return;
                    }
                    batch = empty.try_recv().unwrap_or_default();
                }
            });
            loop {
                match batches.recv_timeout(crate::follow::REDRAW) {
                    Ok((batch, stats)) => {
                        progress.add(batch.len() as u64);
                        all.stats = stats;
                        all.count(&batch, run, watch, invariants)?;
                        watch.counted(&all, &batch)?;
                        let _ = emptied.send(batch);
                    }
                    Err(channel::RecvTimeoutError::Timeout) => watch.quiet(&all)?,
                    Err(channel::RecvTimeoutError::Disconnected) => break,
                }
            }
            let mut failed = Ok(());
            for window in &mut all.windows {
                window.finish(&mut |list| {
                    let sent = watch.list(field, list);
                    all.published += 1;
                    if failed.is_ok() {
                        failed = sent;
                    }
                });
            }
            failed?;
            Ok(all)
        })
    }

    fn new(title: String, format: Format, run: &Run, options: &Options) -> Result<Self, Failure> {
        let (k, limit) = (options.k, options.exact_limit);
        let mut fields: Vec<Field> = Field::of(format).to_vec();
        if let Some(asked) = options.field {
            if !fields.contains(&asked) {
                return Err(format!("--field {asked}: {title} is read as {format}").into());
            }
            fields.sort_by_key(|&field| field != asked);
        }
        let fields = fields.into_iter().map(|field| (field, SideBySide::new(k, limit))).collect();
        let expires = run.safeguards.on("expiry");
        let windows = [Window::tumbling(k, limit, expires), Window::sliding(k, limit, expires)];
        let stats = Stats::default();
        Ok(Self { title, format, stats, fields, windows, published: 0, span: None })
    }

    fn count(
        &mut self,
        batch: &Batch,
        run: &Run,
        watch: &mut dyn Watch,
        invariants: &mut Invariants,
    ) -> Result<(), Failure> {
        for (field, side_by_side) in &mut self.fields {
            let known = side_by_side.exact.dropped_at().is_none();
            side_by_side.add(batch.rows().iter().map(|row| field.key(batch, row)));
            if let Some(event) = side_by_side.exact.dropped_at().filter(|_| known) {
                run.say(&format!(
                    "exact counting of {field} dropped at event {event}: more distinct keys than \
                     --exact-limit; recall is not known from here on"
                ));
            }
        }
        let field = self.fields[0].0;
        let timed = batch.rows().iter().filter_map(|row| Some((row.time?, field.key(batch, row))));
        let holds = invariants.declare(WINDOW);
        let (mut failed, mut published) = (Ok(()), 0);
        for window in &mut self.windows {
            let mut publish = |list: &List| {
                published += 1;
                let sent = watch.list(field, list);
                if failed.is_ok() {
                    failed = sent;
                }
            };
            window.add(timed.clone(), &mut publish, Some((&mut *invariants, holds)));
        }
        self.published += published;
        for time in batch.rows().iter().filter_map(|row| row.time) {
            let (first, last) = self.span.get_or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
        failed
    }

    /// The field asked for and its summaries.
    #[must_use]
    pub fn main(&self) -> &(Field, SideBySide) {
        &self.fields[0]
    }

    /// What `--save` writes: Space-Saving of every field, and where the log was.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let summary = |(field, all): &(Field, SideBySide)| (*field, all.space_saving.clone());
        let summaries = self.fields.iter().map(summary).collect();
        Checkpoint { offset: self.stats.bytes, events: self.stats.events, summaries }
    }
}
