use super::format::Record;

/// Some thousands of events in one allocation, so that counting can be timed apart from parsing
/// and handed to another thread as a whole.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: String,
    rows: Vec<Row>,
}

/// One event; its texts are in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    start: u32,
    host_end: u32,
    status_end: u32,
    end: u32,
    /// Seconds since 1970, when the line says it.
    pub time: Option<u64>,
    /// Offset in the uncompressed log of the line after this one.
    pub next_offset: u64,
}

impl Batch {
    /// Forgets the events, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    /// Number of events.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The events.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Copies a record. Host, status and URL lie one after the other, the last two with a space
    /// between them: that is the key (status, path) without building it.
    pub fn push(&mut self, record: &Record<'_>, next_offset: u64) {
        // A batch is at most BATCH lines of MAX_LINE bytes: 512 MiB, so 32 bits are enough.
        let start = self.text.len() as u32;
        self.text.push_str(record.host);
        let host_end = self.text.len() as u32;
        self.text.push_str(record.status);
        self.text.push(' ');
        let status_end = self.text.len() as u32;
        self.text.push_str(record.url);
        let end = self.text.len() as u32;
        self.rows.push(Row { start, host_end, status_end, end, time: record.time, next_offset });
    }

    /// Who asked.
    #[inline]
    #[must_use]
    pub fn host(&self, row: &Row) -> &str {
        &self.text[row.start as usize..row.host_end as usize]
    }

    /// What was asked for; the whole line of a plain log.
    #[inline]
    #[must_use]
    pub fn url(&self, row: &Row) -> &str {
        &self.text[row.status_end as usize..row.end as usize]
    }

    /// `404 /missing.html`
    #[inline]
    #[must_use]
    pub fn status_url(&self, row: &Row) -> &str {
        &self.text[row.host_end as usize..row.end as usize]
    }
}
