//! `key_by` + window + `aggregate` as the plan knows it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use volley_api::{
    AggregatorFactory, Combiner, EventTimeColumn, Operator, OperatorBinding, OperatorContext, OperatorFactory,
    OperatorIdentity, OutputPort, OutputTime, PortName, Replayed, Result, StateOptions, StateView, StreamType,
};

use super::combine::PaneCombiner;
use super::input::KeyedInput;
use super::panes::PaneWindows;
use super::{WINDOW_END, WINDOW_START, Window, late, spec};
use crate::Error;

/// Name of the column that numbers the results of one window for one key: 0 for the first, then 1, 2 … for late rows.
pub(crate) const REVISION: &str = "revision";

/// Makes operators that aggregate the rows of each key within windows.
///
/// The results have the keys, `window_start` and `window_end` (for windows of time), and the aggregates; and `revision`
/// where late rows are allowed. A key may be null; floats are keys by value, with one NaN and one zero.
#[derive(Debug, Clone)]
pub struct WindowFactory {
    pub(crate) keys: Vec<String>,
    pub(crate) window: Window,
    pub(crate) aggregates: Arc<dyn AggregatorFactory>,
    pub(crate) allowed_lateness: Duration,
    pub(crate) late: Option<PortName>,
    pub(crate) memory_bytes_max: usize,
    pub(crate) held: Held,
}

/// How much of their state instances keep in memory, beside the bounds on bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    windows_max: Option<NonZeroUsize>,
    cache_entries_max: Option<NonZeroUsize>,
}

impl Held {
    /// How many windows, panes, or runs of keys.
    pub(crate) fn windows_max(self) -> usize {
        self.windows_max.map_or(usize::MAX, NonZeroUsize::get)
    }

    /// What the state backend is told.
    pub(crate) fn options(self) -> StateOptions {
        StateOptions { cache_entries_max: self.cache_entries_max, ..StateOptions::default() }
    }
}

/// Memory of one subtask's windows, unless it is set: 1 GiB.
const MEMORY_BYTES_MAX: usize = 1 << 30;

impl WindowFactory {
    /// Aggregates over windows of the rows that agree in `keys`: one column or more.
    #[must_use]
    pub fn new(keys: Vec<String>, window: Window, aggregates: Arc<dyn AggregatorFactory>) -> Self {
        let memory_bytes_max = MEMORY_BYTES_MAX;
        let (allowed_lateness, held) = (Duration::ZERO, Held::default());
        Self { keys, window, aggregates, allowed_lateness, late: None, memory_bytes_max, held }
    }

    /// Rows that come so long after their window has fired still count: the result of their key is put out again, with
    /// the next `revision`. Default: zero.
    #[must_use]
    pub fn with_allowed_lateness(mut self, allowed: Duration) -> Self {
        self.allowed_lateness = allowed;
        self
    }

    /// Rows that come too late leave by a port of that name, as [`crate::late_schema`]. By default they are counted and
    /// dropped.
    #[must_use]
    pub fn with_late_port(mut self, port: PortName) -> Self {
        self.late = Some(port);
        self
    }

    /// The most memory that the windows of one subtask may take, in bytes. Default: 1 GiB.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// The most windows that one subtask keeps in memory: their beginnings, the panes that rows were added to, and the keys of
    /// sessions and windows of rows. What is more goes to the state backend, that of the latest windows first, and is found
    /// there when it is due; so results are the same, and a small number costs time. Counts of pending windows then
    /// stop at that number, but for sessions and windows of rows. Default: no bound but that on memory.
    #[must_use]
    pub fn with_max_pending_windows(mut self, windows: impl Into<Option<NonZeroUsize>>) -> Self {
        self.held.windows_max = windows.into();
        self
    }

    /// The most entries of each state of one subtask that a backend on disk keeps in memory in front of it. Default: no bound
    /// but that on its bytes.
    #[must_use]
    pub fn with_max_cache_entries(mut self, entries: impl Into<Option<NonZeroUsize>>) -> Self {
        self.held.cache_entries_max = entries.into();
        self
    }

    /// What the operator does with an input, checked.
    pub(crate) fn plan(&self, input: &StreamType) -> Result<Planned> {
        self.window.check()?;
        spec::check_lateness(self.allowed_lateness)?;
        if self.keys.is_empty() {
            return Err(Error::Window { problem: "there is no key: name at least one column".to_owned() }.into());
        }
        let event_time = input.event_time.clone().filter(|_| self.window.needs_event_time());
        if self.window.needs_event_time() && event_time.is_none() {
            return Err(Error::NoEventTime { what: format!("a {} window", self.window) }.into());
        }
        if self.window == Window::Global && !input.is_bounded {
            let problem = "aggregates without a window are put out at the end of the input, and this one never ends";
            return Err(Error::Window { problem: format!("{problem}: add a window") }.into());
        }
        if input.is_revised {
            return Err(Error::Window {
                problem: "the input repeats results with a `revision`: aggregates over it would count rows twice; \
                          set `allowed_lateness` there to zero"
                    .to_owned(),
            }
            .into());
        }
        // Aggregates may go by time where the window does not: the first row of all, the last of a hundred.
        let order = input.event_time.clone();
        let bound = self.aggregates.bind(&input.schema, order.as_ref())?;
        let columns = KeyedInput::new(input, &self.keys, &bound.reads, event_time.as_ref())?;
        let mut fields: Vec<FieldRef> = columns.key_fields();
        if event_time.is_some() {
            fields.extend([WINDOW_START, WINDOW_END].map(|name| Arc::new(Field::new(name, time_type(), false))));
        }
        fields.extend(bound.results.iter().cloned());
        if self.revises() {
            fields.push(Arc::new(Field::new(REVISION, DataType::Int64, false)));
        }
        for (index, field) in fields.iter().enumerate() {
            if fields[..index].iter().any(|other| other.name() == field.name()) {
                let problem = format!("two columns of the result would be called `{}`", field.name());
                return Err(Error::Window { problem: format!("{problem}: choose another name") }.into());
            }
        }
        let (state, is_order_free) = (bound.state, bound.is_order_free);
        Ok(Planned { columns, event_time, order, state, is_order_free, results: Arc::new(Schema::new(fields)) })
    }

    /// Whether a result can be put out more than once.
    pub(crate) fn revises(&self) -> bool {
        self.window.needs_event_time() && !self.allowed_lateness.is_zero()
    }
}

/// What [`WindowFactory::plan`] found.
pub(crate) struct Planned {
    pub(crate) columns: KeyedInput,
    /// The time by which rows are cut into windows.
    pub(crate) event_time: Option<EventTimeColumn>,
    /// The time by which aggregates order rows.
    pub(crate) order: Option<EventTimeColumn>,
    /// The columns of the aggregates' state.
    pub(crate) state: Vec<FieldRef>,
    /// Whether they do not go by the order of rows.
    pub(crate) is_order_free: bool,
    pub(crate) results: SchemaRef,
}

/// The type of `window_start` and `window_end`.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The input that was bound. Whether it ends and is revised was checked then.
fn input_of(context: &OperatorContext) -> StreamType {
    StreamType {
        schema: Arc::clone(&context.input),
        event_time: context.event_time.clone(),
        is_bounded: true,
        is_revised: false,
    }
}

impl OperatorFactory for WindowFactory {
    fn label(&self) -> String {
        let window = if self.window == Window::Global { String::new() } else { format!(" {}", self.window) };
        let late = match self.allowed_lateness {
            Duration::ZERO => String::new(),
            allowed => format!(" and {} late", spec::text(allowed)),
        };
        format!("by {}{window}{late}: {}", self.keys.join(", "), self.aggregates.label())
    }

    fn bind(&self, input: &SchemaRef) -> Result<OperatorBinding> {
        let schema = Arc::clone(input);
        self.bind_stream(&StreamType { schema, event_time: None, is_bounded: true, is_revised: false })
    }

    fn bind_stream(&self, input: &StreamType) -> Result<OperatorBinding> {
        let planned = self.plan(input)?;
        let reads = planned.columns.names();
        let event_time = match &planned.event_time {
            // The last millisecond of the window is its time, so that it falls into the larger window that holds it.
            Some(_) => OutputTime::In(EventTimeColumn { name: WINDOW_END.into(), offset_ms: -1 }),
            None => OutputTime::None,
        };
        let mut outputs = vec![OutputPort {
            event_time,
            is_revised: self.revises(),
            ..OutputPort::new(PortName::main(), planned.results)
        }];
        outputs.extend(self.late.clone().map(late::port));
        Ok(OperatorBinding { outputs, reads })
    }

    fn keys(&self) -> Option<&[String]> {
        Some(&self.keys)
    }

    fn combiner(&self, context: &OperatorContext) -> Result<Option<Box<dyn Combiner>>> {
        if matches!(self.window, Window::Session { .. } | Window::Count { .. }) {
            return Ok(None);
        }
        let planned = self.plan(&input_of(context))?;
        if !planned.is_order_free {
            return Ok(None);
        }
        Ok(Some(Box::new(PaneCombiner::new(self, planned, context)?)))
    }

    /// Windows that wait hold the rows that came, whatever their order; those that have fired are gone, unless they wait for
    /// late rows and have counted their results. Sessions grow by rows that come behind each other.
    fn replayed(&self, input: &StreamType) -> Replayed {
        let is_of_time = matches!(self.window, Window::Tumbling { .. } | Window::Sliding { .. } | Window::Global);
        let is_order_free = self.plan(input).is_ok_and(|planned| planned.is_order_free);
        let is_repeatable = self.aggregates.is_repeatable();
        if is_of_time && is_order_free && is_repeatable && !self.revises() {
            Replayed::AsASet
        } else {
            Replayed::Otherwise
        }
    }

    fn create(&self, context: OperatorContext) -> Result<Box<dyn Operator>> {
        let planned = self.plan(&input_of(&context))?;
        match self.window {
            Window::Tumbling { .. } | Window::Sliding { .. } | Window::Global => {
                Ok(Box::new(PaneWindows::new(self, planned, context)?))
            }
            Window::Session { .. } | Window::Count { .. } => {
                Ok(Box::new(super::runs::RunWindows::new(self, planned, context)?))
            }
        }
    }

    fn state_views(&self, input: &StreamType) -> Result<Vec<StateView>> {
        super::view::views(self, input)
    }

    fn wants_coalesced_input(&self) -> bool {
        true
    }

    fn can_reject(&self) -> bool {
        self.window.needs_event_time() || self.aggregates.can_reject()
    }

    fn identity(&self) -> OperatorIdentity {
        self.aggregates.identity()
    }
}
