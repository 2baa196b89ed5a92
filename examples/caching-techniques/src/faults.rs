//! What an interviewer asks: a node is lost, everything is wiped, the remote level is away, the
//! process dies. What the store sees, and until when.

use crate::nodes::{self, Blow, Outcome, Router};
use crate::store::Database;
use crate::trace::Workload;
use crate::trials::Found;
use crate::{behind, levels};
use kit::{Failure, Fault, Invariants, human};
use std::sync::Arc;

/// Nodes that are lost and wiped, beside the same without the blow.
#[derive(Clone, Debug, Default)]
pub struct Blows {
    /// On the ring, nothing happens.
    pub calm: Outcome,
    /// On the ring, a node is lost.
    pub ring: Outcome,
    /// By modulo, nothing happens.
    pub modulo_calm: Outcome,
    /// By modulo, a node is lost.
    pub modulo: Outcome,
    /// On the ring, all are wiped.
    pub wiped: Outcome,
}

/// Plays them.
///
/// # Errors
/// What SQLite says.
pub fn blows(
    load: &Workload,
    capacity: usize,
    invariants: &mut Invariants,
) -> Result<Blows, Failure> {
    let database = Arc::new(Database::in_memory()?);
    database.fill(0..load.distinct as u32)?;
    let mut play = |router, blow| nodes::play(router, blow, load, capacity, &database, invariants);
    let (calm, ring, wiped) = (
        play(Router::Ring, Blow::None)?,
        play(Router::Ring, Blow::NodeLost)?,
        play(Router::Ring, Blow::Wiped)?,
    );
    let modulo_calm = play(Router::Modulo, Blow::None)?;
    // Modulo is here to be compared with: what it does to keys is no promise of this design.
    let mut aside = Invariants::new(0);
    let modulo =
        nodes::play(Router::Modulo, Blow::NodeLost, load, capacity, &database, &mut aside)?;
    Ok(Blows { calm, ring, modulo_calm, modulo, wiped })
}

/// Every fault.
#[must_use]
pub fn all(blows: &Blows, found: &Found) -> Vec<Fault> {
    let fault = |kind: &str, after: &Outcome, calm: &Outcome, what: String| {
        let at = after.blow().checked_sub(1).and_then(|at| after.ends.get(at));
        let (asked, instead) = after.just_after(calm);
        let (asked, instead) = (human::percent(asked), human::percent(instead));
        Fault {
            kind: kind.to_owned(),
            at_ms: at.map_or(0, |at| at.as_millis()),
            recovered_ms: after.recovered(calm).map(|span| span.as_millis() as u64),
            effect: format!("{what}store asked by {asked} of the requests instead of {instead}"),
        }
    };
    let moved = |outcome: &Outcome| format!("{} of the keys move; ", human::percent(outcome.moved));
    let mut faults = vec![
        fault("one of 8 cache nodes is lost, ring", &blows.ring, &blows.calm, moved(&blows.ring)),
        fault(
            "one of 8 cache nodes is lost, modulo",
            &blows.modulo,
            &blows.modulo_calm,
            moved(&blows.modulo),
        ),
        fault("every cache node is wiped under load", &blows.wiped, &blows.calm, String::new()),
        levels::fault(&found.parts.levels),
    ];
    faults.extend(behind::faults(&found.behind));
    faults
}
