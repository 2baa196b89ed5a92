//! Real engines for tests: found, started on a free port in a temporary folder, killed on drop.
//!
//! ```no_run
//! let Some(redis) = testkit::require("redis") else { return }; // said aloud, or failed
//! println!("{}", redis.url()); // redis://127.0.0.1:40123/
//! ```

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The names [`require`] knows.
pub const NAMES: [&str; 4] = ["redis", "postgres", "hll", "nats"];

/// How long an engine may take to answer. Generous: CI builds on the other core.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running engine. Dropping it kills the server and removes its folder.
#[derive(Debug)]
pub struct Engine {
    name: &'static str,
    addr: SocketAddr,
    // Order matters: the server dies before its folder goes.
    _server: Server,
    dir: TempDir,
}

/// Starts the engine `name`, one of [`NAMES`] (`hll` is a PostgreSQL that has the extension), or
/// says aloud that it is not installed and gives `None`.
///
/// # Panics
/// When the engine is missing and `$ARCHSTONE_REQUIRE` names it; when it is there and does not
/// start; when the name is not known.
#[must_use]
pub fn require(name: &str) -> Option<Engine> {
    require_with(name, &[])
}

/// [`require`], with more arguments for the server: `require_with("redis", &["--appendonly", "yes"])`.
///
/// # Panics
/// As [`require`].
#[must_use]
pub fn require_with(name: &str, args: &[&str]) -> Option<Engine> {
    let kind = match name {
        "redis" => find("redis-server").map(Kind::Redis),
        "nats" => find("nats-server").map(Kind::Nats),
        "postgres" => postgres_bin().map(Kind::Postgres),
        "hll" => postgres_bin().filter(|bin| has_extension(bin, "hll")).map(Kind::Postgres),
        _ => panic!("no engine is called {name:?}; there are {NAMES:?}"),
    };
    let Some(kind) = kind else {
        crate::skip(name, "not installed");
        return None;
    };
    // A free port can be taken by another test between our look and the server's bind: try again.
    let mut last = String::new();
    for _ in 0..4 {
        match kind.start(args) {
            Ok(engine) => return Some(engine),
            Err(why) => last = why,
        }
    }
    panic!("{name} is installed and does not start: {last}");
}

impl Engine {
    /// `redis`, `postgres` or `nats`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens: loopback and a port of its own.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients and the designs' `--backend` take: `redis://127.0.0.1:40123/`,
    /// `postgres://postgres@127.0.0.1:40124/postgres`, `nats://127.0.0.1:40125`.
    #[must_use]
    pub fn url(&self) -> String {
        let addr = self.addr;
        match self.name {
            "redis" => format!("redis://{addr}/"),
            "postgres" => format!("postgres://postgres@{addr}/postgres"),
            _ => format!("nats://{addr}"),
        }
    }

    /// Its folder: data and `log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the server has written to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// An installed engine: the path of its binary, for PostgreSQL of its folder of binaries.
#[derive(Debug)]
enum Kind {
    Redis(PathBuf),
    Postgres(PathBuf),
    Nats(PathBuf),
}

impl Kind {
    fn start(&self, args: &[&str]) -> Result<Engine, String> {
        let dir = folder()?;
        let addr = free_port()?;
        let port = addr.port().to_string();
        let path = dir.path().as_os_str();
        let user = unprivileged(dir.path())?;
        let (name, stop, mut command) = match self {
            Self::Redis(bin) => {
                let mut c = Command::new(bin);
                c.args([
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                ]);
                c.arg("--dir").arg(path);
                ("redis", "KILL", c)
            }
            Self::Nats(bin) => {
                let mut c = Command::new(bin);
                c.args(["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir"]);
                c.arg(path);
                ("nats", "KILL", c)
            }
            Self::Postgres(bin) => {
                let data = dir.path().join("data");
                initdb(bin, &data, dir.path(), user)?;
                let mut c = Command::new(bin.join("postgres"));
                c.arg("-D").arg(&data).arg("-k").arg(path).args(["-h", "127.0.0.1", "-p", &port]);
                c.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
                // QUIT is PostgreSQL's immediate shutdown; KILL would leak its shared memory.
                ("postgres", "QUIT", c)
            }
        };
        command.args(args);
        let user = user.filter(|_| matches!(self, Self::Postgres(_)));
        let server = Server::spawn(&command, stop, dir.path(), user)?;
        let mut engine = Engine { name, addr, _server: server, dir };
        engine.wait_until(|| self.answers(addr))?;
        Ok(engine)
    }

    /// Whether the server at `addr` speaks its own protocol already.
    fn answers(&self, addr: SocketAddr) -> bool {
        match self {
            Self::Redis(_) => greeting(addr, b"PING\r\n").starts_with(b"+PONG"),
            Self::Nats(_) => greeting(addr, b"").starts_with(b"INFO "),
            Self::Postgres(_) => greeting(addr, &pg_startup()).first() == Some(&b'R'),
        }
    }
}

impl Engine {
    fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let up = ready();
            if let Some(status) = self._server.exited() {
                return Err(format!("{} ended with {status}: {}", self.name, self.log()));
            }
            if up {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!(
                    "{} did not answer in {PATIENCE:?}: {}",
                    self.name,
                    self.log()
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A server under a small shell that outlives nobody: it holds the read end of a pipe of ours and
/// kills the server when the pipe closes, so that a test that is itself killed leaves no engine and
/// no folder.
#[derive(Debug)]
struct Server(Child);

const GUARD: &str = r#"stop=$1 dir=$2; shift 2; exec 3<&0
"$@" 3<&- & server=$!
( read -r _ <&3; : > "$dir/closed"; kill -"$stop" $server ) & guard=$!
wait $server; status=$?
kill $guard 2>/dev/null
[ -e "$dir/closed" ] && rm -rf -- "$dir"
exit $status"#;

impl Server {
    fn spawn(server: &Command, stop: &str, dir: &Path, user: User) -> Result<Self, String> {
        let log = std::fs::File::create(dir.join("log")).map_err(|e| e.to_string())?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", GUARD, "sh", stop])
            .arg(dir)
            .arg(server.get_program())
            .args(server.get_args());
        run_as(&mut shell, user);
        shell.current_dir(dir).stdin(Stdio::piped());
        shell.stderr(log.try_clone().map_err(|e| e.to_string())?).stdout(log);
        shell.spawn().map(Self).map_err(|e| format!("{:?}: {e}", server.get_program()))
    }

    fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// `program` on the PATH, or in the folders of server binaries that a user's PATH often lacks.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|d| d.join(program)).find(|p| p.is_file())
}

/// The folder that has `postgres` and `initdb`: beside the one on the PATH, by `pg_config`, or
/// Debian's, newest first.
fn postgres_bin() -> Option<PathBuf> {
    let on_path = find("postgres").and_then(|p| p.canonicalize().ok());
    let by_config = Command::new("pg_config").arg("--bindir").output().ok();
    let mut places: Vec<PathBuf> =
        on_path.iter().filter_map(|p| p.parent()).map(Path::to_path_buf).collect();
    if let Some(out) = by_config {
        places.push(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    }
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|v| v.path()).collect();
        let number =
            |p: &PathBuf| p.file_name().and_then(OsStr::to_str).and_then(|n| n.parse::<u32>().ok());
        versions.sort_by_key(|p| std::cmp::Reverse(number(p)));
        places.extend(versions.into_iter().map(|v| v.join("bin")));
    }
    places.into_iter().find(|d| d.join("postgres").is_file() && d.join("initdb").is_file())
}

/// Whether the PostgreSQL of `bin` can `CREATE EXTENSION name`.
fn has_extension(bin: &Path, name: &str) -> bool {
    // Debian's layout, then what this installation's own pg_config says.
    let version = bin.parent().and_then(Path::file_name).unwrap_or_default();
    let debian = Path::new("/usr/share/postgresql").join(version);
    let own = Command::new(bin.join("pg_config")).arg("--sharedir").output().ok();
    let own = own.map(|o| PathBuf::from(String::from_utf8_lossy(&o.stdout).trim()));
    let control = format!("extension/{name}.control");
    own.into_iter().chain([debian]).any(|share| share.join(&control).is_file())
}

fn initdb(bin: &Path, data: &Path, dir: &Path, user: User) -> Result<(), String> {
    let mut command = Command::new(bin.join("initdb"));
    command.arg("-D").arg(data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
    command.args(["--locale=C", "--no-sync"]).current_dir(dir).stdin(Stdio::null());
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(dir, Some(uid), Some(gid)).map_err(|e| e.to_string())?;
    }
    run_as(&mut command, user);
    let out = command.output().map_err(|e| format!("initdb: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let mut why = format!("initdb ended with {}", out.status);
    let _ = write!(why, ": {}", String::from_utf8_lossy(&out.stderr));
    Err(why)
}

/// User and group to run as; `None` is whoever runs the test.
type User = Option<(u32, u32)>;

/// PostgreSQL refuses to run as root: root, who made `dir`, runs it as `postgres` or `nobody`.
fn unprivileged(dir: &Path) -> Result<User, String> {
    if owner(dir)? != 0 {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    let user = |name: &str| {
        let line = passwd.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    user("postgres").or_else(|| user("nobody")).map(Some).ok_or_else(|| "no user but root".into())
}

fn run_as(command: &mut Command, user: User) {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

fn owner(dir: &Path) -> Result<u32, String> {
    std::fs::metadata(dir).map(|m| m.uid()).map_err(|e| e.to_string())
}

/// A new folder. Root's `$TMPDIR` may be closed to the user that runs PostgreSQL, so root uses `/tmp`.
fn folder() -> Result<TempDir, String> {
    let make = |at: &Path| tempfile::Builder::new().prefix("archstone-").tempdir_in(at);
    let dir = make(&std::env::temp_dir()).map_err(|e| e.to_string())?;
    if owner(dir.path())? == 0 {
        make(Path::new("/tmp")).map_err(|e| e.to_string())
    } else {
        Ok(dir)
    }
}

fn free_port() -> Result<SocketAddr, String> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    socket.local_addr().map_err(|e| e.to_string())
}

/// What the server says to `hello`; nothing when it is not there.
fn greeting(addr: SocketAddr, hello: &[u8]) -> Vec<u8> {
    let talk = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(hello)?;
        let mut answer = [0; 64];
        let n = stream.read(&mut answer)?;
        Ok(answer[..n].to_vec())
    };
    talk().unwrap_or_default()
}

/// PostgreSQL's start-up message: while it recovers the server answers `E`, when it serves `R`.
fn pg_startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&length.to_be_bytes()[..], body].concat()
}
