//! What attacks the gate: inputs, the check that every one of them must pass, and mutations that know the format.
//!
//! The same check stands behind the fuzz targets (libFuzzer, guided by coverage), the runner (which needs no more than
//! a stable toolchain), and the replay of the corpus in the tests. `scripts/fuzz` picks one of the first two.

#[path = "../../tests/support/chance.rs"]
mod chance;
mod check;
mod input;
mod mutate;

use std::path::PathBuf;

pub use check::{LIMITS, Verdict, batch, schema};
pub use input::{INPUT_BYTES_MAX, batch_input, schemas};
pub use mutate::{Mutator, lies, places};

/// One door of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `decode_batch`: an input is a choice of schema, then a message (see [`batch_input`]).
    Batch,
    /// `decode_schema`: an input is a message.
    Schema,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Batch, Self::Schema];

    /// Its name: of the libFuzzer binary, and of its folder of the corpus.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "gate_batch",
            Self::Schema => "gate_schema",
        }
    }

    /// The folder of its seeds, and of what once broke the gate.
    #[must_use]
    pub fn corpus(self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name())
    }

    /// Runs one input.
    ///
    /// # Panics
    /// When the gate does, or when it lets something through that it must not: that is what is looked for.
    #[must_use]
    pub fn check(self, input: &[u8]) -> Verdict {
        match self {
            Self::Batch => batch(input),
            Self::Schema => schema(input),
        }
    }

    /// Where the message begins in an input.
    pub(crate) fn message_offset(self) -> usize {
        match self {
            Self::Batch => input::CHOICE_BYTES,
            Self::Schema => 0,
        }
    }
}
