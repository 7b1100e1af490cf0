//! Lines for the host's log. In native tests they go to standard error.
//!
//! The host stamps each line with operator and subtask, cuts it at 4 KiB and bounds how many there are.

use std::fmt;

/// Severity, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever works on the operator.
    Debug,
    /// Worth knowing.
    Info,
    /// Looks wrong.
    Warn,
    /// Is wrong.
    Error,
}

/// Writes a line. It is formatted only if the host keeps lines of this level.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if enabled(level) {
        backend::write(level, &std::fmt::format(message));
    }
}

/// The same of a text that is there already.
#[cfg(target_arch = "wasm32")]
pub(crate) fn text(level: Level, message: &str) {
    if enabled(level) {
        backend::write(level, message);
    }
}

/// Whether the host keeps lines of this level at present.
#[must_use]
pub fn enabled(level: Level) -> bool {
    level >= backend::least_kept()
}

/// Writes a line of level trace: every step. Best with `format_args!`, which formats only when the line is kept.
pub fn trace(message: impl fmt::Display) {
    write(Level::Trace, format_args!("{message}"));
}

/// Writes a line of level debug: for whoever works on the operator. Best with `format_args!`, which formats only when the line is kept.
pub fn debug(message: impl fmt::Display) {
    write(Level::Debug, format_args!("{message}"));
}

/// Writes a line of level info: worth knowing. Best with `format_args!`, which formats only when the line is kept.
pub fn info(message: impl fmt::Display) {
    write(Level::Info, format_args!("{message}"));
}

/// Writes a line of level warn: looks wrong. Best with `format_args!`, which formats only when the line is kept.
pub fn warn(message: impl fmt::Display) {
    write(Level::Warn, format_args!("{message}"));
}

/// Writes a line of level error: is wrong. Best with `format_args!`, which formats only when the line is kept.
pub fn error(message: impl fmt::Display) {
    write(Level::Error, format_args!("{message}"));
}

#[cfg(target_arch = "wasm32")]
mod backend {
    use super::Level;
    use crate::guest::imports::volley::operator::log;

    pub(super) fn write(level: Level, message: &str) {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::log(level, message);
    }

    pub(super) fn least_kept() -> Level {
        match log::max_level() {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use super::Level;

    pub(super) fn write(level: Level, message: &str) {
        // The test harness captures this and shows it with a test that fails.
        eprintln!("[{level:?}] {message}");
    }

    pub(super) fn least_kept() -> Level {
        Level::Trace
    }
}
