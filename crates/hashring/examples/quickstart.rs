//! Which server holds a key, where its copies are, and what a new server would fetch.

use archstone_hashring::{Cluster, Plan, Ring, Weight};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut cluster = Cluster::new(Ring::new());
    for name in ["cache-a", "cache-b", "cache-c"] {
        cluster.join(name, Weight::ONE)?;
    }
    for key in ["user:1", "user:2", "user:3"] {
        let copies: Vec<_> = cluster.replicas(key, 2).collect();
        println!("{key}: {copies:?}");
    }

    let before = cluster.placement().clone();
    cluster.join("cache-d", Weight::new(2.0)?)?;
    let plan = Plan::new(&before, cluster.placement(), 2)?;
    let (ranges, keys) = plan.fold((0, 0), |(n, keys), step| (n + 1, keys + step.keys.keys()));
    let share = keys as f64 / 2_f64.powi(64);
    println!(
        "cache-d (weight 2) fetches {ranges} ranges, {:.1} % of all copies",
        share / 2.0 * 100.0
    );
    Ok(())
}
