//! Kinds of events, and which numbers the events of a kind have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::model::{AUCTIONS, EPOCH, PERSONS};
use crate::{auctions, bids, events, persons};

/// Which events a source gives. Of every 50 events one is a person, three are auctions, 46 are bids, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Those who sell and bid.
    Persons,
    /// Items that are sold.
    Auctions,
    /// Bids for them.
    Bids,
    /// All three, told apart by the column `event_type`.
    All,
}

impl EventKind {
    /// Its name in a pipeline file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::Auctions => "auctions",
            Self::Bids => "bids",
            Self::All => "all",
        }
    }

    /// All columns there are.
    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Self::Persons => &persons::COLUMNS,
            Self::Auctions => &auctions::COLUMNS,
            Self::Bids => &bids::COLUMNS,
            Self::All => &events::COLUMNS,
        }
    }

    /// Where among the events of an epoch those of this kind begin and end.
    fn part(self) -> (u64, u64) {
        match self {
            Self::Persons => (0, PERSONS),
            Self::Auctions => (PERSONS, PERSONS + AUCTIONS),
            Self::Bids => (PERSONS + AUCTIONS, EPOCH),
            Self::All => (0, EPOCH),
        }
    }

    /// Whether event `n` is of this kind.
    #[inline]
    pub(crate) fn has(self, n: u64) -> bool {
        let (begin, end) = self.part();
        (begin..end).contains(&(n % EPOCH))
    }

    /// How many of the first `events` events are of this kind.
    pub(crate) fn rows_of(self, events: u64) -> u64 {
        let (begin, end) = self.part();
        events / EPOCH * (end - begin) + (events % EPOCH).clamp(begin, end) - begin
    }

    /// The numbers of this kind's events `first`, `first + step` … `rows` of them, both counted within the kind.
    pub(crate) fn numbers(self, first: u64, step: u64, rows: usize) -> Vec<u64> {
        let rows = (0..rows as u64).map(|row| first + row * step);
        // A constant for each kind, so that dividing by it is a multiplication.
        match self {
            Self::Persons => rows.map(|row| row * EPOCH).collect(),
            Self::Auctions => rows.map(|row| row / AUCTIONS * EPOCH + PERSONS + row % AUCTIONS).collect(),
            Self::Bids => {
                const BIDS: u64 = EPOCH - PERSONS - AUCTIONS;
                rows.map(|row| row / BIDS * EPOCH + PERSONS + AUCTIONS + row % BIDS).collect()
            }
            Self::All => rows.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [EventKind; 4] = [EventKind::Persons, EventKind::Auctions, EventKind::Bids, EventKind::All];

    #[test]
    fn numbers_and_counts_are_those_of_counting() {
        for kind in KINDS {
            let counted: Vec<u64> = (0..1_000).filter(|&n| kind.has(n)).collect();
            assert_eq!(kind.numbers(0, 1, counted.len()), counted, "{kind:?}");
            assert!(!counted[3..].is_empty());
            let every_third: Vec<u64> = counted[2..].iter().step_by(3).copied().collect();
            assert_eq!(kind.numbers(2, 3, every_third.len()), every_third, "{kind:?}");
            for events in 0..160 {
                let rows = counted.iter().filter(|&&n| n < events).count() as u64;
                assert_eq!(kind.rows_of(events), rows, "{kind:?} among {events}");
            }
        }
    }

    #[test]
    fn names_are_those_of_the_file() {
        for kind in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
