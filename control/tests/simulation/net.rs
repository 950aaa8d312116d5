//! The seams of a simulated host: turmoil's sockets and time, a disk that survives crashes, randomness from a seed.

use rarog_control::seams::memory::MemoryDisk;
use rarog_control::seams::{BoxStream, Clock, Entropy, Listener, Net, Pending, Seams};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use turmoil::net::{TcpListener, TcpStream};

/// The seams of a host, of which the disk and the state of its randomness outlive its crashes.
#[derive(Clone)]
pub struct Host {
    pub disk: Arc<MemoryDisk>,
    entropy: Arc<Seeded>,
}

impl Host {
    pub fn new(seed: u64) -> Host {
        Host { disk: Arc::default(), entropy: Arc::new(Seeded(AtomicU64::new(seed))) }
    }

    pub fn seams(&self) -> Seams {
        let (disk, entropy) = (self.disk.clone(), self.entropy.clone());
        Seams { net: Arc::new(SimulatedNet), disk, clock: Arc::new(SimulatedClock), entropy }
    }
}

struct SimulatedNet;

impl Net for SimulatedNet {
    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<BoxStream>> {
        Box::pin(async move { Ok(Box::new(TcpStream::connect(address).await?) as BoxStream) })
    }

    fn listen<'a>(&'a self, address: &'a str) -> Pending<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(Box::new(Acceptor(TcpListener::bind(address).await?)) as Box<dyn Listener>) })
    }
}

struct Acceptor(TcpListener);

impl Listener for Acceptor {
    fn accept(&mut self) -> Pending<'_, io::Result<(BoxStream, String)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as BoxStream, peer.to_string()))
        })
    }

    fn address(&self) -> io::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }
}

struct SimulatedClock;

impl Clock for SimulatedClock {
    fn now_ms(&self) -> u64 {
        turmoil::since_epoch().expect("hosts run in a simulation").as_millis() as u64
    }
}

/// SplitMix64.
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Seeded {
        Seeded(AtomicU64::new(seed))
    }

    pub fn below(&self, limit: u64) -> u64 {
        self.next_u64() % limit
    }
}

impl Entropy for Seeded {
    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
