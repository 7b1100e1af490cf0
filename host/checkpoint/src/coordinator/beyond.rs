//! Output that no manifest accounts for: whoever committed it had a later checkpoint than those that are there (design §6).
//!
//! A checkpoint without a manifest looks like one that never became complete. Sinks know better: what they show of an epoch was
//! committed after the manifest of that epoch, or of a later one, had become complete.

use volley_api::{DeliveryGuarantee, Epoch, Error, JobRun, NodeName, Result, ShownBeyond};

use super::ANSWER_WITHIN;
use super::begin::Sinks;
use super::choose::silent;
use crate::manifest::Manifest;
use crate::store::{CheckpointStore, Newest};

/// What a sink shows beyond every manifest that can be read.
#[derive(Debug, Clone)]
pub(super) struct Beyond {
    pub(super) sink: NodeName,
    /// The highest epoch of it.
    pub(super) epoch: Epoch,
    /// The newest epoch that is known.
    known: Option<Epoch>,
}

impl Beyond {
    /// What is visible, for messages.
    pub(super) fn seen(&self) -> String {
        format!("sink `{}` has committed epoch {}", self.sink, self.epoch)
    }

    /// To go on would be to put out again what is visible.
    pub(super) fn refused(&self) -> Error {
        let Self { epoch, known, .. } = self;
        let left = match known {
            Some(known) => {
                format!("the newest that is there is checkpoint {known}: put the files back, or go on from that")
            }
            None => "none is there: put the files back, or begin anew".to_owned(),
        };
        Error::external(format!(
            "{}, and the checkpoint that it was committed with is gone: neither epochs/{epoch}/manifest.json nor its copy, nor a \
             later checkpoint, is there. Of those that are left {left} with --accept-duplicates, which may put rows out again",
            self.seen()
        ))
    }
}

/// Asks the sinks for output later than what is known. Those that cannot tell are taken to show none.
pub(super) async fn shown_beyond(store: &CheckpointStore, newest: &Newest, sinks: &Sinks) -> Result<Option<Beyond>> {
    if newest.known().is_none() && store.highest_incarnation().await? == 0 {
        // The job has never run here, and what is there is for its sinks to judge when they are opened.
        return Ok(None);
    }
    let known = newest.known().map(Manifest::epoch);
    let incarnation = store.line_began().await?.max(newest.known().map_or(0, |manifest| manifest.incarnation));
    let since = JobRun { job: store.job().into(), incarnation };
    let mut highest: Option<Beyond> = None;
    for (name, sink) in sinks {
        if sink.guarantee() != DeliveryGuarantee::ExactlyOnce {
            continue;
        }
        let asked = sink.shows_beyond(&since, name, known.unwrap_or(Epoch(0)));
        let told = tokio::time::timeout(ANSWER_WITHIN, asked).await.map_err(|_| silent(name))?;
        if let ShownBeyond::UpTo(epoch) = told.map_err(|error| error.within(name))?
            && highest.as_ref().is_none_or(|highest| highest.epoch < epoch)
        {
            highest = Some(Beyond { sink: name.clone(), epoch, known });
        }
    }
    Ok(highest)
}
