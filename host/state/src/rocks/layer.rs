//! What was written to a state within some stretch of time, by namespace.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hashbrown::DefaultHashBuilder;
use volley_api::{Namespace, StateKey};

use super::table::{Below, Table, hash_of};

/// What a namespace takes in the map beside its table.
const NAMESPACE_BYTES: usize = 64;

/// Tables by namespace. A newer layer hides an older one, and every layer hides RocksDB, as far as its tables say.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    tables: BTreeMap<Namespace, Table>,
    bytes: usize,
    entries: usize,
}

impl Layer {
    /// What it takes of memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn table(&self, namespace: Namespace) -> Option<&Table> {
        self.tables.get(&namespace)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (Namespace, &Table)> {
        self.tables.iter().map(|(namespace, table)| (*namespace, table))
    }

    /// The namespaces within a range that it has tables for.
    pub(crate) fn namespaces(&self, range: RangeInclusive<Namespace>) -> impl Iterator<Item = Namespace> {
        self.tables.range(range).map(|(namespace, _)| *namespace)
    }

    /// How many entries it has, those that say that something was removed among them.
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    /// How many entries have a value.
    pub(crate) fn live(&self) -> usize {
        self.tables.values().map(Table::live).sum()
    }

    /// Sets values of keys in a namespace, or that they have none. Where there is no table yet, `below` is what lies below
    /// the new one.
    pub(crate) fn put<'a>(
        &mut self,
        hasher: &DefaultHashBuilder,
        namespace: Namespace,
        below: Below,
        entries: impl Iterator<Item = (StateKey<'a>, Option<&'a [u8]>)>,
    ) {
        self.change(namespace, below, |table| {
            for (key, value) in entries {
                table.put(hasher, hash_of(hasher, key.group.0, key.key), key, value);
            }
        });
    }

    /// Puts the entries of a namespace in order, for a scan.
    pub(crate) fn sort(&mut self, namespace: Namespace) {
        self.tables.get_mut(&namespace).into_iter().for_each(Table::sort);
    }

    /// Puts all entries in order, to be written out.
    pub(crate) fn sort_all(&mut self) {
        self.tables.values_mut().for_each(Table::sort);
    }

    /// Forgets a namespace, and hides what lies below of it.
    pub(crate) fn remove_namespace(&mut self, namespace: Namespace, below: Below) {
        let known = self.tables.remove(&namespace);
        self.bytes -= known.as_ref().map_or(0, |table| table.bytes() + NAMESPACE_BYTES);
        self.entries -= known.as_ref().map_or(0, Table::entries);
        if known.map_or(below, |table| table.below()) != Below::Nothing {
            self.change(namespace, Below::Masked, |_| {});
        }
    }

    fn change(&mut self, namespace: Namespace, below: Below, change: impl FnOnce(&mut Table)) {
        let table = self.tables.entry(namespace).or_insert_with(|| {
            let table = Table::new(below);
            self.bytes += table.bytes() + NAMESPACE_BYTES;
            table
        });
        let (bytes, entries) = (table.bytes(), table.entries());
        change(table);
        self.bytes = self.bytes - bytes + table.bytes();
        self.entries = self.entries - entries + table.entries();
    }
}
