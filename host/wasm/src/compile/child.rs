//! The parent's side of compiling: starts the child, feeds it, bounds it, takes what it made.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::worker::{FAILED, REFUSED, arguments};
use super::{CompileLimits, Problem};
use crate::abi::deserialize::Artefact;
use crate::cache::ARTEFACT_BYTES_MAX;
use crate::engine::Trust;
use crate::text::visible;

/// What is kept of the child's standard error, in bytes; the rest is read and forgotten.
const STDERR_BYTES_MAX: u64 = 16 << 10;

/// What is shown of it, in bytes.
const REASON_BYTES_MAX: usize = 2 << 10;

/// Compiles a component in a child process of `program`.
pub(super) fn compile(
    program: &Path,
    own_arguments: &[String],
    limits: &CompileLimits,
    trust: Trust,
    wasm: &[u8],
) -> Result<Artefact, Problem> {
    let mut child = Command::new(program)
        .args(own_arguments)
        .args(arguments(trust, limits))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| host(&format!("{} cannot be started to compile a plugin", program.display()), &error))?;
    let ended = converse(&mut child, limits, wasm);
    // Reaps the child, which has ended, or could not be waited for and is killed here.
    let _ = child.kill();
    let status = child.wait().map_err(|error| host("the compiler", &error))?;
    let ended = ended.map_err(|error| host("the compiler", &error))?;
    judge(ended, status, limits)
}

/// What came of a child by its end.
struct Ended {
    output: Vec<u8>,
    stderr: String,
    timed_out: bool,
}

/// Feeds the child and takes its output until it has ended, one way or another. Does not reap it, so that until this
/// returns its process id cannot come to mean another process.
fn converse(child: &mut Child, limits: &CompileLimits, wasm: &[u8]) -> io::Result<Ended> {
    let pid = Pid::from_child(child);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(mut stderr)) = pipes else {
        return Err(io::Error::other("a pipe is missing"));
    };
    thread::scope(|scope| {
        // A child that ends early closes its end; why it did is told by its status.
        scope.spawn(move || stdin.write_all(wasm));
        let output = scope.spawn(move || {
            let mut output = Vec::new();
            let taken = stdout.take(ARTEFACT_BYTES_MAX + 1).read_to_end(&mut output);
            if taken.is_err() || output.len() as u64 > ARTEFACT_BYTES_MAX {
                let _ = kill_process(pid, Signal::KILL);
            }
            output
        });
        let stderr = scope.spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.by_ref().take(STDERR_BYTES_MAX).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
            text
        });
        let (ended, watched) = mpsc::channel::<()>();
        let watchdog = scope.spawn(move || {
            let timed_out = watched.recv_timeout(limits.wall) == Err(mpsc::RecvTimeoutError::Timeout);
            if timed_out {
                let _ = kill_process(pid, Signal::KILL);
            }
            timed_out
        });
        let waited = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        if waited.is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
        drop(ended);
        let joined = |_| io::Error::other("a thread that served it panicked");
        let (output, stderr) = (output.join().map_err(joined)?, stderr.join().map_err(joined)?);
        let timed_out = watchdog.join().map_err(joined)?;
        waited?;
        Ok(Ended { output, stderr: visible(String::from_utf8_lossy(&stderr).trim_end(), REASON_BYTES_MAX), timed_out })
    })
}

#[expect(unsafe_code, reason = "what the child wrote becomes code")]
fn judge(ended: Ended, status: ExitStatus, limits: &CompileLimits) -> Result<Artefact, Problem> {
    let stopped = |reason: String| Err(Problem::Stopped(format!("compiling it {reason}")));
    let Ended { output, stderr, timed_out } = ended;
    if timed_out {
        return stopped(format!("took more than {} s, and was stopped", limits.wall.as_secs_f64()));
    }
    if output.len() as u64 > ARTEFACT_BYTES_MAX {
        return stopped(format!("gave more than {ARTEFACT_BYTES_MAX} bytes of code, and was stopped"));
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return stopped(format!("used more than {} s of processor time, and was stopped", limits.cpu.as_secs()));
    }
    match status.code() {
        // SAFETY: the bytes are what `Artefact::compile` gave in the child: `compile_worker` writes that and nothing else to
        // standard output, and exits with 0 only when all of it was written. The child is a program that the embedder
        // chose, by path and as one of this very build, and not the plugin or anybody who sent it; between it and us is
        // a pipe that no other process has an end of. So nobody else can have made these bytes, and they are trusted
        // exactly as far as what the same compiler would have made in this process. That it is the same compiler, with
        // the same settings, is checked when they are loaded.
        Some(0) => Ok(unsafe { Artefact::from_bytes(output) }),
        Some(code) if code == i32::from(REFUSED) => Err(Problem::Refused(stderr)),
        Some(code) if code == i32::from(FAILED) => Err(Problem::Host(format!("the compiler: {stderr}"))),
        // A panic, an allocation that failed, a signal: whatever it was, it came of compiling this component.
        _ => stopped(format!(
            "brought the compiler down ({status}; it may use {} MiB of memory and {} s of processor time) {stderr}",
            limits.memory_bytes >> 20,
            limits.cpu.as_secs(),
        )),
    }
}

fn host(what: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::Host(format!("{what}: {error}"))
}
