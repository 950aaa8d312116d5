//! The outside world: sockets, disks, clocks, randomness. All that the control plane uses of them goes through here.
//!
//! A process has the real ones; a simulation puts in its own, and the very same code runs in it. Monotonic time is
//! `tokio::time`, which a simulation controls as well. Invariant: beside the implementations of these traits nothing in the crate opens a
//! socket or a file, asks for the time of day, or draws a random number.

pub mod memory;
pub mod real;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// A future without a name.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection.
pub type BoxStream = Box<dyn Stream>;

/// Takes connections.
pub trait Listener: Send {
    /// The next connection, and where it comes from.
    fn accept(&mut self) -> Pending<'_, io::Result<(BoxStream, String)>>;
    /// Where it listens: `host:port`.
    fn address(&self) -> io::Result<String>;
}

/// Sockets.
pub trait Net: Send + Sync {
    /// Connects to `host:port`; no delay, keep-alive on.
    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<BoxStream>>;
    /// Listens on `host:port`; port 0: any.
    fn listen<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<Box<dyn Listener>>>;
}

/// The time of day.
pub trait Clock: Send + Sync {
    /// Unix time, ms.
    fn now_ms(&self) -> u64;
}

/// Randomness.
pub trait Entropy: Send + Sync {
    /// 64 random bits.
    fn next_u64(&self) -> u64;
}

/// Files of one folder. All calls block and are durable when they return, except where it says otherwise.
pub trait Disk: Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> String;
    /// The whole content; `None`: there is no such file.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    /// Adds bytes at the end of a file, which is made if it is missing. Durable after [`Disk::sync`].
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Cuts a file to this length.
    fn truncate(&self, name: &str, length: u64) -> io::Result<()>;
    /// Puts a file in place of another one, at once and as a whole.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file; one that is missing is no error.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
}

/// All of them.
#[derive(Clone)]
pub struct Seams {
    /// Sockets.
    pub net: Arc<dyn Net>,
    /// The folder of this process's state.
    pub disk: Arc<dyn Disk>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}
