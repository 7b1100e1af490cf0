//! What tasks report of an epoch, put together.

use std::collections::BTreeMap;
use std::fmt;

use volley_api::{Committable, SplitPosition, TaskPart, Watermark};

use super::upload::Keyed;
use crate::fail_point::planted;
use crate::manifest::{Manifest, OperatorEntry, PartEntry, PendingEntry, PositionEntry, SplitEntry, WatermarkEntry};
use crate::{Error, Result};

/// What a task reported of an epoch, with its files in the store. A task that has finished reports nothing more: what it
/// left is carried on to later epochs with this.
#[derive(Debug, Clone, Default)]
pub struct TakenParts {
    pub(crate) parts: Vec<Part>,
    pub(crate) outputs: Vec<Committable>,
}

impl TakenParts {
    /// What the task's sinks prepared.
    #[must_use]
    pub fn outputs(&self) -> &[Committable] {
        &self.outputs
    }
}

/// As [`TaskPart`], with names as text and files in the store.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Split { source: String, split: String, position: PositionEntry },
    SplitTime { source: String, split: String, reached_ms: i64 },
    Watermark { node: String, watermark: Watermark },
    Keyed { node: String, name: String, entry: PartEntry },
}

/// Parts as they were reported: those that are put down as they are, snapshots, and output.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) parts: Vec<Part>,
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) outputs: Vec<Committable>,
}

/// Sorts what tasks report.
pub(crate) fn sort(reported: Vec<TaskPart>) -> Sorted {
    let mut sorted = Sorted::default();
    for part in reported {
        match part {
            TaskPart::SplitTime { .. } | TaskPart::Watermark { .. } if planted("forget-event-time") => {}
            TaskPart::Split { source, split, position } => {
                let position = PositionEntry::from(&position as &SplitPosition);
                let (source, split) = (source.to_string(), split.to_string());
                sorted.parts.push(Part::Split { source, split, position });
            }
            TaskPart::SplitTime { source, split, reached_ms } => {
                let (source, split) = (source.to_string(), split.to_string());
                sorted.parts.push(Part::SplitTime { source, split, reached_ms });
            }
            TaskPart::Watermark { node, watermark, .. } => {
                sorted.parts.push(Part::Watermark { node: node.to_string(), watermark });
            }
            TaskPart::Keyed(snapshot) => sorted.keyed.push(Keyed::new(snapshot)),
            TaskPart::Output(committable) => sorted.outputs.push(committable),
        }
    }
    sorted
}

/// All parts of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    splits: BTreeMap<(String, String), Split>,
    watermarks: BTreeMap<String, Watermark>,
    keyed: BTreeMap<String, BTreeMap<String, Vec<PartEntry>>>,
}

#[derive(Debug, Default)]
struct Split {
    position: Option<PositionEntry>,
    reached_ms: Option<i64>,
}

/// Sources and operators as a manifest has them.
type Entries = (BTreeMap<String, BTreeMap<String, SplitEntry>>, BTreeMap<String, OperatorEntry>);

impl Gathered {
    /// Adds a part: of a split's times the greatest counts, of an operator's watermarks the least.
    pub(crate) fn add(&mut self, part: &Part) -> Result<()> {
        match part {
            Part::Split { source, split, position } => {
                let known = self.splits.entry((source.clone(), split.clone())).or_default();
                match &known.position {
                    Some(other) if other != position => {
                        return Err(broken(source, split, format_args!("two positions, {other:?} and {position:?}")));
                    }
                    _ => known.position = Some(position.clone()),
                }
            }
            Part::SplitTime { source, split, reached_ms } => {
                let known = self.splits.entry((source.clone(), split.clone())).or_default();
                known.reached_ms = known.reached_ms.max(Some(*reached_ms));
            }
            Part::Watermark { node, watermark } => {
                let known = self.watermarks.entry(node.clone()).or_insert(*watermark);
                *known = (*known).min(*watermark);
            }
            Part::Keyed { node, name, entry } => {
                let parts = self.keyed.entry(node.clone()).or_default().entry(name.clone()).or_default();
                if parts.iter().any(|part| part.subtask == entry.subtask && part.key_groups == entry.key_groups) {
                    let instance = entry.subtask;
                    return Err(Error::Broken(format!(
                        "instance {instance} of `{node}` reported `{name}` twice in an epoch"
                    )));
                }
                parts.push(entry.clone());
            }
        }
        Ok(())
    }

    /// The first thing in which this differs from what a manifest says, if there is one: positions of splits, event time, and
    /// which states there are.
    pub(crate) fn differs_from(&self, manifest: &Manifest) -> Option<String> {
        let splits = manifest.sources.iter().flat_map(|(source, splits)| {
            splits.iter().map(move |(split, entry)| ((source.clone(), split.clone()), entry))
        });
        let mut expected: BTreeMap<_, _> = splits.collect();
        for (key, found) in &self.splits {
            let expected = expected.remove(key);
            let is_same = expected.is_some_and(|expected| {
                Some(&expected.position) == found.position.as_ref() && expected.reached_ms == found.reached_ms
            });
            if !is_same {
                let (source, split) = key;
                return Some(format!("split {split} of `{source}` is {found:?}, and was {expected:?}"));
            }
        }
        if let Some((source, split)) = expected.into_keys().next() {
            return Some(format!("split {split} of `{source}` was not read"));
        }
        let names = self.watermarks.keys().chain(self.keyed.keys()).chain(manifest.operators.keys());
        for name in names {
            let known = manifest.operators.get(name);
            let (watermark, expected) =
                (self.watermarks.get(name).copied().map(WatermarkEntry::from), known.and_then(|known| known.watermark));
            if watermark != expected {
                return Some(format!("event time of `{name}` is {watermark:?}, and was {expected:?}"));
            }
            let states: Vec<_> = self.keyed.get(name).into_iter().flat_map(BTreeMap::keys).collect();
            let expected: Vec<_> = known.into_iter().flat_map(|known| known.keyed.keys()).collect();
            if states != expected {
                return Some(format!("`{name}` keeps {states:?}, and kept {expected:?}"));
            }
        }
        None
    }

    /// What the manifest says of sources and operators.
    pub(crate) fn finish(self) -> Result<Entries> {
        let mut sources: BTreeMap<String, BTreeMap<String, SplitEntry>> = BTreeMap::new();
        for ((source, split), Split { position, reached_ms }) in self.splits {
            // To drop its time would make other rows late after a restart; to drop the split would read it again.
            let position = position.ok_or_else(|| broken(&source, &split, format_args!("a time and no position")))?;
            sources.entry(source).or_default().insert(split, SplitEntry { position, reached_ms });
        }
        let mut operators: BTreeMap<String, OperatorEntry> = BTreeMap::new();
        for (node, watermark) in self.watermarks {
            operators.entry(node).or_default().watermark = Some(WatermarkEntry::from(watermark));
        }
        for (node, mut states) in self.keyed {
            states.values_mut().for_each(|parts| parts.sort_by_key(|part| (part.key_groups, part.subtask)));
            operators.entry(node).or_default().keyed = states;
        }
        Ok((sources, operators))
    }
}

fn broken(source: &str, split: &str, what: fmt::Arguments<'_>) -> Error {
    Error::Broken(format!("split `{split}` of `{source}` was reported with {what} in one epoch"))
}

/// Output that is not known to be committed, each once, in order of epochs.
pub(crate) fn pending<'a>(committables: impl IntoIterator<Item = &'a Committable>) -> Vec<PendingEntry> {
    let mut pending: Vec<_> = committables.into_iter().map(PendingEntry::from).collect();
    pending.sort_by(|a, b| {
        let key = |entry: &PendingEntry| (entry.epoch, entry.sink.clone(), entry.subtask, entry.incarnation);
        key(a).cmp(&key(b)).then_with(|| a.token.0.cmp(&b.token.0))
    });
    pending.dedup();
    pending
}
