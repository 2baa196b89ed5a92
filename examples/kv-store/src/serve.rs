//! `--serve ADDR`: the store over RESP. A thread a connection, one lock around the store.

use crate::resp::{self, MAX_REQUEST, Parsed};
use crate::store::Store;
use kit::Failure;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most connections; more are told so and closed.
pub const MAX_CLIENTS: usize = 256;
/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(300);
/// A client that takes nothing for so long is closed.
const STALLED: Duration = Duration::from_secs(10);
/// Replies are sent when there are so many bytes of them, or nothing more to answer.
const FLUSH: usize = 64 * 1_024;

/// A server on threads of its own.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(address: SocketAddr, store: Store) -> Result<Self, Failure> {
        let listener =
            TcpListener::bind(address).map_err(|error| format!("--serve {address}: {error}"))?;
        let address = listener.local_addr()?;
        let store = Arc::new(Mutex::new(store));
        let clients = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                if clients.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
                    clients.fetch_sub(1, Ordering::Relaxed);
                    let _ = stream.write_all(b"-ERR max number of clients reached\r\n");
                    continue;
                }
                let (store, counted) = (Arc::clone(&store), Arc::clone(&clients));
                let spawned = std::thread::Builder::new().spawn(move || {
                    // A client that goes away is no error of ours.
                    let _ = talk(&mut stream, &store);
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
                if spawned.is_err() {
                    clients.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { address, thread })
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

fn talk(stream: &mut TcpStream, store: &Mutex<Store>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(STALLED))?;
    let (mut bytes, mut out) = (Vec::new(), Vec::new());
    let mut chunk = vec![0; 16 * 1_024];
    loop {
        let read = match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&chunk[..read]);
        let mut at = 0;
        loop {
            match resp::parse(&bytes[at..]) {
                Parsed::Request(args, used) => {
                    at += used;
                    if !args.is_empty() {
                        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                        let frame = resp::execute(&mut store, &args);
                        drop(store);
                        resp::reply(&mut out, &frame);
                    }
                }
                Parsed::More if bytes.len() - at < MAX_REQUEST => break,
                Parsed::More => {
                    return refuse(
                        stream,
                        &mut out,
                        &format!("a request over {MAX_REQUEST} bytes"),
                    );
                }
                Parsed::Bad(why) => return refuse(stream, &mut out, &why),
            }
            if out.len() >= FLUSH {
                stream.write_all(&out)?;
                out.clear();
            }
        }
        bytes.drain(..at);
        stream.write_all(&out)?;
        out.clear();
    }
}

fn refuse(stream: &mut TcpStream, out: &mut Vec<u8>, why: &str) -> std::io::Result<()> {
    resp::reply(out, &resp::error(&format!("Protocol error: {why}")));
    stream.write_all(out)
}
