//! The seams of a process: TCP, a folder, the system's clock and randomness.
//!
//! Invariant: a folder belongs to one process at a time; what a call has reported as durable is so after a power cut.

use super::{BoxStream, Clock, Disk, Entropy, Listener, Net, Pending, Seams};
use socket2::{SockRef, TcpKeepalive};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};

/// Silence after which a connection is probed, s.
const KEEPALIVE_S: u64 = 5;

/// Time after which a connection is given up when what was sent is not acknowledged, ms.
const USER_TIMEOUT_MS: u64 = 5_000;

/// Name of the file whose lock says that a folder is in use.
const LOCK: &str = "lock";

/// End of the names of files that are being written.
const UNFINISHED: &str = ".unfinished";

/// The seams of a process that keeps its state in this folder.
pub fn seams(folder: &Path) -> Result<Seams, OpenError> {
    Ok(Seams {
        net: Arc::new(TcpNet),
        disk: Arc::new(FolderDisk::open(folder)?),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    })
}

/// TCP.
pub struct TcpNet;

impl Net for TcpNet {
    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<BoxStream>> {
        Box::pin(async move { prepare(TcpStream::connect(address).await?) })
    }

    fn listen<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(TcpAcceptor(listener)) as Box<dyn Listener>)
        })
    }
}

/// A listening socket.
struct TcpAcceptor(TcpListener);

impl Listener for TcpAcceptor {
    fn accept(&mut self) -> Pending<'_, io::Result<(BoxStream, String)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((prepare(stream)?, peer.to_string()))
        })
    }

    fn address(&self) -> io::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }
}

/// Sets the options that all connections have.
fn prepare(stream: TcpStream) -> io::Result<BoxStream> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(KEEPALIVE_S));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(Duration::from_millis(USER_TIMEOUT_MS)))?;
    Ok(Box::new(stream))
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The system's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        getrandom::u64().expect("the system has a source of randomness")
    }
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the folder {folder} is in use by another process: stop that one, or give this one a folder of its own",
        folder = .0.display()
    )]
    InUse(PathBuf),
    /// It cannot be made or written.
    #[error("the folder {folder} cannot be used: {source}", folder = .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Options for files that only their owner may read: there are keys and passwords in them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A folder. See the module's head.
pub struct FolderDisk {
    folder: PathBuf,
    /// Files that are being appended to, by name.
    open: Mutex<BTreeMap<String, Arc<File>>>,
    /// Held for the lock alone.
    _lock: File,
}

impl FolderDisk {
    /// Takes a folder, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<FolderDisk, OpenError> {
        let failed = |source| OpenError::Io { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let disk = FolderDisk { folder: folder.to_owned(), open: Mutex::default(), _lock: lock };
        disk.sweep().map_err(failed)?;
        Ok(disk)
    }

    /// Removes what a process that was killed had not finished.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains(['/', '\\']) && !name.ends_with(UNFINISHED) && name != LOCK, "{name}");
        self.folder.join(name)
    }

    fn handles(&self) -> MutexGuard<'_, BTreeMap<String, Arc<File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that is open for appending.
    fn handle(&self, name: &str) -> io::Result<Arc<File>> {
        if let Some(file) = self.handles().get(name) {
            return Ok(file.clone());
        }
        let path = self.path(name);
        let is_new = !path.exists();
        let file = Arc::new(private().create(true).append(true).open(path)?);
        if is_new {
            self.sync_folder()?;
        }
        self.handles().insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn sync_folder(&self) -> io::Result<()> {
        // Folders cannot be opened as files everywhere; where they can, names are durable only after this.
        if cfg!(unix) { File::open(&self.folder)?.sync_all() } else { Ok(()) }
    }
}

impl Disk for FolderDisk {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (&*self.handle(name)?).write_all(bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.handle(name)?.sync_data()
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let file = self.handle(name)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let mut file = private().create(true).truncate(true).write(true).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // The old file must not be appended to any more.
        self.handles().remove(name);
        fs::rename(&unfinished, self.path(name))?;
        self.sync_folder()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.handles().remove(name);
        match fs::remove_file(self.path(name)) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && name != LOCK && !name.ends_with(UNFINISHED) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, gone when it ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!(
                "rarog-{name}-{}-{:x}",
                std::process::id(),
                SystemEntropy.next_u64()
            ));
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("the folder was made by the test");
        }
    }

    #[test]
    fn a_folder_keeps_what_was_written() {
        let folder = Folder::new("disk");
        let disk = FolderDisk::open(&folder.0).expect("a free folder");
        assert_eq!(disk.read("log").expect("readable"), None);
        disk.append("log", b"one").expect("writable");
        disk.append("log", b"two").expect("writable");
        disk.truncate("log", 4).expect("writable");
        disk.append("log", b"!").expect("writable");
        disk.sync("log").expect("writable");
        disk.replace("meta", b"m").expect("writable");
        disk.replace("log", b"new").expect("writable");
        disk.append("log", b"er").expect("writable");
        disk.remove("meta").expect("removable");
        disk.remove("meta").expect("removing what is not there is no error");
        drop(disk);
        let disk = FolderDisk::open(&folder.0).expect("a free folder");
        assert_eq!(disk.read("log").expect("readable").as_deref(), Some(&b"newer"[..]));
        assert_eq!(disk.list().expect("readable"), ["log"]);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("private");
        let disk = FolderDisk::open(&folder.0).expect("a free folder");
        disk.replace("meta", b"m").expect("writable");
        disk.append("log", b"l").expect("writable");
        for name in ["meta", "log"] {
            let metadata = fs::metadata(folder.0.join(name)).expect("it was just written");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_folder_has_one_owner_and_forgets_unfinished_files() {
        let folder = Folder::new("owner");
        let disk = FolderDisk::open(&folder.0).expect("a free folder");
        let refused = FolderDisk::open(&folder.0).err().expect("it is taken");
        assert!(refused.to_string().contains(&folder.0.display().to_string()), "{refused}");
        assert!(matches!(refused, OpenError::InUse(_)));
        fs::write(folder.0.join("meta.unfinished"), "x").expect("writable");
        drop(disk);
        let disk = FolderDisk::open(&folder.0).expect("the owner is gone");
        assert!(disk.list().expect("readable").is_empty());
        assert!(!folder.0.join("meta.unfinished").exists());
    }
}
