//! Scatter and gather: whom to ask for many keys, and what their answers amount to.

use crate::key::Hashed;
use crate::placement::{Candidates, NodeIx};
use crate::topology::{Copies, MAX_COPIES};
use alloc::vec::Vec;
use core::fmt;

/// A question under way: the parts a request falls into, who is asked for each, who answered.
///
/// It sends nothing. The caller sends every [`Ask`], reports answers and failures, and closes it at
/// its deadline. A part that fails is asked of its next copy; answers that come twice or late are
/// dropped, so hedged requests are safe.
///
/// ```
/// use archstone_hashring::sharding::{Gather, Need};
/// use archstone_hashring::{Key, NodeId, Resize, Ring, Weight};
///
/// let mut ring = Ring::new();
/// for name in ["a", "b", "c"] {
///     ring.add(NodeId::of(name), Weight::ONE)?;
/// }
/// let keys: Vec<_> = (0..100_u64).map(|id| id.hashed(0)).collect();
/// let mut sums = Gather::of_keys(&ring, &keys, 2);
/// while let Some(ask) = sums.next_ask() {
///     // send `ask.part`'s keys to `ask.node`; the sum of the numbers of its keys comes back
///     let sum: usize = sums.keys(ask.part).iter().sum();
///     sums.answer(ask.part, sum);
/// }
/// let all = sums.close(Need::All)?;
/// assert_eq!(all.answers().sum::<usize>(), (0..100).sum());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gather<T> {
    parts: Vec<Part<T>>,
    /// Parts to be asked, the next last.
    waiting: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Part<T> {
    keys: Vec<usize>,
    copies: Copies,
    /// Copies that were asked.
    asked: usize,
    answer: Option<T>,
}

/// One question to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which part.
    pub part: usize,
    /// Whom to ask.
    pub node: NodeIx,
    /// Which of the part's copies that is: 0 is its owner.
    pub copy: usize,
}

/// How many parts must have answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// Every one.
    All,
    /// At least so many.
    AtLeast(usize),
    /// At least this share, 0 to 1; what is no number needs all.
    Share(f64),
}

/// Too few parts answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherError {
    /// Parts that did.
    pub answered: usize,
    /// Parts that had to.
    pub needed: usize,
    /// The parts that did not.
    pub missing: Vec<usize>,
}

impl fmt::Display for GatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parts answered, {} are needed", self.answered, self.needed)
    }
}

impl core::error::Error for GatherError {}

/// What came back: the answers, and which parts have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered<T> {
    answers: Vec<Option<T>>,
}

impl<T> Gathered<T> {
    /// The answers, by part.
    pub fn answers(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().flatten()
    }

    /// The parts without an answer: the result is without their keys.
    pub fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        let parts = self.answers.iter().enumerate();
        parts.filter(|(_, answer)| answer.is_none()).map(|(part, _)| part)
    }

    /// True when no part is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.answers.iter().all(Option::is_some)
    }
}

impl<T> Gather<T> {
    /// One part for each list of nodes (at most [`MAX_COPIES`] count), asked in its order.
    pub fn of_parts<I: IntoIterator<Item = NodeIx>>(parts: impl IntoIterator<Item = I>) -> Self {
        let parts = parts.into_iter().map(|nodes| Part {
            keys: Vec::new(),
            copies: Copies::of(nodes),
            asked: 0,
            answer: None,
        });
        Self::new(parts.collect())
    }

    /// The keys that have the same `copies` nodes (at most [`MAX_COPIES`]) in the same order are one
    /// part: as few questions as there can be when every copy may be asked.
    pub fn of_keys(by: &impl Candidates, keys: &[Hashed], copies: usize) -> Self {
        let copies = copies.min(MAX_COPIES);
        let nodes = keys.iter().map(|&key| Copies::of(by.candidates(key).take(copies)));
        let mut placed: Vec<(Copies, usize)> = nodes.zip(0..).collect();
        placed.sort_by(|(a, i), (b, j)| (a.as_slice(), i).cmp(&(b.as_slice(), j)));
        let mut parts: Vec<Part<T>> = Vec::new();
        for (copies, key) in placed {
            match parts.last_mut() {
                Some(part) if part.copies.as_slice() == copies.as_slice() => part.keys.push(key),
                _ => {
                    let keys = alloc::vec![key];
                    parts.push(Part { keys, copies, asked: 0, answer: None });
                }
            }
        }
        Self::new(parts)
    }

    fn new(parts: Vec<Part<T>>) -> Self {
        let waiting = (0..parts.len()).rev().collect();
        Self { parts, waiting }
    }

    /// Parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The places in the list of keys of a part's keys; none past the last part.
    #[must_use]
    pub fn keys(&self, part: usize) -> &[usize] {
        self.parts.get(part).map_or(&[], |part| &part.keys)
    }

    /// The next question to send, `None` when nothing is to be asked now.
    pub fn next_ask(&mut self) -> Option<Ask> {
        while let Some(at) = self.waiting.pop() {
            let part = &mut self.parts[at];
            let node = part.copies.get(part.asked).copied();
            if let Some(node) = node.filter(|_| part.answer.is_none()) {
                let copy = part.asked;
                part.asked += 1;
                return Some(Ask { part: at, node, copy });
            }
        }
        None
    }

    /// A part answered. False when it had already, or there is no such part: the answer is dropped.
    pub fn answer(&mut self, part: usize, answer: T) -> bool {
        let open = self.parts.get_mut(part).filter(|part| part.answer.is_none());
        open.map(|part| part.answer = Some(answer)).is_some()
    }

    /// A question failed, or takes so long that another copy is asked besides. True when there is
    /// another copy: it comes with [`Gather::next_ask`].
    pub fn retry(&mut self, part: usize) -> bool {
        let open = self
            .parts
            .get(part)
            .is_some_and(|part| part.answer.is_none() && part.asked < part.copies.len());
        if open && !self.waiting.contains(&part) {
            self.waiting.push(part);
        }
        open
    }

    /// Every part has answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts.iter().all(|part| part.answer.is_some())
    }

    /// The result as it is now.
    ///
    /// # Errors
    /// [`GatherError`] when fewer parts answered than `need` says.
    pub fn close(self, need: Need) -> Result<Gathered<T>, GatherError> {
        let all = self.parts.len();
        let needed = match need {
            Need::All => all,
            Need::AtLeast(parts) => parts,
            Need::Share(share) if share.is_nan() => all,
            Need::Share(share) => libm::ceil(share.clamp(0.0, 1.0) * all as f64) as usize,
        };
        let answers: Vec<Option<T>> = self.parts.into_iter().map(|part| part.answer).collect();
        let gathered = Gathered { answers };
        let missing: Vec<usize> = gathered.missing().collect();
        let answered = all - missing.len();
        if answered < needed {
            Err(GatherError { answered, needed, missing })
        } else {
            Ok(gathered)
        }
    }
}
