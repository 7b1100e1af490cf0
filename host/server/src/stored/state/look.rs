//! Which checkpoint or savepoint is looked at, and the files of one operator in it.

use std::path::Path;

use volley_api::{Epoch, Error, Result};
use volley_checkpoint::StateParts;
use volley_checkpoint::manifest::Manifest;
use volley_checkpoint::store::{CheckpointStore, Location, Savepoint};
use volley_config::PipelineSpec;

use crate::args::{self, One};
use crate::stored::{check_is_there, inspect, open};

/// A checkpoint or a savepoint, and what its manifest says.
pub(super) struct Look {
    place: Place,
    job: String,
    manifest: Manifest,
    of: StateOf,
}

enum Place {
    Checkpoint(CheckpointStore, Epoch),
    Savepoint(Savepoint),
}

/// What is looked at.
pub(super) enum StateOf {
    Checkpoint { epoch: Epoch, location: String },
    Savepoint { location: String, epoch: Epoch },
}

impl Look {
    /// Finds what is asked for.
    pub(super) async fn open(asked: &args::State, spec: &PipelineSpec) -> Result<Self> {
        let job = spec.name.to_string();
        if let Some(location) = &asked.savepoint {
            let savepoint = Savepoint::open(&Location::parse(location)?)?;
            let manifest = savepoint.inspect().await.map_err(Error::from)?;
            let of = StateOf::Savepoint { location: location.clone(), epoch: Epoch(manifest.epoch) };
            return Ok(Self { place: Place::Savepoint(savepoint), job, manifest, of });
        }
        let store = open(spec, &asked.pipeline)?;
        let epoch = match asked.checkpoint {
            One::Epoch(epoch) => {
                check_is_there(&store, epoch).await?;
                epoch
            }
            One::Newest => inspect::newest(&store).await?,
        };
        let manifest = store.inspect(epoch).await.map_err(Error::from)?;
        let of = StateOf::Checkpoint { epoch, location: store.label() };
        Ok(Self { place: Place::Checkpoint(store, epoch), job, manifest, of })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn of(&self) -> &StateOf {
        &self.of
    }

    /// The files of an operator's states, of the one named or of all: read through, and copied where they are elsewhere.
    pub(super) async fn load(&self, operator: &str, state: Option<&str>, downloads: &Path) -> Result<StateParts> {
        let loaded = match &self.place {
            Place::Checkpoint(store, epoch) => store.load_operator(*epoch, operator, state, downloads).await,
            Place::Savepoint(savepoint) => savepoint.load_operator(&self.job, operator, state, downloads).await,
        };
        Ok(loaded?)
    }
}
