//! What takes long: storing, declaring complete, committing, asking, removing. Each runs as a task of its own.

use std::sync::Arc;
use std::time::Duration;

use volley_api::{Committable, Epoch, Error, NodeName, Result, Sink, TaskId};

use super::CoordinatorOptions;
use super::ask::{Reply, SavepointReport};
use super::parts::OfEpoch;
use crate::fail_point::{fail_point, planted};
use crate::protocol::{CommitAnswer, CommittableId, Fact, LookUpAnswer, ManifestOrder};
use crate::store::{Completion, EpochReport, EpochWriter, Location, Run, TakenParts};

/// What came of it.
pub(super) enum Outcome {
    /// The id of an epoch is in the store, or why it is not.
    Begun(Epoch, std::result::Result<Box<EpochWriter>, String>),
    Stored {
        writer: Box<EpochWriter>,
        finished: Vec<(TaskId, TakenParts)>,
    },
    Complete(Box<EpochReport>),
    Exported(Epoch),
    Fact(Fact),
    /// The job has to stop.
    Failed(Error),
}

/// Makes tasks of what was decided.
pub(super) struct Work<'a> {
    pub(super) run: &'a Run,
    pub(super) options: &'a CoordinatorOptions,
}

impl Work<'_> {
    /// Puts the id of an epoch into the store.
    pub(super) fn begin(&self, epoch: Epoch) -> impl Future<Output = Outcome> + Send + 'static {
        let run = self.run.clone();
        async move {
            match begin(&run, epoch).await {
                Ok(writer) => Outcome::Begun(epoch, Ok(Box::new(writer))),
                Err(crate::Error::Superseded { seen, .. }) => Outcome::Fact(Fact::HigherIncarnation { seen }),
                Err(error) => Outcome::Begun(epoch, Err(error.to_string())),
            }
        }
    }

    /// Stores the parts of an epoch; of one that ends the job, which has no barrier, from its id on.
    pub(super) fn store(
        &self,
        epoch: Epoch,
        begun: Option<std::result::Result<Box<EpochWriter>, String>>,
        parts: OfEpoch,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let run = self.run.clone();
        async move {
            let writer = match begun {
                Some(Ok(writer)) => Ok(*writer),
                Some(Err(why)) => {
                    return Outcome::Fact(Fact::DataNotStored { epoch, why, is_retryable: false });
                }
                None => begin(&run, epoch).await,
            };
            let stored = match writer {
                Ok(writer) => store(writer, parts).await,
                Err(error) => Err(error),
            };
            match stored {
                Ok((writer, finished)) => Outcome::Stored { writer: Box::new(writer), finished },
                Err(crate::Error::Superseded { seen, .. }) => Outcome::Fact(Fact::HigherIncarnation { seen }),
                // Snapshots are taken once: the next epoch tries again.
                Err(error) => Outcome::Fact(Fact::DataNotStored { epoch, why: error.to_string(), is_retryable: false }),
            }
        }
    }

    /// Writes the manifest of an epoch.
    pub(super) fn complete(
        &self,
        writer: EpochWriter,
        order: ManifestOrder,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let (now_ms, epoch) = (self.options.clock.now_ms(), order.epoch);
        async move {
            // Output of this epoch's own reports is in the writer already.
            let pending = order.pending.into_iter().filter(|committable| !writer.has(committable)).collect();
            let completion = Completion { now_ms, is_final: order.is_final, pending };
            match writer.complete(completion).await {
                Ok(report) => Outcome::Complete(Box::new(report)),
                Err(crate::Error::Superseded { seen, .. }) => Outcome::Fact(Fact::HigherIncarnation { seen }),
                Err(error @ crate::Error::OutcomeUnknown { .. }) => Outcome::Failed(Error::from(error).retryable()),
                Err(error) => {
                    let (why, is_retryable) = (error.to_string(), false);
                    Outcome::Fact(Fact::ManifestNotWritten { epoch, why, is_retryable })
                }
            }
        }
    }

    pub(super) fn commit(&self, committable: Committable) -> Result<impl Future<Output = Outcome> + Send + 'static> {
        let (sink, run, within) = self.of(&committable.sink)?;
        Ok(async move {
            let id = CommittableId::of(&committable);
            if let Some(stop) = superseded(&run).await {
                return stop.unwrap_or_else(|why| {
                    // Nothing was sent: asking the sink is right all the same.
                    Outcome::Fact(Fact::CommitAnswered { id, answer: CommitAnswer::Lost { why } })
                });
            }
            let committed = async move {
                fail_point("commit-before").map_err(lost)?;
                sink.commit(&committable).await?;
                fail_point("commit-after").map_err(lost)
            };
            if planted("ack-before-commit") {
                drop(tokio::spawn(committed));
                return Outcome::Fact(Fact::CommitAnswered { id, answer: CommitAnswer::Committed });
            }
            let answer = match tokio::time::timeout(within, committed).await {
                Ok(Ok(())) => CommitAnswer::Committed,
                Ok(Err(error)) if error.is_retryable() => CommitAnswer::Lost { why: error.report() },
                Ok(Err(error)) => CommitAnswer::Refused { why: error.report() },
                Err(_) => CommitAnswer::Lost { why: no_answer(within) },
            };
            Outcome::Fact(Fact::CommitAnswered { id, answer })
        })
    }

    pub(super) fn look_up(&self, committable: Committable) -> Result<impl Future<Output = Outcome> + Send + 'static> {
        let (sink, _, within) = self.of(&committable.sink)?;
        Ok(async move {
            let asked = async {
                fail_point("lookup-before").map_err(lost)?;
                sink.lookup(&committable).await
            };
            let answer = match tokio::time::timeout(within, asked).await {
                Ok(Ok(status)) => LookUpAnswer::Status(status),
                Ok(Err(error)) => LookUpAnswer::Failed { is_retryable: error.is_retryable(), why: error.report() },
                Err(_) => LookUpAnswer::Failed { why: no_answer(within), is_retryable: true },
            };
            Outcome::Fact(Fact::LookUpAnswered { id: CommittableId::of(&committable), answer })
        })
    }

    pub(super) fn abort(&self, committable: Committable) -> Result<impl Future<Output = Outcome> + Send + 'static> {
        let (sink, run, within) = self.of(&committable.sink)?;
        Ok(async move {
            let id = CommittableId::of(&committable);
            if let Some(Ok(stop)) = superseded(&run).await {
                return stop;
            }
            match tokio::time::timeout(within, sink.abort(&committable)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%id, error = %error.report(), "staged output is left behind"),
                Err(_) => tracing::warn!(%id, "staged output is left behind: {}", no_answer(within)),
            }
            Outcome::Fact(Fact::AbortDone { id })
        })
    }

    pub(super) fn remove(&self, epochs: Vec<Epoch>) -> impl Future<Output = Outcome> + Send + 'static {
        let run = self.run.clone();
        async move {
            let is_complete = match run.remove(&epochs).await {
                Ok(_) => true,
                Err(crate::Error::Superseded { seen, .. }) => {
                    return Outcome::Fact(Fact::HigherIncarnation { seen });
                }
                Err(error) => {
                    tracing::warn!(%error, "old checkpoints are left for now");
                    false
                }
            };
            Outcome::Fact(Fact::CleanedUp { is_complete })
        }
    }

    /// Copies a complete epoch, whose output is committed, to a place of its own.
    pub(super) fn export(
        &self,
        epoch: Epoch,
        target: Location,
        reply: Reply,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let store = self.run.store().clone();
        async move {
            let copied = store.export_committed(epoch, &target).await;
            let report = copied.map(|copied| SavepointReport { epoch, copied }).map_err(Error::from);
            // Whoever asked may have gone.
            drop(reply.send(report));
            Outcome::Exported(epoch)
        }
    }

    /// A sink by its name.
    fn of(&self, name: &NodeName) -> Result<(Arc<dyn Sink>, Run, Duration)> {
        let missing = || Error::internal(format!("output is to be committed of `{name}`, which is no sink of the job"));
        let sink = self.options.sinks.get(name).ok_or_else(missing)?;
        Ok((Arc::clone(sink), self.run.clone(), self.options.answer_within))
    }
}

async fn begin(run: &Run, epoch: Epoch) -> crate::Result<EpochWriter> {
    let taken = || crate::Error::Broken(format!("epoch {epoch} was begun by an earlier start of the job"));
    run.begin_epoch(epoch).await?.ok_or_else(taken)
}

async fn store(mut writer: EpochWriter, parts: OfEpoch) -> crate::Result<(EpochWriter, Vec<(TaskId, TakenParts)>)> {
    writer.take(parts.passed.into_iter().flatten().collect()).await?;
    let mut finished = Vec::with_capacity(parts.finished.len());
    for (task, parts) in parts.finished {
        finished.push((task, writer.take(parts).await?));
    }
    parts.carried.iter().try_for_each(|carried| writer.carry(carried))?;
    Ok((writer, finished))
}

/// Whether a later start has taken over: what to do then, or why it cannot be told.
async fn superseded(run: &Run) -> Option<std::result::Result<Outcome, String>> {
    match run.check_not_superseded().await {
        Ok(()) => None,
        Err(crate::Error::Superseded { seen, .. }) => Some(Ok(Outcome::Fact(Fact::HigherIncarnation { seen }))),
        Err(error) => Some(Err(error.to_string())),
    }
}

fn lost(error: std::io::Error) -> Error {
    Error::external("the answer was lost").caused_by(error).retryable()
}

fn no_answer(within: Duration) -> String {
    format!("no answer within {within:?}")
}
