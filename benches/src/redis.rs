//! A Redis of our own to race against, by server time or by round trips.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A Redis on a free port, and one connection to it. It ends with this.
pub(crate) struct Server {
    child: Child,
    stream: BufReader<TcpStream>,
}

impl Server {
    pub(crate) fn start() -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let addr = free.local_addr().map_err(|e| e.to_string())?;
        drop(free);
        let port = addr.port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| format!("redis-server: {e}"))?;
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(addr) {
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                return Ok(Self { child, stream: BufReader::new(stream) });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = (child.kill(), child.wait());
        Err("redis-server did not answer".to_owned())
    }

    /// One command and the texts of its reply.
    pub(crate) fn send(&mut self, words: &[&str]) -> Vec<String> {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(text.as_bytes()).expect("a connection");
        let (mut left, mut found) = (1, Vec::new());
        while left > 0 {
            left -= 1;
            let mut head = String::new();
            assert!(self.stream.read_line(&mut head).expect("a reply") > 0);
            let count = || head[1..].trim().parse::<usize>().unwrap_or(0);
            match head.as_bytes()[0] {
                b'*' => left += count(),
                b'$' => {
                    let mut bytes = vec![0; count() + 2];
                    self.stream.read_exact(&mut bytes).expect("a reply");
                    found.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                }
                b'-' => panic!("{head}"),
                _ => found.push(head[1..].trim().to_owned()),
            }
        }
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
