//! State that an operator holds itself, in checkpoints; and older state brought over.

use crate::state::StateDeclaration;
use crate::{Array, Batch, Failure, ProcessOperator};

/// A piece of the state that an operator holds itself, which only the operator understands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatePart {
    /// The key group (0 to 255) that it belongs to, so that it follows its keys when a job is rescaled: that of
    /// [`Context::key_groups`](crate::Context::key_groups). `None`: any instance may have it, and each part goes to exactly
    /// one.
    pub key_group: Option<u8>,
    /// The version of its format, by the operator's own count.
    pub version: u32,
    /// What it is: at most 1 MiB.
    pub bytes: Vec<u8>,
}

/// What an operator does besides that holds state itself, or brings state over that an earlier version of it has left.
///
/// Export it with [`export_process!`](crate::export_process)`(Operator, snapshot)`, or `#[process(…, snapshot)]`. All functions
/// have a default that holds nothing and refuses what it is given.
pub trait SnapshotOperator: ProcessOperator {
    /// All state of the operator's own as it is now. Called at barriers, and now and then in between. Changes nothing.
    ///
    /// # Errors
    /// [`Failure`] when there is no state to be had now: the checkpoint is abandoned.
    fn snapshot(&mut self) -> Result<Vec<StatePart>, Failure> {
        Ok(Vec::new())
    }

    /// Takes over parts, perhaps of several instances, in no order. Called once, before any row.
    ///
    /// # Errors
    /// [`Failure`] when they cannot be understood; name the version that was found.
    fn restore(&mut self, parts: Vec<StatePart>) -> Result<(), Failure> {
        match parts.first() {
            None => Ok(()),
            Some(part) => {
                Err(Failure::Fatal(format!("it holds no state itself and was given some of version {}", part.version)))
            }
        }
    }

    /// Whether host-held state of these declarations can be brought over: those that the checkpoint has and this operator has
    /// not, or has otherwise.
    ///
    /// # Errors
    /// Which cannot, and why.
    fn can_migrate(earlier: &[StateDeclaration]) -> Result<(), String> {
        let named = |state: &StateDeclaration| format!("`{}` of version {}", state.name, state.version);
        let names: Vec<String> = earlier.iter().map(named).collect();
        Err(format!("it does not know how to bring over {}", names.join(", ")))
    }

    /// Brings rows of one state over: `values` are rows of its columns (of a map behind those of its keys). Gives as many
    /// rows, in order, as the columns of the state of that name in [`ProcessOperator::states`].
    ///
    /// # Errors
    /// [`Failure`] when they cannot be brought over.
    fn migrate(earlier: &StateDeclaration, values: &Batch<'_>) -> Result<Vec<Array>, Failure> {
        let _ = values;
        Err(Failure::Fatal(format!("it does not know how to bring over `{}`", earlier.name)))
    }
}
