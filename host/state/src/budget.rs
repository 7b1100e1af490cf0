//! The memory that all states of a backend share.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes may be taken, and how many are.
///
/// The count is kept so that nobody waits for anybody: a state adds what a whole batch of writes came to when it is done
/// with them. States that write at the same moment may exceed the limit by what is in their hands, a batch each.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, used_bytes: AtomicUsize::new(0) }
    }

    pub(crate) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Tells of a state that took `before` bytes and now takes `after`.
    pub(crate) fn resize(&self, before: usize, after: usize) {
        if after >= before {
            self.used_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used_bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }
}

/// A number of bytes for people: exactly, in the largest unit that divides it, or else with one decimal.
#[derive(Clone, Copy)]
pub(crate) struct Bytes(pub(crate) usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let Some((unit, bytes)) = units.into_iter().find(|(_, bytes)| self.0 >= *bytes) else {
            return write!(f, "{} bytes", self.0);
        };
        if self.0.is_multiple_of(bytes) {
            write!(f, "{} {unit}", self.0 / bytes)
        } else {
            write!(f, "{:.1} {unit}", self.0 as f64 / bytes as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let shown =
            [0, 1023, 1024, 1536, 64 << 20, 1 << 30, (1 << 30) + (1 << 29)].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "64 MiB", "1 GiB", "1.5 GiB"]);
    }
}
