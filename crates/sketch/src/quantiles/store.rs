use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::wire::{DecodeError, Reader, Why, Writer};

/// Buckets of a page.
const PAGE: usize = 64;
const LG_PAGE: u32 = PAGE.trailing_zeros();

/// Counts of buckets, in pages that are there when something is in them: a wide gap between values
/// costs a word for each 64 buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Store {
    /// The page of the first place.
    first: i32,
    pages: Vec<Option<Box<[u64; PAGE]>>>,
}

impl Store {
    /// The count of a bucket, if its page is there.
    #[inline]
    pub(super) fn count(&mut self, bucket: i32) -> Option<&mut u64> {
        let place = (bucket >> LG_PAGE).wrapping_sub(self.first) as usize;
        let page = self.pages.get_mut(place)?.as_mut()?;
        Some(&mut page[bucket as usize % PAGE])
    }

    pub(super) fn add(&mut self, bucket: i32, n: u64) {
        self.page(bucket >> LG_PAGE)[bucket as usize % PAGE] += n;
    }

    /// How many places for pages there are when a bucket is added.
    #[cfg(feature = "datadog")]
    pub(super) fn places_with(&self, bucket: i32) -> usize {
        let number = bucket >> LG_PAGE;
        let last = self.first + self.pages.len() as i32 - 1;
        match self.pages.len() {
            0 => 1,
            _ => (last.max(number) - self.first.min(number)) as usize + 1,
        }
    }

    /// The page of that number, new if it was not there.
    fn page(&mut self, number: i32) -> &mut [u64; PAGE] {
        if self.pages.is_empty() {
            self.first = number;
        }
        if number < self.first {
            let more = (self.first - number) as usize;
            self.pages.splice(..0, (0..more).map(|_| None));
            self.first = number;
        }
        let place = (number - self.first) as usize;
        if place >= self.pages.len() {
            self.pages.resize_with(place + 1, || None);
        }
        self.pages[place].get_or_insert_with(|| Box::new([0; PAGE]))
    }

    /// The buckets with something in them, ascending, and their counts.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + Clone {
        self.pages.iter().enumerate().flat_map(move |(place, page)| {
            let start = (self.first + place as i32) << LG_PAGE;
            let counts = page.as_deref().map_or(&[][..], |page| &page[..]);
            // The number of a page's bucket is below 64.
            counts
                .iter()
                .enumerate()
                .filter(|(_, n)| **n > 0)
                .map(move |(i, &n)| (start + i as i32, n))
        })
    }

    #[cfg(feature = "window")]
    pub(super) fn total(&self) -> u64 {
        self.iter().map(|(_, n)| n).sum()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (place, theirs) in other.pages.iter().enumerate() {
            if let Some(theirs) = theirs {
                let ours = self.page(other.first + place as i32);
                ours.iter_mut().zip(&theirs[..]).for_each(|(ours, theirs)| *ours += theirs);
            }
        }
    }

    /// Divides all counts by `2^times`, rounded down.
    #[cfg(feature = "window")]
    pub(super) fn halve(&mut self, times: u32) {
        for page in self.pages.iter_mut().flatten() {
            page.iter_mut().for_each(|n| *n = n.checked_shr(times).unwrap_or(0));
        }
        let rest = core::mem::take(self);
        rest.iter().for_each(|(bucket, n)| self.add(bucket, n));
    }

    pub(super) fn bytes(&self) -> usize {
        self.pages.capacity() * size_of::<usize>()
            + self.pages.iter().flatten().count() * PAGE * size_of::<u64>()
    }

    /// The number of pages, the first one's number, then each: a 0 for every two places passed
    /// over, a 1 or 2 for how many places on it stands, and its counts. A decoder reserves a word a
    /// place, which a byte pays for.
    pub(super) fn encode_to(&self, out: &mut Writer) {
        let pages = self.pages.iter().enumerate();
        let there: Vec<_> = pages
            .filter_map(|(place, page)| page.as_deref().map(|page| (place, page)))
            .filter(|(_, page)| page.iter().any(|n| *n > 0))
            .collect();
        out.varint(there.len() as u64);
        let Some(&(first, _)) = there.first() else { return };
        out.u32((self.first + first as i32) as u32);
        let mut at = first;
        for (place, page) in there {
            if place > first {
                let gap = place - at;
                (0..(gap - 1) / 2).for_each(|_| out.u8(0));
                out.u8(((gap - 1) % 2 + 1) as u8);
            }
            at = place;
            page.iter().for_each(|&n| out.varint(n));
        }
    }

    /// Reads what [`encode_to`](Self::encode_to) wrote; buckets have to be within `span`.
    pub(super) fn decode_from(
        input: &mut Reader<'_>,
        span: (i32, i32),
    ) -> Result<Self, DecodeError> {
        let mut store = Self::default();
        let count = input.count(PAGE, "pages")?;
        if count == 0 {
            return Ok(store);
        }
        let start = input.clone();
        let wrong = |why| Err(start.error("buckets", Why::Invalid(why)));
        let (least, greatest) = (span.0 >> LG_PAGE, span.1 >> LG_PAGE);
        let mut number = input.u32("first page")? as i32;
        for page in 0..count {
            // The first page's number stands before.
            let mut passed = page == 0;
            while !passed {
                let gap = input.u8("gap")?;
                if gap > 2 {
                    return wrong("a gap that is none");
                }
                number = number.saturating_add(if gap == 0 { 2 } else { gap.into() });
                passed = gap > 0;
            }
            if !(least..=greatest).contains(&number) {
                return wrong("beyond the numbers");
            }
            let counts = store.page(number);
            for n in counts.iter_mut() {
                *n = input.varint_up_to(super::MAX_WEIGHT, "count")?;
            }
            if counts.iter().all(|n| *n == 0) {
                return wrong("a page without a count");
            }
        }
        let inside = |(bucket, _): (i32, u64)| (span.0..=span.1).contains(&bucket);
        if !store.iter().all(inside) {
            return wrong("beyond the numbers");
        }
        Ok(store)
    }
}
