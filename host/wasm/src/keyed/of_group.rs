//! All entries of a key of a map or list: what is stored, and what the call under way has written.

use std::collections::BTreeMap;

use bytes::Bytes;
use volley_api::{Result, StateEntry, StateKey};

use super::budget::{Budget, Counted};
use super::entry::{Count, whole};
use super::groups::Groups;
use super::limits::STATE_PAGE_ENTRIES;
use super::several::{COUNTS, Several};
use super::single::VALUES;

impl Several {
    /// How many entries are stored of groups, whatever this call has written.
    pub(super) fn stored_counts(&mut self, groups: &Groups, of: &[u32]) -> Result<Vec<Count>> {
        let keys: Vec<StateKey<'_>> = of.iter().map(|group| groups.key(*group)).collect();
        let mut counts = Vec::with_capacity(keys.len());
        for page in keys.chunks(STATE_PAGE_ENTRIES) {
            for stored in self.state.get_many(COUNTS, page)? {
                counts.push(stored.map_or(Ok(Count::default()), |bytes| Count::of_bytes(&bytes))?);
            }
        }
        Ok(counts)
    }

    /// What is stored of a group, of which there are so many entries: a scan looks at all of a key group, which has those of
    /// many. So nothing is scanned for a group without entries, and rows of a list are looked up by their numbers, unless most
    /// of these are gone.
    fn all_stored(&mut self, key: StateKey<'_>, count: Count, mut to: impl FnMut(&[u8], &Bytes) -> bool) -> Result<()> {
        if count.entries == 0 {
            return Ok(());
        }
        if self.map_keys.is_none() && count.next / 2 <= count.entries {
            let keys: Vec<Vec<u8>> = (0..count.next).map(|number| whole(key, &number.to_be_bytes())).collect();
            for page in keys.chunks(STATE_PAGE_ENTRIES) {
                let page: Vec<StateKey<'_>> = page.iter().map(|whole| StateKey { key: whole, ..key }).collect();
                let cells = self.state.get_many(VALUES, &page)?;
                for (whole, cell) in page.iter().zip(&cells) {
                    if cell.as_ref().is_some_and(|cell| !to(whole.key, cell)) {
                        return Ok(());
                    }
                }
            }
            return Ok(());
        }
        let page_entries = usize::try_from(count.entries)
            .map_or(STATE_PAGE_ENTRIES, |entries| entries.saturating_add(1).min(STATE_PAGE_ENTRIES));
        let mut after = StateEntry {
            group: key.group,
            namespace: VALUES,
            key: Bytes::copy_from_slice(key.key),
            value: Bytes::new(),
        };
        loop {
            let page = self.state.scan(VALUES..=VALUES, Some(&after), page_entries)?;
            let is_last = page.len() < page_entries;
            for entry in page {
                let is_of_group = entry.group == key.group && entry.key.starts_with(key.key);
                if !is_of_group || !to(&entry.key, &entry.value) {
                    return Ok(());
                }
                after = StateEntry { value: Bytes::new(), ..entry };
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// All that there is of a group, alive or not: whole keys and cells, in order; without `with_cells` these are empty.
    pub(super) fn all(
        &mut self,
        key: StateKey<'_>,
        count: Count,
        with_cells: bool,
        budget: &mut Budget,
    ) -> Counted<BTreeMap<Vec<u8>, Bytes>> {
        let row_bytes = self.columns.row_bytes_min();
        let (mut all, mut counted) = (BTreeMap::new(), Ok(()));
        self.all_stored(key, count, |whole, cell| {
            let cell = if with_cells { cell.clone() } else { Bytes::new() };
            counted = budget.take(row_bytes + whole.len() + cell.len());
            all.insert(whole.to_vec(), cell);
            counted.is_ok()
        })?;
        if let Err(too_much) = counted {
            return Ok(Err(too_much));
        }
        let written = self.written.range(key.key.to_vec()..).take_while(|(whole, _)| whole.starts_with(key.key));
        for (whole, (_, value)) in written {
            let cell = match value {
                Some(cell) if with_cells => &cell[..],
                Some(_) => &[],
                None => {
                    all.remove(whole);
                    continue;
                }
            };
            if let Err(too_much) = budget.take(row_bytes + whole.len() + cell.len()) {
                return Ok(Err(too_much));
            }
            all.insert(whole.clone(), Bytes::copy_from_slice(cell));
        }
        Ok(Ok(all))
    }
}
