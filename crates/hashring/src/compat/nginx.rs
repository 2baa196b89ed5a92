//! nginx: `hash KEY consistent` in an upstream block; pingora-ketama places alike.

use super::checksum::{crc32, update};
use super::{Ring32, checked, pack};
use crate::placement::{NodeIx, PlacementError};

/// An upstream, its servers numbered as they come.
///
/// ```
/// use archstone_hashring::compat::nginx::Nginx;
///
/// let servers = [("127.0.0.1:19001", 1), ("127.0.0.1:19002", 1), ("127.0.0.1:19003", 1)];
/// let upstream = Nginx::new(servers)?;
/// assert_eq!(upstream.locate(b"0").unwrap().index(), 2);
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nginx {
    ring: Ring32,
}

impl Nginx {
    /// The ring of `(server, weight)`: `host:port`, `host` or `unix:/path` as the configuration
    /// writes it; 160 points a unit of weight. O(points).
    ///
    /// # Errors
    /// [`PlacementError::Full`] past 2^28 points.
    pub fn new<'a>(
        servers: impl IntoIterator<Item = (&'a str, u32), IntoIter: Clone>,
    ) -> Result<Self, PlacementError> {
        let servers = servers.into_iter();
        let wanted = servers.clone().map(|(_, weight)| u64::from(weight) * 160).sum();
        let mut points = checked(wanted)?;
        for (node, (server, weight)) in (0..).map(NodeIx).zip(servers) {
            let (host, port) = split(server);
            let base = update(u32::MAX, host.as_bytes());
            let base = update(update(base, &[0]), port.as_bytes());
            // Each point is the checksum of the name and the point before it.
            let mut position = 0_u32;
            for _ in 0..u64::from(weight) * 160 {
                position = !update(base, &position.to_le_bytes());
                points.push(pack(position, node));
            }
        }
        Ok(Self { ring: Ring32::new(&points) })
    }

    /// The server of `key`, `None` when there are none.
    #[must_use]
    #[inline]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        self.ring.next(crc32(key))
    }
}

/// Host and port: the port is the digits after the last colon; a socket's path has none.
fn split(server: &str) -> (&str, &str) {
    let socket = server.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:"));
    if socket {
        return (&server[5..], "");
    }
    match server.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (server, ""),
    }
}
