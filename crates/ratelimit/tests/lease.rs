//! The lease protocol over a network that loses, delays, repeats and reorders.

use archstone_ratelimit::Time;
use archstone_ratelimit::lease::{
    Client, ClientConfig, Grant, Holding, LeaseError, Request, Server, ServerConfig, Sharing,
};
use core::time::Duration;
use proptest::prelude::*;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ask(server: &mut Server, client: u64, wants: u64, now: Time) -> u64 {
    let request = Request { client, sent: now, wants, holds: None };
    server.handle(request, now).expect("room for the client").capacity
}

fn server(capacity: u64, sharing: Sharing) -> Server {
    let config = ServerConfig::new(capacity, secs(60)).unwrap().learning(secs(0)).sharing(sharing);
    Server::new(config, Time::ZERO)
}

#[test]
fn wants_that_fit_are_met() {
    let mut server = server(100, Sharing::Fair);
    assert_eq!(ask(&mut server, 1, 30, Time::ZERO), 30);
    assert_eq!(ask(&mut server, 2, 70, Time::ZERO), 70);
    assert_eq!(server.leased(), 100);
}

#[test]
fn sharing_converges_to_the_rule_within_three_refreshes() {
    for (sharing, expected) in [(Sharing::Fair, [10, 45, 45]), (Sharing::Proportional, [3, 32, 64])]
    {
        let mut server = server(100, sharing);
        let mut clients = [(0, 10), (1, 100), (2, 200)]
            .map(|(id, want)| Client::new(id, want, ClientConfig::default()));
        for second in 0..=60 {
            let now = Time::from_secs(second);
            for client in &mut clients {
                if let Some(request) = client.poll(now) {
                    client.granted(server.handle(request, now).unwrap());
                    assert!(server.leased() <= 100);
                }
            }
        }
        let got = clients.each_mut().map(|client| client.capacity(Time::from_secs(60)));
        assert_eq!(got, expected, "{sharing:?}");
    }
}

#[test]
fn a_restarted_server_learns_before_it_gives() {
    let config = ServerConfig::new(100, secs(60)).unwrap();
    let mut server = Server::new(config, Time::ZERO);
    // Client 1 still holds 80 from before the restart; client 2 is new and greedy.
    let new = Request { client: 2, sent: Time::ZERO, wants: 100, holds: None };
    assert_eq!(server.handle(new, Time::from_secs(1)).unwrap().capacity, 0);
    let held = Holding { sent: Time::ZERO, capacity: 80, runs: secs(30) };
    let old = Request { client: 1, sent: Time::ZERO, wants: 80, holds: Some(held) };
    assert_eq!(server.handle(old, Time::from_secs(2)).unwrap().capacity, 80);
    // A later request of the greedy one, when learning is over.
    let later = Request { sent: Time::from_secs(61), ..new };
    assert_eq!(server.handle(later, Time::from_secs(61)).unwrap().capacity, 20);
    assert_eq!(server.handle(later, Time::from_secs(61)).unwrap().capacity, 20, "asked twice");
}

#[test]
fn a_client_out_of_reach_falls_back_to_what_is_safe() {
    let config = ServerConfig::new(100, secs(60)).unwrap().learning(secs(0)).safe(5);
    let mut server = Server::new(config, Time::ZERO);
    let mut client = Client::new(7, 50, ClientConfig { safe: 1, ..ClientConfig::default() });
    assert_eq!(client.capacity(Time::ZERO), 1);
    let request = client.poll(Time::ZERO).unwrap();
    client.granted(server.handle(request, Time::from_secs(3)).unwrap());
    assert_eq!(client.capacity(Time::from_secs(59)), 50);
    assert_eq!(client.capacity(Time::from_secs(60)), 5, "counted from the sending, not the answer");
    assert_eq!(client.capacity(Time::from_secs(10)), 5, "a clock that steps back revives nothing");
}

#[test]
fn unanswered_requests_back_off() {
    let mut client = Client::new(1, 10, ClientConfig::default());
    let mut sent = Vec::new();
    for second in 0..200 {
        sent.extend(client.poll(Time::from_secs(second)).map(|_| second));
    }
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[test]
fn records_are_bounded_and_run_out() {
    let config = ServerConfig::new(100, secs(60)).unwrap().learning(secs(0)).max_clients(2);
    let mut server = Server::new(config, Time::ZERO);
    let request = |client| Request { client, sent: Time::ZERO, wants: 1, holds: None };
    assert!(server.handle(request(1), Time::ZERO).is_ok());
    assert!(server.handle(request(2), Time::ZERO).is_ok());
    assert_eq!(server.handle(request(3), Time::ZERO), Err(LeaseError::TooManyClients { limit: 2 }));
    assert!(server.handle(request(2), Time::ZERO).is_ok(), "a known client is no new record");
    assert!(server.handle(request(3), Time::from_secs(60)).is_ok());
    assert_eq!(server.clients(), 1);
    server.release(3, Time::from_secs(60));
    assert_eq!((server.clients(), server.leased()), (0, 0));
}

#[test]
fn impossible_configurations_are_refused() {
    assert_eq!(ServerConfig::new(1, secs(0)).unwrap_err(), LeaseError::ZeroLease);
    assert!(ServerConfig::new(1, secs(5)).unwrap().refresh(secs(5)).is_err());
}

#[test]
fn extreme_wants_saturate() {
    for sharing in [Sharing::Fair, Sharing::Proportional] {
        let mut greedy = server(u64::MAX, sharing);
        let got: Vec<u64> = (0..3).map(|i| ask(&mut greedy, i, u64::MAX, Time::MAX)).collect();
        assert!(
            got.iter().map(|&g| u128::from(g)).sum::<u128>() <= u128::from(u64::MAX),
            "{got:?}"
        );
        let mut empty = server(0, sharing);
        assert_eq!(ask(&mut empty, 1, u64::MAX, Time::ZERO), 0);
    }
}

proptest! {
    /// L1 over a bad network: what clients may use at any instant never adds up to more than the
    /// capacity, with perfect clocks and no safe capacity.
    #[test]
    fn clients_together_never_use_more_than_the_capacity(
        fair: bool,
        wants in prop::collection::vec(0_u64..200, 1..6),
        steps in prop::collection::vec((0_usize..6, 0_u64..20, 0_u8..10), 1..200),
    ) {
        let sharing = if fair { Sharing::Fair } else { Sharing::Proportional };
        let mut server = server(100, sharing);
        let mut clients: Vec<Client> = wants.iter().enumerate()
            .map(|(id, &wants)| Client::new(id as u64, wants, ClientConfig::default()))
            .collect();
        let mut network: Vec<Grant> = Vec::new();
        let mut now = Time::ZERO;
        for (who, pause, fate) in steps {
            now += secs(pause);
            let client = who % clients.len();
            if let Some(request) = clients[client].poll(now) {
                // 0: the request is lost. 1: the answer is lost. 2: the answer is late.
                // 3: the request arrives twice. Otherwise all is well.
                if fate != 0 {
                    let grant = server.handle(request, now).unwrap();
                    let again = if fate == 3 { server.handle(request, now).unwrap() } else { grant };
                    match fate {
                        1 => {}
                        2 => network.push(grant),
                        _ => { clients[client].granted(grant); clients[client].granted(again); }
                    }
                }
            }
            if fate == 9 {
                for grant in network.drain(..) {
                    clients[grant.client as usize].granted(grant);
                }
            }
            let used: u64 = clients.iter_mut().map(|client| client.capacity(now)).sum();
            prop_assert!(used <= 100, "{used} of 100 in use");
        }
    }
}

/// An answer that was lost is asked for again by the same message: the same answer comes, though
/// the wants of others have changed since, and nothing is recorded twice.
#[test]
fn a_repeated_request_gets_the_same_answer() {
    let mut server = server(100, Sharing::Fair);
    let request = Request { client: 1, sent: Time::ZERO, wants: 80, holds: None };
    let first = server.handle(request, Time::ZERO).unwrap();
    assert_eq!(first.capacity, 80);
    assert_eq!(ask(&mut server, 2, 80, Time::from_secs(1)), 20);
    assert_eq!(server.handle(request, Time::from_secs(2)), Ok(first));
    assert_eq!(server.leased(), 100);
}
