//! Forgetting by tag, by path, and all at once, in O(1).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::hash::hash;
use archstone_core::shim::atomic::{AtomicU64, Ordering};
use archstone_core::shim::thread_id;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use super::{Invalidation, SharedBus};
use crate::builder::DefaultHasher;
use crate::load::{Found, LoadError, Loading, Outcome, arrived};
use crate::outcome::Insert;
use crate::policy::{Adaptive, Policy};
use crate::sync::Cache;

/// Seeds that keep tags and paths apart.
const TAG: u64 = 1;
const PATH: u64 = 2;

/// When tags were last forgotten.
///
/// A clock that counts invalidations, and a fixed number of cells, each with the last one that
/// concerned a tag of its hash. An entry bears the count at which its load began and the cells of its
/// tags: it is valid if none of them is later. So forgetting a tag is two atomic operations however
/// many entries bear it, an entry that was being loaded meanwhile is forgotten too, and memory is 8
/// bytes a cell for ever. Two tags that share a cell are forgotten together: with `t` tags forgotten in
/// the lifetime of an entry of `n` tags, an entry is lost for nothing with a probability of at most
/// `n * t / cells`.
pub struct Tags {
    cells: Box<[AtomicU64]>,
    now: AtomicU64,
    all: AtomicU64,
}

impl Tags {
    /// At least one cell; a few thousand are right for most.
    #[must_use]
    pub fn new(cells: usize) -> Self {
        let cells = (0..cells.max(1)).map(|_| AtomicU64::new(0)).collect();
        Self { cells, now: AtomicU64::new(0), all: AtomicU64::new(0) }
    }

    fn cell(&self, kind: u64, text: &str) -> u32 {
        let wide = u128::from(hash(text.as_bytes(), kind)) * self.cells.len() as u128;
        (wide >> 64) as u32
    }

    fn forget(&self, cell: &AtomicU64) {
        let at = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        cell.fetch_max(at, Ordering::AcqRel);
    }

    fn begins(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    fn is_valid<V>(&self, marked: &Marked<V>) -> bool {
        let last = |cell: &AtomicU64| cell.load(Ordering::Acquire);
        let valid = |&cell: &u32| last(&self.cells[cell as usize]) <= marked.began;
        last(&self.all) <= marked.began && marked.cells.iter().all(valid)
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").field("cells", &self.cells.len()).finish_non_exhaustive()
    }
}

/// The tags of an entry.
///
/// ```
/// use archstone_cache::around::TagSet;
///
/// // Forgotten by the tag `hotel:7` and by the paths `eu`, `eu/de` and `eu/de/berlin`.
/// let tags = TagSet::new().tag("hotel:7").path("eu/de/berlin");
/// # let _ = tags;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TagSet {
    tags: Vec<String>,
    paths: Vec<String>,
}

impl TagSet {
    /// No tags.
    pub const fn new() -> Self {
        Self { tags: Vec::new(), paths: Vec::new() }
    }

    /// One more tag.
    pub fn tag(mut self, tag: impl ToString) -> Self {
        self.tags.push(tag.to_string());
        self
    }

    /// The path at which the entry lies, its parts separated by `/`. It is forgotten with each path
    /// that it begins with, by whole parts.
    pub fn path(mut self, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        self.paths.extend(ends.filter(|&end| end > 0).map(|end| path[..end].to_string()));
        self
    }
}

/// A value and what it may be forgotten by.
#[derive(Clone, Debug)]
pub struct Marked<V> {
    value: V,
    began: u64,
    cells: Arc<[u32]>,
}

/// A cache that forgets by key, tag, path or all at once, and tells others over a
/// [bus](super::Bus).
///
/// What was forgotten by tag is a miss from then on; its room is free when it is looked at, evicted
/// or [swept](Tagged::sweep).
///
/// ```
/// use archstone_cache::around::{TagSet, Tagged};
/// use archstone_cache::sync::Cache;
///
/// let pages = Tagged::new(Cache::new(1000), 4096);
/// let load = |_: &&str| Ok::<_, ()>(("Adlon", TagSet::new().tag("hotel:7").path("eu/de/berlin")));
/// assert_eq!(pages.get_or_load("/hotels/7", load), Ok("Adlon"));
/// pages.invalidate_path("eu/de");
/// assert_eq!(pages.get("/hotels/7"), None);
/// ```
pub struct Tagged<K, V, P: Policy = Adaptive, S = DefaultHasher> {
    cache: Loading<K, Marked<V>, P, S>,
    tags: Arc<Tags>,
    bus: Option<SharedBus<K>>,
}

impl<K, V, P, S> Tagged<K, V, P, S>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
{
    /// On top of `cache`, with so many [cells](Tags) for tags.
    #[must_use]
    pub fn new(cache: Cache<K, Marked<V>, P, S>, cells: usize) -> Self {
        Self { cache: Loading::new(cache), tags: Arc::new(Tags::new(cells)), bus: None }
    }

    /// Tells others of what is invalidated here.
    #[must_use]
    pub fn on_bus(mut self, bus: SharedBus<K>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// The cache below: see [`around`](super).
    #[must_use]
    pub fn loading(&self) -> &Loading<K, Marked<V>, P, S> {
        &self.cache
    }

    fn mark(&self, value: V, began: u64, tags: &TagSet) -> Marked<V> {
        let TagSet { tags, paths } = tags;
        let tags = tags.iter().map(|tag| self.tags.cell(TAG, tag));
        let cells = tags.chain(paths.iter().map(|path| self.tags.cell(PATH, path))).collect();
        Marked { value, began, cells }
    }

    /// The value of a key, which counts as used. O(tags of it).
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let marked = self.cache.get(key)?;
        self.tags.is_valid(&marked).then_some(marked.value)
    }

    /// Puts a value in that is true now.
    pub fn insert(&self, key: K, value: V, tags: &TagSet) -> Insert<K, Marked<V>> {
        let marked = self.mark(value, self.tags.begins(), tags);
        self.cache.insert(key, marked)
    }

    /// The value of a key; if it is not here, `load` gives it and its tags, once for all who ask
    /// meanwhile. A value whose key, tag or path is invalidated while it is loaded is given to the
    /// loader's own caller only.
    ///
    /// # Errors
    /// Those of [`Loading::try_get_or_load`].
    pub fn get_or_load<E: Send + Sync + 'static>(
        &self,
        key: K,
        load: impl FnOnce(&K) -> Result<(V, TagSet), E>,
    ) -> Result<V, LoadError<E>> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let hash = self.cache.cache().hash(&key);
        let here = Some(thread_id());
        loop {
            let valid = |marked: &Marked<V>| self.tags.is_valid(marked);
            let seen = || self.cache.cache().get_hashed(hash, &key).filter(valid);
            let found = self.cache.turn(hash, &key, here, None, seen);
            match found.unwrap_or_else(|wait| arrived(wait.block(), here)) {
                // What was waited for may have been forgotten meanwhile.
                Found::Value(marked) if valid(&marked) => return Ok(marked.value),
                Found::Value(_) | Found::Again => {}
                Found::Recursive => return Err(LoadError::Recursive),
                Found::Failed(error) => {
                    if let Ok(error) = error.downcast() {
                        return Err(LoadError::Failed(error));
                    }
                }
                Found::Lead(lead) => {
                    let began = self.tags.begins();
                    return match load(&key) {
                        Ok((value, tags)) => {
                            let marked = self.mark(value, began, &tags);
                            if let Some(flight) = lead.flight() {
                                let stale = |old: Option<&Marked<V>>, overtaken: bool| {
                                    !overtaken && !old.is_some_and(valid)
                                };
                                self.cache.publish_by(
                                    flight,
                                    hash,
                                    key,
                                    marked.clone(),
                                    None,
                                    stale,
                                );
                            }
                            lead.end(|| Outcome::Loaded(marked.clone()));
                            Ok(marked.value)
                        }
                        Err(error) => {
                            let error = Arc::new(error);
                            lead.end(|| Outcome::Failed(error.clone()));
                            Err(LoadError::Failed(error))
                        }
                    };
                }
            }
        }
    }

    /// Forgets a key.
    pub fn remove(&self, key: &K) -> Option<V> {
        let removed = self.cache.remove(key);
        self.tell(|| Invalidation::Key { key: key.clone(), version: u64::MAX });
        removed.filter(|(_, marked)| self.tags.is_valid(marked)).map(|(_, marked)| marked.value)
    }

    /// Forgets what bears a tag. A namespace, or the version of a schema, is a tag too.
    pub fn invalidate_tag(&self, tag: &str) {
        self.forget(TAG, tag);
        self.tell(|| Invalidation::Tag(tag.to_string()));
    }

    /// Forgets what lies at or under a path, by whole parts: `a/b` is `a/b` and `a/b/c`, not `a/bc`.
    pub fn invalidate_path(&self, path: &str) {
        self.forget(PATH, path.trim_end_matches('/'));
        self.tell(|| Invalidation::Path(path.to_string()));
    }

    /// Forgets everything, at once.
    pub fn invalidate_all(&self) {
        self.tags.forget(&self.tags.all);
        self.tell(|| Invalidation::All);
    }

    /// Forgets the keys that begin with `prefix`, whatever their tags, loads under way included.
    /// O(entries): give entries a path if that is too slow. Others are not told.
    pub fn invalidate_prefix(&self, prefix: &str)
    where
        K: AsRef<str>,
    {
        self.cache.remove_if(|key| key.as_ref().starts_with(prefix));
    }

    fn forget(&self, kind: u64, text: &str) {
        let cell = self.tags.cell(kind, text);
        self.tags.forget(&self.tags.cells[cell as usize]);
    }

    fn tell(&self, what: impl FnOnce() -> Invalidation<K>) {
        if let Some(bus) = &self.bus {
            bus.publish(&what());
        }
    }

    /// What another one has told.
    pub fn heard(&self, what: &Invalidation<K>) {
        match what {
            Invalidation::Key { key, .. } => drop(self.cache.remove(key)),
            Invalidation::Tag(tag) => self.forget(TAG, tag),
            Invalidation::Path(path) => self.forget(PATH, path.trim_end_matches('/')),
            Invalidation::All => self.tags.forget(&self.tags.all),
        }
    }

    /// Removes what was forgotten by tag. O(entries).
    pub fn sweep(&self) {
        self.cache.cache().retain(|_, marked| self.tags.is_valid(marked));
    }
}

impl<K, V, P: Policy, S> Clone for Tagged<K, V, P, S> {
    fn clone(&self) -> Self {
        let Self { cache, tags, bus } = self;
        Self { cache: cache.clone(), tags: Arc::clone(tags), bus: bus.clone() }
    }
}

impl<K, V, P: Policy, S> fmt::Debug for Tagged<K, V, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tagged")
            .field("cache", &self.cache)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}
