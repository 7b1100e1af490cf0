//! Plugins that failed too often, and until when none of their instances is started in this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Digests that are remembered; the one whose time is up first makes room.
const DIGESTS_MAX: usize = 1_024;

/// The quarantined plugins of one engine, by digest.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<HashMap<String, u64>>);

impl Quarantine {
    /// Keeps a plugin from starting until then, in milliseconds since 1970.
    pub(crate) fn put(&self, digest: &str, until_ms: u64) {
        let mut digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.len() >= DIGESTS_MAX
            && !digests.contains_key(digest)
            && let Some(first) = digests.iter().min_by_key(|(_, until_ms)| **until_ms).map(|(digest, _)| digest.clone())
        {
            digests.remove(&first);
        }
        digests.insert(digest.to_owned(), until_ms);
    }

    /// How long the plugin still may not start; `None` when it may.
    pub(crate) fn left_ms(&self, digest: &str, now_ms: u64) -> Option<u64> {
        let mut digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until_ms = *digests.get(digest)?;
        if until_ms <= now_ms {
            digests.remove(digest);
            return None;
        }
        Some(until_ms - now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_start_again_when_its_time_is_up() {
        let quarantine = Quarantine::default();
        assert_eq!(quarantine.left_ms("a", 0), None);
        quarantine.put("a", 100);
        assert_eq!((quarantine.left_ms("a", 40), quarantine.left_ms("b", 40)), (Some(60), None));
        assert_eq!((quarantine.left_ms("a", 100), quarantine.left_ms("a", 40)), (None, None));
    }

    #[test]
    fn the_number_of_digests_is_bounded() {
        let quarantine = Quarantine::default();
        for n in 0..=DIGESTS_MAX as u64 {
            quarantine.put(&n.to_string(), 1_000 + n);
        }
        assert_eq!(quarantine.left_ms("0", 0), None, "the first made room");
        assert_eq!(quarantine.left_ms("1", 0), Some(1_001));
    }
}
