//! The numbers that the groups of aggregators have in the instance, anew after each drain.

use std::collections::HashMap;
use std::sync::Arc;

use super::pieces::{Groups, number};

/// Stands for a group that the instance does not know.
const NONE: u32 = u32::MAX;

/// Whose group one of the instance's groups is.
#[derive(Debug, Clone, Copy)]
struct Owner {
    aggregator: u32,
    group: u32,
}

/// Whose the instance's groups are.
#[derive(Debug)]
enum Owners {
    /// Groups `0..count` of one aggregator, which have their own numbers: so it is where one window is open, since it numbers
    /// its keys as they come.
    Same { aggregator: u32, count: u32 },
    /// By the instance's numbers.
    Mixed(Vec<Owner>),
}

const NOBODY: Owners = Owners::Same { aggregator: 0, count: 0 };

/// The numbers that an aggregator's groups have in the instance, where they are not their own.
#[derive(Debug, Default)]
struct Numbers {
    /// Of [`Dictionary::generation`]: all are void when it is another.
    generation: u64,
    of: Vec<u32>,
    /// Whether the aggregator is gone, and only rows of it are replayed.
    is_gone: bool,
}

impl Numbers {
    fn renew(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.of.fill(NONE);
        }
    }

    fn reach(&mut self, groups: usize) {
        if self.of.len() < groups {
            self.of.resize(groups, NONE);
        }
    }
}

/// The groups that the instance knows.
#[derive(Debug)]
pub(super) struct Dictionary {
    owners: Owners,
    numbers: HashMap<u32, Numbers>,
    /// Counts drains, from 1.
    generation: u64,
    /// Whether some of the aggregators are gone.
    some_gone: bool,
}

/// What of the instance's groups is an aggregator's.
pub(super) struct Share {
    pub(super) aggregator: u32,
    /// The aggregator's numbers, each once.
    pub(super) groups: Groups,
    /// The instance's; `None` where they are all that there are, in order.
    pub(super) rows: Option<Vec<u32>>,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Self { owners: NOBODY, numbers: HashMap::new(), generation: 1, some_gone: false }
    }

    /// There is an aggregator of this number.
    pub(super) fn enter(&mut self, aggregator: u32) {
        self.numbers.insert(aggregator, Numbers::default());
    }

    /// There is one no more.
    pub(super) fn leave(&mut self, aggregator: u32) {
        self.numbers.remove(&aggregator);
    }

    pub(super) fn is_there(&self, aggregator: u32) -> bool {
        self.numbers.get(&aggregator).is_some_and(|numbers| !numbers.is_gone)
    }

    /// How many groups the instance knows.
    pub(super) fn len(&self) -> usize {
        match &self.owners {
            Owners::Same { count, .. } => *count as usize,
            Owners::Mixed(owners) => owners.len(),
        }
    }

    /// Whether the instance may know groups of an aggregator.
    pub(super) fn knows(&self, aggregator: u32) -> bool {
        match &self.owners {
            Owners::Same { aggregator: of, count } => *of == aggregator && *count > 0,
            Owners::Mixed(_) => {
                self.numbers.get(&aggregator).is_some_and(|numbers| numbers.generation == self.generation)
            }
        }
    }

    /// The instance knows no groups.
    pub(super) fn clear(&mut self) {
        self.owners = NOBODY;
        self.generation += 1;
        if std::mem::take(&mut self.some_gone) {
            self.numbers.retain(|_, numbers| !numbers.is_gone);
        }
    }

    /// The instance's numbers of rows' groups; new ones follow those that there are.
    pub(super) fn number(&mut self, aggregator: u32, numbered: &Numbered) -> Arc<Vec<u32>> {
        let groups = &numbered.groups;
        if let Owners::Same { aggregator: of, count } = &mut self.owners
            && (*of == aggregator || *count == 0)
            && let Some(seen) = numbered.in_order(*count)
        {
            (*of, *count) = (aggregator, seen);
            return Arc::clone(groups);
        }
        self.mix();
        let Self { owners: Owners::Mixed(owners), numbers, generation, some_gone } = self else {
            return Arc::default();
        };
        let numbers = numbers.entry(aggregator).or_insert_with(|| {
            *some_gone = true;
            Numbers { is_gone: true, ..Numbers::default() }
        });
        numbers.renew(*generation);
        numbers.reach(groups.iter().max().map_or(0, |group| *group as usize + 1));
        let one = |group: &u32| {
            let of = &mut numbers.of[*group as usize];
            if *of == NONE {
                *of = number(owners.len());
                owners.push(Owner { aggregator, group: *group });
            }
            *of
        };
        Arc::new(groups.iter().map(one).collect())
    }

    /// Groups have numbers that need not be their own.
    fn mix(&mut self) {
        let Owners::Same { aggregator, count } = self.owners else { return };
        let owners = (0..count).map(|group| Owner { aggregator, group }).collect();
        self.owners = Owners::Mixed(owners);
        if count > 0 {
            let numbers = self.numbers.entry(aggregator).or_insert_with(|| {
                self.some_gone = true;
                Numbers { is_gone: true, ..Numbers::default() }
            });
            numbers.renew(self.generation);
            numbers.reach(count as usize);
            (0..count).zip(&mut numbers.of).for_each(|(number, of)| *of = number);
        }
    }

    /// The instance does not know the groups from this number on: the call that brought them did not count.
    pub(super) fn forget_from(&mut self, known: usize) {
        match &mut self.owners {
            Owners::Same { count, .. } => *count = (*count).min(number(known)),
            Owners::Mixed(owners) => {
                for owner in owners.drain(known.min(owners.len())..) {
                    if let Some(numbers) = self.numbers.get_mut(&owner.aggregator) {
                        numbers.of[owner.group as usize] = NONE;
                    }
                }
            }
        }
    }

    /// Of each of the instance's groups, whether it is among these: groups of aggregators.
    pub(super) fn marks<'a>(&self, of: impl Iterator<Item = (u32, &'a [u32])>) -> Vec<bool> {
        let mut marks = vec![false; self.len()];
        let mut mark = |number: u32| {
            if let Some(mark) = marks.get_mut(number as usize) {
                *mark = true;
            }
        };
        for (aggregator, groups) in of {
            match (&self.owners, self.numbers.get(&aggregator)) {
                (Owners::Same { .. }, _) => groups.iter().for_each(|group| mark(*group)),
                (Owners::Mixed(_), Some(numbers)) => groups.iter().for_each(|group| mark(numbers.of[*group as usize])),
                (Owners::Mixed(_), None) => {}
            }
        }
        marks
    }

    /// Whose the groups are, those without a mark left out.
    pub(super) fn shares(&self, marks: Option<&[bool]>) -> Vec<Share> {
        let marks = marks.filter(|marks| marks.contains(&false));
        match (&self.owners, marks) {
            (Owners::Same { count: 0, .. }, _) => Vec::new(),
            (Owners::Same { aggregator, count }, None) => {
                vec![Share { aggregator: *aggregator, groups: Groups::First(*count), rows: None }]
            }
            (Owners::Same { aggregator, count }, Some(marks)) => {
                let groups: Vec<u32> = (0..*count).filter(|group| marks[*group as usize]).collect();
                vec![Share { aggregator: *aggregator, rows: Some(groups.clone()), groups: Groups::These(groups) }]
            }
            (Owners::Mixed(owners), None) if owners.iter().all(|owner| owner.aggregator == owners[0].aggregator) => {
                let groups = Groups::These(owners.iter().map(|owner| owner.group).collect());
                owners
                    .first()
                    .map(|first| Share { aggregator: first.aggregator, groups, rows: None })
                    .into_iter()
                    .collect()
            }
            (Owners::Mixed(owners), marks) => dealt(owners, marks),
        }
    }

    /// Bytes of an aggregator's numbers.
    pub(super) fn memory_bytes(&self, aggregator: u32) -> usize {
        self.numbers.get(&aggregator).map_or(0, |numbers| numbers.of.capacity() * size_of::<u32>())
    }
}

/// Groups of rows as an aggregator numbers them.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbered {
    /// The group of each row.
    pub(super) groups: Arc<Vec<u32>>,
    /// How many groups there are with them, and how many there were before, if each new one is the next.
    order: Option<(u32, u32)>,
}

impl Numbered {
    /// Takes these, all less than 2^32, into memory that is used again; `before` groups may have come already.
    pub(super) fn new(of: &[usize], before: u32, mut memory: Vec<u32>) -> Self {
        let mut order = Order::after(before);
        memory.clear();
        memory.extend(of.iter().map(|group| order.come(*group as u32)));
        Self { groups: Arc::new(memory), order: order.seen() }
    }

    /// Some of them.
    pub(super) fn slice(&self, offset: usize, rows: usize) -> Self {
        Self { groups: Arc::new(self.groups[offset..offset + rows].to_vec()), order: None }
    }

    /// How many groups there are when these have come, if each new one is the next.
    fn in_order(&self, before: u32) -> Option<u32> {
        match self.order {
            Some((known, seen)) if known == before => Some(seen),
            _ => {
                let mut order = Order::after(before);
                for group in &*self.groups {
                    order.come(*group);
                }
                order.seen().map(|(_, seen)| seen)
            }
        }
    }
}

/// Whether each group that is new is the next one.
struct Order {
    before: u32,
    seen: u32,
    fits: bool,
}

impl Order {
    fn after(before: u32) -> Self {
        Self { before, seen: before, fits: true }
    }

    /// A group comes, and is given back. Without a branch: which of them is new is chance.
    #[inline]
    fn come(&mut self, group: u32) -> u32 {
        self.fits &= group <= self.seen;
        self.seen = self.seen.max(group.wrapping_add(1));
        group
    }

    /// How many groups there were and are, if they came in order.
    fn seen(&self) -> Option<(u32, u32)> {
        self.fits.then_some((self.before, self.seen))
    }
}

impl From<Vec<u32>> for Numbered {
    fn from(groups: Vec<u32>) -> Self {
        Self { groups: Arc::new(groups), order: None }
    }
}

fn dealt(owners: &[Owner], marks: Option<&[bool]>) -> Vec<Share> {
    let mut dealt: Vec<(u32, Vec<u32>, Vec<u32>)> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    // Groups of an aggregator come many at a time.
    let mut last = None;
    for (row, Owner { aggregator, group }) in owners.iter().enumerate() {
        if marks.is_some_and(|marks| !marks[row]) {
            continue;
        }
        let place = match last {
            Some((of, place)) if of == *aggregator => place,
            _ => *places.entry(*aggregator).or_insert_with(|| {
                dealt.push((*aggregator, Vec::new(), Vec::new()));
                dealt.len() - 1
            }),
        };
        last = Some((*aggregator, place));
        let (_, groups, rows) = &mut dealt[place];
        groups.push(*group);
        rows.push(number(row));
    }
    let share = |(aggregator, groups, rows)| Share { aggregator, groups: Groups::These(groups), rows: Some(rows) };
    dealt.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is known of the instance: aggregator and group by number.
    type Model = Vec<(u32, u32)>;

    fn model_of(dictionary: &Dictionary) -> Model {
        let mut model = vec![(0, 0); dictionary.len()];
        for Share { aggregator, groups, rows } in dictionary.shares(None) {
            let rows = rows.unwrap_or_else(|| (0..number(groups.len())).collect());
            groups.numbers().iter().zip(rows).for_each(|(group, row)| model[row as usize] = (aggregator, *group));
        }
        model
    }

    proptest! {
        #[test]
        fn groups_are_numbered_as_a_list_would(
            calls in prop::collection::vec((1_u32..4, prop::collection::vec(0_u32..12, 0..20), 0_u8..8), 0..20)
        ) {
            let mut dictionary = Dictionary::new();
            (1..4).for_each(|aggregator| dictionary.enter(aggregator));
            let mut model: Model = Vec::new();
            for (aggregator, groups, what) in calls {
                let known = model.clone();
                let expected: Vec<u32> = groups.iter().map(|group| {
                    let owner = (aggregator, *group);
                    let place = model.iter().position(|other| *other == owner).unwrap_or_else(|| {
                        model.push(owner);
                        model.len() - 1
                    });
                    place as u32
                }).collect();
                let of: Vec<usize> = groups.iter().map(|group| *group as usize).collect();
                // Taken with the right number of groups before, with another, and without one.
                let numbered = match what % 3 {
                    0 => Numbered::new(&of, number(dictionary.len()), Vec::new()),
                    1 => Numbered::new(&of, 1, vec![7]),
                    _ => Numbered::from(groups.clone()),
                };
                prop_assert_eq!(&*dictionary.number(aggregator, &numbered), &expected);
                match what {
                    0 => {
                        dictionary.clear();
                        model.clear();
                    }
                    1 => {
                        dictionary.forget_from(known.len());
                        model = known;
                    }
                    _ => {}
                }
                prop_assert_eq!(model_of(&dictionary), model.clone());
                for of in 1..4 {
                    prop_assert!(dictionary.knows(of) || model.iter().all(|(owner, _)| *owner != of));
                }
                if let Some((first, group)) = model.first() {
                    let marks = dictionary.marks([(*first, &[*group][..])].into_iter());
                    let shares = dictionary.shares(Some(&marks));
                    prop_assert_eq!((shares.len(), &*shares[0].groups.numbers()), (1, &[*group][..]));
                }
            }
        }
    }

    #[test]
    fn who_is_gone_is_known_as_long_as_the_instance_has_groups_of_it() {
        let mut dictionary = Dictionary::new();
        dictionary.enter(1);
        dictionary.enter(2);
        dictionary.number(1, &vec![0, 1].into());
        dictionary.leave(1);
        dictionary.number(2, &vec![0].into());
        assert_eq!((dictionary.len(), dictionary.is_there(1), dictionary.is_there(2)), (3, false, true));
        dictionary.clear();
        assert!(!dictionary.numbers.contains_key(&1));
    }
}
