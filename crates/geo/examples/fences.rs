//! Aircraft and the fences of airports: who came, who left, who flew by, who stayed.
//!
//! `cargo run --release -p archstone-geo --example fences -- FLIGHTS.csv`: lines of seconds, aircraft, lat,
//! lng (gzip or not). Without a file: the recorded fixes under `$ARCHSTONE_DATA` if they are there, else
//! flights drawn along great circles between airports.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use archstone_geo::fence::{FenceSet, Rules, What};
use archstone_geo::{Circle, LatLng, Meters, Metric, Sphere, Time};

type Fix = (u64, String, f64, f64);

fn airports() -> Result<Vec<(String, LatLng)>, Box<dyn Error>> {
    let mut all = Vec::new();
    for line in include_str!("../tests/data/airports.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        all.push((fields[0].to_owned(), LatLng::new(fields[2].parse()?, fields[3].parse()?)?));
    }
    Ok(all)
}

/// 200 flights at 250 m/s, a fix every minute.
fn drawn(airports: &[(String, LatLng)]) -> Vec<Fix> {
    let mut fixes = Vec::new();
    for flight in 0..200 {
        let at = |i: usize| airports[(flight * i) % airports.len()].1;
        let (from, to) = (at(37), at(101));
        let seconds = (Sphere::EARTH.distance(from, to).0 / 250.0) as u64;
        for second in (0..=seconds + 3_600).step_by(60) {
            let t = (second as f64 / seconds.max(1) as f64).min(1.0);
            let at = Sphere::EARTH.intermediate(from, to, t);
            fixes.push((second, format!("flight {flight}"), at.lat(), at.lng()));
        }
    }
    fixes.sort_by_key(|fix| fix.0);
    fixes
}

fn main() -> Result<(), Box<dyn Error>> {
    let airports = airports()?;
    // On the ground and on approach: 8 km, told after ten minutes, not ended by a fix 1 km beyond.
    let rules = Rules::new().with_hysteresis(Meters(1_000.0)).with_dwell(Duration::from_secs(600));
    let mut fences =
        FenceSet::<String, String>::new(100_000).with_silence(Duration::from_secs(1_800));
    for (iata, at) in &airports {
        fences.add(iata.clone(), Circle::new(*at, Meters(8_000.0)), rules);
    }
    // Swiss airports that the sample of airports may lack.
    for (name, lat, lng) in [
        ("Zurich", 47.458, 8.548),
        ("Geneva", 46.238, 6.109),
        ("Basel", 47.59, 7.53),
        ("Bern", 46.914, 7.497),
    ] {
        fences.add(name.to_owned(), Circle::new(LatLng::new(lat, lng)?, Meters(8_000.0)), rules);
    }

    let file = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let file = file.or_else(|| testkit::golden::data("geo/moving_flights.csv.gz"));
    let fixes: Vec<Fix> = match &file {
        Some(path) => testkit::golden::csv(path).collect(),
        None => drawn(&airports),
    };
    let mut counts: BTreeMap<String, [u32; 5]> = BTreeMap::new();
    let start = std::time::Instant::now();
    for (second, aircraft, lat, lng) in &fixes {
        // A fix that is late or no position is counted and left out.
        let Ok(at) = LatLng::new(*lat, *lng) else { continue };
        let _ = fences.update(aircraft.as_str(), at, Time::from_secs(*second), |event| {
            let column = match event.what {
                What::Enter(_) => 0,
                What::Exit(_) => 1,
                What::Cross { .. } => 2,
                What::Dwell(_) => 3,
                _ => 4,
            };
            counts.entry(event.fence.clone()).or_default()[column] += 1;
        });
    }
    let took = start.elapsed();
    println!("airport     came   left  flew by  stayed 10 min   lost");
    let mut busiest: Vec<_> = counts.iter().collect();
    busiest.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u32>()));
    for (name, [enter, exit, cross, dwell, lost]) in busiest.into_iter().take(12) {
        println!("{name:<10} {enter:>5}  {exit:>5}  {cross:>7}  {dwell:>13}  {lost:>5}");
    }
    let stats = fences.stats();
    println!(
        "{} fixes of {} aircraft through {} fences in {took:.0?}, {} late; {} events; {} KB",
        stats.fixes,
        fences.objects(),
        fences.fences(),
        stats.late,
        stats.events,
        fences.memory() / 1_000
    );
    Ok(())
}
