//! WASI 0.2 for components that toolchains fill with it: the host's own, and inert.
//!
//! A language's runtime asks for clocks, chance, standard streams and files before its first line runs, whether or not
//! the operator needs any. It gets answers that are harmless and the same on every run: an empty environment, no files,
//! standard input at its end, output as lines of the log, time and chance as the contract's own `clock` and `random`
//! have them. There are no sockets and no HTTP: a component that imports those is not loaded.
//!
//! All of it may be called at any time, in `describe` and `open` too, where the contract's own `clock` and `random` may
//! not: there time stands at 1970 and chance has one seed, so that `open` stays pure.

mod cli;
mod clocks;
mod filesystem;
mod io;
mod lines;
mod random;

use std::collections::BTreeMap;

use wasmtime::component::{Linker, LinkerInstance, Resource};

use self::lines::Lines;
use super::log::write_line;
use super::random::Random;
use crate::contract::Level;
use crate::store::{HostState, Phase};

/// The version whose names the host's functions bear. Wasmtime links any 0.2 to it.
const VERSION: &str = "0.2.12";

/// The minor version, of which any patch will do.
const MINOR: &str = "0.2.";

/// The interfaces that are linked.
const INTERFACES: [&str; 20] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
];

/// Handles to the host's resources (streams, pollables) that one instance may hold at a time.
const HANDLES_MAX: usize = 1_024;

/// Whether an import is one of these interfaces; the error says why not. `None` when it is not WASI at all.
pub(crate) fn check(import: &str) -> Option<Result<(), String>> {
    import.starts_with("wasi:").then(|| {
        let (name, version) = import.split_once('@').unwrap_or((import, ""));
        if !INTERFACES.contains(&name) {
            return Err(format!(
                "it imports {import}, which is not granted: plugins reach neither network nor disk. Of WASI 0.2 they may \
                 import io, clocks, random, cli and filesystem, which do nothing; toolchains leave WASI out with a \
                 switch (componentize-py, componentize-qjs: --stub-wasi)"
            ));
        }
        let patch = version.strip_prefix(MINOR).and_then(|patch| patch.parse::<u32>().ok());
        patch.map(drop).ok_or_else(|| format!("it imports {import}; this host has WASI {MINOR}x"))
    })
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    io::link(linker)?;
    clocks::link(linker)?;
    random::link(linker)?;
    cli::link(linker)?;
    filesystem::link(linker)
}

fn interface<'a>(linker: &'a mut Linker<HostState>, name: &str) -> wasmtime::Result<LinkerInstance<'a, HostState>> {
    linker.instance(&format!("wasi:{name}@{VERSION}"))
}

/// What the host keeps for the WASI of one instance.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    stdout: Lines,
    stderr: Lines,
    /// The last reading of the monotonic clock.
    monotonic_ns: u64,
    /// When each pollable that lives is ready.
    pollables: BTreeMap<u32, u64>,
    pollable_next: u32,
    /// The chance of `describe` and `open`: from no seed, so the same in every instance and on every machine.
    binding_random: Random,
    handles: usize,
}

impl Wasi {
    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.binding_random.begin(0);
    }

    /// Room for one more handle.
    fn admit_handle(&mut self) -> wasmtime::Result<()> {
        if self.handles >= HANDLES_MAX {
            return Err(TooManyHandles.into());
        }
        self.handles += 1;
        Ok(())
    }

    fn new_pollable(&mut self, ready_at_ns: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.admit_handle()?;
        // Numbers come round only after 2^32 pollables, and at most `HANDLES_MAX` of them live.
        while self.pollables.contains_key(&self.pollable_next) {
            self.pollable_next = self.pollable_next.wrapping_add(1);
        }
        let id = self.pollable_next;
        self.pollable_next = id.wrapping_add(1);
        self.pollables.insert(id, ready_at_ns);
        Ok(Resource::new_own(id))
    }
}

/// The call is over: what standard output and error hold without an end of line is a line too.
pub(crate) fn end_call(state: &mut HostState) {
    for (level, line) in [(OUT_LEVEL, state.wasi.stdout.take_rest()), (ERROR_LEVEL, state.wasi.stderr.take_rest())] {
        if let Some(line) = line {
            write_line(state, level, &line);
        }
    }
}

/// How standard output appears in the log.
const OUT_LEVEL: Level = Level::Info;

/// How standard error does: what an interpreter writes there before it gives up explains the trap that follows.
const ERROR_LEVEL: Level = Level::Error;

/// The contract's time, or 1970 where the contract has none.
fn wall_ms(state: &mut HostState) -> u64 {
    if state.phase == Phase::Binding {
        return 0;
    }
    *state.now_ms.get_or_insert_with(|| state.clock.now_ms())
}

/// A resource of `wasi:io/error`. None is ever made: streams only end.
enum IoError {}
/// A resource of `wasi:io/poll`.
enum Pollable {}
/// A resource of `wasi:io/streams`: standard input, which is at its end.
enum InputStream {}
/// A resource of `wasi:io/streams`: standard output or error, by the numbers that Unix has for them.
enum OutputStream {}

/// An instance asked for one handle too many.
#[derive(Debug, thiserror::Error)]
#[error("it holds {HANDLES_MAX} handles to the host's resources and asked for another")]
pub(crate) struct TooManyHandles;

/// An instance called `exit`.
#[derive(Debug, thiserror::Error)]
#[error("it called `exit` with status {0}; an operator answers or fails, but does not end")]
pub(crate) struct Exited(u8);

/// An instance broke a rule of WASI's own, whose answer is a trap.
#[derive(Debug, thiserror::Error)]
#[error("`{function}`: {problem}")]
pub(crate) struct Misused {
    function: &'static str,
    problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_granted_by_name_and_minor_version() {
        let told = |import| check(import).expect("it is WASI");
        for import in ["wasi:io/streams@0.2.0", "wasi:cli/exit@0.2.12", "wasi:filesystem/types@0.2.99"] {
            assert_eq!(told(import), Ok(()));
        }
        for import in [
            "wasi:sockets/tcp@0.2.9",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:clocks/timezone@0.2.0",
            "wasi:io/streams@0.3.0",
            "wasi:io/streams@0.2.0-rc-2023-11-10",
            "wasi:io/streams",
        ] {
            let problem = told(import).expect_err(import);
            assert!(problem.contains(import), "{problem}");
        }
        assert_eq!(check("volley:operator/log@0.1.0"), None);
    }

    #[test]
    fn handles_are_bounded_and_come_back() {
        let mut wasi = Wasi::default();
        for _ in 0..HANDLES_MAX {
            wasi.new_pollable(0).expect("room");
        }
        assert!(wasi.new_pollable(0).is_err());
        io::drop_pollable(&mut wasi, 7);
        let again = wasi.new_pollable(5).expect("room again");
        assert_eq!(wasi.pollables[&again.rep()], 5);
        assert_eq!(wasi.pollables.len(), HANDLES_MAX);
    }
}
