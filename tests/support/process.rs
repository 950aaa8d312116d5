//! Runs the binary and waits for it, but not for ever: a hang is a failure that names itself.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A run takes milliseconds; this is for a machine that is busy with other things.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `rarog` with these arguments in a folder and this on its standard input.
pub fn rarog(folder: &Path, args: &[String], stdin: Vec<u8>) -> Result<Finished, String> {
    let mut child = start(folder, args)?;
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // A process that does not read its input closes the pipe, which is no failure.
    thread::spawn(move || drop(pipe.write_all(&stdin)));
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    finish(child, &args.join(" "), &stdout, &stderr)
}

/// Starts `rarog` with all three standard streams piped.
pub fn start(folder: &Path, args: &[String]) -> Result<Child, String> {
    Command::new(env!("CARGO_BIN_EXE_rarog"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", env!("CARGO_BIN_EXE_rarog")))
}

/// Waits for the end of a process whose streams are being drained.
pub fn finish(
    mut child: Child,
    what: &str,
    stdout: &Receiver<Vec<u8>>,
    stderr: &Receiver<Vec<u8>>,
) -> Result<Finished, String> {
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(LIMIT), stderr.recv_timeout(LIMIT)) else {
        // It may have ended on its own by now; either way it is waited for.
        drop(child.kill());
        drop(child.wait());
        return Err(format!("rarog {what} did not end within {LIMIT:?}"));
    };
    let status = child.wait().map_err(|error| format!("cannot wait for rarog: {error}"))?;
    Ok(Finished { code: status.code(), stdout: utf8(stdout)?, stderr: utf8(stderr)? })
}

/// Reads a stream to its end in a thread of its own.
pub fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(pipe.read_to_end(&mut bytes));
        send.send(bytes)
    });
    receive
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| format!("rarog wrote what is not UTF-8: {error}"))
}
