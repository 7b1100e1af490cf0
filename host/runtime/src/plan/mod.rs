//! From the nodes a user names to the chains that run.

mod check;
mod columns;
mod draw;
mod logical;
mod physical;
mod replayed;
mod times;

pub use check::CheckedPlan;
pub(crate) use check::{Align, Edge, EdgePort};
pub use draw::{EdgeView, NodeView, PlanView, PortView};
pub(crate) use logical::NodeKind;
pub use logical::{LogicalPlan, PARALLELISM_MAX, PortRef};
pub use physical::{Chain, ExchangeKind, PhysicalPlan};
