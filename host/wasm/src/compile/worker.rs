//! The child's side of compiling: limits itself, reads a component, writes compiled code, ends.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

use super::{CompileLimits, compile_here};
use crate::engine::{Trust, config};
use crate::inspect::COMPONENT_BYTES_MAX;

/// The exit code that says the component is at fault, and standard error has the reason.
pub(super) const REFUSED: u8 = 3;

/// The exit code that says something else is: the way it was started, or its pipes.
pub(super) const FAILED: u8 = 1;

/// The exit code of a child that notices by itself that it has no memory left; mostly that ends it in another way.
const OUT_OF_MEMORY: u8 = 4;

/// Files that the child may have open: the pipes, and some for the machine's own libraries.
const FILES_MAX: u64 = 16;

/// What an embedder's program does when it is started to compile: everything, from standard input to standard output.
/// `arguments` are those behind the embedder's own. Start nothing before it, least of all threads: it limits the process
/// that it is called in.
#[must_use]
pub fn compile_worker(arguments: &[String]) -> ExitCode {
    match work(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(reason)) => {
            tell(&reason);
            ExitCode::from(REFUSED)
        }
        Err(Failure::OutOfMemory) => {
            tell("out of memory");
            ExitCode::from(OUT_OF_MEMORY)
        }
        Err(Failure::Other(reason)) => {
            tell(&reason);
            ExitCode::from(FAILED)
        }
    }
}

/// The arguments that [`compile_worker`] understands.
pub(super) fn arguments(trust: Trust, limits: &CompileLimits) -> [String; 3] {
    [trust.as_str().to_owned(), limits.cpu.as_secs().max(1).to_string(), limits.memory_bytes.to_string()]
}

enum Failure {
    Refused(String),
    OutOfMemory,
    Other(String),
}

fn work(arguments: &[String]) -> Result<(), Failure> {
    let other = |what: &str, error: &dyn std::fmt::Display| Failure::Other(format!("{what}: {error}"));
    let (trust, limits) = parse(arguments).map_err(Failure::Other)?;
    limit(&limits).map_err(|error| other("cannot limit this process", &error))?;
    let mut wasm = Vec::new();
    let input = io::stdin().take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut wasm);
    input.map_err(|error| match error.kind() {
        io::ErrorKind::OutOfMemory => Failure::OutOfMemory,
        _ => other("cannot read the component", &error),
    })?;
    let engine = Engine::new(&config(trust, None)).map_err(|error| other("cannot start", &format!("{error:#}")))?;
    let artefact = compile_here(&engine, &wasm).map_err(Failure::Refused)?;
    let output = io::stdout().write_all(artefact.bytes()).and_then(|()| io::stdout().flush());
    output.map_err(|error| other("cannot write what was compiled", &error))
}

fn parse(arguments: &[String]) -> Result<(Trust, CompileLimits), String> {
    let wrong = || format!("expected TRUST CPU_S MEMORY_BYTES, got {arguments:?}: only the host itself starts this");
    let [trust, cpu_s, memory_bytes] = arguments else { return Err(wrong()) };
    let trust = [Trust::Untrusted, Trust::Trusted].into_iter().find(|known| known.as_str() == trust);
    let (cpu_s, memory_bytes) = (cpu_s.parse(), memory_bytes.parse());
    match (trust, cpu_s, memory_bytes) {
        (Some(trust), Ok(cpu_s), Ok(memory_bytes)) => {
            let cpu = Duration::from_secs(cpu_s);
            Ok((trust, CompileLimits { cpu, memory_bytes, ..CompileLimits::default() }))
        }
        _ => Err(wrong()),
    }
}

/// Bounds this process, before it has seen a byte of the component.
fn limit(limits: &CompileLimits) -> io::Result<()> {
    let cap = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    // Above the soft limit comes SIGXCPU, which ends the process and tells the parent why; SIGKILL a second later.
    let cpu_s = limits.cpu.as_secs();
    setrlimit(Resource::Cpu, Rlimit { current: Some(cpu_s), maximum: Some(cpu_s.saturating_add(1)) })?;
    cap(Resource::As, limits.memory_bytes)?;
    cap(Resource::Core, 0)?;
    cap(Resource::Fsize, 0)?;
    cap(Resource::Nofile, FILES_MAX)?;
    Ok(())
}

fn tell(reason: &str) {
    // Nobody listens when the parent is gone.
    let _ = writeln!(io::stderr(), "{reason}");
}
