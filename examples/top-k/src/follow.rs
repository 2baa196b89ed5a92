//! What happens while a log is read: the live screen, `--save`, the server, the database.

use crate::Options;
use crate::counters::Counter;
use crate::field::Field;
use crate::input::Batch;
use crate::part_one::{PartOne, Watch};
use crate::windows::List;
use kit::{Failure, Input, Run, Table};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the screen is drawn at most, and how long a quiet log may stay undrawn.
pub const REDRAW: Duration = Duration::from_millis(250);
/// How often `--save` writes while a log is followed.
const SAVE: Duration = Duration::from_secs(10);

/// Everything that was asked for.
pub struct Follow {
    terminal: kit::Terminal,
    screen: bool,
    drawn: Option<Instant>,
    dirty: bool,
    save: Option<PathBuf>,
    saved: Instant,
    k: usize,
    #[cfg(feature = "serve")]
    server: Option<crate::serve::Server>,
    #[cfg(feature = "redis")]
    publisher: Option<crate::publish::Publisher>,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("screen", &self.screen).finish_non_exhaustive()
    }
}

impl Follow {
    /// Opens what the flags ask for.
    ///
    /// # Errors
    /// When the address or the engine cannot be reached.
    pub fn new(run: &Run, options: &Options) -> Result<Self, Failure> {
        Ok(Self {
            terminal: run.terminal,
            // Only a pipe is watched, and only by a person.
            screen: run.data == Some(Input::Stdin)
                && std::io::stdout().is_terminal()
                && !options.json,
            drawn: None,
            dirty: false,
            save: options.save.clone(),
            saved: Instant::now(),
            k: options.k,
            #[cfg(feature = "serve")]
            server: run
                .serve
                .map(|address| crate::serve::Server::start(address, run))
                .transpose()?,
            #[cfg(feature = "redis")]
            publisher: run.backend("redis").map(crate::publish::Publisher::connect).transpose()?,
        })
    }

    /// Writes the final state, then serves until it is interrupted, if that was asked for.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn finish(&self, all: &PartOne) -> Result<(), Failure> {
        if let Some(path) = &self.save {
            all.checkpoint().save(path)?;
        }
        Ok(())
    }

    /// Keeps serving after the report, until the process is ended.
    pub fn serve_on(self) {
        #[cfg(feature = "serve")]
        if let Some(server) = self.server {
            server.wait();
        }
    }

    fn tick(&mut self, all: &PartOne) -> Result<(), Failure> {
        if self.screen && self.dirty && self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            // A screen that is gone (`| head`, a closed terminal) is no reason to stop counting.
            let _ = self.draw(all);
            self.dirty = false;
        }
        if let Some(path) = self.save.as_ref().filter(|_| self.saved.elapsed() >= SAVE) {
            all.checkpoint().save(path)?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    fn draw(&mut self, all: &PartOne) -> std::io::Result<()> {
        let (field, counters) = all.main();
        let minutes = all.windows[1].now();
        let events = kit::human::thousands(all.stats.events);
        let malformed = kit::human::thousands(all.stats.malformed);
        let mut table = Table::new(["all time", &field.to_string(), "last 5 min", "is  "]);
        let wide = (self.terminal.width.saturating_sub(26)) / 2;
        let recent = minutes.map_or_else(Vec::new, |list| list.top);
        for (at, hit) in Counter::top(&counters.space_saving, self.k).iter().enumerate() {
            let now = recent.get(at);
            table.row([
                hit.count.into(),
                kit::term::shorten(&hit.key, wide).into(),
                now.map(|hit| hit.count).into(),
                now.map(|hit| kit::term::shorten(&hit.key, wide)).into(),
            ]);
        }
        // Home, then clear to the end: no flicker of an empty screen.
        let screen = format!(
            "\x1b[H\x1b[J{events} events, {malformed} malformed lines; counts at most {} too \
             high\n\n{}\n\nCtrl-D or the end of the pipe: the full report\n",
            counters.space_saving.floor(),
            table.render(&self.terminal),
        );
        self.drawn = Some(Instant::now());
        let mut out = std::io::stdout().lock();
        out.write_all(screen.as_bytes())?;
        out.flush()
    }
}

impl Watch for Follow {
    fn counted(&mut self, all: &PartOne, batch: &Batch) -> Result<(), Failure> {
        #[cfg(feature = "serve")]
        if let Some(server) = &self.server {
            server.count(all, batch);
        }
        let _ = batch;
        self.dirty = true;
        self.tick(all)
    }

    fn list(&mut self, field: Field, list: &List) -> Result<(), Failure> {
        #[cfg(feature = "redis")]
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(field, list)?;
        }
        let _ = (field, list);
        Ok(())
    }

    fn quiet(&mut self, all: &PartOne) -> Result<(), Failure> {
        self.tick(all)
    }
}
