use top_k::{big, exact::Exact, keys::Keys, counters};
use archstone_sketch::{TopK, CountMin, frequency::SpaceSaving};
fn main() {
    let (t, text) = (0, 0); let _ = (t, text);
    let mut log = top_k::input::Log::open(Box::new(top_k::part_one::NASA), None, false).unwrap();
    let mut e = Exact::new(usize::MAX);
    let mut b = top_k::input::Batch::default();
    while log.read(&mut b) { for r in b.rows() { e.add(b.url(r)); } }
    let counts: Vec<u64> = e.iter().map(|x| x.1).collect();
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let ranks: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    for seed in 1..=2 {
        let (law, ex) = big::law(&counts, n * ranks).unwrap();
        let mut s = kit::Seed::new(seed).stream("part two");
        let mut exact = Exact::new(usize::MAX);
        let mut tops: Vec<TopK<String>> = [32, 40, 44, 48, 56].iter().map(|k| TopK::with_memory(100, k << 10).unwrap()).collect();
        let mut cert = TopK::<String>::certain(100, 44 << 10).unwrap();
        let mut cms = vec![CountMin::<u32>::new(3, 4096).unwrap().conservative(), CountMin::<u32>::lines(512).unwrap().conservative(), CountMin::<u32>::new(3, 4096).unwrap()];
        let mut batch = Keys::default();
        let mut left = n;
        while left > 0 { let m = left.min(8192); left -= m; big::fill(&mut batch, m, &law, &mut s);
            for k in batch.iter() { exact.add(k); for t in &mut tops { t.add(k); } cert.add(k); for c in &mut cms { c.add(k); } } }
        let kth = exact.kth(100);
        println!("seed {seed} n {n} distinct {} exponent {ex:.2} kth {kth} exact {}", exact.len(), exact.bytes());
        let mut all = tops; all.push(cert);
        for t in &all { let l = t.top(); let kept = l.iter().filter(|h| exact.count(h.item).unwrap() >= kth).count();
            let w = l.iter().map(|h| h.count.abs_diff(exact.count(h.item).unwrap()) as f64 / exact.count(h.item).unwrap() as f64).fold(0.0, f64::max);
            println!("  topk cap {} mem {} kept {kept} worst {w:.3} floor {}", t.capacity(), t.memory(), t.floor()); }
        for c in &cms { let mut v: Vec<_> = exact.iter().map(|(k, t)| (c.count(k), t)).collect(); v.sort(); v.reverse();
            println!("  cm mem {} kept {}", c.memory(), v[..100].iter().filter(|x| x.1 >= kth).count()); }
    }
    let _ = SpaceSaving::<String>::new(4); let _ = counters::BUDGET;
}
