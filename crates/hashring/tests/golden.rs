//! Guava's jump hash and Cassandra's replica maps, recorded from the programs themselves.
//!
//! `tests/data/` has a part of each (facts recorded by running Guava 31.1 and cassandra-driver
//! 3.30.1, both Apache-2.0); `$ARCHSTONE_DATA` has the whole.

use archstone_hashring::{NodeIx, Place, Spread, Topology, jump};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

/// The lines of the part in the repository and, when it is there, of the whole.
fn lines(part: &str, whole: &str) -> Vec<Vec<String>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(part);
    let mut files = vec![testkit::golden::lines(here).collect()];
    if let Some(path) = testkit::golden::data(whole) {
        files.push(testkit::golden::lines(path).collect());
    }
    files
}

#[test]
fn jump_agrees_with_guava() {
    for file in lines("guava_jump.tsv", "hashring/guava_consistent_hash.tsv.gz") {
        let mut rows = file.iter().filter(|line| !line.starts_with('#'));
        let sizes: Vec<u32> = rows
            .next()
            .expect("a header")
            .split('\t')
            .skip(1)
            .map(|n| n.parse().expect("a size"))
            .collect();
        let mut checked = 0;
        for row in rows {
            let fields: Vec<i64> = row.split('\t').map(|f| f.parse().expect("a number")).collect();
            for (&n, &bucket) in sizes.iter().zip(&fields[1..]) {
                let n = NonZeroU32::new(n).expect("at least one bucket");
                assert_eq!(
                    i64::from(jump(fields[0] as u64, n)),
                    bucket,
                    "key {} of {n}",
                    fields[0]
                );
                checked += 1;
            }
        }
        assert!(checked >= 18 * 100, "{checked} rows");
    }
}

#[derive(Default)]
struct Case {
    name: String,
    zones: Vec<(String, u8)>,
    /// Host to index; its place.
    hosts: BTreeMap<String, NodeIx>,
    places: Vec<(String, String)>,
    tokens: Vec<(i64, NodeIx)>,
}

impl Case {
    /// Checks one `R` line: the copies of the range that ends at `token`.
    fn check(&self, token: i64, expected: &[NodeIx]) {
        let mut topology = Topology::new();
        let zone = |name: &str| self.zones.iter().position(|(zone, _)| zone == name);
        let mut racks = BTreeMap::new();
        for (index, (dc, rack)) in self.places.iter().enumerate() {
            let next = racks.len() as u16;
            let rack = *racks.entry((dc, rack)).or_insert(next);
            let zone = zone(dc).unwrap_or(usize::from(u16::MAX)) as u16;
            topology.put(NodeIx(index as u32), Place { zone, rack });
        }
        let zones: Vec<(u16, u8)> =
            self.zones.iter().enumerate().map(|(i, z)| (i as u16, z.1)).collect();
        let spread = Spread::new(&zones).expect("a valid spread");
        let start = self.tokens.iter().position(|&(t, _)| t >= token).unwrap_or(0);
        let walk = self.tokens[start..].iter().chain(&self.tokens[..start]).map(|&(_, node)| node);
        let chosen = spread.choose(&topology, walk);
        // The file groups by zone, in the order of the zones.
        let mut grouped: Vec<NodeIx> = chosen.to_vec();
        grouped.sort_by_key(|&node| topology.place(node).map(|place| place.zone));
        assert_eq!(grouped, expected, "{} at token {token}", self.name);
    }
}

#[test]
fn copies_are_spread_as_cassandra_spreads_them() {
    for file in lines("cassandra_replicas.txt", "hashring/cassandra_replicas.txt.gz") {
        let (mut case, mut checked) = (Case::default(), 0);
        for line in file.iter().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "C" => {
                    // The simple strategy has one zone and one rack for everybody.
                    let zones = if words[2] == "simple" {
                        vec![(String::from("dc1"), words[3].parse().expect("copies"))]
                    } else {
                        let pairs = words[3]
                            .split(',')
                            .map(|pair| pair.split_once(':').expect("zone:copies"));
                        pairs.map(|(zone, n)| (zone.into(), n.parse().expect("copies"))).collect()
                    };
                    case = Case { name: words[1].into(), zones, ..Case::default() };
                }
                "H" => {
                    let index = NodeIx(case.places.len() as u32);
                    case.hosts.insert(words[1].into(), index);
                    case.places.push((words[2].into(), words[3].into()));
                }
                "T" => case.tokens.push((words[1].parse().expect("a token"), case.hosts[words[2]])),
                "R" => {
                    let expected: Vec<NodeIx> =
                        words[2..].iter().map(|host| case.hosts[*host]).collect();
                    case.check(words[1].parse().expect("a token"), &expected);
                    checked += 1;
                }
                other => panic!("unknown line {other}"),
            }
        }
        assert!(checked >= 50, "{checked} ranges");
    }
}
