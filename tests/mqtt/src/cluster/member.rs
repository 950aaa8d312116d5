//! One process of a cluster, over all its starts.

use crate::Process;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process that is asked to stop may take.
const STOP: Duration = Duration::from_secs(15);

/// See the module's head.
pub struct Member {
    /// Its name.
    pub name: String,
    /// The port of its REST interface.
    pub port: u16,
    /// Where it keeps its state.
    pub data: PathBuf,
    directory: PathBuf,
    arguments: Vec<String>,
    starts: u32,
    process: Option<Process>,
    earlier: String,
}

impl Member {
    /// Starts it.
    pub fn start(directory: &Path, name: &str, port: u16, data: PathBuf, arguments: Vec<String>) -> Member {
        let mut member = Member {
            name: name.into(),
            port,
            data,
            directory: directory.into(),
            arguments,
            starts: 0,
            process: None,
            earlier: String::new(),
        };
        member.launch();
        member
    }

    /// Starts it again.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "{} is running", self.name);
        self.starts += 1;
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let files = format!("{}.{}", self.name, self.starts);
        self.process = Some(Process::rarog(&self.directory, &files, &arguments));
    }

    /// What it is started with.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Is it running, as far as was asked?
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.with(Process::kill);
        self.gone();
    }

    /// SIGTERM; waits until it has ended. Its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let status = self.with(|process| {
            process.signal("TERM");
            process.wait(STOP)
        });
        self.gone();
        status.code()
    }

    /// SIGSTOP.
    pub fn pause(&mut self) {
        self.with(|process| process.signal("STOP"));
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.with(|process| process.signal("CONT"));
    }

    /// Removes its state; it has to be down.
    pub fn wipe(&mut self) {
        assert!(self.process.is_none(), "{} is running", self.name);
        drop(std::fs::remove_dir_all(&self.data));
    }

    /// Waits until it has ended by itself; its exit code.
    pub fn wait(&mut self, timeout: Duration) -> Option<i32> {
        let status = self.with(|process| process.wait(timeout));
        self.gone();
        status.code()
    }

    /// What it has logged in all its lives.
    pub fn log(&self) -> String {
        let now = self.process.as_ref().map(|process| process.stdout() + &process.stderr());
        format!("{}{}", self.earlier, now.unwrap_or_default())
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Process) -> T) -> T {
        act(self.process.as_mut().unwrap_or_else(|| panic!("{} is not running", self.name)))
    }

    fn gone(&mut self) {
        self.earlier = self.log();
        self.process = None;
    }
}
