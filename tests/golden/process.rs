//! Runs the binary and waits for it, but not for ever: a hang is a failure that names itself.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A case takes milliseconds; this is for a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(60);

/// What a process left behind.
pub struct Finished {
    /// Its exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `rarog` with these arguments in a folder.
pub fn rarog(folder: &Path, args: &[String]) -> Result<Finished, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rarog"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", env!("CARGO_BIN_EXE_rarog")))?;
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let Ok(stdout) = stdout.recv_timeout(LIMIT) else {
        // It may have ended on its own by now; either way it is waited for below.
        drop(child.kill());
        drop(child.wait());
        return Err(format!("rarog {} did not end within {LIMIT:?}", args.join(" ")));
    };
    let stderr = stderr.recv_timeout(LIMIT).map_err(|_| "stderr stays open though stdout has ended".to_string())?;
    let status = child.wait().map_err(|error| format!("cannot wait for rarog: {error}"))?;
    Ok(Finished { code: status.code(), stdout: utf8(stdout)?, stderr: utf8(stderr)? })
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| format!("rarog wrote what is not UTF-8: {error}"))
}

fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(pipe.read_to_end(&mut bytes));
        send.send(bytes)
    });
    receive
}
