//! Plans and jobs: what a pipeline is, whether it can run, how it is cut into chains, and the threads that run it.
//!
//! ```text
//! LogicalPlan ──check──▶ CheckedPlan ──chain──▶ PhysicalPlan ──start──▶ JobHandle
//!  nodes, ports           schemas               chains, exchanges        progress, stop, wait
//! ```
//!
//! The crate drives the traits of `volley-api` and knows no implementation of any. Operators without an exchange
//! between them form a chain, run on one OS thread per subtask and call each other directly; readers of sources and
//! writers of sinks run on the shared tokio runtime; the two meet at bounded channels, which is all the back-pressure
//! there is. Guests therefore never run on a tokio worker; only the check of a plan, which opens each plugin once, runs on
//! the thread that asks for it.
#![forbid(unsafe_code)]

mod channel;
mod coalesce;
mod dedupe;
mod error;
mod job;
mod keyed;
mod metrics;
mod partition;
mod plan;
mod stages;
mod task;
mod time;
mod window;

pub use dedupe::DedupeFactory;
pub use error::Error;
pub use job::{EpochOptions, JobControl, JobHandle, JobOptions, JobReport, ListedPlan, start};
pub use metrics::{JobProgress, NodeProgress, NodeRole};
pub use plan::{
    Chain, CheckedPlan, EdgeView, ExchangeKind, LogicalPlan, NodeView, PARALLELISM_MAX, PhysicalPlan, PlanView,
    PortRef, PortView,
};
pub use stages::StageProgress;
pub use time::{EventTime, WatermarkStrategy};
pub use window::{Window, WindowFactory, late_schema};
