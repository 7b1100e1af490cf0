//! Keyed state in memory for tests: as little as the trait asks for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use volley_api::{
    KeyGroup, KeyedState, Namespace, Result, SnapshotContent, SnapshotFile, StateBackend, StateContext, StateEntry,
    StateKey, StateSnapshot,
};

/// A backend.
#[derive(Debug)]
pub(crate) struct Memory;

type Place = (Namespace, KeyGroup, Bytes);

struct State(BTreeMap<Place, Bytes>);

struct Taken(Vec<(Place, Bytes)>);

impl StateBackend for Memory {
    fn label(&self) -> String {
        "memory of tests".to_owned()
    }

    fn format(&self) -> &'static str {
        "test-1"
    }

    fn open(&self, context: StateContext) -> Result<Box<dyn KeyedState>> {
        let mut state = State(BTreeMap::new());
        for part in &context.restored {
            assert_eq!(part.layout, context.stored_layout(), "the caller has checked it");
            for file in &part.files {
                let mut rest = Bytes::from(std::fs::read(&file.path).expect("a file"));
                while !rest.is_empty() {
                    let mut take = |length: usize| rest.split_to(length);
                    let group = KeyGroup(take(1)[0]);
                    let namespace = Namespace(i64::from_le_bytes(take(8)[..].try_into().expect("eight")));
                    let length = |bytes: Bytes| u32::from_le_bytes(bytes[..].try_into().expect("four")) as usize;
                    let (key, value) = (length(take(4)), length(take(4)));
                    let (key, value) = (take(key), take(value));
                    if context.key_groups.contains(group) {
                        state.0.insert((namespace, group, key), value);
                    }
                }
            }
        }
        Ok(Box::new(state))
    }
}

fn place(namespace: Namespace, key: &StateKey<'_>) -> Place {
    (namespace, key.group, Bytes::copy_from_slice(key.key))
}

impl KeyedState for State {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        Ok(keys.iter().map(|key| self.0.get(&place(namespace, key)).cloned()).collect())
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
        for (key, value) in keys.iter().zip(values) {
            self.0.insert(place(namespace, key), Bytes::copy_from_slice(value));
        }
        Ok(())
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<()> {
        for key in keys {
            self.0.remove(&place(namespace, key));
        }
        Ok(())
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>> {
        let after = after.map(|entry| (entry.namespace, entry.group, entry.key.clone()));
        let of = self.0.iter().filter(|((namespace, ..), _)| namespaces.contains(namespace));
        let of = of.filter(|(place, _)| after.as_ref().is_none_or(|after| *place > after));
        let entry = |((namespace, group, key), value): (&Place, &Bytes)| StateEntry {
            group: *group,
            namespace: *namespace,
            key: key.clone(),
            value: value.clone(),
        };
        Ok(of.take(entries_max).map(entry).collect())
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        let mut namespaces: Vec<Namespace> = self.0.keys().map(|(namespace, ..)| *namespace).collect();
        namespaces.dedup();
        Ok(namespaces)
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()> {
        self.0.retain(|(of, ..), _| *of != namespace);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        Ok(Box::new(Taken(self.0.iter().map(|(place, value)| (place.clone(), value.clone())).collect())))
    }

    fn len_estimate(&self) -> usize {
        self.0.len()
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

impl StateSnapshot for Taken {
    fn files(&mut self) -> Result<Vec<SnapshotFile>> {
        let mut bytes = Vec::new();
        for ((namespace, group, key), value) in &self.0 {
            bytes.push(group.0);
            bytes.extend(namespace.0.to_le_bytes());
            bytes.extend(u32::try_from(key.len()).expect("short").to_le_bytes());
            bytes.extend(u32::try_from(value.len()).expect("short").to_le_bytes());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        let content = SnapshotContent::Bytes(bytes.into());
        Ok(vec![SnapshotFile { name: "entries".to_owned(), identity: None, content }])
    }
}
