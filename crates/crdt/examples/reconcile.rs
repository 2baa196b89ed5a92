//! What three ways of reconciling cost, for sets of 10,000 keys that differ in d.

use archstone_crdt::sync::{Keys, MerkleSync, RangeSync, Reconcile, Riblt, SyncError, reconcile};

fn run<R: Reconcile>(mut a: R, mut b: R) -> Result<(usize, u32, u64), SyncError> {
    reconcile(&mut a, &mut b)?;
    let found = a.difference().they_lack.len() + a.difference().we_lack.len();
    let rounds = a.cost().rounds + b.cost().rounds;
    Ok((found, rounds, a.cost().sent + b.cost().sent))
}

fn main() -> Result<(), SyncError> {
    println!("{:>6}  {:<8} {:>6} {:>9} {:>8}", "d", "by", "found", "messages", "bytes");
    for differences in [2, 20, 200, 2_000_u64] {
        let key = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let common = || 0..10_000_u64;
        let half = differences / 2;
        let ours = || Keys::new(common().chain(10_000..10_000 + half).map(key), 42);
        let theirs = || Keys::new(common().chain(20_000..20_000 + half).map(key), 42);
        for (by, (found, rounds, bytes)) in [
            ("ranges", run(RangeSync::new(ours()), RangeSync::new(theirs()))?),
            ("Merkle", run(MerkleSync::new(ours()), MerkleSync::new(theirs()))?),
            ("Riblt", run(Riblt::new(ours()), Riblt::new(theirs()))?),
        ] {
            println!("{differences:>6}  {by:<8} {found:>6} {rounds:>9} {bytes:>8}");
        }
    }
    Ok(())
}
