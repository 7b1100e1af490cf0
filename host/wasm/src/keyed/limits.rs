//! What the host holds for a plugin, at most. These hold for every plugin, and no pipeline file changes them.

/// Keys that one instance knows by number; then all numbers are void.
pub const KEYS_LIVE_MAX: usize = 1 << 20;

/// Bytes of these keys.
pub(crate) const KEY_BYTES_LIVE_MAX: usize = 64 << 20;

/// States that one plugin may declare.
pub const STATES_MAX: usize = 64;

/// Bytes of one value of state as it is stored: of a value, of a map's key and its value, of a list's row.
pub const STATE_VALUE_BYTES_MAX: usize = 1 << 20;

/// Entries of one map or list of one key.
pub const STATE_ENTRIES_PER_KEY_MAX: usize = 65_536;

/// Entries of state that one call may read and write.
pub const STATE_ENTRIES_PER_CALL_MAX: usize = 1 << 20;

/// Bytes of state that one call may read, as they are stored, with [`STATE_ENTRY_BYTES`] for each entry and what its columns take.
pub const STATE_READ_BYTES_PER_CALL_MAX: usize = 64 << 20;

/// What an entry counts for beside its bytes.
pub(crate) const STATE_ENTRY_BYTES: usize = 32;

/// Entries that are looked at for such as have come to their end, at a time.
pub(crate) const SWEEP_ENTRIES: usize = 512;

/// Values that are read from the storage before what they are counted: each has [`STATE_VALUE_BYTES_MAX`] at most.
pub(crate) const STATE_PAGE_ENTRIES: usize = 256;

/// Bytes of state that one call may have written and not yet stored.
pub const STATE_BYTES_PER_CALL_MAX: usize = 64 << 20;

/// Timers of one key, of both kinds of time together.
pub const TIMERS_PER_KEY_MAX: usize = 1_024;

/// Timers that one call may register and delete.
pub const TIMERS_PER_CALL_MAX: usize = 65_536;

/// Timers of event time that are due at once which one key may register while timers fire at one watermark.
pub const TIMERS_PER_WATERMARK_MAX: u32 = 65_536;

/// Timers of event time that one key may register when the input has ended, while the last of them fire.
pub const TIMERS_AFTER_END_MAX: u32 = 1_024;

/// Timers of one instance of an operator, about.
pub const TIMERS_MAX: usize = 10_000_000;

/// The longest time to live, in milliseconds.
pub(crate) const TTL_MS_MAX: u64 = 1 << 52;
