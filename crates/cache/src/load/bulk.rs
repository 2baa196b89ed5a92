//! Many keys in one load.
//!
//! Who asks for many keys leads those that nobody loads, loads them all at once, publishes, and only
//! then waits for the others. So it never waits while it leads, and two who ask for the same keys in
//! different orders do not wait for each other.

use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::shim::thread_id;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::pin;
use std::collections::HashMap;

use super::flight::{Flight, Lead, Outcome, Running, Wait};
use super::{Found, LoadError, Loading, arrived, count};
use crate::cells::Cells;
use crate::policy::Policy;

type Leads<'a, K, V> = Vec<(usize, Lead<'a, K, V>)>;
type Waits<'a, K, V> = Vec<(usize, Wait<'a, K, V>)>;

/// One round over the keys that are open.
struct Round<'a, K: Eq, V> {
    leads: Leads<'a, K, V>,
    waits: Waits<'a, K, V>,
}

impl<K, V, P, S, C> Loading<K, V, P, S, C>
where
    K: Hash + Eq + Clone,
    V: Clone,
    P: Policy,
    S: BuildHasher,
    C: Cells<K, V>,
{
    /// The values of many keys, in their order. `load` is asked for those that are neither here nor
    /// being loaded by others, all at once; what it does not answer is `None`, and not kept. (It is
    /// asked again, for few, if another one who was loading gave up.) Pairs that were not asked for
    /// are ignored.
    ///
    /// ```
    /// use archstone_cache::load::Loading;
    /// use archstone_cache::sync::Cache;
    ///
    /// let names = Loading::new(Cache::new(1000));
    /// names.insert(2, "bob").ignore();
    /// let found = names.get_many_or_load(&[1, 2, 3], |missing| {
    ///     assert_eq!(missing, [1, 3]); // SELECT ... WHERE id IN (1, 3)
    ///     Ok::<_, ()>(vec![(1, "ann")])
    /// });
    /// assert_eq!(found.unwrap(), [Some("ann"), Some("bob"), None]);
    /// ```
    ///
    /// # Errors
    /// The loader's, to all who waited for one of its keys; one of another loader that was waited
    /// for. What was loaded until then is published.
    pub fn get_many_or_load<E: Send + Sync + 'static>(
        &self,
        keys: &[K],
        mut load: impl FnMut(&[K]) -> Result<Vec<(K, V)>, E>,
    ) -> Result<Vec<Option<V>>, LoadError<E>> {
        let here = Some(thread_id());
        let (mut answers, mut open) = self.look_up(keys);
        while !open.is_empty() {
            let Round { mut leads, waits } = self.round(keys, &mut open, &mut answers)?;
            let mut fly = |leads: Leads<'_, K, V>, answers: &mut [Option<V>]| {
                for flight in leads.iter().flat_map(|(_, lead)| lead.flight()) {
                    flight.runs_on(here);
                }
                let loaded = load(&missing(keys, &leads));
                self.land_all(keys, leads, answers, loaded)
            };
            if !leads.is_empty() {
                fly(core::mem::take(&mut leads), &mut answers)?;
            }
            for (at, wait) in waits {
                let found = arrived(wait.block(), here);
                if let Some(lead) = self.settle(at, found, &mut open, &mut answers)? {
                    fly(alloc::vec![(at, lead)], &mut answers)?;
                }
            }
        }
        Ok(answers)
    }

    /// [`Loading::get_many_or_load`] with a loader that gives a future.
    ///
    /// # Errors
    /// Those of [`Loading::get_many_or_load`].
    pub async fn get_many_or_load_async<E, F>(
        &self,
        keys: &[K],
        mut load: impl FnMut(Vec<K>) -> F,
    ) -> Result<Vec<Option<V>>, LoadError<E>>
    where
        E: Send + Sync + 'static,
        F: Future<Output = Result<Vec<(K, V)>, E>>,
    {
        let (mut answers, mut open) = self.look_up(keys);
        while !open.is_empty() {
            let Round { leads, waits } = self.round(keys, &mut open, &mut answers)?;
            let mut next = (!leads.is_empty()).then_some(leads);
            let mut waits = waits.into_iter();
            loop {
                if let Some(leads) = next.take() {
                    let loaded = {
                        let flights: Vec<Arc<Flight<K, V>>> =
                            leads.iter().flat_map(|(_, lead)| lead.flight().clone()).collect();
                        let future = pin!(load(missing(keys, &leads)));
                        Running { flights: &flights, future }.await
                    };
                    self.land_all(keys, leads, &mut answers, loaded)?;
                }
                let Some((at, wait)) = waits.next() else { break };
                let found = arrived(wait.await, None);
                let lead = self.settle(at, found, &mut open, &mut answers)?;
                next = lead.map(|lead| alloc::vec![(at, lead)]);
            }
        }
        Ok(answers)
    }

    /// What is here, and which keys are open.
    fn look_up(&self, keys: &[K]) -> (Vec<Option<V>>, Vec<usize>) {
        let answers: Vec<_> = keys.iter().map(|key| self.inner.cache.get(key)).collect();
        let open = (0..keys.len()).filter(|&at| answers[at].is_none()).collect();
        (answers, open)
    }

    fn round<'a, E>(
        &'a self,
        keys: &[K],
        open: &mut Vec<usize>,
        answers: &mut [Option<V>],
    ) -> Result<Round<'a, K, V>, LoadError<E>> {
        let mut round = Round { leads: Vec::new(), waits: Vec::new() };
        for at in core::mem::take(open) {
            let hash = self.inner.cache.hash(&keys[at]);
            let seen = || self.inner.cache.get_hashed(hash, &keys[at]);
            // No thread is named yet, so that a key that is asked for twice is waited for.
            match self.turn(hash, &keys[at], None, None, seen) {
                Ok(Found::Lead(lead)) => round.leads.push((at, lead)),
                Ok(Found::Value(value)) => answers[at] = Some(value),
                Ok(Found::Recursive) => return Err(LoadError::Recursive),
                Ok(Found::Failed(_) | Found::Again) => open.push(at),
                Err(wait) => round.waits.push((at, wait)),
            }
        }
        Ok(round)
    }

    /// What became of a wait; a lead is to be flown at once.
    fn settle<'a, E: Send + Sync + 'static>(
        &self,
        at: usize,
        found: Found<'a, K, V>,
        open: &mut Vec<usize>,
        answers: &mut [Option<V>],
    ) -> Result<Option<Lead<'a, K, V>>, LoadError<E>> {
        match found {
            Found::Value(value) => answers[at] = Some(value),
            Found::Lead(lead) => return Ok(Some(lead)),
            Found::Recursive => return Err(LoadError::Recursive),
            Found::Again => open.push(at),
            Found::Failed(error) => match error.downcast() {
                Ok(error) => return Err(LoadError::Failed(error)),
                Err(_) => open.push(at),
            },
        }
        Ok(None)
    }

    fn land_all<E: Send + Sync + 'static>(
        &self,
        keys: &[K],
        leads: Leads<'_, K, V>,
        answers: &mut [Option<V>],
        loaded: Result<Vec<(K, V)>, E>,
    ) -> Result<(), LoadError<E>> {
        let pairs = match loaded {
            Ok(pairs) => pairs,
            Err(error) => {
                count(&self.inner.counters.failed);
                let error = Arc::new(error);
                for (_, lead) in leads {
                    lead.end(|| Outcome::Failed(error.clone()));
                }
                return Err(LoadError::Failed(error));
            }
        };
        let mut values: HashMap<K, V> = pairs.into_iter().collect();
        for (at, lead) in leads {
            let Some(value) = values.remove(&keys[at]) else {
                lead.end(|| Outcome::Nothing);
                continue;
            };
            if let Some(flight) = lead.flight() {
                let hash = self.inner.cache.hash(&keys[at]);
                let absent = |old: Option<&V>| old.is_none();
                self.publish(flight, hash, keys[at].clone(), value.clone(), absent);
            }
            lead.end(|| Outcome::Loaded(value.clone()));
            answers[at] = Some(value);
        }
        Ok(())
    }
}

fn missing<K: Clone + Eq, V>(keys: &[K], leads: &Leads<'_, K, V>) -> Vec<K> {
    leads.iter().map(|(at, _)| keys[*at].clone()).collect()
}
