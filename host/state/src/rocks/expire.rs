//! What RocksDB leaves out when it merges files: entries whose time has passed.

use std::ffi::CStr;

use rocksdb::CompactionDecision;
use rocksdb::compaction_filter::CompactionFilter;
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};
use volley_api::StateTtl;

use crate::ttl;

const NAME: &CStr = c"volley-ttl-1";

/// Makes a filter for each merge.
pub(crate) struct Expiry(pub(crate) StateTtl);

impl CompactionFilterFactory for Expiry {
    type Filter = ExpiryAt;

    fn create(&mut self, _: CompactionFilterContext) -> ExpiryAt {
        ExpiryAt { now_ms: self.0.clock.now_ms(), ttl: self.0.clone() }
    }

    fn name(&self) -> &CStr {
        NAME
    }
}

/// The time at which a merge began tells which entries go.
pub(crate) struct ExpiryAt {
    ttl: StateTtl,
    now_ms: u64,
}

impl CompactionFilter for ExpiryAt {
    fn filter(&mut self, _: u32, _: &[u8], value: &[u8]) -> CompactionDecision {
        if ttl::has_passed(&self.ttl, self.now_ms, value) {
            CompactionDecision::Remove
        } else {
            CompactionDecision::Keep
        }
    }

    fn name(&self) -> &CStr {
        NAME
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::num::NonZeroU64;
    use std::sync::Arc;

    use rocksdb::WaitForCompactOptions;
    use tempfile::TempDir;
    use volley_api::{KeyGroupRange, ManualClock, Namespace, NodeName, StateContext, StateKey, SubtaskId};

    use super::super::folder::WorkFolder;
    use super::super::share::Shares;
    use super::super::state::RocksState;
    use super::super::store::{SharedMemory, Store};
    use super::*;

    #[test]
    fn a_merge_of_files_leaves_out_what_has_gone() {
        let folder = TempDir::new().expect("a folder");
        let work = Arc::new(WorkFolder::take(folder.path()).expect("a folder of its own"));
        let clock = Arc::new(ManualClock::at(1_000));
        let ttl = StateTtl { ms: NonZeroU64::new(100).expect("some"), clock: clock.clone() };
        let context = StateContext {
            node: NodeName::new("visits").expect("a name"),
            name: "entries",
            subtask: SubtaskId::SINGLE,
            key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
            layout: "bytes".into(),
            ttl: Some(ttl.clone()),
            cache_entries_max: None,
            restored: Vec::new(),
        };
        let folder = work.state(&context).expect("a folder");
        let store = Store::open(folder, &SharedMemory::new(8 << 20), HashMap::new(), Some(&ttl)).expect("opens");
        // Nothing stays in the cache.
        let state = RocksState::new(context.clone(), store, Shares::new(0).take(None), Default::default());
        let store = Arc::clone(&state.store);
        let mut state = ttl::within(Box::new(state), &context);
        let mut put = |key: &[u8]| {
            let key = StateKey { group: volley_api::KeyGroup(3), key };
            state.put_many(Namespace(0), &[key], &[b"value"]).expect("put_many");
        };
        put(b"old");
        clock.set(1_050);
        put(b"young");
        clock.set(1_100);
        let count = || {
            let mut iterator = store.db().raw_iterator();
            iterator.seek_to_first();
            let mut count = 0;
            while iterator.valid() {
                (count, _) = (count + 1, iterator.next());
            }
            count
        };
        store.db().flush().expect("flushes");
        assert_eq!(count(), 2, "RocksDB has both");
        store.db().compact_range(None::<&[u8]>, None::<&[u8]>);
        store.db().wait_for_compact(&WaitForCompactOptions::default()).expect("merges");
        assert_eq!(count(), 1, "one has gone");
        assert_eq!(state.scan(Namespace(0)..=Namespace(0), None, 9).expect("scan").len(), 1);
    }
}
