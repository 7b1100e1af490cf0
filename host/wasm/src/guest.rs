//! One instance in its store, and the calls of its life: describe, open, batches, close.

mod aggregate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use volley_ipc::{encode_schema, wire_schema};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, TypedFunc};

use crate::bind::{self, Bound};
use crate::contract;
use crate::engine::is_pool_full;
use crate::grants::{hidden, listed};
use crate::hooks::Hooks;
use crate::imports::emitter::Parents;
use crate::imports::wasi;
use crate::input::PluginInput;
use crate::inspect::{self, PluginKind};
use crate::keyed::{Declared, Keyed, check_declared};
use crate::limits::InstancePermit;
use crate::metrics::CallStats;
use crate::options::PluginLimits;
use crate::path::{self, BatchPath, CodecCall, KeyedCall, Reply};
use crate::plugin::{Description, ENCODE, Plugin, Ready, Who};
use crate::store::{HostState, JobParts, Phase, new_store};
use crate::text::visible;
use crate::ticks::Ticks;
use crate::trap::{Trap, TrapReason};
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a message from a plugin, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// What is shown of a plugin's own name or version, in bytes.
const NAME_BYTES_MAX: usize = 128;

type Open = TypedFunc<(String, contract::Input), (Result<contract::Binding, contract::OpenError>,)>;

/// An instance. After a trap it answers no further call: its store is to be dropped.
pub(crate) struct Guest {
    pub(crate) store: Store<HostState>,
    describe: TypedFunc<(), (contract::Description,)>,
    open: Open,
    close: TypedFunc<(), ()>,
    path: Box<dyn BatchPath>,
    pub(crate) hooks: Option<Hooks>,
    pub(crate) kind: PluginKind,
    /// The function that batches go to.
    function: &'static str,
    pub(crate) who: Who,
    ticks: Arc<Ticks>,
    pub(crate) limits: PluginLimits,
    trapped: bool,
    _permit: InstancePermit,
}

impl Guest {
    /// A fresh instance, in the pool or, where it is full or too small, on demand: start functions run, nothing else.
    pub(crate) fn instantiate(plugin: &Plugin, limits: &PluginLimits, job: JobParts) -> Result<Self> {
        if let Some(ready) = plugin.pooled(limits) {
            if let Some(guest) = Self::instantiate_in(ready, plugin, limits, job.clone())? {
                return Ok(guest);
            }
            plugin.count_pool_full();
        }
        let guest = Self::instantiate_in(plugin.on_demand()?, plugin, limits, job)?;
        guest.ok_or_else(|| Error::Engine("an engine without a pool has a full one".to_owned()))
    }

    /// `None` when the pool of the component's engine is full.
    fn instantiate_in(ready: &Ready, plugin: &Plugin, limits: &PluginLimits, job: JobParts) -> Result<Option<Self>> {
        let (who, kind) = (plugin.who(), plugin.info().kind);
        let (ticks, budget) = (Arc::clone(plugin.engine().ticks()), plugin.engine().budget());
        let permit = budget.instance().map_err(|words| refused_by_host(who, &job, words))?;
        let crossing = job.crossing;
        let mut store = new_store(ready.instance_pre.engine(), budget, limits, who, job);
        let call = Call { function: "instantiate", phase: Phase::Binding, deadline: limits.open_deadline };
        let instance = guarded(&mut store, &ticks, who, &call, |store| match ready.instance_pre.instantiate(store) {
            Ok(instance) => Ok(Some(instance)),
            Err(error) if is_pool_full(&error) => Ok(None),
            Err(error) => Err(error),
        })?;
        let Some(instance) = instance else { return Ok(None) };
        let exports = &ready.exports;
        Ok(Some(Self {
            describe: typed(&mut store, &instance, &exports.describe, "describe", who)?,
            open: typed(&mut store, &instance, &exports.open, "open", who)?,
            close: typed(&mut store, &instance, &exports.close, "close", who)?,
            path: path::new(crossing, &mut store, &instance, exports, kind)
                .map_err(|error| wrong_type(who, kind.function(), &error))?,
            hooks: Hooks::find(&mut store, &instance, exports)
                .map_err(|error| wrong_type(who, inspect::SNAPSHOT, &error))?,
            store,
            kind,
            function: kind.function(),
            who: who.clone(),
            ticks,
            limits: limits.clone(),
            trapped: false,
            _permit: permit,
        }))
    }

    pub(crate) fn describe(&mut self) -> Result<Description> {
        self.described().map(|(description, _)| description)
    }

    /// Who the operator is, and the states that it declares.
    fn described(&mut self) -> Result<(Description, Vec<Declared>)> {
        let describe = self.describe;
        let (description,) = self
            .call("describe", Phase::Binding, self.limits.open_deadline, |store, _| describe.call(&mut *store, ()))?;
        let contract::Description { name, version, determinism, states } = description;
        if self.kind != PluginKind::Process
            && let Some(contract::StateDeclaration { name, values, .. }) = states.first()
        {
            let (name, bytes) = (visible(name, NAME_BYTES_MAX), values.len());
            return Err(self.broke(
                "describe",
                Violation::StateDeclared,
                format!(
                    "it declares the state `{name}` (a schema of {bytes} bytes), which a {} cannot have",
                    self.kind
                ),
            ));
        }
        let states = check_declared(states);
        let states = states.map_err(|problem| self.broke("describe", Violation::StateDeclared, problem))?;
        let description = Description {
            name: visible(&name, NAME_BYTES_MAX),
            version: visible(&version, NAME_BYTES_MAX),
            determinism: determinism.into(),
        };
        Ok((description, states))
    }

    /// Binds the instance; batches may follow.
    pub(crate) fn open(&mut self, config: &str, input: &PluginInput) -> Result<Bound> {
        let states = if self.kind == PluginKind::Process { self.described()?.1 } else { Vec::new() };
        let wire = |source| Error::Wire { plugin: self.who.to_string(), source };
        let schema = encode_schema(&wire_schema(&*input.shown()?).map_err(wire)?).map_err(wire)?;
        let (open, config, described) = (self.open, config.to_owned(), input.to_contract(schema));
        let (answer,) = self.call("open", Phase::Binding, self.limits.open_deadline, |store, _| {
            open.call(&mut *store, (config, described))
        })?;
        let binding = answer.map_err(|error| self.refused(&error, input))?;
        let bound = bind::check(self.kind, &self.who, input, binding, states)?;
        self.path.bind(&bound.wire).map_err(|source| Error::Wire { plugin: self.who.to_string(), source })?;
        if let (Some(state), Some(path)) = (&bound.state, self.path.aggregate()) {
            path.bind_state(state).map_err(|source| Error::Wire { plugin: self.who.to_string(), source })?;
        }
        if self.kind == PluginKind::Codec && !input.schema.fields().is_empty() {
            self.function = ENCODE;
        }
        let own: Vec<_> = bound.ports.iter().map(|port| (Arc::clone(&port.own), port.mode)).collect();
        self.store.data_mut().emitter.bind(own.into());
        Ok(bound)
    }

    fn refused(&self, error: &contract::OpenError, input: &PluginInput) -> Error {
        let plugin = self.who.to_string();
        // The plugin does not know that there are more, and so cannot say it.
        let hidden = hidden(&input.schema, input.granted.as_deref());
        let hint = match &hidden[..] {
            [] => String::new(),
            names => format!(" (not shown to it, since `grants.columns` does not have them: {})", listed(names)),
        };
        let shown = |message: &str| format!("{}{hint}", visible(message, MESSAGE_BYTES_MAX));
        match error {
            contract::OpenError::InvalidConfig(message) => Error::InvalidConfig { plugin, message: shown(message) },
            contract::OpenError::InvalidInput(message) => Error::InvalidInput { plugin, message: shown(message) },
            contract::OpenError::Failed(message) => Error::Open { plugin, message: shown(message) },
        }
    }

    /// Prepares a batch for the next [`Guest::process`]; gives the bytes that will cross.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<usize> {
        let bytes = self.path.encode(batch).map_err(|source| Error::Wire { plugin: self.who.to_string(), source })?;
        self.store.data_mut().transfer.prepare(bytes);
        Ok(bytes)
    }

    /// Which call of a codec the next [`Guest::process`] is.
    pub(crate) fn codec_call(&mut self, call: CodecCall) {
        self.path.codec_call(call);
    }

    /// Calls the function of the kind with the batch that was encoded last, of so many rows. `number` identifies the
    /// call: chance depends on it.
    pub(crate) fn process(&mut self, rows: usize, number: u64) -> Result<Result<Reply, contract::Failure>> {
        self.run(self.function, Parents::Rows(rows), number)
    }

    /// Calls a process operator for what was prepared last. The operator's keyed side goes with the call, and comes back
    /// whatever becomes of it.
    pub(crate) fn process_keyed(
        &mut self,
        function: &'static str,
        parents: Parents,
        number: u64,
        keyed: &mut Option<Box<Keyed>>,
    ) -> Result<Result<Reply, contract::Failure>> {
        self.store.data_mut().keyed = keyed.take();
        let answer = self.run(function, parents, number);
        *keyed = self.store.data_mut().keyed.take();
        let Some(side) = keyed else { return answer };
        if let Some(failure) = side.take_failure() {
            return Err(Error::State(failure));
        }
        match side.take_exceeded() {
            // Whatever the guest made of the refusal: what it wrote is not complete. A trap says more.
            Some((violation, problem)) if answer.is_ok() => Err(self.exceeded(function, violation, problem)),
            _ => answer,
        }
    }

    /// Prepares what the next call of a process operator is for; `keys` are new to the instance, from that number on.
    pub(crate) fn prepare(&mut self, keys: Option<(u32, &RecordBatch)>, call: KeyedCall) -> Result<()> {
        let wire = |source| Error::Wire { plugin: self.who.to_string(), source };
        let Some(path) = self.path.keyed() else { return Ok(()) };
        let bytes = path.prepare(keys, call).map_err(wire)?;
        let transfer = &mut self.store.data_mut().transfer;
        let incoming = transfer.incoming();
        transfer.prepare(incoming + bytes);
        Ok(())
    }

    /// Tells a process operator that all numbers of keys are void.
    pub(crate) fn forget(&mut self) -> Result<()> {
        // A batch may be waiting.
        let incoming = self.store.data().transfer.incoming();
        self.call("forget", Phase::Binding, self.limits.deadline, |store, path| match path.keyed() {
            Some(path) => path.forget(store),
            None => Ok(()),
        })?;
        self.store.data_mut().transfer.prepare(incoming);
        Ok(())
    }

    pub(crate) fn run(
        &mut self,
        function: &'static str,
        parents: Parents,
        number: u64,
    ) -> Result<Result<Reply, contract::Failure>> {
        let state = self.store.data_mut();
        state.emitter.begin(parents);
        state.random.begin(number);
        state.http.begin();
        let bytes_in = state.transfer.incoming();
        let started = Instant::now();
        let answer = self.call(function, Phase::Batch, self.limits.deadline, |store, path| path.call(store));
        let duration = started.elapsed();
        let state = self.store.data();
        let replied = answer.iter().flatten().map(|reply| reply.output.bytes()).sum::<usize>();
        let bytes_out = state.transfer.bytes().saturating_sub(bytes_in) + replied;
        // A call that is made again in a fresh instance was counted when it was made.
        if !state.tape.is_playing() {
            state.metrics.call(&CallStats { bytes_in, bytes_out, duration });
        }
        let answer = answer?;
        let texts = |reply: &Reply| reply.rejects.iter().map(|reject| reject.code.len() + reject.message.len()).sum();
        let crossed = replied + answer.as_ref().map_or(0, texts);
        if let Err(exceeded) = self.store.data_mut().transfer.add(crossed) {
            return Err(self.exceeded(function, Violation::TransferBytes, exceeded.to_string()));
        }
        // Whatever the guest made of the refusal: what it put out is not complete.
        match self.store.data_mut().emitter.take_exceeded() {
            Some((violation, problem)) => Err(self.exceeded(function, violation, problem)),
            None => Ok(answer),
        }
    }

    /// The error for a limit of a call that was exceeded.
    pub(crate) fn exceeded(&self, function: &str, violation: Violation, problem: String) -> Error {
        Error::Limit {
            operator: self.store.data().log.operator_in_job().unwrap_or_default(),
            plugin: self.who.to_string(),
            function: function.to_owned(),
            violation,
            problem,
        }
    }

    /// The last call of a clean end.
    pub(crate) fn close(&mut self, number: u64) -> Result<()> {
        self.store.data_mut().random.begin(number);
        let close = self.close;
        self.call("close", Phase::Closing, self.limits.deadline, |store, _| close.call(&mut *store, ()))
    }

    /// The host's side of the instance, between calls.
    pub(crate) fn host_side(&mut self) -> &mut HostState {
        self.store.data_mut()
    }

    /// What the last successful call emitted.
    pub(crate) fn take_emissions(&mut self) -> Vec<crate::imports::emitter::Emission> {
        self.store.data_mut().emitter.take()
    }

    /// The error for a breach of the contract.
    pub(crate) fn broke(&self, function: &str, violation: Violation, problem: String) -> Error {
        broke(&self.who, function, violation, problem)
    }

    pub(crate) fn call<R>(
        &mut self,
        function: &'static str,
        phase: Phase,
        deadline: Duration,
        call: impl FnOnce(&mut Store<HostState>, &mut dyn BatchPath) -> wasmtime::Result<R>,
    ) -> Result<R> {
        if self.trapped {
            return Err(self.broke(function, Violation::OtherContract, "it was called again after a trap".to_owned()));
        }
        let path = &mut *self.path;
        let about = Call { function, phase, deadline };
        let result = guarded(&mut self.store, &self.ticks, &self.who, &about, |store| call(store, path));
        self.trapped = result.is_err();
        result
    }
}

struct Call {
    function: &'static str,
    phase: Phase,
    deadline: Duration,
}

/// Runs guest code: ticks and limits in force, a trap explained.
fn guarded<R>(
    store: &mut Store<HostState>,
    ticks: &Ticks,
    who: &Who,
    call: &Call,
    run: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<R>,
) -> Result<R> {
    let state = store.data_mut();
    state.phase = call.phase;
    state.now_ms = state.tape.now_ms();
    state.limiter.refused = None;
    state.transfer.begin();
    let deadline_name =
        if call.phase == Phase::Binding { "the limit for opening" } else { "`limits.deadline` (--deadline)" };
    state.deadline.begin(deadline_name, call.deadline);
    state.log.begin();
    state.wasi.begin();
    store.set_epoch_deadline(1);
    let result = {
        let _ticks = ticks.during_call();
        run(store)
    };
    wasi::end_call(store.data_mut());
    result.map_err(|error| Error::Trap(Box::new(Trap::explain(&error, call.function, who, store.data_mut()))))
}

fn typed<Params, Return>(
    store: &mut Store<HostState>,
    instance: &Instance,
    export: &wasmtime::component::ComponentExportIndex,
    function: &str,
    who: &Who,
) -> Result<TypedFunc<Params, Return>>
where
    Params: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    instance.get_typed_func(&mut *store, export).map_err(|error| wrong_type(who, function, &error))
}

fn wrong_type(who: &Who, function: &str, error: &wasmtime::Error) -> Error {
    let problem = format!("its `{function}` is not that of the contract: {error:#}");
    Error::Load { plugin: who.to_string(), violation: Violation::WrongType, problem }
}

pub(crate) fn broke(who: &Who, function: &str, violation: Violation, problem: String) -> Error {
    Error::Contract { plugin: who.to_string(), function: function.to_owned(), violation, problem }
}

fn refused_by_host(who: &Who, job: &JobParts, words: String) -> Error {
    Error::Trap(Box::new(Trap {
        operator: job.task.as_ref().map(|(node, _)| node.clone()),
        plugin: who.name.clone(),
        digest: who.digest.clone(),
        file: who.file.clone(),
        function: "instantiate".to_owned(),
        in_batch: false,
        reason: TrapReason::HostBudget(words),
        last_error: None,
        row: None,
        frames: Vec::new(),
    }))
}
