//! A cache of pages: bounded by bytes, a minute each, shared by threads.

use archstone_cache::{Builder, policy::Lru};
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), archstone_cache::BuildError> {
    let cache = Builder::weighted(64 << 20, |path: &String, page: &Arc<str>| {
        (path.len() + page.len()) as u64
    })
    .policy::<Lru>()
    .time_to_live(Duration::from_secs(60))
    .jitter(0.1)
    .stats()
    .build_sync()?;

    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                for i in 0..1000 {
                    let path = format!("/page/{}", (i * (thread + 1)) % 100);
                    if cache.get(path.as_str()).is_none() {
                        let page = Arc::from(format!("<h1>{path}</h1>"));
                        cache.insert(path, page).ignore();
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());

    println!("{} pages, {} of {} bytes", cache.len(), cache.weight(), cache.capacity());
    println!("hit ratio {:.3}", cache.stats().hit_ratio().unwrap_or(0.0));
    Ok(())
}
