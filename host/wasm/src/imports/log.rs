//! `log`: lines for the host's log, bounded and made harmless.

use std::sync::{Arc, Mutex, PoisonError};

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
pub const LINES_PER_CALL_MAX: u32 = 256;

/// Bytes that the lines of one call may have together; further lines are counted and dropped.
pub const BYTES_PER_CALL_MAX: usize = 64 << 10;

/// Lines that one subtask may write within a second, however often it is called or started again.
const LINES_PER_SECOND_MAX: u32 = 1_024;

/// Bytes that these lines may have together.
const BYTES_PER_SECOND_MAX: usize = 256 << 10;

/// What one subtask has written within the present second of the host's clock, through all its instances.
#[derive(Debug, Default)]
pub(crate) struct LogRate(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    number: u64,
    lines: u32,
    bytes: usize,
}

impl LogRate {
    /// Takes one more line, or says what there are too many of.
    fn take(&self, now_ms: u64, bytes: usize) -> Option<Violation> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.number != now_ms / 1_000 {
            *second = Second { number: now_ms / 1_000, ..Second::default() };
        }
        if second.lines >= LINES_PER_SECOND_MAX {
            return Some(Violation::LogLines);
        }
        if second.bytes >= BYTES_PER_SECOND_MAX {
            return Some(Violation::LogBytes);
        }
        second.lines += 1;
        second.bytes += bytes;
        None
    }
}

/// Who writes, and how much already in the present call.
#[derive(Debug)]
pub(crate) struct Log {
    operator: String,
    subtask: Option<u32>,
    digest: String,
    rate: Arc<LogRate>,
    lines: u32,
    bytes: usize,
    /// What there was too much of: nothing more is written in the present call.
    full: Option<Violation>,
    /// The last line of level error in the present call: a panic writes one before it traps.
    last_error: Option<String>,
    is_muted: bool,
}

impl Log {
    pub(crate) fn new(who: &Who, task: Option<(String, u32)>, rate: Arc<LogRate>) -> Self {
        let (operator, subtask) = task.map_or((who.name.clone(), None), |(node, index)| (node, Some(index)));
        let digest = who.short_digest().to_owned();
        Self { operator, subtask, digest, rate, lines: 0, bytes: 0, full: None, last_error: None, is_muted: false }
    }

    /// Writes nothing, where its instance works aside.
    pub(crate) fn muted(self, is_muted: bool) -> Self {
        Self { is_muted, ..self }
    }

    /// The node, when the plugin runs in a job.
    pub(crate) fn operator_in_job(&self) -> Option<String> {
        self.subtask.map(|_| self.operator.clone())
    }

    pub(crate) fn begin(&mut self) {
        self.lines = 0;
        self.bytes = 0;
        self.full = None;
        self.last_error = None;
    }

    pub(crate) fn take_last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }

    /// Whether a line of that level is looked at: errors always, since they explain the trap that may follow.
    fn wants(&self, level: Level) -> bool {
        level == Level::Error || (!self.is_muted && self.full.is_none() && level >= max_level())
    }

    /// Keeps a line of level error, and writes nothing.
    fn note_error(&mut self, message: &str) {
        self.last_error = Some(visible(message, LINE_BYTES_MAX));
    }

    /// Writes one line that is wanted; says why it was dropped, if it was.
    fn write(&mut self, level: Level, message: &str, now_ms: u64) -> Option<Violation> {
        let line = visible(message, LINE_BYTES_MAX);
        if level == Level::Error {
            self.last_error = Some(line.clone());
        }
        if self.is_muted {
            return None;
        }
        self.full = self.full.or_else(|| self.take(now_ms, line.len()));
        if self.full.is_none() {
            self.trace(level, &line);
        }
        self.full
    }

    /// Takes one more line of the present call, or says what there are too many of.
    fn take(&mut self, now_ms: u64, bytes: usize) -> Option<Violation> {
        if self.lines >= LINES_PER_CALL_MAX {
            return Some(Violation::LogLines);
        }
        if self.bytes >= BYTES_PER_CALL_MAX {
            return Some(Violation::LogBytes);
        }
        self.lines += 1;
        self.bytes += bytes;
        self.rate.take(now_ms, bytes)
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
    let dropped =
        if state.log.wants(level) { state.log.write(level, line, state.clock.now_ms()) } else { state.log.full };
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
        if context.data().tape.is_playing() {
            // It was written when the call was made; the last error explains a trap that may follow.
            if level == Level::Error {
                let line = cut(&message.to_str(&context)?, LINE_BYTES_MAX + CHARACTER_BYTES_MAX).to_owned();
                context.data_mut().log.note_error(&line);
            }
            return Ok(());
        }
        let log = &context.data().log;
        let dropped = if log.wants(level) {
            // A little more than a line, which shows that there was more.
            let line = cut(&message.to_str(&context)?, LINE_BYTES_MAX + CHARACTER_BYTES_MAX).to_owned();
            let state = context.data_mut();
            state.log.write(level, &line, state.clock.now_ms())
        } else {
            log.full
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

    fn log(rate: &Arc<LogRate>) -> Log {
        let who = Who { name: "p".into(), digest: "0".repeat(64), file: None };
        Log::new(&who, Some(("node".into(), 3)), Arc::clone(rate))
    }

    #[test]
    fn lines_are_bounded_and_the_last_error_is_kept() {
        let mut log = log(&Arc::default());
        let written = (0..LINES_PER_CALL_MAX + 10).filter(|_| log.write(Level::Error, "a\nb", 0).is_none()).count();
        assert_eq!(written, usize::try_from(LINES_PER_CALL_MAX).expect("small"));
        assert_eq!(log.write(Level::Error, "panicked", 0), Some(Violation::LogLines));
        assert_eq!(log.take_last_error().as_deref(), Some("panicked"));
        log.begin();
        assert_eq!(log.write(Level::Error, "a\nb", 0), None);
        assert_eq!(log.take_last_error().as_deref(), Some("a\\nb"));
    }

    #[test]
    fn long_lines_use_up_the_bytes_of_a_call() {
        let mut log = log(&Arc::default());
        let line = "x".repeat(3 * LINE_BYTES_MAX);
        let written = (0..LINES_PER_CALL_MAX).filter(|_| log.write(Level::Warn, &line, 0).is_none()).count();
        assert!(written <= BYTES_PER_CALL_MAX / LINE_BYTES_MAX, "{written}");
        assert_eq!(log.write(Level::Warn, "x", 0), Some(Violation::LogBytes));
    }

    #[test]
    fn a_second_has_an_end_too_however_many_calls_and_instances_write_in_it() {
        let rate = Arc::default();
        let flood = |line: &str, now_ms: u64| {
            let calls = (0..10).map(|_| log(&rate));
            let mut dropped = None;
            let mut written = 0;
            for mut call in calls {
                for _ in 0..LINES_PER_CALL_MAX {
                    match call.write(Level::Warn, line, now_ms) {
                        None => written += 1,
                        Some(violation) => dropped = Some(violation),
                    }
                }
            }
            (written, dropped)
        };
        assert_eq!(flood("x", 1_000), (LINES_PER_SECOND_MAX, Some(Violation::LogLines)));
        assert_eq!(flood("x", 1_999), (0, Some(Violation::LogLines)));
        assert_eq!(flood("x", 2_000).0, LINES_PER_SECOND_MAX, "the next one");
        let (written, dropped) = flood(&"x".repeat(1 << 10), 3_000);
        assert_eq!((written, dropped), (256, Some(Violation::LogBytes)));
    }
}
