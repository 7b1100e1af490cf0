//! Who holds state and timers: the host, or a test.

use super::StateError;
use crate::process::Timer;

/// Rows that were asked for: one bit for each that there is, and a message of all.
pub(crate) type Found = (Vec<u8>, Vec<u8>);

/// Entries that were asked for: for each the place of its group; then messages of map keys and of values.
pub(crate) type FoundEntries = (Vec<u32>, Vec<u8>, Vec<u8>);

/// The imports `state` and `timers`: messages in, messages out.
pub(crate) trait Host {
    fn get(&mut self, state: u32, groups: &[u32]) -> Result<Found, StateError>;
    fn put(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError>;
    fn remove(&mut self, state: u32, groups: &[u32]) -> Result<(), StateError>;
    fn merge(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError>;
    fn map_get(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<Found, StateError>;
    fn map_put(&mut self, state: u32, groups: &[u32], map_keys: &[u8], values: &[u8]) -> Result<(), StateError>;
    fn map_remove(&mut self, state: u32, groups: &[u32], map_keys: &[u8]) -> Result<(), StateError>;
    fn entries(&mut self, state: u32, groups: &[u32]) -> Result<FoundEntries, StateError>;
    fn append(&mut self, state: u32, groups: &[u32], values: &[u8]) -> Result<(), StateError>;
    /// The key groups of keys.
    fn key_groups(&mut self, groups: &[u32]) -> Result<Vec<u8>, StateError>;
    /// Registers timers, or deletes them.
    fn change_timers(&mut self, timers: &[Timer], register: bool) -> Result<(), StateError>;
}
