//! Compiling a component: in a child process that can be killed, or in this one.
//!
//! A compiler is the largest piece of code that a stranger's bytes reach, and a component can be made so that compiling
//! it takes hours. The child has its own limits, no environment and nothing open but three pipes.

mod child;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::Engine;

use crate::abi::deserialize::Artefact;
use crate::engine::{Trust, validate};

pub use worker::compile_worker;

/// Where components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileIn {
    /// In a child process, which [`CompileLimits`] bound.
    Child {
        /// The program: one of this very build, since its output is run.
        program: PathBuf,
        /// Its arguments; it shall hand those that the engine adds behind them to [`compile_worker`].
        arguments: Vec<String>,
    },
    /// In this process, without limits: for components that the embedder trusts, and for tests.
    ThisProcess,
}

/// What compiling one component may take in a child process. Defaults are made for a Python component (18 MB of
/// WebAssembly), which takes 13 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time, all threads together, in whole seconds. Default: 120 s.
    pub cpu: Duration,
    /// Time by the wall, for a child that waits instead of working. Default: 10 min, for a machine that is busy.
    pub wall: Duration,
    /// Bytes of address space. Default: 4 GiB.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { cpu: Duration::from_secs(120), wall: Duration::from_secs(600), memory_bytes: 4 << 30 }
    }
}

/// Why a component could not be compiled.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It is not valid, or uses what is off.
    Refused(String),
    /// Compiling it took more than it may, or brought the compiler down.
    Stopped(String),
    /// The child could not be started or spoken with.
    Host(String),
}

/// Compiles a component for `engine`, which is one of that trust.
pub(crate) fn compile(
    place: &CompileIn,
    limits: &CompileLimits,
    trust: Trust,
    engine: &Engine,
    wasm: &[u8],
) -> Result<Artefact, Problem> {
    match place {
        CompileIn::ThisProcess => compile_here(engine, wasm).map_err(Problem::Refused),
        CompileIn::Child { program, arguments } => child::compile(program, arguments, limits, trust, wasm),
    }
}

/// Compiles a component in the process that calls; the error says what is wrong with the component.
fn compile_here(engine: &Engine, wasm: &[u8]) -> Result<Artefact, String> {
    validate(wasm)?;
    Artefact::compile(engine, wasm).map_err(|error| format!("{error:#}"))
}
