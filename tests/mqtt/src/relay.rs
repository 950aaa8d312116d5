//! A relay before a broker that may go away: it takes leave of its client in order, which a broker that is killed does not.
//!
//! The C client frees a message twice when the write of it fails (eclipse-paho/paho.mqtt.c#1622). So the client is told by the end of the
//! stream that the broker is gone, and what it writes until it has seen that is taken and thrown away.
//!
//! Invariant: a write of the client never fails before the client has seen the end of the stream.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A listener of its own for one client of a broker.
pub struct Relay {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
}

impl Relay {
    /// Listens for the client of this broker, `tcp://host:port`.
    pub fn to(uri: &str) -> Relay {
        let broker: Arc<str> = uri.rsplit('/').next().unwrap_or(uri).into();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let closing = Arc::new(AtomicBool::new(false));
        let is_closing = closing.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_closing.load(Ordering::SeqCst) {
                    return;
                }
                let broker = broker.clone();
                thread::spawn(move || relay(client, &broker));
            }
        });
        Relay { address, closing }
    }

    /// Where the client is to connect.
    pub fn uri(&self) -> String {
        format!("tcp://{}", self.address)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn relay(client: TcpStream, broker: &str) {
    let both = || Some((client.try_clone().ok()?, TcpStream::connect(broker).ok()?));
    let Some((from_client, to_broker)) = both() else { return part(client) };
    let Ok(from_broker) = to_broker.try_clone() else { return part(client) };
    for stream in [&from_client, &to_broker] {
        stream.set_nodelay(true).expect("the socket is open");
    }
    let up = thread::spawn(move || {
        copy(from_client, &to_broker);
        // Nothing more comes from the client.
        drop(to_broker.shutdown(Shutdown::Write));
    });
    copy(from_broker, &client);
    part(client);
    up.join().expect("copying does not panic");
}

/// Tells the client that this is the end, and takes what it writes until it is gone.
fn part(mut client: TcpStream) {
    drop(client.shutdown(Shutdown::Write));
    let mut buffer = [0; 4096];
    while client.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

/// Copies until the source ends; what cannot be written is thrown away.
fn copy(mut from: TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    let mut is_open = true;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        is_open = is_open && to.write_all(&buffer[..read]).is_ok();
    }
}
