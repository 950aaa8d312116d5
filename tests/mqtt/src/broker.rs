//! A mosquitto of our own on a free loopback port, with a configuration and a directory that go when it goes.
//!
//! Invariant: only the process that was started here is ever signalled.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a broker may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it does.
const POLL: Duration = Duration::from_millis(5);

/// What differs between brokers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `max_inflight_messages`: its Receive Maximum, and how many it sends on 3.1.1; 0 is without limit.
    pub max_inflight: u32,
    /// Further lines of the configuration.
    pub lines: Vec<String>,
    /// User and password that it asks for; none: everybody may connect.
    pub user: Option<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_inflight: 20, lines: Vec::new(), user: None }
    }
}

/// A running broker.
pub struct Broker {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// Starts a broker with persistence and unbounded queues.
    pub fn start() -> Broker {
        Self::with(&Settings::default())
    }

    /// Starts a broker with these settings.
    pub fn with(settings: &Settings) -> Broker {
        let directory = fresh_directory();
        let port = free_port();
        let mut lines = vec![
            format!("listener {port} 127.0.0.1"),
            "persistence true".into(),
            format!("persistence_location {}/", directory.display()),
            "max_queued_messages 0".into(),
            format!("max_inflight_messages {}", settings.max_inflight),
            "user root".into(),
            "set_tcp_nodelay true".into(),
            format!("log_dest file {}/log", directory.display()),
            "log_type error".into(),
            "log_type warning".into(),
            "log_type notice".into(),
        ];
        match &settings.user {
            None => lines.push("allow_anonymous true".into()),
            Some((user, password)) => {
                let file = password_file(&directory, user, password);
                lines.push(format!("password_file {}", file.display()));
            }
        }
        lines.extend(settings.lines.iter().cloned());
        fs::write(directory.join("conf"), lines.join("\n") + "\n").expect("the temporary directory is writable");
        let mut broker = Broker { directory, port, child: None };
        broker.launch();
        broker
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address as a URL for the C client.
    pub fn uri(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// A directory that goes with the broker.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Ends it with SIGTERM, so that it saves its sessions, and waits for that.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().expect("our own child can be waited for").is_none() {
            if Instant::now() > deadline {
                child.kill().expect("our own child can be killed");
            }
            thread::sleep(POLL);
        }
    }

    /// Starts it again after [`Broker::stop`], on the same port with what it saved.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it is running");
        let child = tool("mosquitto")
            .arg("-c")
            .arg(self.directory.join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start mosquitto (is it installed?): {error}"));
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not listen:\n{}", self.log());
            thread::sleep(POLL);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// Sends a signal by its name to a process that the caller has started.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()), "cannot send {name} to {pid}");
}

/// A new directory below the temporary one.
pub fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("rarog-mqtt-{}-{number}", std::process::id()));
    // Left by a process that had this id before.
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    directory
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let port = || -> io::Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
    port().expect("loopback has free ports")
}

/// A program of the broker's package, which some systems keep where only root looks.
fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin"));
    command
}

fn password_file(directory: &Path, user: &str, password: &str) -> PathBuf {
    let file = directory.join("passwords");
    let made = tool("mosquitto_passwd").arg("-b").arg("-c").arg(&file).arg(user).arg(password).status();
    assert!(made.is_ok_and(|status| status.success()), "mosquitto_passwd failed");
    file
}
