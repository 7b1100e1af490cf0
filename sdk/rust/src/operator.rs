//! The traits an operator implements, what it binds to, and how it refuses rows, batches and configurations.

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{Array, Batch, BitsBuilder, Emitter, Schema};

/// Why `open` refused. The message goes to the person who wrote the pipeline: name the key or column, what was
/// found and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The configuration is not one this operator takes.
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    /// The input lacks a column, or has it with another type.
    #[error("invalid input: {0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Why a whole call failed. What the call emitted before is discarded: a batch is atomic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// This batch cannot be handled and never will be: the pipeline's `on_error` decides what becomes of it.
    #[error("batch rejected: {0}")]
    RejectBatch(String),
    /// Something outside is briefly away: the host makes the same call again after this many milliseconds.
    #[error("retry after {0} ms")]
    Retry(u64),
    /// The operator cannot go on with any batch: the job stops with this message.
    #[error("{0}")]
    Fatal(String),
}

/// Why one row is refused. A normal result: the row goes to the operator's `errors` port with code and message.
///
/// Texts convert into a reject with the code `rejected`, so `Result<T, String>` and `.ok_or("…")?` work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// A short, stable name of the reason for programs, such as `negative-amount`; at most 64 bytes.
    pub code: String,
    /// One sentence for a person; the host cuts it at 4 KiB.
    pub message: String,
}

impl Reject {
    /// The code of a reject made from a text alone.
    pub const DEFAULT_CODE: &str = "rejected";

    /// A reject with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl From<String> for Reject {
    fn from(message: String) -> Self {
        Self::new(Self::DEFAULT_CODE, message)
    }
}

impl From<&str> for Reject {
    fn from(message: &str) -> Self {
        Self::new(Self::DEFAULT_CODE, message)
    }
}

/// The refused rows of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejects {
    rows: Vec<(u32, Reject)>,
}

impl Rejects {
    /// None refused.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Refuses a row, by its index in the batch of this call. Any order; of several rejects of one row the first counts.
    pub fn push(&mut self, row: usize, reject: impl Into<Reject>) {
        // A batch has at most u32::MAX rows; a larger index is refused with the others beyond the batch.
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        self.rows.push((row, reject.into()));
    }

    /// How many were pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rejects as the contract wants them, of a batch of so many rows: ascending, one per row; or a row that the
    /// batch does not have.
    pub(crate) fn into_sorted(mut self, rows: usize) -> Result<Vec<(u32, Reject)>, u32> {
        let last = self.rows.iter().map(|(row, _)| *row).max();
        if let Some(last) = last.filter(|last| *last as usize >= rows) {
            return Err(last);
        }
        if self.rows.is_sorted_by(|one, next| one.0 < next.0) {
            return Ok(self.rows);
        }
        // Not by sorting: the code of a sort is a tenth of a small component. The first reject of a row is the last one
        // that is noted here.
        let mut first = vec![None; rows];
        for (at, (row, _)) in self.rows.iter().enumerate().rev() {
            first[*row as usize] = Some(at);
        }
        let mut sorted = Vec::new();
        for at in first.into_iter().flatten() {
            let (row, reject) = &mut self.rows[at];
            let taken = Reject { code: std::mem::take(&mut reject.code), message: std::mem::take(&mut reject.message) };
            sorted.push((*row, taken));
        }
        Ok(sorted)
    }
}

/// What an operator's results depend on, beside configuration, input and state. The host checks some calls by making them
/// twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Determinism {
    /// Nothing: the same call gives the same, always.
    Deterministic,
    /// What `clock`, `random` and other imports answered: a call to which they answer the same gives the same. The default.
    #[default]
    Replayable,
    /// Anything else. It is never checked, and a replay may come out differently.
    Nondeterministic,
}

/// How the columns of an output stand to those of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteMode {
    /// The operator's columns are added behind the input's, which never cross the boundary unless read. A column
    /// with the name of an input column takes its place.
    Append,
    /// The operator's columns are the whole output.
    Replace,
    /// The operator's columns are added behind those of the key and the event time. Only in a process.
    Keyed,
}

/// One output of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// `[a-z][a-z0-9_-]*`; the main output is `out`.
    pub name: String,
    /// The columns that the operator writes to it.
    pub schema: Schema,
    /// How they stand to the columns of the input.
    pub writes: WriteMode,
}

/// What an operator agrees to in `open`: the columns it reads, and its outputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binding {
    /// Names of the input columns that every batch will carry, in this order.
    pub reads: Vec<String>,
    /// None for a filter, exactly `out` for a map, one or more (the first is `out`) for a flat-map and a process.
    pub ports: Vec<Port>,
    /// The columns of the key that a process wants to know: they cross once for each key.
    pub keys: Vec<String>,
    /// The columns of an aggregate's state.
    pub state: Schema,
}

impl Binding {
    /// Every batch will carry these columns, in this order.
    pub fn reads<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        let mut binding = Self::default();
        for column in columns {
            binding.read(column.into());
        }
        binding
    }

    #[inline(never)]
    fn read(&mut self, column: String) {
        self.reads.push(column);
    }

    /// The main output is the input with these columns behind it.
    #[must_use]
    pub fn append(self, columns: impl Into<Schema>) -> Self {
        self.port("out", columns, WriteMode::Append)
    }

    /// The main output is these columns alone.
    #[must_use]
    pub fn replace(self, columns: impl Into<Schema>) -> Self {
        self.port("out", columns, WriteMode::Replace)
    }

    /// The main output is the key and the event time with these columns behind them. Only in a process.
    #[must_use]
    pub fn keyed(self, columns: impl Into<Schema>) -> Self {
        self.port("out", columns, WriteMode::Keyed)
    }

    /// A process wants to know these columns of the key, once for each key.
    #[must_use]
    pub fn wanting_keys<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.keys = columns.into_iter().map(Into::into).collect();
        self
    }

    /// An aggregate's state has these columns: they are what its deltas become when they are drained.
    #[must_use]
    pub fn state(mut self, columns: impl Into<Schema>) -> Self {
        self.set_state(columns.into());
        self
    }

    #[inline(never)]
    fn set_state(&mut self, schema: Schema) {
        self.state = schema;
    }

    /// One more output; a flat-map's side outputs come after `out`.
    #[must_use]
    pub fn port(mut self, name: &str, columns: impl Into<Schema>, writes: WriteMode) -> Self {
        self.add_port(name, columns.into(), writes);
        self
    }

    #[inline(never)]
    fn add_port(&mut self, name: &str, schema: Schema, writes: WriteMode) {
        self.ports.push(Port { name: name.to_owned(), schema, writes });
    }
}

/// What a map gives back for one batch.
#[derive(Debug, Clone, Default)]
pub struct Mapped {
    /// The columns of the port `out`, in its order, each with as many values as the batch has rows.
    pub columns: Vec<Array>,
    /// The refused rows; what stands there in `columns` is ignored.
    pub rejects: Rejects,
    /// Whether the columns that were read go out as they are, and `columns` is empty.
    pub(crate) unchanged: bool,
}

impl Mapped {
    /// The columns that were read, as they are, and no rejects. Nothing is copied. The port must be those columns, in the
    /// same order, with the same types.
    #[inline]
    #[must_use]
    pub fn unchanged() -> Self {
        Self { columns: Vec::new(), rejects: Rejects::new(), unchanged: true }
    }

    /// These columns and rejects.
    #[inline]
    #[must_use]
    pub fn with_rejects(columns: Vec<Array>, rejects: Rejects) -> Self {
        Self { columns, rejects, unchanged: false }
    }

    /// These columns, and no rejects.
    #[must_use]
    pub fn new(columns: Vec<Array>) -> Self {
        Self::with_rejects(columns, Rejects::new())
    }
}

/// What a filter gives back for one batch.
#[derive(Debug, Clone, Default)]
pub struct Filtered {
    /// Whether each row stays; as many as the batch has rows.
    pub(crate) keep: BitsBuilder,
    /// The refused rows; what was decided for them is ignored.
    pub rejects: Rejects,
}

impl Filtered {
    /// Whether each row stays, and no rejects.
    #[must_use]
    pub fn new(keep: Vec<bool>) -> Self {
        Self::from_bits(BitsBuilder::from_bools(&keep))
    }

    /// One bit for each row, 1 if it stays, and no rejects. What [`kernels`](crate::kernels) give.
    #[must_use]
    pub fn from_bits(keep: BitsBuilder) -> Self {
        Self { keep, rejects: Rejects::new() }
    }

    /// The same decisions, with these rejects.
    #[must_use]
    pub fn with_rejects(mut self, rejects: Rejects) -> Self {
        self.rejects = rejects;
        self
    }
}

/// The configuration of an operator that takes none: any key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// A batch-wise operator that gives one row for every row. Export it with [`export_map!`](crate::export_map).
pub trait MapOperator: Sized + 'static {
    /// The `config:` of the pipeline file. [`NoConfig`] takes none, and `#[serde(deny_unknown_fields)]` refuses
    /// unknown keys.
    type Config: DeserializeOwned;

    /// What its results depend on, beside configuration and input. Default: what `clock` and `random` answer.
    const DETERMINISM: Determinism = Determinism::Replayable;

    /// Binds to a configuration and to the columns of the input. Must be pure: it runs at every validation too.
    ///
    /// # Errors
    /// [`OpenError`] when configuration or input do not fit.
    fn open(config: Self::Config, input: &Schema) -> Result<(Self, Binding), OpenError>;

    /// Maps one batch, of the columns that the binding reads and at least one row.
    ///
    /// # Errors
    /// [`Failure`] when no row of the batch can be handled; single rows are refused through [`Mapped::rejects`].
    fn map(&mut self, batch: &Batch<'_>) -> Result<Mapped, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}

/// A batch-wise operator that keeps or drops rows. Export it with [`export_filter!`](crate::export_filter).
pub trait FilterOperator: Sized + 'static {
    /// See [`MapOperator::Config`].
    type Config: DeserializeOwned;

    /// See [`MapOperator::DETERMINISM`].
    const DETERMINISM: Determinism = Determinism::Replayable;

    /// See [`MapOperator::open`].
    ///
    /// # Errors
    /// [`OpenError`] when configuration or input do not fit.
    fn open(config: Self::Config, input: &Schema) -> Result<(Self, Binding), OpenError>;

    /// Judges one batch, of the columns that the binding reads and at least one row.
    ///
    /// # Errors
    /// [`Failure`] when no row of the batch can be judged; single rows are refused through [`Filtered::rejects`].
    fn filter(&mut self, batch: &Batch<'_>) -> Result<Filtered, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}

/// A batch-wise operator that gives any number of rows for every row, on one or more ports. Export it with
/// [`export_flat_map!`](crate::export_flat_map).
pub trait FlatMapOperator: Sized + 'static {
    /// See [`MapOperator::Config`].
    type Config: DeserializeOwned;

    /// See [`MapOperator::DETERMINISM`].
    const DETERMINISM: Determinism = Determinism::Replayable;

    /// See [`MapOperator::open`].
    ///
    /// # Errors
    /// [`OpenError`] when configuration or input do not fit.
    fn open(config: Self::Config, input: &Schema) -> Result<(Self, Binding), OpenError>;

    /// Processes one batch; rows go out through `out`. Rows emitted for a row that is refused are dropped.
    ///
    /// # Errors
    /// [`Failure`] when no row of the batch can be handled; then nothing that was emitted goes out.
    fn flat_map(&mut self, batch: &Batch<'_>, out: &mut Emitter<'_>) -> Result<Rejects, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_are_sorted_and_the_first_of_a_row_counts() {
        let mut rejects = Rejects::new();
        rejects.push(5, "late");
        rejects.push(1, Reject::new("a", "first"));
        rejects.push(1, Reject::new("b", "second"));
        let rows: Vec<(u32, String)> =
            rejects.into_sorted(6).unwrap().into_iter().map(|(row, r)| (row, r.code)).collect();
        assert_eq!(rows, [(1, "a".to_owned()), (5, "rejected".to_owned())]);
    }

    #[test]
    fn many_rejects_in_any_order_are_sorted() {
        let mut rejects = Rejects::new();
        let rows: Vec<usize> = (0..500).map(|n| n * 7919 % 251).collect();
        rows.iter().enumerate().for_each(|(at, row)| rejects.push(*row, at.to_string()));
        assert_eq!(rejects.clone().into_sorted(250).unwrap_err(), 250);
        let sorted = rejects.into_sorted(251).unwrap();
        let first = |row: u32| rows.iter().position(|other| *other == row as usize).unwrap();
        assert!(sorted.iter().map(|(row, _)| *row).eq(0..251));
        assert!(sorted.iter().all(|(row, why)| why.message == first(*row).to_string()));
    }
}
