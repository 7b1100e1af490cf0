//! The state of one instance: a write-behind cache over RocksDB.
//!
//! What is written goes into the *active* layer, and from there to RocksDB when the layer has grown to its limit. At a
//! barrier the layer is *frozen*, and a new one begins; until the checkpoint is made nothing of the new one goes to RocksDB.
//! Layers that are in RocksDB are *clean*. Reads ask the layers from the newest to the oldest, then RocksDB.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::DefaultHashBuilder;
use rocksdb::properties;
use volley_api::{KeyedState, Namespace, StateContext, StateEntry, StateKey, StateSnapshot};

use super::clean::Clean;
use super::folder::hit;
use super::keys;
use super::layer::Layer;
use super::share::Share;
use super::snapshot::{Outcome, Pending, RocksSnapshot};
use super::store::Store;
use super::table::{Below, ENTRY_BYTES_MAX, Found, Table, hash_of};
use crate::{Error, Result, check};

pub(crate) struct RocksState {
    pub(super) context: StateContext,
    pub(super) store: Arc<Store>,
    share: Share,
    hasher: DefaultHashBuilder,
    pub(super) active: Layer,
    pub(super) frozen: Option<Frozen>,
    clean: Clean,
    /// The namespaces that RocksDB may have entries of, or will have when the frozen layer has got there; no others.
    pub(super) stored: BTreeSet<Namespace>,
}

/// What was written until the last barrier, on its way to RocksDB.
pub(super) struct Frozen {
    pub(super) layer: Arc<Layer>,
    pending: Arc<Pending>,
}

/// Where a value of `get_many` was found.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    /// In the bytes that were copied out.
    At(usize, usize),
}

impl RocksState {
    /// A state over what RocksDB has, which is entries of the namespaces `stored`.
    pub(super) fn new(context: StateContext, store: Store, share: Share, stored: BTreeSet<Namespace>) -> Self {
        let store = Arc::new(store);
        let (hasher, active, clean) = (DefaultHashBuilder::default(), Layer::default(), Clean::default());
        Self { context, store, share, hasher, active, frozen: None, clean, stored }
    }

    /// What lies below the active layer's table of a namespace.
    fn below(&self, namespace: Namespace) -> Below {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.layer.table(namespace));
        if frozen.is_some() || self.stored.contains(&namespace) { Below::Shown } else { Below::Nothing }
    }

    /// The tables that may have keys of a namespace, from the newest on, and whether RocksDB may have others.
    fn tables(&self, namespace: Namespace) -> (Vec<&Table>, bool) {
        let is_stored = self.stored.contains(&namespace);
        let clean = self.clean.layers().filter(|_| is_stored);
        let layers = [Some(&self.active), self.frozen.as_ref().map(|frozen| &*frozen.layer)];
        let mut tables = Vec::new();
        for table in layers.into_iter().flatten().chain(clean).filter_map(|layer| layer.table(namespace)) {
            tables.push(table);
            if table.below() != Below::Shown {
                return (tables, false);
            }
        }
        (tables, is_stored)
    }

    /// Writes to the active layer, and makes room.
    fn write<'a>(
        &mut self,
        namespace: Namespace,
        entries: impl Iterator<Item = (StateKey<'a>, Option<&'a [u8]>)>,
    ) -> Result<()> {
        self.settle()?;
        self.active.put(&self.hasher, namespace, self.below(namespace), entries);
        self.make_room()
    }

    /// Takes note of it when what was frozen has got to RocksDB.
    fn settle(&mut self) -> Result<()> {
        let Some(frozen) = &self.frozen else { return Ok(()) };
        match frozen.pending.outcome() {
            Outcome::Open => return Ok(()),
            Outcome::Written => {}
            // There will be no checkpoint of it, and the state goes on.
            Outcome::NotWritten => self.store.write(&frozen.layer)?,
        }
        if let Some(Frozen { layer, .. }) = self.frozen.take() {
            self.note_stored(&layer);
            self.clean.add(layer);
        }
        Ok(())
    }

    /// Has the checkpoint made, if one is to be made, so that the active layer may go to RocksDB.
    fn settle_now(&mut self) -> Result<()> {
        if let Some(frozen) = &self.frozen {
            frozen.pending.make();
        }
        self.settle()
    }

    /// Takes note of the namespaces of a layer that RocksDB has.
    fn note_stored(&mut self, layer: &Layer) {
        for (namespace, table) in layer.tables() {
            if table.live() > 0 || table.below() == Below::Shown {
                self.stored.insert(namespace);
            } else {
                self.stored.remove(&namespace);
            }
        }
    }

    /// Brings memory back to what this state may take: clean layers are forgotten, and the active one goes to RocksDB when
    /// it takes more than half.
    fn make_room(&mut self) -> Result<()> {
        let allowed = self.share.room();
        if allowed.part(2).is_exceeded(self.active.bytes(), self.active.entries()) {
            self.settle_now()?;
            hit("rocks-evict", self.store.folder())?;
            self.active.sort_all();
            self.store.write(&self.active)?;
            hit("rocks-evicted", self.store.folder())?;
            let layer = Arc::new(std::mem::take(&mut self.active));
            self.note_stored(&layer);
            self.clean.add(layer);
        }
        let frozen = self.frozen.as_ref().map_or((0, 0), |frozen| (frozen.layer.bytes(), frozen.layer.entries()));
        self.clean.shrink(allowed.without(self.active.bytes() + frozen.0, self.active.entries() + frozen.1));
        Ok(())
    }

    /// The values of keys that are in no layer: `misses` are their places in `keys`. Gives the values to `found`, and keeps
    /// them.
    fn get_stored(
        &mut self,
        namespace: Namespace,
        keys: &[StateKey<'_>],
        mut misses: Vec<usize>,
        mut found: impl FnMut(usize, &[u8]),
    ) -> Result<()> {
        let order = |place: &usize| (keys[*place].group, keys[*place].key);
        misses.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let groups: Vec<&[usize]> = misses.chunk_by(|a, b| order(a) == order(b)).collect();
        for group in &groups {
            let key = keys[group[0]];
            bytes.extend_from_slice(&keys::prefix(namespace));
            bytes.push(key.group.0);
            bytes.extend_from_slice(key.key);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let values = self.store.get(starts.zip(&ends).map(|(start, end)| &bytes[start..*end]))?;
        let present = || groups.iter().zip(&values).filter_map(|(group, value)| Some((group, value.as_deref()?)));
        for (group, value) in present() {
            group.iter().for_each(|place| found(*place, value));
        }
        let entries = present().map(|(group, value)| (keys[group[0]], Some(value)));
        self.clean.keep(&self.hasher, namespace, entries, self.share.room());
        Ok(())
    }
}

impl KeyedState for RocksState {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> volley_api::Result<Vec<Option<Bytes>>> {
        check::key_groups(&self.context, keys)?;
        self.settle()?;
        // One piece of memory for all values.
        let mut bytes = Vec::new();
        let mut places = vec![Place::Nowhere; keys.len()];
        let mut take = |place: usize, value: &[u8]| {
            places[place] = Place::At(bytes.len(), bytes.len() + value.len());
            bytes.extend_from_slice(value);
        };
        let (tables, reaches_store) = self.tables(namespace);
        let mut misses = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let hash = hash_of(&self.hasher, key.group.0, key.key);
            match tables.iter().find_map(|table| table.get(hash, *key)) {
                Some(Found::Value(value)) => take(place, value),
                None if reaches_store => misses.push(place),
                Some(Found::Removed) | None => {}
            }
        }
        if !misses.is_empty() {
            self.get_stored(namespace, keys, misses, take)?;
            self.make_room()?;
        }
        let bytes = Bytes::from(bytes);
        let value = |place| match place {
            Place::Nowhere => None,
            Place::At(start, end) => Some(bytes.slice(start..end)),
        };
        Ok(places.into_iter().map(value).collect())
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> volley_api::Result<()> {
        check::key_groups(&self.context, keys)?;
        check::values(&self.context, keys, values)?;
        let lengths = || keys.iter().map(|key| key.key.len()).chain(values.iter().map(|value| value.len()));
        if let Some(bytes) = lengths().find(|bytes| *bytes > ENTRY_BYTES_MAX) {
            return Err(Error::EntryTooLarge { bytes }.into());
        }
        if keys.is_empty() {
            return Ok(());
        }
        Ok(self.write(namespace, keys.iter().zip(values).map(|(key, value)| (*key, Some(*value))))?)
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> volley_api::Result<()> {
        check::key_groups(&self.context, keys)?;
        let nothing = self.active.table(namespace).is_none() && self.below(namespace) == Below::Nothing;
        if nothing || keys.is_empty() {
            return Ok(());
        }
        Ok(self.write(namespace, keys.iter().map(|key| (*key, None)))?)
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> volley_api::Result<Vec<StateEntry>> {
        self.settle()?;
        Ok(self.scan_layers(namespaces, after, entries_max)?)
    }

    fn namespaces(&mut self) -> volley_api::Result<Vec<Namespace>> {
        self.settle()?;
        Ok(self.namespaces_with_entries()?)
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> volley_api::Result<()> {
        self.settle()?;
        self.active.remove_namespace(namespace, self.below(namespace));
        Ok(self.make_room()?)
    }

    fn snapshot(&mut self) -> volley_api::Result<Box<dyn StateSnapshot>> {
        // There is one at a time; where the last one was not yet asked for its files, it gets them now.
        self.settle_now()?;
        let layer = Arc::new(std::mem::take(&mut self.active));
        self.stored.extend(layer.tables().map(|(namespace, _)| namespace));
        let pending = Arc::new(Pending::new(Arc::clone(&self.store), Arc::clone(&layer)));
        self.frozen = Some(Frozen { layer, pending: Arc::clone(&pending) });
        Ok(Box::new(RocksSnapshot(pending)))
    }

    /// RocksDB's estimate of what it has, and what is on its way there.
    fn len_estimate(&self) -> usize {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.layer.live());
        self.store.number(properties::ESTIMATE_NUM_KEYS) + self.active.live() + frozen
    }

    /// The cache, and what of RocksDB's memory is not yet on disk. Blocks that were read are all states'.
    fn memory_bytes(&self) -> usize {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.layer.bytes());
        let memtables = self.store.number(properties::CUR_SIZE_ALL_MEM_TABLES);
        self.active.bytes() + frozen + self.clean.bytes() + memtables
    }
}
