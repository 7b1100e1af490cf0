//! The map of a row's key, for row-wise functions: entries are read when they are asked for, and written after the last row.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::ahead::Ahead;
use super::shared::Shared;
use super::{MapState, StateRow};

/// The map of a key: what a row-wise function takes as `&mut Map<K, V>`. It holds entries, each under a key of its own.
///
/// Nothing is read unless it is asked for. [`get`](Self::get) and [`take`](Self::take) fetch one entry, once in a batch, and each such
/// fetch is a call of the host; `#[state(prefetch = …)]` in front of the argument fetches those of all rows in one call before
/// the first. [`iter`](Self::iter) reads all entries, and where many keys of a batch are asked for,
/// those of several in one call of the host. [`insert`](Self::insert), [`remove`](Self::remove) and
/// [`clear`](Self::clear) read nothing. What is written is seen at once, and reaches the host after the last row of the batch.
///
/// Where the host refuses to read, the call fails once the function has returned, whatever it made of finding nothing; nothing
/// of the call is stored.
pub struct Map<'s, K: StateRow + Ord + Clone, V: StateRow> {
    shared: &'s Shared<'s>,
    state: MapState<K, V>,
    groups: &'s [u32],
    /// For each group what is known of its map.
    maps: Vec<OfKey<K, V>>,
    /// The place of the group that is under way.
    at: usize,
    ahead: Ahead,
    /// Entries that will be asked for.
    wanted: Vec<(u32, K)>,
}

/// What is known of a map.
struct OfKey<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// Whether there are no others.
    is_whole: bool,
    /// Whether what the host has of the map has to go.
    is_cleared: bool,
}

/// What is known of an entry: that it is not there, or its value.
struct Entry<V> {
    value: Option<V>,
    is_changed: bool,
}

impl<V> Entry<V> {
    const fn stored(value: Option<V>) -> Self {
        Self { value, is_changed: false }
    }

    const fn changed(value: Option<V>) -> Self {
        Self { value, is_changed: true }
    }
}

impl<K: StateRow + Ord + Clone, V: StateRow> Map<'_, K, V> {
    /// The value under a key, if there is one. A map by `String` takes a `&str` too, one by `Vec<u8>` a `&[u8]`.
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        self.know(key);
        self.maps[self.at].entries.get(key)?.value.as_ref()
    }

    /// Sets the value under a key.
    pub fn insert(&mut self, key: K, value: V) {
        self.maps[self.at].entries.insert(key, Entry::changed(Some(value)));
    }

    /// Removes the entry of a key, if there is one. Nothing is read: [`take`](Self::take) gives what there was.
    pub fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let map = &mut self.maps[self.at];
        match map.entries.get_mut(key) {
            Some(entry) => *entry = Entry::changed(None),
            // It is not there.
            None if map.is_whole => {}
            None => {
                map.entries.insert(key.to_owned(), Entry::changed(None));
            }
        }
    }

    /// Removes the entry of a key; gives what there was.
    pub fn take<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        self.know(key);
        let entry = self.maps[self.at].entries.get_mut(key)?;
        entry.is_changed |= entry.value.is_some();
        entry.value.take()
    }

    /// All entries, by their keys in order.
    pub fn iter(&mut self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.know_all();
        self.maps[self.at].entries.iter().filter_map(|(key, entry)| Some((key, entry.value.as_ref()?)))
    }

    /// Removes all entries. Nothing is read.
    pub fn clear(&mut self) {
        let map = &mut self.maps[self.at];
        map.entries.clear();
        (map.is_whole, map.is_cleared) = (true, true);
    }

    /// Sees to it that it is known what there is under a key.
    fn know<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        let map = &self.maps[self.at];
        if !map.is_whole && !map.entries.contains_key(key) {
            self.fetch(key.to_owned());
        }
    }

    fn fetch(&mut self, key: K) {
        self.wanted.push((self.at as u32, key));
        self.prefetch();
    }

    /// Sees to it that all entries are known.
    fn know_all(&mut self) {
        let all = &self.maps;
        let Some((places, groups)) = self.ahead.ask(self.at, self.groups, |place| all[place].is_whole) else { return };
        let Some((entries, bytes)) = self.shared.ask(|cx| self.state.read(cx, &groups)) else { return };
        self.ahead.took(places.len(), bytes);
        for (of, key, value) in entries {
            // What the batch has written stays.
            self.maps[places[of as usize] as usize].entries.entry(key).or_insert(Entry::stored(Some(value)));
        }
        for place in places {
            self.maps[place as usize].is_whole = true;
        }
    }
}

impl<'s, K: StateRow + Ord + Clone, V: StateRow> Map<'s, K, V> {
    /// The maps of these groups, each of which occurs once; nothing is read.
    #[doc(hidden)]
    #[must_use]
    pub fn new(shared: &'s Shared<'s>, place: u32, groups: &'s [u32]) -> Self {
        let map = |_| OfKey { entries: BTreeMap::new(), is_whole: false, is_cleared: false };
        let maps = groups.iter().map(map).collect();
        Self { shared, state: MapState::at(place), groups, maps, at: 0, ahead: Ahead::default(), wanted: Vec::new() }
    }

    /// The map of the group at this place.
    #[doc(hidden)]
    pub fn at(&mut self, place: u32) -> &mut Self {
        self.at = place as usize;
        self
    }

    /// This entry of the group at a place will be asked for.
    #[doc(hidden)]
    pub fn want(&mut self, place: u32, key: K) {
        let entries = &mut self.maps[place as usize].entries;
        if !entries.contains_key(&key) {
            entries.insert(key.clone(), Entry::stored(None));
            self.wanted.push((place, key));
        }
    }

    /// Reads the entries that will be asked for.
    #[doc(hidden)]
    pub fn prefetch(&mut self) {
        let wanted = std::mem::take(&mut self.wanted);
        if wanted.is_empty() {
            return;
        }
        let groups: Vec<u32> = wanted.iter().map(|(place, _)| self.groups[*place as usize]).collect();
        let keys = wanted.iter().map(|(_, key)| key.clone());
        let Some(values) = self.shared.ask(|cx| self.state.get(cx, &groups, keys)) else { return };
        for ((place, key), value) in wanted.into_iter().zip(values) {
            self.maps[place as usize].entries.insert(key, Entry::stored(value));
        }
    }

    /// Writes what has changed.
    #[doc(hidden)]
    pub fn store(self) {
        let (mut cleared, mut gone, mut set) = (Vec::new(), Vec::new(), Vec::new());
        let (mut gone_keys, mut set_keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (map, group) in self.maps.into_iter().zip(self.groups) {
            if map.is_cleared {
                cleared.push(*group);
            }
            for (key, entry) in map.entries.into_iter().filter(|(_, entry)| entry.is_changed) {
                match entry.value {
                    Some(value) => {
                        set.push(*group);
                        set_keys.push(key);
                        values.push(value);
                    }
                    None if map.is_cleared => {}
                    None => {
                        gone.push(*group);
                        gone_keys.push(key);
                    }
                }
            }
        }
        let state = self.state;
        self.shared.ask(|cx| {
            state.remove(cx, &cleared)?;
            if !gone.is_empty() {
                state.remove_keys(cx, &gone, gone_keys)?;
            }
            if set.is_empty() { Ok(()) } else { state.put(cx, &set, set_keys, values) }
        });
    }
}
