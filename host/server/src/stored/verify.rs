//! `volley-host checkpoints verify` and `volley-host savepoint verify`: every byte is read.

use serde_json::{Value, json};
use volley_api::{Error, Result};
use volley_checkpoint::store::{CheckpointStore, EpochState, Savepoint};
use volley_checkpoint::{Damage, Error as Failed};

use super::check_is_there;
use super::list::parts;
use crate::args::Several;
use crate::output::{print, tell};
use crate::run::Ending;

/// What was found of one checkpoint.
struct Verdict {
    epoch: u64,
    /// `whole`, `damaged`, or why it was not read: `incomplete`, `foreign`.
    state: &'static str,
    /// What is wrong.
    problems: Vec<String>,
}

impl Verdict {
    /// Of what the store says of its files.
    fn of(epoch: u64, found: volley_checkpoint::Result<Vec<Damage>>) -> Result<Self> {
        let damage = match found {
            Err(Failed::Damaged { damage, .. }) => damage,
            found => found?,
        };
        let state = if damage.is_empty() { "whole" } else { "damaged" };
        Ok(Self { epoch, state, problems: damage.iter().map(ToString::to_string).collect() })
    }

    fn is_damaged(&self) -> bool {
        self.state == "damaged"
    }

    fn as_json(&self) -> Value {
        json!({ "epoch": self.epoch, "state": self.state, "problems": self.problems })
    }

    fn shown(&self, what: &str) -> String {
        let Self { state, problems, .. } = self;
        let lines: String = problems.iter().map(|problem| format!("  {problem}\n")).collect();
        format!("{what}: {state}\n{lines}")
    }
}

/// Reads checkpoints of a job.
pub(super) async fn checkpoints(store: &CheckpointStore, which: Several, json: bool) -> Result<Ending> {
    let verdicts = match which {
        Several::Epoch(epoch) => {
            check_is_there(store, epoch).await?;
            vec![Verdict::of(epoch.0, store.verify(epoch).await)?]
        }
        Several::All => all(store).await?,
    };
    if json {
        let verdicts: Vec<Value> = verdicts.iter().map(Verdict::as_json).collect();
        let outcome = json!({ "job": store.job(), "location": store.label(), "checkpoints": verdicts });
        print(&format!("{outcome:#}\n"))?;
    } else if verdicts.is_empty() {
        print(&format!("there is no checkpoint in {}\n", store.label()))?;
    } else {
        let shown = verdicts.iter().map(|verdict| verdict.shown(&format!("checkpoint {}", verdict.epoch)));
        print(&shown.collect::<String>())?;
    }
    let damaged: Vec<String> =
        verdicts.iter().filter(|verdict| verdict.is_damaged()).map(|verdict| verdict.epoch.to_string()).collect();
    if damaged.is_empty() {
        return Ok(Ending::Done);
    }
    tell(&format!("error: damaged in {}: checkpoint {}", store.label(), damaged.join(", ")));
    Ok(Ending::Damaged)
}

async fn all(store: &CheckpointStore) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for entry in store.list().await? {
        let epoch = entry.epoch.0;
        let verdict = match &entry.state {
            EpochState::Complete { .. } | EpochState::Damaged { .. } => match store.verify(entry.epoch).await {
                // Removed meanwhile: a job that runs keeps a few only.
                Err(Failed::NoSuchEpoch { .. } | Failed::Incomplete { .. }) => continue,
                found => Verdict::of(epoch, found)?,
            },
            state => {
                let (state, _, problems) = parts(state);
                Verdict { epoch, state, problems }
            }
        };
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Reads a savepoint.
pub(super) async fn savepoint(savepoint: &Savepoint, location: &str, json: bool) -> Result<Ending> {
    let epoch = savepoint.inspect().await.map_err(Error::from)?.epoch;
    let verdict = Verdict::of(epoch, savepoint.verify().await)?;
    if json {
        print(&format!("{:#}\n", verdict.as_json()))?;
    } else {
        print(&verdict.shown(&format!("savepoint {location}, checkpoint {epoch}")))?;
    }
    if !verdict.is_damaged() {
        return Ok(Ending::Done);
    }
    tell(&format!("error: the savepoint in {location} is damaged"));
    Ok(Ending::Damaged)
}
