//! A run of the `rarog` binary, with what it wrote and how it ended.
//!
//! Invariant: the process does not outlive its value.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::broker::signal;

/// How often it is looked whether something has happened.
const POLL: Duration = Duration::from_millis(5);

/// A running `rarog`.
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `rarog` with these arguments; its output goes to files in `directory` that begin with `name`.
    pub fn rarog(directory: &Path, name: &str, arguments: &[&str]) -> Process {
        Self::rarog_with(directory, name, arguments, &[])
    }

    /// The same with these variables of its environment.
    pub fn rarog_with(directory: &Path, name: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Process {
        let (stdout, stderr) = (directory.join(format!("{name}.out")), directory.join(format!("{name}.err")));
        let file = |path: &Path| File::create(path).expect("the temporary directory is writable");
        let child = Command::new(binary())
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&stderr))
            .spawn()
            .expect("the binary can be started");
        Process { child, stdout, stderr }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits for its end; panics if it does not come in time.
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "rarog is still running after {timeout:?}:\n{}", self.stderr());
            thread::sleep(POLL);
        }
    }

    /// Waits until standard error contains `text`; panics if it does not in time, or if the process ends before.
    pub fn wait_for_stderr(&mut self, text: &str, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while !self.stderr().contains(text) {
            let ended = self.child.try_wait().expect("our own child can be waited for");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "no `{text}` from rarog ({ended:?}):\n{}", self.stderr());
            thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary beside this program: `RAROG_BIN`, else the one in the same build directory.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RAROG_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a program knows its own path");
    // Tests lie in <profile>/deps, programs in <profile>.
    let beside = own.ancestors().skip(1).take(2).map(|directory| directory.join("rarog"));
    let found = beside.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no rarog beside {}: build it with `cargo build`", own.display()))
}
