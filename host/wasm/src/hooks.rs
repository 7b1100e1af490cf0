//! The functions of the interface `snapshot`: state that an operator holds itself, and older state brought over.

use arrow::buffer::Buffer;
use volley_api::KeyGroupRange;
use wasmtime::Store;
use wasmtime::component::{Instance, TypedFunc};

use crate::abi::message::Incoming;
use crate::contract::{Failure, Part, StateDeclaration};
use crate::guest::{Guest, MESSAGE_BYTES_MAX};
use crate::held::check_parts;
use crate::plugin::Exports;
use crate::store::{HostState, Phase};
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// A function that may answer that it cannot.
type Function<P, R> = TypedFunc<P, (std::result::Result<R, Failure>,)>;

/// The functions, where the component has them.
pub(crate) struct Hooks {
    snapshot: Function<(), Vec<Part>>,
    restore: Function<(Vec<Part>,), ()>,
    can_migrate: TypedFunc<(Vec<StateDeclaration>,), (std::result::Result<(), String>,)>,
    migrate: Function<(StateDeclaration, Vec<u8>), Incoming>,
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

    /// All state of the operator's own, checked. Anything but good parts of these key groups is an error.
    pub(crate) fn snapshot(&mut self, key_groups: KeyGroupRange) -> Result<Vec<Part>> {
        let snapshot = self.hooks()?.snapshot;
        let given =
            self.call("snapshot", Phase::Binding, self.limits.open_deadline, |store, _| snapshot.call(store, ()));
        let parts = given.and_then(|(parts,)| parts.map_err(|failure| self.hook_failed("snapshot", &failure)));
        let parts = parts.and_then(|parts| match check_parts(&parts, key_groups, self.limits.output_bytes_max) {
            Ok(()) => Ok(parts),
            Err((violation, problem)) => Err(self.broke("snapshot", violation, problem)),
        });
        self.counted(parts)
    }

    /// Hands the operator state of its own that it gave before.
    pub(crate) fn restore(&mut self, parts: &[Part]) -> Result<()> {
        let (restore, parts) = (self.hooks()?.restore, parts.to_vec());
        let answer =
            self.call("restore", Phase::Binding, self.limits.open_deadline, |store, _| restore.call(store, (parts,)));
        let answer = answer.and_then(|(answer,)| answer.map_err(|failure| self.hook_failed("restore", &failure)));
        self.counted(answer)
    }

    /// Asks whether state of these declarations can be brought over; `Err` inside: in the plugin's words, why not.
    pub(crate) fn can_migrate(&mut self, earlier: Vec<StateDeclaration>) -> Result<std::result::Result<(), String>> {
        let can_migrate = self.hooks()?.can_migrate;
        let answer = self.call("can-migrate", Phase::Binding, self.limits.open_deadline, |store, _| {
            can_migrate.call(store, (earlier,))
        });
        let (answer,) = self.counted(answer)?;
        Ok(answer.map_err(|message| visible(&message, MESSAGE_BYTES_MAX)))
    }

    /// Brings rows over: gives a message of as many rows, not gated. `Err` inside: in the plugin's words, why not.
    pub(crate) fn migrate(
        &mut self,
        earlier: StateDeclaration,
        values: Vec<u8>,
    ) -> Result<std::result::Result<Buffer, String>> {
        let migrate = self.hooks()?.migrate;
        let answer = self.call("migrate", Phase::Binding, self.limits.open_deadline, |store, _| {
            migrate.call(store, (earlier, values))
        });
        let (answer,) = self.counted(answer)?;
        Ok(answer.map(|message| message.0).map_err(|failure| words_of(&failure)))
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
