//! What a call may still read: counted before anything is decoded or copied for the plugin, whatever it asks for.

use volley_api::Result;

use super::limits::{STATE_ENTRY_BYTES, STATE_READ_BYTES_PER_CALL_MAX};

/// Bytes that a call may still read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    left: usize,
}

/// What the storage gave, unless it is too much.
pub(crate) type Counted<T> = Result<std::result::Result<T, TooMuch>>;

/// There were more bytes than a call may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

impl Budget {
    /// That of a new call.
    pub(crate) const fn new() -> Self {
        Self { left: STATE_READ_BYTES_PER_CALL_MAX }
    }

    /// Counts an entry of so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> std::result::Result<(), TooMuch> {
        let bytes = bytes.saturating_add(STATE_ENTRY_BYTES);
        let left = self.left.checked_sub(bytes);
        // What has been exceeded once stays so: a smaller entry must not slip through.
        self.left = left.unwrap_or(0);
        left.map(drop).ok_or(TooMuch)
    }
}
