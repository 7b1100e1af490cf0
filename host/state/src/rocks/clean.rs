//! What is in memory of what RocksDB has as well: to be read without asking it, and forgotten when room is needed.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use volley_api::{Namespace, StateKey};

use super::layer::Layer;
use super::share::Room;
use super::table::Below;

/// The newest layer takes what was read from RocksDB until it is this part of what all may take: so many layers there
/// are, more or less, and each of them costs a look where a key is in none.
const LAYERS: usize = 4;

/// Layers that were written to RocksDB, or read from it. A newer one hides an older one, so the oldest is forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Clean {
    layers: VecDeque<Arc<Layer>>,
    bytes: usize,
    entries: usize,
}

impl Clean {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// From the newest on.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().map(|layer| &**layer)
    }

    /// Keeps a layer that RocksDB now has.
    pub(crate) fn add(&mut self, layer: Arc<Layer>) {
        self.bytes += layer.bytes();
        self.entries += layer.entries();
        self.layers.push_front(layer);
    }

    /// Keeps what RocksDB gave for keys that no layer has.
    pub(crate) fn keep<'a>(
        &mut self,
        hasher: &DefaultHashBuilder,
        namespace: Namespace,
        entries: impl Iterator<Item = (StateKey<'a>, Option<&'a [u8]>)>,
        allowed: Room,
    ) {
        let full = |layer: &Arc<Layer>| allowed.part(LAYERS).is_exceeded(layer.bytes(), layer.entries());
        // A layer that a snapshot still writes is left alone.
        let takes = |layer: &mut Arc<Layer>| !full(layer) && Arc::get_mut(layer).is_some();
        if !self.layers.front_mut().is_some_and(takes) {
            self.layers.push_front(Arc::default());
        }
        if let Some(layer) = self.layers.front_mut().and_then(Arc::get_mut) {
            self.bytes -= layer.bytes();
            self.entries -= layer.entries();
            layer.put(hasher, namespace, Below::Shown, entries);
            self.bytes += layer.bytes();
            self.entries += layer.entries();
        }
    }

    /// Forgets the oldest until all take at most so much.
    pub(crate) fn shrink(&mut self, allowed: Room) {
        while allowed.is_exceeded(self.bytes, self.entries) {
            let Some(layer) = self.layers.pop_back() else { return };
            self.bytes -= layer.bytes();
            self.entries -= layer.entries();
        }
    }
}
