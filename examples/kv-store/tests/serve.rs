//! The served store, byte by byte.

use kit::Seed;
use kv_store::config::Config;
use kv_store::resp::{MAX_BULK, MAX_REQUEST};
use kv_store::serve::{MAX_CLIENTS, Server};
use kv_store::store::{MAX_PAIR, Store};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn server() -> Server {
    let store = Store::new(Config::usual(), Seed::new(26)).expect("a ring");
    Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), store).expect("a port")
}

struct Client(TcpStream);

impl Client {
    fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        Self(stream)
    }

    /// Sends, and reads as many bytes as are expected.
    fn expect(&mut self, send: &[u8], answer: &[u8]) {
        self.0.write_all(send).expect("sent");
        let mut got = vec![0; answer.len()];
        self.0.read_exact(&mut got).expect("answered");
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(answer));
    }

    /// Sends, and reads until the server hangs up.
    fn rest(&mut self, send: &[u8]) -> String {
        // The server may hang up before it has read all.
        let _ = self.0.write_all(send);
        let mut got = Vec::new();
        let _ = self.0.read_to_end(&mut got);
        String::from_utf8_lossy(&got).into_owned()
    }
}

#[test]
fn the_six_commands_answer_as_redis_does() {
    let server = server();
    let mut client = Client::of(&server);
    client.expect(b"PING\r\n", b"+PONG\r\n");
    client.expect(b"*2\r\n$4\r\nping\r\n$2\r\nhi\r\n", b"$2\r\nhi\r\n");
    client.expect(b"GET k\r\n", b"$-1\r\n");
    client.expect(b"SET k v\r\n", b"+OK\r\n");
    client.expect(b"GET k\r\n", b"$1\r\nv\r\n");
    client.expect(b"SET k w\r\nSET l \"\r\n", b"+OK\r\n+OK\r\n");
    client.expect(b"EXISTS k l m k\r\n", b":3\r\n");
    client.expect(b"DEL k m\r\n", b":1\r\n");
    client.expect(b"GET k\r\n", b"$-1\r\n");
    // Any bytes are a key and a value.
    client.expect(b"*3\r\n$3\r\nSET\r\n$2\r\n\x00\xff\r\n$2\r\n\r\n\r\n", b"+OK\r\n");
    client.expect(b"*2\r\n$3\r\nGET\r\n$2\r\n\x00\xff\r\n", b"$2\r\n\r\n\r\n");
    client.expect(b"GET\r\n", b"-ERR wrong number of arguments for 'get' command\r\n");
    client.expect(b"CONFIG GET save\r\n", b"-ERR unknown command 'config';");
}

#[test]
fn a_pipeline_is_answered_in_its_order() {
    let server = server();
    let mut client = Client::of(&server);
    let (mut send, mut answer) = (Vec::new(), Vec::new());
    for n in 0..500 {
        send.extend(format!("SET k{} v{n}\r\nGET k{}\r\n", n % 7, n % 7).bytes());
        answer.extend(format!("+OK\r\n${}\r\nv{n}\r\n", format!("v{n}").len()).bytes());
    }
    client.expect(&send, &answer);
}

#[test]
fn what_is_too_large_is_refused_and_what_is_no_request_hung_up_on() {
    let server = server();
    let mut client = Client::of(&server);
    let set = |bytes: usize| {
        let mut send = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${bytes}\r\n").into_bytes();
        send.extend(vec![b'x'; bytes]);
        send.extend(b"\r\n");
        send
    };
    client.expect(&set(MAX_PAIR - 1), b"+OK\r\n");
    let refused =
        format!("-ERR key and value have {} bytes, the limit is {MAX_PAIR}\r\n", MAX_PAIR + 1);
    client.expect(&set(MAX_PAIR), refused.as_bytes());
    client.expect(b"PING\r\n", b"+PONG\r\n");
    let cases: [(&[u8], &str); 5] = [
        (&set(MAX_BULK + 1), "invalid bulk length 65537"),
        (b"*1025\r\n", "invalid multibulk length 1025"),
        (&b"*1\r\n".repeat(100_000), "expected '$', got '*'"),
        (&b"x".repeat(5_000), "a line of more than 4096 bytes"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
    ];
    for (send, said) in cases {
        let answer = Client::of(&server).rest(send);
        assert!(answer.starts_with("-ERR Protocol error: ") && answer.contains(said), "{answer}");
    }
    // One request of many small arguments is as bounded as one of a large one.
    let mut many = b"*1024\r\n".to_vec();
    (0..20).for_each(|_| {
        many.extend(format!("${MAX_BULK}\r\n").bytes());
        many.extend(vec![b'y'; MAX_BULK]);
        many.extend(b"\r\n");
    });
    let answer = Client::of(&server).rest(&many);
    assert!(answer.is_empty() || answer.contains(&format!("over {MAX_REQUEST} bytes")), "{answer}");
    Client::of(&server).expect(b"PING\r\n", b"+PONG\r\n");
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = server();
    let mut clients: Vec<Client> = (0..MAX_CLIENTS).map(|_| Client::of(&server)).collect();
    clients.iter_mut().for_each(|client| client.expect(b"PING\r\n", b"+PONG\r\n"));
    let told = Client::of(&server).rest(b"");
    assert_eq!(told, "-ERR max number of clients reached\r\n");
}

#[test]
fn two_servers_do_not_share_a_port() {
    let server = server();
    let store = Store::new(Config::usual(), Seed::new(1)).expect("a ring");
    let error = Server::start(server.address, store).expect_err("taken");
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
}
