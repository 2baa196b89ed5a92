//! Many keys in one allocation, in the order of the stream.

use std::ops::Range;

/// Text that is kept at most; past it [`Keys`] lets everything go and says so.
const MAX_TEXT: usize = 256 << 20;

/// A list of keys: what a recount sorts and what the experiments replay.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    text: String,
    ends: Vec<u32>,
    overflowed: bool,
}

impl Keys {
    /// Adds one.
    #[inline]
    pub fn push(&mut self, key: &str) {
        if self.overflowed || self.text.len() + key.len() > MAX_TEXT {
            *self = Self { overflowed: true, ..Self::default() };
            return;
        }
        self.text.push_str(key);
        self.ends.push(self.text.len() as u32);
    }

    /// Adds one that is written piece by piece.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push(self.text.len() as u32);
    }

    /// Forgets the keys, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Whether there were more than could be kept: the list is then empty.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.range(0..self.len())
    }

    /// The keys of a range, which is cut to what is there.
    pub fn range(&self, range: Range<usize>) -> impl Iterator<Item = &str> + Clone {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        let mut from = start.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.ends[start..end].iter().map(move |&to| {
            let key = &self.text[from..to as usize];
            from = to as usize;
            key
        })
    }

    /// The first `n` keys.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        self.range(0..n).collect()
    }
}

impl<'a> FromIterator<&'a str> for Keys {
    fn from_iter<I: IntoIterator<Item = &'a str>>(keys: I) -> Self {
        let mut all = Self::default();
        keys.into_iter().for_each(|key| all.push(key));
        all
    }
}
