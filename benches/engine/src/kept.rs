//! A job that keeps its state in RocksDB and takes checkpoints, put together as the host does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use volley_api::{Error, JobSteering, Result, StateBackend};
use volley_checkpoint::coordinator::{Asker, BeginOptions, Coordinator, CoordinatorOptions, GoOn, Start, begin};
use volley_checkpoint::protocol::{End, Settings};
use volley_checkpoint::store::{Location, RunOptions};
use volley_runtime::{EpochOptions, JobHandle, JobOptions, PhysicalPlan};
use volley_state::{RocksBackend, RocksOptions};

/// A job that runs.
pub(crate) struct Kept {
    pub(crate) job: JobHandle,
    pub(crate) coordinator: JoinHandle<Result<End>>,
    pub(crate) asker: Asker,
}

impl Kept {
    /// Starts a job whose checkpoints and state lie in a folder, and goes on from what is there.
    pub(crate) async fn start(plan: PhysicalPlan, folder: &Path, every: Duration, memory_bytes: usize) -> Result<Self> {
        let sinks: BTreeMap<_, _> = plan.sinks();
        let interval_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let options = BeginOptions {
            location: Location::folder(&folder.join("checkpoints")),
            job: "bench".to_owned(),
            go_on: GoOn::Newest,
            accept_duplicates: false,
            downloads: folder.join("downloads"),
            settings: Settings::every(interval_ms),
            run: RunOptions {
                owner: "bench".to_owned(),
                now_ms: 0,
                host_version: env!("CARGO_PKG_VERSION").to_owned(),
                plan: Vec::new(),
                above: None,
            },
            replayer: Err("nobody reads again".to_owned()),
        };
        let Start::Run(begun) = begin(options, &sinks, &|_| Ok(())).await? else {
            return Err(Error::internal("the bench goes on from a job that has finished"));
        };
        let options = CoordinatorOptions { sinks, ..CoordinatorOptions::default() };
        let (coordinator, listener, asker) = Coordinator::new(begun.run.clone(), begun.protocol.clone(), options);
        let backend: Arc<dyn StateBackend> =
            Arc::new(RocksBackend::new(folder.join("state"), RocksOptions::new(memory_bytes))?);
        let epochs = EpochOptions {
            listener,
            first_epoch: begun.run.next_epoch(),
            run: begun.run.job_run().clone(),
            restored: begun.restored.map(|(_, state)| state),
            until: None,
        };
        let options = JobOptions { state: backend, epochs: Some(epochs), ..JobOptions::default() };
        let job = volley_runtime::start(plan, options).await?;
        let control: Arc<dyn JobSteering> = Arc::new(job.control());
        let coordinator = tokio::spawn(coordinator.run(control));
        Ok(Self { job, coordinator, asker })
    }

    /// Lets the job come to its end.
    pub(crate) async fn finish(self) -> Result<()> {
        self.job.wait().await?;
        self.coordinator.await.expect("the coordinator runs").map(drop)
    }

    /// Takes one last checkpoint and ends the job there.
    pub(crate) async fn suspend(self) -> Result<()> {
        self.asker.stop(false);
        self.coordinator.await.expect("the coordinator runs")?;
        self.job.abort();
        drop(self.job.wait().await);
        Ok(())
    }
}
