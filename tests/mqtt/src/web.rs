//! The other side of HTTP, on plain sockets: a server that answers as it is told, and a client that posts.
//!
//! Invariant: a request is recorded before it is answered.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A request, or an answer.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// `POST /path HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first: String,
    /// `name:value` per line, names in lower case.
    pub headers: String,
    /// Its body.
    pub body: String,
}

impl Parcel {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Reads one from a connection; `None` at its end.
pub fn read(stream: &mut impl BufRead) -> Option<Parcel> {
    let (mut first, mut headers) = (String::new(), String::new());
    if stream.read_line(&mut first).ok()? == 0 {
        return None;
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push_str(&format!("{}:{}\n", name.to_ascii_lowercase(), value.trim()));
    }
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap_or(0))];
    stream.read_exact(&mut body).ok()?;
    Some(Parcel { first: first.trim().into(), headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// The status line of the answer to request number `n`, counted from 0.
type Answer = Box<dyn Fn(usize) -> &'static str + Send + Sync>;

struct Shared {
    answer: Answer,
    requests: Mutex<Vec<Parcel>>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Parcel>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that goes on until the test ends.
pub struct Web {
    shared: Arc<Shared>,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Web {
    /// Listens on a port, 0 for a free one.
    pub fn start(port: u16, answer: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> Web {
        Self::over(port, answer, |stream| Some(Box::new(stream)))
    }

    /// The same over TLS, with the certificate of the directory `tls`, which [`trusted`] vouches for.
    pub fn start_secure(port: u16, answer: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> Web {
        let config = tls();
        Self::over(port, answer, move |stream| {
            let connection = ServerConnection::new(config.clone()).ok()?;
            Some(Box::new(StreamOwned::new(connection, stream)))
        })
    }

    fn over(
        port: u16,
        answer: impl Fn(usize) -> &'static str + Send + Sync + 'static,
        begin: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + 'static,
    ) -> Web {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let (requests, arrived) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { answer: Box::new(answer), requests, arrived });
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(stream) = begin(stream) else { continue };
                let shared = of_thread.clone();
                thread::spawn(move || answer_all(&shared, stream));
            }
        });
        Web { shared, port }
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<Parcel> {
        self.shared.lock().clone()
    }

    /// Waits until `done` accepts the requests so far; panics if it does not in time.
    pub fn wait_until(&self, timeout: Duration, done: impl Fn(&[Parcel]) -> bool) {
        let deadline = Instant::now() + timeout;
        let mut requests = self.shared.lock();
        while !done(&requests) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} requests, the last {:?}", requests.len(), requests.last());
            requests = self.shared.arrived.wait_timeout(requests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A connection, with TLS or without.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// The certificate that vouches for those of our servers.
pub fn trusted() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tls/ca.pem")
}

fn tls() -> Arc<ServerConfig> {
    let directory = trusted();
    let directory = directory.parent().expect("it is in a directory");
    let chain = CertificateDer::pem_file_iter(directory.join("server.pem")).expect("it is there");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("it is a certificate");
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).expect("it is a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has them").with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key).expect("they belong together"))
}

fn answer_all(shared: &Shared, stream: Box<dyn Stream>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let number = {
            let mut requests = shared.lock();
            requests.push(request);
            requests.len() - 1
        };
        shared.arrived.notify_all();
        let answer = format!("HTTP/1.1 {}\r\ncontent-length: 0\r\n\r\n", (shared.answer)(number));
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Posts a body to 127.0.0.1; the answer comes over the connection that is given back.
pub fn post(port: u16, path: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).expect("it reads");
    BufReader::new(stream)
}
