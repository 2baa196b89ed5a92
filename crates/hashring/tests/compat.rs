//! Every column of what other programs answered, 100 %.
//!
//! `tests/data/` has a part of each file, `$ARCHSTONE_DATA` the whole; how they were recorded stands
//! at the top of each.
#![cfg(feature = "compat")]

use archstone_hashring::compat::haproxy::{Function, Haproxy};
use archstone_hashring::compat::ketama::{Dialect, Hash, Ketama, Server};
use archstone_hashring::compat::nginx::Nginx;
use archstone_hashring::compat::twemproxy::{self, Twemproxy};
use archstone_hashring::compat::{cassandra, envoy, guava_jump};
use archstone_hashring::slots::redis_slot;
use archstone_hashring::{NodeIx, PlacementError};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;

/// The rows of a file by the names of its columns: the part, then the whole where it is.
fn rows(name: &str) -> Vec<HashMap<String, String>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files = vec![here.join(format!("{name}.tsv"))];
    let whole = if name == "envoy" { "envoy_model" } else { name };
    files.extend(testkit::golden::data(&format!("hashring/{whole}.tsv.gz")));
    let mut rows = Vec::new();
    for file in files {
        let lines: Vec<String> = testkit::golden::lines(&file).collect();
        let mut lines = lines.iter().filter(|line| !line.starts_with('#'));
        let header: Vec<&str> = lines.next().expect("a header").split('\t').collect();
        let count = rows.len();
        for line in lines {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), header.len(), "{line}");
            rows.push(header.iter().zip(fields).map(|(h, f)| ((*h).into(), f.into())).collect());
        }
        assert!(rows.len() >= count + 90, "{file:?}: {} rows", rows.len() - count);
    }
    rows
}

/// Checks a column: `found` gives the text that the program gave.
fn column(rows: &[HashMap<String, String>], name: &str, found: impl Fn(&[u8]) -> Option<String>) {
    keyed_column(rows, "key", name, found);
}

fn keyed_column(
    rows: &[HashMap<String, String>],
    key: &str,
    name: &str,
    found: impl Fn(&[u8]) -> Option<String>,
) {
    for row in rows {
        let answer = found(row[key].as_bytes());
        assert_eq!(answer.as_ref(), Some(&row[name]), "{name}: key {}", row[key]);
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn index(node: Option<NodeIx>) -> Option<String> {
    node.map(|node| node.0.to_string())
}

#[test]
fn ketama_is_libmemcached_in_all_dialects() {
    let rows = rows("libmemcached");
    let hosts: Vec<String> = (1..=12).map(|i| format!("10.0.1.{i}")).collect();
    let names: Vec<String> =
        "abcde".chars().map(|letter| format!("cache-{letter}.example")).collect();
    let check = |name: &str, dialect, hash, port: u16, hosts: &[String], weights: &[u32]| {
        let servers = hosts.iter().zip(weights);
        let servers = servers.map(|(host, &weight)| Server { host, port, weight });
        let ring = Ketama::new(dialect, hash, servers).unwrap();
        column(&rows, name, |key| index(ring.locate(key)));
    };
    let (even, five) = ([1; 8], [1, 2, 3, 5, 8]);
    let many = [600, 300, 200, 350, 1_000, 800, 950, 100, 37, 1, 512, 90];
    let (plain, weighted) = (Dialect::Unweighted, Dialect::Weighted);
    check("ketama_8_default_port", plain, Hash::Md5, 11_211, &hosts, &even);
    check("ketama_8_port_11212", plain, Hash::Md5, 11_212, &hosts, &even);
    check("ketama_fnv1a32_8", plain, Hash::Fnv1a32, 11_211, &hosts, &even);
    check("ketama_spy_8", Dialect::Spy, Hash::Md5, 11_211, &hosts, &even);
    check("ketama_weighted_8_equal", weighted, Hash::Md5, 11_211, &hosts, &even);
    check("ketama_weighted_12_w600_etc", weighted, Hash::Md5, 11_211, &hosts, &many);
    check("ketama_weighted_5_w12358", weighted, Hash::Md5, 11_211, &names, &five);
    check("ketama_weighted_5_w12358_port_22122", weighted, Hash::Md5, 22_122, &names, &five);
}

#[test]
fn twemproxy_agrees_with_every_hash_and_tag() {
    let rows = rows("twemproxy");
    let aliases: Vec<String> = (1..=8).map(|i| format!("n{i}")).collect();
    let addresses: Vec<String> = (1..=8).map(|i| format!("127.0.0.1:{}", 19_200 + i)).collect();
    let named = |names: &'static [String], weights: &'static [u32]| {
        names.iter().zip(weights).map(|(name, &weight)| (name.as_str(), weight))
    };
    let (aliases, addresses): (&'static [String], &'static [String]) =
        (aliases.leak(), addresses.leak());
    let port = |node: Option<NodeIx>| node.map(|node| (19_201 + node.0).to_string());
    let ketama = |hash, names, weights| Twemproxy::ketama(hash, named(names, weights)).unwrap();
    const EVEN: &[u32] = &[1; 8];
    let md5 = ketama(twemproxy::Hash::Md5, aliases, EVEN);
    column(&rows, "ketama_md5_8", |key| port(md5.locate(key)));
    let fnv = ketama(twemproxy::Hash::Fnv1a64, addresses, EVEN);
    column(&rows, "ketama_fnv1a64_8_noname", |key| port(fnv.locate(key)));
    let murmur = ketama(twemproxy::Hash::Murmur, aliases, EVEN);
    column(&rows, "ketama_murmur_8", |key| port(murmur.locate(key)));
    let weighted = ketama(twemproxy::Hash::Md5, aliases, &[1, 2, 3, 5, 8]);
    column(&rows, "ketama_md5_w12358", |key| port(weighted.locate(key)));
    let modula = Twemproxy::modula(twemproxy::Hash::Crc32, [1; 8]).unwrap();
    column(&rows, "modula_crc32_8", |key| port(modula.locate(key)));
    let tagged = md5.with_hash_tag(b'{', b'}');
    keyed_column(&rows, "tagged_key", "ketama_md5_8_hashtag", |key| port(tagged.locate(key)));
}

#[test]
fn nginx_agrees() {
    let rows = rows("nginx");
    let check = |name: &str, weights: &[u32]| {
        let names: Vec<String> =
            (0..weights.len()).map(|i| format!("127.0.0.1:{}", 19_001 + i)).collect();
        let servers = names.iter().map(String::as_str).zip(weights.iter().copied());
        let upstream = Nginx::new(servers).unwrap();
        column(&rows, name, |key| upstream.locate(key).map(|n| (19_001 + n.0).to_string()));
    };
    check("equal8", &[1; 8]);
    check("w5", &[1, 2, 3, 5, 8]);
    check("equal3", &[1; 3]);
    check("equal12_mixed", &[2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1]);
}

#[test]
fn haproxy_agrees_with_every_function() {
    let rows = rows("haproxy");
    let check = |name: &str, function, avalanche, weights: &[u32]| {
        let servers = (1..).zip(weights.iter().copied());
        let backend = Haproxy::new(function, avalanche, servers).unwrap();
        column(&rows, name, |key| backend.locate(key).map(|n| (19_001 + n.0).to_string()));
    };
    check("default8", Function::Sdbm, true, &[1; 8]);
    check("sdbm_avalanche_w5", Function::Sdbm, true, &[10, 20, 30, 50, 80]);
    check("crc32_8", Function::Crc32, false, &[100; 8]);
    check("djb2_wt6", Function::Wt6, false, &[2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1]);
}

#[test]
fn envoy_agrees_in_ring_and_maglev() {
    let rows = rows("envoy");
    let check = |suffix: &str, subnet: u32, weights: &[u32]| {
        let names: Vec<String> =
            (0..weights.len()).map(|i| format!("10.{subnet}.0.{i}:8080")).collect();
        let hosts: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let ring = envoy::Ring::new(&hosts, 1_024, 8 << 20).unwrap();
        assert_eq!(ring.len(), if suffix == "eq8" { 1_024 } else { 1_035 });
        column(&rows, &format!("ring_{suffix}"), |key| index(ring.locate(key)));
        // A key that hashes to a point's very place belongs to it.
        for (i, name) in (0_u32..).zip(&names) {
            assert_eq!(ring.locate(format!("{name}_0").as_bytes()), Some(NodeIx(i)));
        }
        let table = envoy::Maglev::new(&hosts, 65_537).unwrap();
        column(&rows, &format!("maglev_{suffix}"), |key| index(table.locate(key)));
    };
    check("eq8", 2, &[1; 8]);
    check("w1248", 3, &[1, 2, 4, 8]);
}

/// The tables in Envoy's own unit tests.
#[test]
fn envoy_agrees_with_its_published_tables() {
    let names: Vec<String> = (90..96).map(|port| format!("127.0.0.1:{port}")).collect();
    let hosts: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let ring = envoy::Ring::new(&hosts, 12, 12).unwrap();
    let points: Vec<(u64, u32)> = ring.points().iter().map(|&(at, n)| (at, 90 + n.0)).collect();
    let expected = [
        (833_437_586_790_550_860, 94),
        (928_266_305_478_181_108, 92),
        (1_033_482_794_131_418_490, 90),
        (3_551_244_743_356_806_947, 95),
        (3_851_675_632_748_031_481, 93),
        (5_583_722_120_771_150_861, 91),
        (6_311_230_543_546_372_928, 91),
        (7_700_377_290_971_790_572, 93),
        (13_144_177_310_400_110_813, 95),
        (13_444_792_449_719_432_967, 92),
        (15_516_499_411_664_133_160, 94),
        (16_117_243_373_044_804_889, 90),
    ];
    assert_eq!(points, expected);
    let maglev = |hosts: &[(&str, u32)], size| -> Vec<u32> {
        envoy::Maglev::new(hosts, size).unwrap().slots().iter().map(|n| n.0).collect()
    };
    assert_eq!(maglev(&hosts, 7), [2, 4, 0, 1, 5, 0, 3]);
    let short: Vec<_> = ["90", "91", "92", "93", "94", "95"].map(|name| (name, 1)).into();
    assert_eq!(maglev(&short, 7), [2, 5, 0, 3, 4, 1, 0]);
    let two = [("127.0.0.1:90", 1), ("127.0.0.1:91", 2)];
    assert_eq!(maglev(&two, 17), [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]);
}

#[test]
fn cassandra_tokens_agree_for_every_byte() {
    let rows = rows("cassandra_tokens");
    for row in &rows {
        let key = bytes_of(&row["key_hex"]);
        let token = cassandra::murmur3_token(&key).to_string();
        assert_eq!(token, row["murmur3_token"], "{}", row["key_hex"]);
        assert_eq!(cassandra::random_token(&key).to_string(), row["random_token"]);
    }
    assert!(rows.iter().any(|row| bytes_of(&row["key_hex"]).iter().any(|&byte| byte > 0x7f)));
}

#[test]
fn redis_slots_agree_in_every_edge_case() {
    for row in &rows("redis_keyslot") {
        let slot = redis_slot(&bytes_of(&row["key_hex"]));
        assert_eq!(slot.to_string(), row["slot"], "{}", row["key_hex"]);
    }
    let single = [
        ("123456789", 12_739),
        ("foo", 12_182),
        ("{user1000}.following", 3_443),
        ("{user1000}.followers", 3_443),
        ("foo{}{bar}", 8_363),
        ("foo{{bar}}zap", 4_015),
        ("foo{bar}{zap}", 5_061),
    ];
    for (key, slot) in single {
        assert_eq!(redis_slot(key.as_bytes()), slot, "{key}");
    }
}

#[test]
fn empty_and_absurd_configurations_are_answers_not_panics() {
    let none: [(&str, u32); 0] = [];
    assert_eq!(Nginx::new(none).unwrap().locate(b"k"), None);
    assert_eq!(Nginx::new([("a", 0)]).unwrap().locate(b"k"), None);
    assert_eq!(Haproxy::new(Function::Djb2, false, []).unwrap().locate(b"k"), None);
    assert_eq!(Twemproxy::modula(twemproxy::Hash::Crc32, []).unwrap().locate(b"k"), None);
    assert_eq!(Twemproxy::ketama(twemproxy::Hash::Md5, none).unwrap().locate(b"k"), None);
    let nobody: [Server<'_>; 0] = [];
    let ketama = Ketama::new(Dialect::Weighted, Hash::Md5, nobody).unwrap();
    assert_eq!(ketama.locate(b"k"), None);
    assert_eq!(envoy::Ring::new(&[], 1_024, 8 << 20).unwrap().locate(b"k"), None);
    assert_eq!(envoy::Maglev::new(&[], 65_537).unwrap().locate(b"k"), None);
    let full = |result: Result<(), PlacementError>| {
        assert!(matches!(result, Err(PlacementError::Full { .. })), "{result:?}");
    };
    full(Nginx::new([("a", u32::MAX)]).map(drop));
    full(Haproxy::new(Function::Sdbm, true, [(1, u32::MAX)]).map(drop));
    full(Twemproxy::modula(twemproxy::Hash::Md5, [u32::MAX]).map(drop));
    full(envoy::Maglev::new(&[("a", 1)], 8).map(drop));
    full(envoy::Ring::new(&[("a", 1)], 1, u64::MAX).map(drop));
    assert!(envoy::Ring::new(&[("a", 0)], 1, 8).is_err(), "a weight of zero");
    // One heavy, one light: the share of the light one is rounded away, as in the C library.
    let names = [("a", u32::MAX), ("b", 1)];
    let ring = Twemproxy::ketama(twemproxy::Hash::Md5, names).unwrap();
    assert_eq!(ring.locate(b"k"), Some(NodeIx(0)));
}

/// The vectors have eight servers, which do not see the highest bit.
#[test]
fn twemproxy_cuts_its_crc_to_fifteen_bits() {
    let even = std::iter::repeat_n(1, 1 << 16);
    let pool = Twemproxy::modula(twemproxy::Hash::Crc32, even).unwrap();
    let nodes = (0..1_000_u32).filter_map(|i| pool.locate(&i.to_le_bytes())).map(|node| node.0);
    let greatest = nodes.max().unwrap();
    assert!((1 << 14..1 << 15).contains(&greatest), "{greatest}");
}

#[test]
fn a_token_belongs_to_the_node_that_has_it() {
    let ring = cassandra::TokenRing::new([(5, NodeIx(2)), (-7, NodeIx(0)), (0, NodeIx(1))]);
    for (token, node) in [(-7, 0), (-6, 1), (0, 1), (1, 2), (5, 2), (6, 0), (i64::MIN, 0)] {
        assert_eq!(ring.walk(token).next(), Some(NodeIx(node)), "{token}");
    }
}

/// Guava's own answers are in `golden.rs`; here the name.
#[test]
fn guava_is_jump() {
    let n = |buckets| NonZeroU32::new(buckets).unwrap();
    assert_eq!((guava_jump(1, n(65_535)), guava_jump(2, n(5))), (21_134, 3));
}
