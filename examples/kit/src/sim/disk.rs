use crate::generate::Stream;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

/// How a disk may fail. The default is an honest disk without a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskFaults {
    /// After a crash a random part of what was not synced is there, cut at any byte; otherwise
    /// nothing of it.
    pub torn: bool,
    /// The share of syncs that say "done" and are not: the bytes count as synced only when a later
    /// sync is honest.
    pub lying_sync: f64,
    /// Bytes it holds.
    pub capacity: u64,
}

impl Default for DiskFaults {
    fn default() -> Self {
        Self { torn: true, lying_sync: 0.0, capacity: u64::MAX }
    }
}

/// No room for a write; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFull {
    /// Bytes that were to be written.
    pub asked: u64,
    /// Bytes that are free.
    pub free: u64,
}

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to write, {} free", self.asked, self.free)
    }
}

impl Error for DiskFull {}

/// Files in memory that lose in a crash what was not synced.
///
/// Files are appended to, replaced whole (as by a rename, which is atomic) or cut. Reading sees
/// everything written; a [`crash`](Self::crash) leaves what was synced and, on a disk that tears, a
/// part of what came after.
///
/// ```
/// use kit::sim::{Disk, DiskFaults};
/// use kit::Seed;
///
/// let faults = DiskFaults { torn: false, ..DiskFaults::default() };
/// let mut disk = Disk::new(faults, Seed::new(1).stream("disk"));
/// disk.append("log", b"first,")?;
/// disk.sync("log");
/// disk.append("log", b"second,")?;
/// assert_eq!(disk.read("log"), b"first,second,");
/// disk.crash();
/// assert_eq!(disk.read("log"), b"first,");
/// # Ok::<(), kit::sim::DiskFull>(())
/// ```
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<String, File>,
    faults: DiskFaults,
    stream: Stream,
}

/// What is there, and how much of it outlives a crash.
#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// Synced bytes are a prefix of `bytes`, unless the file was cut or replaced since.
    synced: usize,
    /// The synced content, where a cut or a replacement was not synced yet.
    before: Option<Vec<u8>>,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub const fn new(faults: DiskFaults, stream: Stream) -> Self {
        Self { files: BTreeMap::new(), faults, stream }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.files.values().map(|file| file.bytes.len() as u64).sum()
    }

    fn room(&self, asked: u64) -> Result<(), DiskFull> {
        let free = self.faults.capacity.saturating_sub(self.used());
        if asked > free { Err(DiskFull { asked, free }) } else { Ok(()) }
    }

    fn file(&mut self, name: &str) -> &mut File {
        self.files.entry(name.to_owned()).or_default()
    }

    /// Adds bytes at the end of a file, which is made when it is not there.
    ///
    /// # Errors
    /// [`DiskFull`]; the file stays as it was.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), DiskFull> {
        self.room(bytes.len() as u64)?;
        self.file(name).bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Puts `bytes` in the place of the file, as a rename does: after a crash before the next sync
    /// the old content is there or the new, never a mixture.
    ///
    /// # Errors
    /// [`DiskFull`]; both contents need room. The file stays as it was.
    pub fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), DiskFull> {
        self.room(bytes.len() as u64)?;
        self.file(name).change(|file| file.bytes = bytes.to_vec());
        Ok(())
    }

    /// Cuts a file to its first `len` bytes.
    pub fn truncate(&mut self, name: &str, len: usize) {
        if let Some(file) = self.files.get_mut(name).filter(|file| len < file.bytes.len()) {
            if len >= file.synced && file.before.is_none() {
                file.bytes.truncate(len);
            } else {
                file.change(|file| file.bytes.truncate(len));
            }
        }
    }

    /// Removes a file, at once and for good.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// What is in a file, synced or not; nothing when it is not there.
    #[must_use]
    pub fn read(&self, name: &str) -> &[u8] {
        self.files.get(name).map_or(&[], |file| &file.bytes)
    }

    /// The names of the files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        self.files.keys().map(String::as_str)
    }

    /// Makes a file durable, as `fsync` does, or says so only.
    pub fn sync(&mut self, name: &str) {
        if self.stream.chance(self.faults.lying_sync) {
            return;
        }
        if let Some(file) = self.files.get_mut(name) {
            file.synced = file.bytes.len();
            file.before = None;
        }
    }

    /// The machine loses power: what was not synced is lost, or torn. The number of bytes lost.
    pub fn crash(&mut self) -> u64 {
        let mut lost = 0;
        for file in self.files.values_mut() {
            if let Some(before) = file.before.take() {
                // A rename: all or nothing, whatever the disk.
                let keep_new = self.faults.torn && self.stream.chance(0.5);
                if !keep_new {
                    lost += file.bytes.len() as u64;
                    file.bytes = before;
                }
            } else {
                let unsynced = (file.bytes.len() - file.synced) as u64;
                let kept = if self.faults.torn { self.stream.below(unsynced + 1) } else { 0 };
                lost += unsynced - kept;
                file.bytes.truncate(file.synced + kept as usize);
            }
            file.synced = file.bytes.len();
        }
        lost
    }
}

impl File {
    /// A change that is not an append: the synced content is kept until the next sync.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        if self.before.is_none() {
            self.before = Some(self.bytes[..self.synced].to_vec());
        }
        change(self);
        self.synced = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Seed;
    use proptest::prelude::*;

    fn disk(torn: bool, seed: u64) -> Disk {
        Disk::new(DiskFaults { torn, ..DiskFaults::default() }, Seed::new(seed).stream("disk"))
    }

    proptest! {
        /// What a crash leaves lies between the last synced content and the last written one.
        #[test]
        fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest(
            steps in prop::collection::vec((0_u8..5, 0_usize..8), 0..40), torn: bool, seed: u64,
        ) {
            let mut disk = disk(torn, seed);
            let (mut now, mut synced, mut renamed) = (Vec::new(), Vec::new(), false);
            for (step, n) in steps {
                match step {
                    0 | 1 => { disk.append("f", &vec![n as u8; n]).unwrap(); now.extend(vec![n as u8; n]); }
                    2 => { disk.sync("f"); synced = now.clone(); renamed = false; }
                    3 => { disk.replace("f", &vec![9; n]).unwrap(); now = vec![9; n]; renamed = true; }
                    _ => if n < now.len() { disk.truncate("f", n); renamed |= n < synced.len(); now.truncate(n); },
                }
                prop_assert_eq!(disk.read("f"), &now[..]);
            }
            let lost = disk.crash();
            let left = disk.read("f").to_vec();
            if renamed {
                prop_assert!(left == synced || torn && left == now);
            } else {
                prop_assert!(left.starts_with(&synced) && now.starts_with(&left));
                prop_assert!(torn || left == synced);
                prop_assert_eq!(lost as usize, now.len() - left.len());
            }
            // What is left is durable.
            prop_assert_eq!(disk.crash(), 0);
            prop_assert_eq!(disk.read("f"), &left[..]);
        }
    }

    #[test]
    fn a_lying_sync_loses_what_it_promised_until_an_honest_one() {
        let faults = DiskFaults { torn: false, lying_sync: 1.0, ..DiskFaults::default() };
        let mut disk = Disk::new(faults, Seed::new(1).stream("disk"));
        disk.append("log", b"paid").unwrap();
        disk.sync("log");
        assert_eq!((disk.crash(), disk.read("log")), (4, &b""[..]));
        disk.faults.lying_sync = 0.0;
        disk.append("log", b"paid").unwrap();
        disk.sync("log");
        assert_eq!((disk.crash(), disk.read("log")), (0, &b"paid"[..]));
    }

    #[test]
    fn a_full_disk_writes_nothing_of_it() {
        let faults = DiskFaults { capacity: 6, ..DiskFaults::default() };
        let mut disk = Disk::new(faults, Seed::new(1).stream("disk"));
        disk.append("a", b"1234").unwrap();
        assert_eq!(disk.append("b", b"567"), Err(DiskFull { asked: 3, free: 2 }));
        assert_eq!(disk.replace("a", b"567"), Err(DiskFull { asked: 3, free: 2 }));
        assert_eq!((disk.read("a"), disk.read("b"), disk.used()), (&b"1234"[..], &b""[..], 4));
        disk.remove("a");
        assert_eq!(disk.names().count() as u64 + disk.used(), 0);
    }
}
