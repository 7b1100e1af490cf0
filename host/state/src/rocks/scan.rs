//! Scans: the entries of the layers that are not in RocksDB and of RocksDB, merged in the order of their keys.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use rocksdb::{DBRawIterator, ReadOptions};
use volley_api::{KeyGroup, Namespace, StateEntry};

use super::keys;
use super::state::RocksState;
use super::store::Store;
use super::table::{Below, Found, Table};
use crate::Result;

impl RocksState {
    /// At most `entries_max` entries of the namespaces, behind `after`.
    pub(super) fn scan_layers(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>> {
        let (first, last) = namespaces.into_inner();
        let first = after.map_or(first, |after| first.max(after.namespace));
        let mut output = Output { entries_max, bytes: Vec::new(), entries: Vec::new() };
        let store = Arc::clone(&self.store);
        let mut stored = Walk { store: &store, iterator: None };
        // One namespace after the other, so that a scan in small steps does not look at all of them each time.
        let mut next = (first <= last).then_some(first);
        while let Some(from) = next.filter(|_| output.has_room()) {
            let Some(namespace) = self.next_namespace(from..=last) else { break };
            let after = after.filter(|after| after.namespace == namespace);
            let after = after.map(|after| [&[after.group.0], &after.key[..]].concat());
            self.active.sort(namespace);
            self.scan_namespace(namespace, after.as_deref(), &mut stored, &mut output)?;
            next = namespace.0.checked_add(1).map(Namespace).filter(|next| *next <= last);
        }
        Ok(output.finish())
    }

    /// The first namespace of a range that may have entries.
    fn next_namespace(&self, range: RangeInclusive<Namespace>) -> Option<Namespace> {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.layer.namespaces(range.clone()).next());
        let active = self.active.namespaces(range.clone()).next();
        [active, frozen, self.stored.range(range).next().copied()].into_iter().flatten().min()
    }

    /// Scans one namespace, from behind the tail `after`.
    fn scan_namespace(
        &self,
        namespace: Namespace,
        after: Option<&[u8]>,
        stored: &mut Walk<'_>,
        output: &mut Output,
    ) -> Result<()> {
        let shown = |table: Option<&Table>| table.is_none_or(|table| table.below() == Below::Shown);
        let active = self.active.table(namespace);
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.layer.table(namespace));
        let frozen = frozen.filter(|_| shown(active));
        let reaches_store = shown(active) && shown(frozen) && self.stored.contains(&namespace);
        let mut sources = [active, frozen].map(|table| table.map(|table| Ordered::new(table, after)));
        let mut stored = reaches_store.then(|| Stored::new(stored.iterator(), namespace, after));
        while output.has_room() {
            let [active, frozen] = &sources;
            let heads = [active, frozen].map(|source| source.as_ref().and_then(Ordered::head));
            let in_store = stored.as_ref().and_then(Stored::head);
            let tails = heads.iter().flatten().map(|(tail, _)| *tail).chain(in_store.map(|(tail, _)| tail));
            let Some(tail) = tails.min() else { break };
            let is_it = |head: &Option<(&[u8], Found<'_>)>| head.is_some_and(|(other, _)| other == tail);
            let [is_active, is_frozen] = [is_it(&heads[0]), is_it(&heads[1])];
            let is_stored = in_store.is_some_and(|(other, _)| other == tail);
            let newest = heads.into_iter().flatten().find(|(other, _)| *other == tail).map(|(_, found)| found);
            match newest.or(in_store.map(|(_, value)| Found::Value(value))) {
                Some(Found::Value(value)) => output.add(namespace, tail, value),
                Some(Found::Removed) | None => {}
            }
            for (source, advances) in sources.iter_mut().zip([is_active, is_frozen]) {
                source.as_mut().filter(|_| advances).into_iter().for_each(Ordered::advance);
            }
            stored.as_mut().filter(|_| is_stored).into_iter().for_each(Stored::advance);
        }
        match stored {
            Some(stored) => stored.iterator.status().map_err(|error| self.store.failed(error)),
            None => Ok(()),
        }
    }

    /// The namespaces that have entries, in order.
    pub(super) fn namespaces_with_entries(&mut self) -> Result<Vec<Namespace>> {
        let mut namespaces = Vec::new();
        let mut next = Some(Namespace(i64::MIN));
        while let Some(namespace) = next.and_then(|from| self.next_namespace(from..=Namespace(i64::MAX))) {
            next = namespace.0.checked_add(1).map(Namespace);
            let is_live = self.active.table(namespace).is_some_and(|table| table.live() > 0);
            if is_live || !self.scan_layers(namespace..=namespace, None, 1)?.is_empty() {
                namespaces.push(namespace);
                continue;
            }
            let frozen = self.frozen.as_ref().and_then(|frozen| frozen.layer.table(namespace));
            if self.active.table(namespace).is_none() && frozen.is_none() {
                // RocksDB has none either.
                self.stored.remove(&namespace);
            }
        }
        Ok(namespaces)
    }
}

/// RocksDB's entries, as they are when they are first asked for.
struct Walk<'a> {
    store: &'a Store,
    iterator: Option<DBRawIterator<'a>>,
}

impl<'a> Walk<'a> {
    fn iterator(&mut self) -> &mut DBRawIterator<'a> {
        self.iterator.get_or_insert_with(|| {
            let mut options = ReadOptions::default();
            // A scan sees each block once, and must not drive out those that single keys are looked up in.
            options.fill_cache(false);
            self.store.db().raw_iterator_opt(options)
        })
    }
}

/// The entries of a table that are still to come.
struct Ordered<'a> {
    table: &'a Table,
    ids: &'a [u32],
}

impl<'a> Ordered<'a> {
    fn new(table: &'a Table, after: Option<&[u8]>) -> Self {
        let ids = table.ordered();
        let first = after.map_or(0, |after| ids.partition_point(|id| table.entry(*id).0 <= after));
        Self { table, ids: &ids[first..] }
    }

    fn head(&self) -> Option<(&'a [u8], Found<'a>)> {
        self.ids.first().map(|id| self.table.entry(*id))
    }

    fn advance(&mut self) {
        self.ids = &self.ids[1..];
    }
}

/// The entries of a namespace in RocksDB that are still to come.
struct Stored<'i, 'a> {
    iterator: &'i mut DBRawIterator<'a>,
    namespace: Namespace,
}

impl<'i, 'a> Stored<'i, 'a> {
    fn new(iterator: &'i mut DBRawIterator<'a>, namespace: Namespace, after: Option<&[u8]>) -> Self {
        let mut first = Vec::new();
        keys::write(&mut first, namespace, after.unwrap_or_default());
        if after.is_some() {
            // The smallest key behind it.
            first.push(0);
        }
        iterator.seek(first);
        Self { iterator, namespace }
    }

    fn head(&self) -> Option<(&[u8], &[u8])> {
        let (key, value) = self.iterator.item()?;
        let (namespace, _, tail) = keys::read(key)?;
        (namespace == self.namespace).then_some((tail, value))
    }

    fn advance(&mut self) {
        self.iterator.next();
    }
}

/// What a scan gives: entries whose bytes all lie in one piece of memory.
struct Output {
    entries_max: usize,
    bytes: Vec<u8>,
    /// Key group, namespace, and where key and value end.
    entries: Vec<(KeyGroup, Namespace, usize, usize)>,
}

impl Output {
    fn has_room(&self) -> bool {
        self.entries.len() < self.entries_max
    }

    fn add(&mut self, namespace: Namespace, tail: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(&tail[1..]);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.entries.push((KeyGroup(tail[0]), namespace, key_end, self.bytes.len()));
    }

    fn finish(self) -> Vec<StateEntry> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        let entry = |(group, namespace, key_end, end)| {
            let (key, value) = (bytes.slice(start..key_end), bytes.slice(key_end..end));
            start = end;
            StateEntry { group, namespace, key, value }
        };
        self.entries.into_iter().map(entry).collect()
    }
}
