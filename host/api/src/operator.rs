//! Operators: records in, records out on named ports, refused rows aside.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use crate::{
    CheckpointBarrier, Clock, Combined, Combiner, Error, EventTimeColumn, KeyGroupRange, KeyedSnapshot, KeyedState,
    NodeName, OperatorState, OriginDirectory, PortName, Result, SeedSource, StateBackend, StateContext, StateOptions,
    StateTtl, StateView, StreamRecord, SubtaskId, Watermark,
};

/// Index of an output port among [`OperatorBinding::outputs`]; 0 is the main output.
pub type PortIndex = usize;

/// One output of an operator, with the schema of what leaves through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPort {
    /// Its name; the first port of an operator is [`PortName::main`].
    pub name: PortName,
    /// All columns of the rows that leave through it.
    pub schema: SchemaRef,
    /// Where the event time of those rows is.
    pub event_time: OutputTime,
    /// Whether rows of it may take the place of earlier ones (results of windows that count late rows).
    pub is_revised: bool,
}

impl OutputPort {
    /// A port whose rows keep the event time of the input.
    #[must_use]
    pub fn new(name: PortName, schema: SchemaRef) -> Self {
        Self { name, schema, event_time: OutputTime::Kept, is_revised: false }
    }
}

/// Where the event time of an operator's output is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputTime {
    /// Where it is in the input, as long as there is still a column of that name and type.
    Kept,
    /// In this column.
    In(EventTimeColumn),
    /// Nowhere: nothing below may ask for it.
    None,
}

/// What is known of the rows on an edge before the first one moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamType {
    /// Their columns.
    pub schema: SchemaRef,
    /// The column with their event time, if they have any.
    pub event_time: Option<EventTimeColumn>,
    /// Whether the stream ends by itself.
    pub is_bounded: bool,
    /// Whether some rows take the place of earlier ones, so that they must not be aggregated again.
    pub is_revised: bool,
}

/// What an operator agrees to for one input schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorBinding {
    /// The outputs, main first: at least one. The `errors` port is not among them; every fallible operator has it.
    pub outputs: Vec<OutputPort>,
    /// Names of the input columns that the operator looks at; the others only pass through.
    pub reads: Vec<String>,
}

impl OperatorBinding {
    /// A binding with the main output alone.
    #[must_use]
    pub fn single(schema: SchemaRef, reads: Vec<String>) -> Self {
        Self { outputs: vec![OutputPort::new(PortName::main(), schema)], reads }
    }
}

/// What refused rows say of the operator that refused them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorIdentity {
    /// SHA-256 of the plugin's component in lower-case hex; `None` for built-in operators.
    pub digest: Option<Arc<str>>,
}

/// What an operator's instance is told at its creation.
#[derive(Debug, Clone)]
pub struct OperatorContext {
    /// The node's name.
    pub node: NodeName,
    /// Which of the node's instances this is.
    pub subtask: SubtaskId,
    /// The schema that [`OperatorFactory::bind`] accepted.
    pub input: SchemaRef,
    /// The column with the event time of its rows, if they have any.
    pub event_time: Option<EventTimeColumn>,
    /// Where keyed state is kept.
    pub state: Arc<dyn StateBackend>,
    /// What a checkpoint has of the operator; empty for a job that begins.
    pub restored: OperatorState,
    /// Whether somebody reads the node's `errors` port. When nobody does, an operator whose policy is to fail on a
    /// refused row does so; [`Output::reject`] itself never fails for want of a reader.
    pub errors_attached: bool,
    /// The host's time.
    pub clock: Arc<dyn Clock>,
    /// Where the instance derives its seeds from.
    pub seeds: SeedSource,
    /// The names behind [`StreamRecord::origins`], for errors that say where a row came from.
    pub origins: OriginDirectory,
}

impl OperatorContext {
    /// The key groups of this instance.
    #[must_use]
    pub fn key_groups(&self) -> KeyGroupRange {
        KeyGroupRange::of(self.subtask)
    }

    /// How far event time had come when the checkpoint was taken that the job goes on from, in milliseconds.
    #[must_use]
    pub fn restored_watermark_ms(&self) -> Option<i64> {
        match self.restored.watermark {
            Some(Watermark::AtMs(at)) => Some(at),
            Some(Watermark::End) | None => None,
        }
    }

    /// Opens one of the operator's states, with what the checkpoint has of it.
    ///
    /// # Errors
    /// As [`StateBackend::open`]; and when the checkpoint has the state in another `layout`: the plan has changed.
    pub fn open_state(&self, name: &'static str, layout: &str) -> Result<Box<dyn KeyedState>> {
        self.open_state_with(name, layout, StateOptions::default())
    }

    /// As [`OperatorContext::open_state`], with options: a time to live is measured by this context's clock.
    ///
    /// # Errors
    /// As [`OperatorContext::open_state`]; and when the checkpoint has the state with a time to live and the operator wants
    /// none, or the other way round.
    pub fn open_state_with(
        &self,
        name: &'static str,
        layout: &str,
        options: StateOptions,
    ) -> Result<Box<dyn KeyedState>> {
        let plain: Arc<str> = layout.into();
        let layout = options.stored_layout(&plain);
        let mut restored = self.restored.keyed.get(name).cloned().unwrap_or_default();
        if let Some(other) = restored.iter().find(|part| part.layout != layout) {
            return Err(Error::config(format!(
                "the checkpoint has state `{name}` of `{}` as ({}), and the plan wants it as ({layout}): put the operator \
                 back as it was, give it another name, or begin with --fresh",
                self.node, other.layout
            )));
        }
        let key_groups = self.key_groups();
        restored.retain(|part| part.key_groups.overlaps(key_groups));
        self.state.open(StateContext {
            node: self.node.clone(),
            name,
            subtask: self.subtask,
            key_groups,
            layout: plain,
            ttl: options.ttl_ms.map(|ms| StateTtl { ms, clock: Arc::clone(&self.clock) }),
            cache_entries_max: options.cache_entries_max,
            restored,
        })
    }

    /// A state of this operator as it is at a barrier, for [`Operator::snapshot`].
    ///
    /// # Errors
    /// When the storage fails.
    pub fn snapshot_of(
        &self,
        name: &'static str,
        layout: &Arc<str>,
        state: &mut dyn KeyedState,
    ) -> Result<KeyedSnapshot> {
        self.snapshot_of_with(name, layout, StateOptions::default(), state)
    }

    /// As [`OperatorContext::snapshot_of`], of a state that was opened with these options.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn snapshot_of_with(
        &self,
        name: &'static str,
        layout: &Arc<str>,
        options: StateOptions,
        state: &mut dyn KeyedState,
    ) -> Result<KeyedSnapshot> {
        Ok(KeyedSnapshot {
            node: self.node.clone(),
            name,
            subtask: self.subtask,
            key_groups: self.key_groups(),
            layout: options.stored_layout(layout),
            format: self.state.format(),
            snapshot: state.snapshot()?,
        })
    }
}

/// What comes of an operator when rows are read again, in another order among splits and without the event time between them:
/// whether a damaged checkpoint can be rebuilt (design §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// Each row is decided by itself, and always in the same way.
    RowByRow,
    /// Its state is that of the set of rows since, whatever their order, as soon as event time is told again.
    AsASet,
    /// Its state, or what it puts out, depends on order or on time, or nobody knows.
    Otherwise,
}

/// An operator as the plan knows it: checked once, then instantiated per subtask.
pub trait OperatorFactory: Send + Sync + Debug {
    /// What it is, in a few words, for drawings of the plan: ``filter dep_delay IS NOT NULL``.
    fn label(&self) -> String;

    /// Checks the operator against the schema of its input and says what leaves it.
    ///
    /// Pure: called by `validate`, `plan` and `run`, any number of times, before the first row moves.
    ///
    /// # Errors
    /// When the input lacks what the operator needs ([`crate::ErrorKind::Config`]), or a plugin refuses or breaks the
    /// contract ([`crate::ErrorKind::Plugin`]).
    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding>;

    /// As [`OperatorFactory::bind`], for operators that need to know more than the columns; what the runtime calls.
    /// Default: that.
    ///
    /// # Errors
    /// As [`OperatorFactory::bind`], or when the input has no event time and the operator needs it.
    fn bind_stream(&self, input: &StreamType) -> Result<OperatorBinding> {
        self.bind(&input.schema)
    }

    /// The columns by whose values rows are dealt out: all rows of one key reach the same subtask. Default: none, and any
    /// subtask will do.
    fn keys(&self) -> Option<&[String]> {
        None
    }

    /// Makes the instance for one subtask. `context.input` is a schema that `bind` accepted.
    ///
    /// # Errors
    /// When the instance cannot be made, for example for want of memory.
    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>>;

    /// What takes rows on the other side of an exchange by [`OperatorFactory::keys`], in each subtask that sends them; what
    /// it gives comes to [`Operator::merge`]. `context` is as for [`OperatorFactory::create`], of no particular instance.
    /// Default: none; every row travels.
    ///
    /// # Errors
    /// As [`OperatorFactory::create`].
    fn combiner(&self, context: &OperatorContext) -> Result<Option<Box<dyn Combiner>>> {
        let _ = context;
        Ok(None)
    }

    /// Whether small batches should be joined before they reach this operator (design §5): true where a call has a
    /// fixed cost worth sharing. Default: false.
    fn wants_coalesced_input(&self) -> bool {
        false
    }

    /// Whether the operator can refuse rows, and so has an `errors` port. Default: false.
    fn can_reject(&self) -> bool {
        false
    }

    /// What comes of it when rows are read again. `input` is one that [`OperatorFactory::bind_stream`] accepted. Default:
    /// [`Replayed::Otherwise`].
    fn replayed(&self, input: &StreamType) -> Replayed {
        let _ = input;
        Replayed::Otherwise
    }

    /// Its keyed states, for whoever looks at a checkpoint; `input` is one that `bind_stream` accepted. What decodes an entry
    /// stands beside what writes it. Default: none.
    ///
    /// # Errors
    /// As [`OperatorFactory::bind_stream`].
    fn state_views(&self, input: &StreamType) -> Result<Vec<StateView>> {
        let _ = input;
        Ok(Vec::new())
    }

    /// What its refused rows say of it. Default: nothing.
    fn identity(&self) -> OperatorIdentity {
        OperatorIdentity::default()
    }
}

/// A running instance of an operator, driven by one thread.
///
/// Order of calls: [`Operator::process`], [`Operator::on_watermark`] and [`Operator::on_barrier`] in stream order;
/// [`Operator::finish`] once, at the end of the input; then the instance is dropped. After an error nothing else is
/// called: what it had put out for the failed call may already have gone downstream, and only a restore from a
/// checkpoint takes it back.
pub trait Operator: Send {
    /// Processes one record with at least one live row and hands what comes of it to `output`.
    ///
    /// # Errors
    /// When the job cannot go on; a refused row is not an error but goes to [`Output::reject`].
    fn process(&mut self, record: StreamRecord, output: &mut dyn Output) -> Result<()>;

    /// Takes what a [`Combiner`] made of rows for this operator. Default: an error, since there is none.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn merge(&mut self, combined: Combined, output: &mut dyn Output) -> Result<()> {
        let _ = (combined, output);
        Err(Error::internal("an operator without a combiner got combined rows"))
    }

    /// Learns that event time has advanced; the driver forwards the watermark after this returns. Default: nothing.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn on_watermark(&mut self, watermark: Watermark, output: &mut dyn Output) -> Result<()> {
        let _ = (watermark, output);
        Ok(())
    }

    /// How long until it wants [`Operator::on_time`] to be called; asked between elements, and quick. Default: never.
    fn time_due_in(&self) -> Option<Duration> {
        None
    }

    /// The time has come that [`Operator::time_due_in`] told, or nearly. Default: nothing.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn on_time(&mut self, output: &mut dyn Output) -> Result<()> {
        let _ = output;
        Ok(())
    }

    /// Learns that an epoch ends here; the driver forwards the barrier after this returns. Default: nothing.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn on_barrier(&mut self, barrier: CheckpointBarrier, output: &mut dyn Output) -> Result<()> {
        let _ = (barrier, output);
        Ok(())
    }

    /// What a checkpoint has to keep of it, right after [`Operator::on_barrier`]. Called only where checkpoints are taken.
    /// Default: nothing.
    ///
    /// # Errors
    /// When its state cannot be snapshot; the job goes back to its last checkpoint.
    fn snapshot(&mut self) -> Result<Vec<KeyedSnapshot>> {
        Ok(Vec::new())
    }

    /// Puts out what it still holds, after the last element. Default: nothing.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn finish(&mut self, output: &mut dyn Output) -> Result<()> {
        let _ = output;
        Ok(())
    }
}

/// One row that an operator refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReject {
    /// Index of the row within the record handed to [`Output::reject`].
    pub row: usize,
    /// A short, stable name of the reason, for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Where an operator puts what it makes. Implemented by the runtime.
pub trait Output {
    /// Sends rows out of a port. Records without a live row are dropped.
    ///
    /// # Errors
    /// When something downstream fails; the operator passes the error on unchanged.
    ///
    /// # Panics
    /// When the port is not one of the binding's.
    fn emit(&mut self, port: PortIndex, record: StreamRecord) -> Result<()>;

    /// Counts rows that came too late to be part of anything, whether or not they are sent out of a port. Default: not
    /// counted.
    fn count_late(&mut self, rows: usize) {
        let _ = rows;
    }

    /// Says how many windows have rows and have put nothing out yet, in this instance, whenever that may have changed.
    /// Default: not told.
    fn set_pending(&mut self, windows: usize) {
        let _ = windows;
    }

    /// Sends refused rows to the `errors` port, with the whole input row beside each. `input` is compacted.
    /// Counted even when nobody reads the port.
    ///
    /// # Errors
    /// As [`Output::emit`].
    ///
    /// # Panics
    /// When a reject's row is not one of `input`.
    fn reject(&mut self, input: &StreamRecord, rejects: Vec<RowReject>) -> Result<()>;
}
