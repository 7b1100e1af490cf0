//! `log`: lines for the host's log, bounded and made harmless.

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmStr};

use crate::contract::Level;
use crate::plugin::Who;
use crate::store::HostState;
use crate::text::{CHARACTER_BYTES_MAX, cut, visible};
use crate::violation::Violation;

/// A longer line is cut.
pub(crate) const LINE_BYTES_MAX: usize = 4 << 10;

/// Lines that one call may write; further ones are counted and dropped.
const LINES_PER_CALL_MAX: u32 = 256;

/// Bytes that the lines of one call may have together; further lines are counted and dropped.
const BYTES_PER_CALL_MAX: usize = 64 << 10;

/// Who writes, and how much already in the present call.
#[derive(Debug)]
pub(crate) struct Log {
    operator: String,
    subtask: Option<u32>,
    digest: String,
    lines: u32,
    bytes: usize,
    /// The last line of level error in the present call: a panic writes one before it traps.
    last_error: Option<String>,
}

impl Log {
    pub(crate) fn new(who: &Who, task: Option<(String, u32)>) -> Self {
        let (operator, subtask) = task.map_or((who.name.clone(), None), |(node, index)| (node, Some(index)));
        Self { operator, subtask, digest: who.short_digest().to_owned(), lines: 0, bytes: 0, last_error: None }
    }

    /// The node, when the plugin runs in a job.
    pub(crate) fn operator_in_job(&self) -> Option<String> {
        self.subtask.map(|_| self.operator.clone())
    }

    pub(crate) fn begin(&mut self) {
        self.lines = 0;
        self.bytes = 0;
        self.last_error = None;
    }

    pub(crate) fn take_last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }

    /// Whether a line of that level is looked at: errors always, since they explain the trap that may follow.
    fn wants(&self, level: Level) -> bool {
        level == Level::Error || (self.full().is_none() && level >= max_level())
    }

    /// What the present call has written too much of, if anything.
    fn full(&self) -> Option<Violation> {
        if self.lines >= LINES_PER_CALL_MAX {
            return Some(Violation::LogLines);
        }
        (self.bytes >= BYTES_PER_CALL_MAX).then_some(Violation::LogBytes)
    }

    /// Writes one line that is wanted; says why it was dropped, if it was.
    fn write(&mut self, level: Level, message: &str) -> Option<Violation> {
        let (is_error, full) = (level == Level::Error, self.full());
        let line = visible(message, LINE_BYTES_MAX);
        if is_error {
            self.last_error = Some(line.clone());
        }
        if full.is_none() {
            self.lines += 1;
            self.bytes += line.len();
            self.trace(level, &line);
        }
        full
    }

    fn trace(&self, level: Level, line: &str) {
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    target: "volley::plugin",
                    tracing::Level::$level,
                    operator = self.operator,
                    subtask = self.subtask,
                    digest = self.digest,
                    "{line}"
                )
            };
        }
        match level {
            Level::Trace => line!(TRACE),
            Level::Debug => line!(DEBUG),
            Level::Info => line!(INFO),
            Level::Warn => line!(WARN),
            Level::Error => line!(ERROR),
        }
    }
}

/// Writes a line that the host has in its own memory.
pub(crate) fn write_line(state: &mut HostState, level: Level, line: &str) {
    let dropped = if state.log.wants(level) { state.log.write(level, line) } else { state.log.full() };
    if let Some(violation) = dropped {
        state.metrics.violation(violation);
    }
}

/// The least severe level that somebody listens to.
fn max_level() -> Level {
    use tracing::Level as L;
    match () {
        () if tracing::enabled!(target: "volley::plugin", L::TRACE) => Level::Trace,
        () if tracing::enabled!(target: "volley::plugin", L::DEBUG) => Level::Debug,
        () if tracing::enabled!(target: "volley::plugin", L::INFO) => Level::Info,
        () if tracing::enabled!(target: "volley::plugin", L::WARN) => Level::Warn,
        () => Level::Error,
    }
}

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("log", |mut context: StoreContextMut<'_, HostState>, (level, message): (Level, WasmStr)| {
        let log = &context.data().log;
        let dropped = if log.wants(level) {
            // A little more than a line, which shows that there was more.
            let line = cut(&message.to_str(&context)?, LINE_BYTES_MAX + CHARACTER_BYTES_MAX).to_owned();
            context.data_mut().log.write(level, &line)
        } else {
            log.full()
        };
        if let Some(violation) = dropped {
            context.data().metrics.violation(violation);
        }
        Ok(())
    })?;
    instance.func_wrap("max-level", |_, (): ()| Ok((max_level(),)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_last_error_is_kept() {
        let who = Who { name: "p".into(), digest: "0".repeat(64), file: None };
        let mut log = Log::new(&who, Some(("node".into(), 3)));
        let written = (0..LINES_PER_CALL_MAX + 10).filter(|_| log.write(Level::Error, "a\nb").is_none()).count();
        assert_eq!(written, usize::try_from(LINES_PER_CALL_MAX).expect("small"));
        assert_eq!(log.write(Level::Error, "panicked"), Some(Violation::LogLines));
        assert_eq!(log.take_last_error().as_deref(), Some("panicked"));
        log.begin();
        assert_eq!(log.write(Level::Error, "a\nb"), None);
        assert_eq!(log.take_last_error().as_deref(), Some("a\\nb"));
    }

    #[test]
    fn long_lines_use_up_the_bytes_of_a_call() {
        let mut log = Log::new(&Who { name: "p".into(), digest: "0".repeat(64), file: None }, None);
        let line = "x".repeat(3 * LINE_BYTES_MAX);
        let written = (0..LINES_PER_CALL_MAX).filter(|_| log.write(Level::Warn, &line).is_none()).count();
        assert!(written <= BYTES_PER_CALL_MAX / LINE_BYTES_MAX, "{written}");
        assert_eq!(log.write(Level::Warn, "x"), Some(Violation::LogBytes));
    }
}
