//! What is told of a trap: who, where, why, and what to do next.

use std::fmt::{self, Write as _};

use wasmtime::WasmBacktrace;

use crate::held::Diverged;
use crate::imports::wasi::{Exited, TooManyHandles};
use crate::limits::{DeadlineExceeded, TransferExceeded};
use crate::plugin::Who;
use crate::store::{HostState, NotNow, Phase};
use crate::text::{CHARACTER_BYTES_MAX, cut, visible};
use crate::violation::Violation;

/// Frames that the message names.
const FRAMES_SHOWN_MAX: usize = 6;

/// The longest name of a function in the message, in bytes.
const FUNCTION_BYTES_MAX: usize = 160;

/// The longest mangled name that is read, in bytes; a longer one is shown as it is. Generic code comes to some hundreds.
const MANGLED_BYTES_MAX: usize = 4 << 10;

/// Why a guest was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrapReason {
    /// It reached `unreachable`: with Rust, a panic or an abort.
    Unreachable,
    /// It read or wrote outside its memory or a table.
    OutOfBounds,
    /// It called itself too deep.
    StackOverflow,
    /// The call took more CPU time than `limits.deadline` (or, in `open`, the open deadline). In words.
    Deadline(String),
    /// It asked for more memory than `limits.memory` and did not get over the refusal.
    Memory {
        /// Bytes that it would have had.
        wanted_bytes: usize,
        /// Bytes that it may have.
        limit_bytes: usize,
    },
    /// It asked for a larger table than it may have and did not get over the refusal.
    Table {
        /// Elements that the table would have had.
        wanted_elements: usize,
        /// Elements that it may have.
        limit_elements: usize,
    },
    /// All plugins of the host together have as much as they may. In words.
    HostBudget(String),
    /// The call handed over more bytes than it may. In words.
    Transfer(String),
    /// It divided by zero or converted a number that does not fit.
    Arithmetic(String),
    /// It called an import at a time when the contract forbids it.
    Contract(String),
    /// It called `exit`. In words.
    Exit(String),
    /// It asked for more handles to the host's resources than it may have. In words.
    Handles(String),
    /// A call that was made again asked the host for something else than it did. In words.
    Diverged(String),
    /// Anything else, in wasmtime's words.
    Other(String),
}

impl TrapReason {
    /// Under what it is counted.
    #[must_use]
    pub fn violation(&self) -> Violation {
        match self {
            Self::Unreachable => Violation::Unreachable,
            Self::OutOfBounds => Violation::OutOfBounds,
            Self::StackOverflow => Violation::StackOverflow,
            Self::Deadline(_) => Violation::Deadline,
            Self::Memory { .. } => Violation::Memory,
            Self::Table { .. } => Violation::Table,
            Self::HostBudget(_) => Violation::HostBudget,
            Self::Transfer(_) => Violation::TransferBytes,
            Self::Arithmetic(_) => Violation::Arithmetic,
            Self::Contract(_) => Violation::ImportNotAllowed,
            Self::Exit(_) => Violation::Exit,
            Self::Handles(_) => Violation::Handles,
            Self::Diverged(_) => Violation::Diverged,
            Self::Other(_) => Violation::OtherTrap,
        }
    }
}

impl fmt::Display for TrapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("it panicked or aborted (`unreachable`)"),
            Self::OutOfBounds => f.write_str("it reached outside its memory"),
            Self::StackOverflow => f.write_str("it ran out of stack: calls nested too deep"),
            Self::Deadline(words) => write!(f, "deadline exceeded: it {words}"),
            Self::Memory { wanted_bytes, limit_bytes } => {
                write!(
                    f,
                    "memory limit reached: it asked for {wanted_bytes} bytes; `limits.memory` is {limit_bytes} (--memory)"
                )
            }
            Self::Table { wanted_elements, limit_elements } => write!(
                f,
                "table limit reached: it asked for {wanted_elements} elements; `limits.table_elements` is {limit_elements}"
            ),
            Self::HostBudget(words) => write!(f, "the host's budget for all plugins is used up: {words}"),
            Self::Transfer(words)
            | Self::Arithmetic(words)
            | Self::Contract(words)
            | Self::Exit(words)
            | Self::Handles(words)
            | Self::Diverged(words)
            | Self::Other(words) => f.write_str(words),
        }
    }
}

/// One function on the guest's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapFrame {
    /// The function's name as its source has it, cut, if the component still has names.
    pub function: Option<String>,
    /// Index of the function in its core module: the same in a stripped and an unstripped build.
    pub function_index: u32,
    /// Where in the code: **bytes from the start of the component file**, that is of the very file whose SHA-256 is the
    /// plugin's digest, not of the core module inside it. A tool that has DWARF of the core module subtracts the start
    /// of that module in the component and then the start of the contents of the module's code section. It is the
    /// instruction that trapped, or the call under way; a trap in the very first instruction of a function may show the
    /// start of its body.
    pub code_offset: Option<usize>,
}

/// A trap of a plugin. Its text has the code offset as `code offset 0x1a2b`, in lower-case hexadecimal, with the meaning
/// of [`TrapFrame::code_offset`]; `volley plugin where FILE 0x1a2b` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The node, when the plugin was running in a job.
    pub operator: Option<String>,
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component, in full.
    pub digest: String,
    /// The file of the component, as it was given.
    pub file: Option<String>,
    /// The export that was called; `instantiate` for start functions.
    pub function: String,
    /// Whether a batch was being processed: then single rows may be to blame.
    pub in_batch: bool,
    /// Why.
    pub reason: TrapReason,
    /// The last line of level error that the call logged: SDKs log a panic there, with file and line.
    pub last_error: Option<String>,
    /// The one row that makes it trap, where it was found: its place and its values.
    pub row: Option<String>,
    /// The guest's stack, innermost first.
    pub frames: Vec<TrapFrame>,
}

impl Trap {
    /// Explains an error of wasmtime that came out of a call, with what the store knows besides.
    pub(crate) fn explain(error: &wasmtime::Error, function: &str, who: &Who, state: &mut HostState) -> Self {
        let frames = error.downcast_ref::<WasmBacktrace>().map_or(Vec::new(), |trace| {
            let frame = |frame: &wasmtime::FrameInfo| TrapFrame {
                function: frame.func_name().map(readable),
                function_index: frame.func_index(),
                code_offset: frame.module_offset(),
            };
            trace.frames().iter().map(frame).collect()
        });
        Self {
            operator: state.log.operator_in_job(),
            plugin: who.name.clone(),
            digest: who.digest.clone(),
            file: who.file.clone(),
            function: function.to_owned(),
            in_batch: state.phase == Phase::Batch,
            reason: reason(error, state),
            last_error: state.log.take_last_error(),
            row: None,
            frames,
        }
    }

    /// The frame to look at first: the innermost that is not part of a language's own library.
    ///
    /// Where some functions have names, those without are libraries': `volley plugin build` leaves the names of the
    /// author's functions alone in a component.
    #[must_use]
    pub fn blamed_frame(&self) -> Option<&TrapFrame> {
        let authors = |frame: &&TrapFrame| frame.function.as_deref().is_some_and(|name| !is_library(name));
        let nameless = |frame: &&TrapFrame| frame.function.is_none();
        self.frames.iter().find(authors).or(self.frames.iter().find(nameless)).or(self.frames.first())
    }
}

fn reason(error: &wasmtime::Error, state: &HostState) -> TrapReason {
    use wasmtime::Trap as T;
    if let Some(exceeded) = error.downcast_ref::<DeadlineExceeded>() {
        return TrapReason::Deadline(exceeded.to_string());
    }
    if let Some(not_now) = error.downcast_ref::<NotNow>() {
        return TrapReason::Contract(not_now.to_string());
    }
    if let Some(exited) = error.downcast_ref::<Exited>() {
        return TrapReason::Exit(exited.to_string());
    }
    if let Some(too_many) = error.downcast_ref::<TooManyHandles>() {
        return TrapReason::Handles(too_many.to_string());
    }
    if let Some(diverged) = error.downcast_ref::<Diverged>() {
        return TrapReason::Diverged(diverged.to_string());
    }
    if let Some(refused) = state.limiter.refused.clone() {
        return refused;
    }
    if let Some(exceeded) = error.downcast_ref::<TransferExceeded>() {
        return TrapReason::Transfer(exceeded.to_string());
    }
    // The type of wasmtime's own error for its budget of lists and strings is private.
    if error.root_cause().to_string().starts_with("too much data is being copied") {
        let limit = state.lift_bytes_max;
        return TrapReason::Transfer(format!(
            "it gave back more than {limit} bytes (`limits.output`, `limits.transfer`)"
        ));
    }
    match error.downcast_ref::<T>() {
        Some(T::UnreachableCodeReached) => TrapReason::Unreachable,
        Some(T::MemoryOutOfBounds | T::TableOutOfBounds | T::StringOutOfBounds | T::ListOutOfBounds) => {
            TrapReason::OutOfBounds
        }
        Some(T::StackOverflow) => TrapReason::StackOverflow,
        Some(trap @ (T::IntegerOverflow | T::IntegerDivisionByZero | T::BadConversionToInteger)) => {
            TrapReason::Arithmetic(trap.to_string())
        }
        Some(trap) => TrapReason::Other(trap.to_string()),
        None => TrapReason::Other(visible(&error.root_cause().to_string(), 1 << 10)),
    }
}

/// A function's name from the component, demangled when it is one of Rust's, fit for a message.
fn readable(name: &str) -> String {
    if name.len() > MANGLED_BYTES_MAX {
        return visible(name, FUNCTION_BYTES_MAX);
    }
    // One character more than is shown tells that there is more.
    let mut room = Room { text: String::new(), bytes_max: FUNCTION_BYTES_MAX + CHARACTER_BYTES_MAX };
    // The only error is that the room is full.
    let _ = write!(room, "{:#}", rustc_demangle::demangle(name));
    visible(&room.text, FUNCTION_BYTES_MAX)
}

/// Takes as much text as there is room: a short mangled name can stand for a text without end.
struct Room {
    text: String,
    bytes_max: usize,
}

impl fmt::Write for Room {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let fits = cut(part, self.bytes_max - self.text.len());
        self.text.push_str(fits);
        if fits.len() < part.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Functions of Rust's own library and allocator, which are where a panic ends and never where it begins.
fn is_library(name: &str) -> bool {
    const PREFIXES: [&str; 11] =
        ["core::", "std::", "alloc::", "<core::", "<std::", "<alloc::", "rust_", "__rust", "__rdl", "__rg", "dlmalloc"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name.contains("panic_abort") || name == "abort"
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operator) = &self.operator {
            write!(f, "operator `{operator}`: ")?;
        }
        let (plugin, short) = (&self.plugin, self.digest.get(..12).unwrap_or(&self.digest));
        write!(f, "plugin {plugin} ({short}) trapped in `{}`: {}", self.function, self.reason)?;
        let blamed = self.blamed_frame();
        let offset = blamed.and_then(|frame| frame.code_offset);
        if let Some(offset) = offset {
            write!(f, " at code offset {offset:#x}")?;
        }
        if let Some(name) = blamed.and_then(|frame| frame.function.as_deref()) {
            write!(f, " in function {name}")?;
        }
        if let Some(line) = &self.last_error {
            write!(f, "; it last logged: {line}")?;
        }
        if let Some(row) = &self.row {
            write!(f, "; on one row ({row})")?;
        }
        let stack: Vec<String> =
            self.frames.iter().filter_map(|frame| Some(format!("{:#x}", frame.code_offset?))).collect();
        if stack.len() > 1 {
            write!(f, "; stack: {}", stack[..stack.len().min(FRAMES_SHOWN_MAX)].join(" < "))?;
        }
        if let Some(offset) = offset {
            let file = self.file.as_deref().unwrap_or("FILE.wasm");
            write!(f, ". `volley plugin where {file} {offset:#x}` prints the source line")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_are_shown_as_its_source_has_them() {
        let shown = "<enrich_flight::Enriched as core::fmt::Debug>::fmt";
        let v0 = "_RNvXs_CsgMi8hjkeF6K_13enrich_flightNtB4_8EnrichedNtNtCs4fqI2P2rA04_4core3fmt5Debug3fmt";
        assert_eq!(readable(v0), shown);
        assert_eq!(readable("_ZN4mine5trips17h0123456789abcdefE"), "mine::trips");
        assert_eq!(readable("main.go:run\u{1b}[2J"), "main.go:run\\u{1b}[2J", "other languages' names stay");
    }

    #[test]
    fn names_are_bounded_however_they_are_written() {
        // Each level is a pair of the one before it: 2^20 units from two hundred bytes.
        let mut name = "_RINvC1a1fu".to_owned();
        let mut previous = name.len() - 1 - 2;
        for _ in 0..20 {
            let here = name.len() - 2;
            let back = format!("B{}", base62(previous));
            name.push_str(&format!("T{back}{back}E"));
            previous = here;
        }
        name.push('E');
        assert!(name.len() < 300 && rustc_demangle::try_demangle(&name).is_ok(), "{name}");
        for long in [name, "x".repeat(MANGLED_BYTES_MAX + 1), "é".repeat(300)] {
            let shown = readable(&long);
            assert!(shown.len() <= FUNCTION_BYTES_MAX + '…'.len_utf8() && shown.ends_with('…'), "{shown}");
        }
    }

    /// Where an earlier part of a mangled name begins, as such names write it.
    fn base62(position: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let Some(mut rest) = position.checked_sub(1) else { return "_".to_owned() };
        let mut digits = Vec::new();
        loop {
            digits.insert(0, char::from(DIGITS[rest % 62]));
            rest /= 62;
            if rest == 0 {
                return digits.into_iter().chain(['_']).collect();
            }
        }
    }

    #[test]
    fn a_frame_of_the_library_is_not_blamed_under_either_way_of_mangling() {
        let frame = |name: &str| TrapFrame { function: Some(readable(name)), function_index: 0, code_offset: Some(1) };
        let frames = vec![
            frame("_RNvCs9pxc2TBvcw_7___rustc10rust_panic"),
            frame("_RNvNtCs4fqI2P2rA04_4core9panicking9panic_fmt"),
            frame("_ZN3std9panicking11begin_panic17h0123456789abcdefE"),
            frame("_RNvCsgMi8hjkeF6K_13enrich_flight9speed_kmh"),
        ];
        let trap = Trap {
            operator: None,
            plugin: "p".to_owned(),
            digest: "d".to_owned(),
            file: None,
            function: "map".to_owned(),
            in_batch: true,
            reason: TrapReason::Unreachable,
            last_error: None,
            row: None,
            frames,
        };
        let text = trap.to_string();
        assert!(text.contains("in function enrich_flight::speed_kmh"), "{text}");
    }
}
