//! The most frequent words of standard input, with bounds, in 64 KiB and the words' own text.
//!
//! `cargo run --release -p archstone-sketch --example quickstart < README.md`
use std::io::{BufRead, stdin};

use archstone_sketch::{CountMin, TopK};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut top = TopK::<String>::with_memory(10, 64 * 1024)?;
    let mut counts = CountMin::<u32>::with_error(0.0005, 0.01)?;
    for line in stdin().lock().lines() {
        for word in line?.split_whitespace() {
            top.add(word);
            counts.add(word);
        }
    }
    println!("{} words in {} bytes", top.total(), top.memory());
    for hit in top.top() {
        let by_count_min = counts.bounds(hit.item.as_str());
        println!("{:>8} to {:<8} {:<20} Count-Min {by_count_min}", hit.sure(), hit.count, hit.item);
    }
    Ok(())
}
