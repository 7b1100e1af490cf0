//! The export `lifecycle`, compiled once and for size.
//!
//! What is generic of an operator is compiled with it, for speed. Nothing here runs for a batch: so only three functions of it
//! are generic, and the exports reach them by pointers.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use super::OneThread;
use super::bindings::lifecycle::exports::volley::operator::lifecycle as wit;
use super::exports::{Slot, failure_of_open};
use super::memory::Call;
use super::panic::install_hook;
use crate::runner::{Bound, Runner, read_input};
use crate::{Determinism, EventTime, NullHandling, OpenError, ProcessInput, WriteMode, wire};

/// What the lifecycle needs of the component's operator.
struct Lifecycle {
    name: &'static str,
    version: &'static str,
    determinism: Determinism,
    states: fn() -> Vec<wit::StateDeclaration>,
    open: fn(&str, &ProcessInput) -> Result<wit::Binding, OpenError>,
    close: fn(),
}

/// The operator of a slot.
struct Of<S>(PhantomData<S>);

impl<S: Slot> Of<S> {
    const LIFECYCLE: &'static Lifecycle = &Lifecycle {
        name: S::NAME,
        version: S::VERSION,
        determinism: S::Runner::DETERMINISM,
        states: S::Runner::wit_states,
        open: open::<S>,
        close: close::<S>,
    };
}

fn open<S: Slot>(config: &str, input: &ProcessInput) -> Result<wit::Binding, OpenError> {
    // Where it cannot be told of, the instance is let be, and not freed.
    let runner = ManuallyDrop::new(S::Runner::open_for(config, input)?);
    let binding = binding(runner.bound(), S::Runner::NULLS)?;
    S::with(|holder| holder.hold(runner));
    Ok(binding)
}

fn close<S: Slot>() {
    S::with(|holder| {
        if let Ok(runner) = holder.runner() {
            runner.close();
        }
        holder.let_go();
    });
}

/// The operator whose export runs.
static ENTERED: OneThread<Option<&'static Lifecycle>> = OneThread::new(None);

#[inline(never)]
fn enter(lifecycle: &'static Lifecycle) {
    ENTERED.with(|entered| *entered = Some(lifecycle));
}

fn entered() -> &'static Lifecycle {
    match ENTERED.with(|entered| *entered) {
        Some(lifecycle) => lifecycle,
        // The exports below enter first.
        None => std::process::abort(),
    }
}

/// Whichever operator was entered, as the bindings want it.
struct Component;

impl wit::Guest for Component {
    fn describe() -> wit::Description {
        let _call = Call::begin();
        install_hook();
        let operator = entered();
        let determinism = match operator.determinism {
            Determinism::Deterministic => wit::Determinism::Deterministic,
            Determinism::Replayable => wit::Determinism::Replayable,
            Determinism::Nondeterministic => wit::Determinism::Nondeterministic,
        };
        let (name, version) = (operator.name.to_owned(), operator.version.to_owned());
        wit::Description { name, version, determinism, states: (operator.states)() }
    }

    fn open(config: String, input: wit::Input) -> Result<wit::Binding, wit::OpenError> {
        let _call = Call::begin();
        install_hook();
        let event_time = input.event_time.map(|time| EventTime { column: time.name, offset_ms: time.offset_ms });
        let schema = read_input(&input.schema).map_err(failure_of_open)?;
        let input = ProcessInput { schema, keys: input.keys, event_time };
        (entered().open)(&config, &input).map_err(failure_of_open)
    }

    fn close() {
        let _call = Call::begin();
        (entered().close)();
    }
}

#[inline(never)]
fn binding(bound: &Bound, nulls: Option<NullHandling>) -> Result<wit::Binding, OpenError> {
    let mut outputs = Vec::new();
    for (port, crossing) in bound.binding.ports.iter().zip(&bound.wires) {
        let schema = wire::write_schema(&crossing.schema)
            .map_err(|error| OpenError::Failed(format!("port `{}`: {error}", port.name)))?;
        outputs.push(wit::OutputPort {
            name: port.name.clone(),
            schema,
            writes: match port.writes {
                WriteMode::Append => wit::WriteMode::Append,
                WriteMode::Replace => wit::WriteMode::Replace,
                WriteMode::Keyed => wit::WriteMode::Keyed,
            },
        });
    }
    // The particulars of one world: nobody is of two.
    let (keys, state) = (&bound.binding.keys, &bound.binding.state);
    let mut particulars = (!keys.is_empty()).then(|| wit::Particulars::Process(keys.clone()));
    if !state.is_empty() {
        let state = wire::write_schema(&state.unpacked());
        let state = state.map_err(|error| OpenError::Failed(format!("the columns of the state: {error}")))?;
        particulars = Some(wit::Particulars::Aggregate(state));
    }
    if let Some(nulls) = nulls {
        particulars = Some(wit::Particulars::Scalar(match nulls {
            NullHandling::Propagate => wit::NullHandling::Propagate,
            NullHandling::See => wit::NullHandling::See,
        }));
    }
    Ok(wit::Binding { reads: bound.binding.reads.clone(), outputs, particulars })
}

/// A description without states as the canonical ABI has it. Its texts are the component's own: nothing is freed.
#[repr(C)]
struct Described {
    name: *const u8,
    name_bytes: usize,
    version: *const u8,
    version_bytes: usize,
    determinism: u8,
    states: *const u8,
    states_count: usize,
}

/// Where a description lies while the host reads it.
static DESCRIBED: OneThread<Described> = OneThread::new(Described {
    name: std::ptr::null(),
    name_bytes: 0,
    version: std::ptr::null(),
    version_bytes: 0,
    determinism: 0,
    states: std::ptr::null(),
    states_count: 0,
});

/// As the bindings would describe an operator without states: of these all components would have a kilobyte.
#[inline(never)]
fn described() -> *mut u8 {
    let _call = Call::begin();
    install_hook();
    let operator = entered();
    DESCRIBED.with(|described| {
        (described.name, described.name_bytes) = (operator.name.as_ptr(), operator.name.len());
        (described.version, described.version_bytes) = (operator.version.as_ptr(), operator.version.len());
        described.determinism = match operator.determinism {
            Determinism::Deterministic => 0,
            Determinism::Replayable => 1,
            Determinism::Nondeterministic => 2,
        };
        std::ptr::from_mut(described).cast()
    })
}

/// Stands in for the generated module where its macro for exports looks for what exports call.
pub mod entries {
    /// As the generated modules lie.
    pub mod exports {
        /// The package's namespace.
        pub mod volley {
            /// The package.
            pub mod operator {
                pub use crate::guest::lifecycle_exports::functions as lifecycle;
            }
        }
    }
}

/// The functions that the macro for exports calls, under its names. They are thin; behind them nothing knows the operator. What
/// the host is told in them is never freed: some hundred bytes, once or twice in the life of an instance.
#[allow(missing_docs, clippy::missing_safety_doc, clippy::too_many_arguments)]
pub mod functions {
    use super::{Component, Of, Runner, Slot, described, enter};

    pub use super::wit::*;

    /// # Safety
    /// Called by the host alone, as are all of these.
    pub unsafe fn _export_describe_cabi<S: Slot>() -> *mut u8 {
        enter(Of::<S>::LIFECYCLE);
        if S::Runner::HAS_STATES { unsafe { describe() } } else { described() }
    }

    #[inline(never)]
    unsafe fn describe() -> *mut u8 {
        unsafe { super::wit::_export_describe_cabi::<Component>() }
    }

    /// # Safety
    /// As all.
    pub unsafe fn __post_return_describe<S: Slot>(_: *mut u8) {}

    pub unsafe fn _export_open_cabi<S: Slot>(
        config: *mut u8,
        config_bytes: usize,
        schema: *mut u8,
        schema_bytes: usize,
        keys: *mut u8,
        keys_count: usize,
        has_time: i32,
        time: *mut u8,
        time_bytes: usize,
        offset_ms: i64,
    ) -> *mut u8 {
        enter(Of::<S>::LIFECYCLE);
        unsafe {
            open(config, config_bytes, schema, schema_bytes, keys, keys_count, has_time, time, time_bytes, offset_ms)
        }
    }

    #[inline(never)]
    unsafe fn open(
        config: *mut u8,
        config_bytes: usize,
        schema: *mut u8,
        schema_bytes: usize,
        keys: *mut u8,
        keys_count: usize,
        has_time: i32,
        time: *mut u8,
        time_bytes: usize,
        offset_ms: i64,
    ) -> *mut u8 {
        unsafe {
            super::wit::_export_open_cabi::<Component>(
                config,
                config_bytes,
                schema,
                schema_bytes,
                keys,
                keys_count,
                has_time,
                time,
                time_bytes,
                offset_ms,
            )
        }
    }

    /// # Safety
    /// As all.
    pub unsafe fn __post_return_open<S: Slot>(_: *mut u8) {}

    pub unsafe fn _export_close_cabi<S: Slot>() {
        enter(Of::<S>::LIFECYCLE);
        unsafe { close() }
    }

    #[inline(never)]
    unsafe fn close() {
        unsafe { super::wit::_export_close_cabi::<Component>() }
    }
}
