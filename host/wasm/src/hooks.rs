//! The functions of the interface `snapshot`: state that an operator holds itself, and older state brought over.

use arrow::buffer::Buffer;
use volley_api::KeyGroupRange;
use wasmtime::Store;
use wasmtime::component::{Instance, TypedFunc};

use crate::abi::message::Incoming;
use crate::again::{Answered, CameTo};
use crate::contract::{Failure, Part, StateDeclaration};
use crate::guest::{Guest, MESSAGE_BYTES_MAX};
use crate::held::check_parts;
use crate::path::{Reply, ReplyOutput};
use crate::plugin::Exports;
use crate::store::{HostState, Phase};
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// A function that may answer that it cannot.
type Function<P, R> = TypedFunc<P, (std::result::Result<R, Failure>,)>;

/// One call of these functions.
#[derive(Debug, Clone)]
pub(crate) enum HookCall {
    /// The operator gives all that it holds itself.
    Snapshot,
    /// It is handed that.
    Restore(Vec<Part>),
    /// It is asked whether it can bring over state that was declared so.
    CanMigrate(Vec<StateDeclaration>),
    /// It brings over rows of one state, which was declared so.
    Migrate(StateDeclaration),
}

impl HookCall {
    /// The exported function.
    pub(crate) fn function(&self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Restore(_) => "restore",
            Self::CanMigrate(_) => "can-migrate",
            Self::Migrate(_) => "migrate",
        }
    }
}

/// The functions, where the component has them.
pub(crate) struct Hooks {
    snapshot: Function<(), Vec<Part>>,
    restore: Function<(Vec<Part>,), ()>,
    can_migrate: TypedFunc<(Vec<StateDeclaration>,), (std::result::Result<(), String>,)>,
    migrate: Function<(StateDeclaration, Vec<u8>), Incoming>,
    /// What the last call came to that has failed, of these, or made again in a fresh instance.
    came_to: Option<CameTo>,
}

impl Hooks {
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
        exports: &Exports,
    ) -> wasmtime::Result<Option<Self>> {
        let Some(exports) = &exports.snapshot else { return Ok(None) };
        Ok(Some(Self {
            snapshot: instance.get_typed_func(&mut *store, exports.snapshot)?,
            restore: instance.get_typed_func(&mut *store, exports.restore)?,
            can_migrate: instance.get_typed_func(&mut *store, exports.can_migrate)?,
            migrate: instance.get_typed_func(&mut *store, exports.migrate)?,
            came_to: None,
        }))
    }
}

/// What a failure says.
pub(crate) fn words_of(failure: &Failure) -> String {
    match failure {
        Failure::RejectBatch(message) | Failure::Fatal(message) => visible(message, MESSAGE_BYTES_MAX),
        Failure::Retry(after_ms) => format!("it asks to be called again after {after_ms} ms"),
    }
}

impl Guest {
    /// Whether it holds state itself, or can bring state over.
    pub(crate) fn has_hooks(&self) -> bool {
        self.hooks.is_some()
    }

    /// Makes a call; `rows` are those of `migrate`, as a message. Nothing is checked or counted.
    pub(crate) fn hook(&mut self, call: HookCall, rows: Vec<u8>) -> Answered {
        let Hooks { snapshot, restore, can_migrate, migrate, .. } = *self.hooks()?;
        let (function, phase, deadline) = (call.function(), Phase::Binding, self.limits.open_deadline);
        let output = match call {
            HookCall::Snapshot => {
                let (parts,) = self.call(function, phase, deadline, |store, _| snapshot.call(store, ()))?;
                parts.map(ReplyOutput::Parts)
            }
            HookCall::Restore(parts) => {
                let (done,) = self.call(function, phase, deadline, |store, _| restore.call(store, (parts,)))?;
                done.map(|()| ReplyOutput::Emitted)
            }
            HookCall::CanMigrate(earlier) => {
                let (can,) = self.call(function, phase, deadline, |store, _| can_migrate.call(store, (earlier,)))?;
                can.map(|()| ReplyOutput::Emitted).map_err(Failure::Fatal)
            }
            HookCall::Migrate(earlier) => {
                let (rows,) = self.call(function, phase, deadline, |store, _| migrate.call(store, (earlier, rows)))?;
                rows.map(|message| ReplyOutput::Columns(message.0))
            }
        };
        Ok(output.map(|output| Reply { output, rejects: Vec::new() }))
    }

    /// All state of the operator's own, checked. Anything but good parts of these key groups is an error.
    pub(crate) fn snapshot(&mut self, key_groups: KeyGroupRange) -> Result<Vec<Part>> {
        let answer = self.hook(HookCall::Snapshot, Vec::new());
        let bytes_max = self.limits.output_bytes_max;
        let reply = self.good("snapshot", answer, |output| match output {
            ReplyOutput::Parts(parts) => check_parts(parts, key_groups, bytes_max),
            _ => Ok(()),
        })?;
        match reply.output {
            ReplyOutput::Parts(parts) => Ok(parts),
            _ => Err(Error::Engine("`snapshot` has the answer of another function".to_owned())),
        }
    }

    /// Hands the operator state of its own that it gave before.
    pub(crate) fn restore(&mut self, parts: &[Part]) -> Result<()> {
        let answer = self.hook(HookCall::Restore(parts.to_vec()), Vec::new());
        self.good("restore", answer, |_| Ok(())).map(drop)
    }

    /// Asks whether state of these declarations can be brought over; `Err` inside: in the plugin's words, why not.
    pub(crate) fn can_migrate(&mut self, earlier: Vec<StateDeclaration>) -> Result<std::result::Result<(), String>> {
        let answer = self.hook(HookCall::CanMigrate(earlier), Vec::new());
        if answer.is_err() {
            self.note_failed(&answer);
        }
        let answer = self.counted(answer)?;
        Ok(answer.map(drop).map_err(|failure| words_of(&failure)))
    }

    /// Brings rows over: gives a message of as many rows, not gated. `Err` inside: in the plugin's words, why not.
    pub(crate) fn migrate(
        &mut self,
        earlier: StateDeclaration,
        values: Vec<u8>,
    ) -> Result<std::result::Result<Buffer, String>> {
        let answer = self.hook(HookCall::Migrate(earlier), values);
        // Whether it is good is not known yet.
        self.note_failed(&answer);
        match self.counted(answer)? {
            Ok(Reply { output: ReplyOutput::Columns(message), .. }) => Ok(Ok(message)),
            Ok(_) => Err(Error::Engine("`migrate` has the answer of another function".to_owned())),
            Err(failure) => Ok(Err(words_of(&failure))),
        }
    }

    /// What the last call came to that has failed, of a function of `snapshot` or made again; it is asked for once.
    pub(crate) fn failed_came_to(&mut self) -> Option<CameTo> {
        self.hooks.as_mut()?.came_to.take()
    }

    /// A call has failed that is of no rows that come now.
    pub(crate) fn note_failed(&mut self, answer: &Answered) {
        let came_to = self.came_to(answer);
        if let Some(hooks) = &mut self.hooks {
            hooks.came_to = Some(came_to);
        }
    }

    /// An answer that is no failure and passes a check; anything else is counted, and what it came to can be asked for.
    fn good(
        &mut self,
        function: &str,
        answer: Answered,
        check: impl FnOnce(&ReplyOutput) -> std::result::Result<(), (Violation, String)>,
    ) -> Result<Reply> {
        let problem = match &answer {
            Ok(Ok(reply)) => match check(&reply.output) {
                Ok(()) => None,
                Err((violation, problem)) => Some(self.broke(function, violation, problem)),
            },
            Ok(Err(failure)) => Some(self.hook_failed(function, failure)),
            Err(_) => None,
        };
        if problem.is_some() || answer.is_err() {
            self.note_failed(&answer);
        }
        let good = match (problem, answer) {
            (Some(error), _) | (None, Err(error)) => Err(error),
            (None, Ok(answer)) => answer.map_err(|failure| self.hook_failed(function, &failure)),
        };
        self.counted(good)
    }

    fn hooks(&self) -> Result<&Hooks> {
        let missing = || Error::Engine("an operator without `snapshot` was asked for its state".to_owned());
        self.hooks.as_ref().ok_or_else(missing)
    }

    /// Counts what the plugin did wrong, where it did.
    pub(crate) fn counted<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| {
            if let Some(violation) = error.violation() {
                self.count(violation);
            }
        })
    }

    pub(crate) fn count(&self, violation: Violation) {
        self.store.data().metrics.violation(violation);
    }

    fn hook_failed(&self, function: &str, failure: &Failure) -> Error {
        let (plugin, function) = (self.who.to_string(), function.to_owned());
        Error::HookFailed { plugin, function, message: words_of(failure) }
    }
}
