//! Operators that hold state themselves: fresh instances are brought to where the one before was, and asked for their state
//! at barriers and now and then in between.

use arrow::array::RecordBatch;
use volley_api::{KeyedSnapshot, OperatorContext};
use volley_fail_point::planted;

use super::PluginOperator;
use crate::held::{Abandoned, Called, Entry, Held, Logged, Migration, Record, SNAPSHOT_FAILURES_MAX, Stored};
use crate::hooks::HookCall;
use crate::imports::emitter::Parents;
use crate::instances::Instances;
use crate::keyed::{EVENT_TIMERS, Keyed, listed_keys};
use crate::places::hit;
use crate::plugin::Determinism;
use crate::repro::{Failed, Last};
use crate::{Error, Result};

/// The state of a process operator, as it begins.
pub(super) struct Opened {
    pub(super) keyed: Box<Keyed>,
    /// Which component it is, and what that holds itself.
    pub(super) stored: Stored,
    pub(super) held: Option<Box<Held>>,
}

impl Opened {
    /// Opens all states with what the checkpoint has of them, brought over where another version of the component wrote
    /// them; and hands the instance what it held itself. `None` for an operator without keys.
    pub(super) fn new(instances: &mut Instances, context: &OperatorContext) -> volley_api::Result<Option<Self>> {
        let Some(keys) = instances.bound().keys.clone() else { return Ok(None) };
        let who = instances.who().clone();
        let record = Record {
            digest: who.digest.clone(),
            holds_state: instances.guest()?.has_hooks(),
            states: keys.states.clone(),
        };
        let listed = listed_keys(&keys.fields);
        let mut restoring = context.clone();
        let migration = Migration::of(context, &listed, &record, &who)?;
        let mut helper = None;
        if let Some(migration) = &migration {
            if !record.holds_state {
                let why = "it exports no `snapshot`, whose `migrate` brings state over";
                return Err(migration.refused(context, &who, why));
            }
            // Of its own, so that the operator's instance is restored before anything else.
            let mut guest = instances.another()?;
            let earlier = || migration.earlier().map_err(|source| Error::Wire { plugin: who.to_string(), source });
            hit("plugin-can-migrate-before")?;
            let can = match guest.can_migrate(earlier()?) {
                Ok(can) => can,
                Err(error) => {
                    let (came_to, call) = (guest.failed_came_to(), HookCall::CanMigrate(earlier()?));
                    let error = instances.kept_hook(came_to, call, None, error);
                    return Err(migration.refused_by(context, &who, error));
                }
            };
            can.map_err(|why| migration.refused(context, &who, &why))?;
            hit("plugin-can-migrate-after")?;
            migration.adopt(&mut restoring, &listed, &record)?;
            helper = Some(guest);
        }
        if planted("forget-timers") {
            restoring.restored.keyed.remove(EVENT_TIMERS);
        }
        let keyed =
            Keyed::open(&restoring, &keys.fields, &keys.states, |declared, state| match (&migration, &mut helper) {
                (Some(migration), Some(guest)) => migration.bring(declared, state, guest, context, instances),
                _ => Ok(()),
            })?;
        drop(helper);
        let mut stored = Stored::open(&restoring, &record)?;
        let held = if record.holds_state {
            let parts = stored.parts()?;
            if !parts.is_empty() {
                let versions: std::collections::BTreeSet<u32> = parts.iter().map(|part| part.version).collect();
                let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
                hit("plugin-restore-before")?;
                if let Err(error) = instances.guest()?.restore(&parts) {
                    let came_to = instances.guest()?.failed_came_to();
                    let error = instances.kept_hook(came_to, HookCall::Restore(parts), None, error);
                    let (operator, versions) = (context.node.to_string(), versions.join(", "));
                    return Err(Error::NotRestored { operator, versions, source: Box::new(error) }.into());
                }
                hit("plugin-restore-after")?;
            }
            let is_replayable = instances.determinism()? != Determinism::Nondeterministic;
            Some(Box::new(Held::new(parts, is_replayable)))
        } else {
            None
        };
        Ok(Some(Self { keyed: Box::new(keyed), stored, held }))
    }
}

impl PluginOperator {
    /// Sees to it that there is an instance, and that it is where the one before was; and asks it for its state where enough
    /// has happened since the last time.
    pub(super) fn ensure(&mut self) -> Result<()> {
        if self.held.is_none() {
            return Ok(());
        }
        self.recover()?;
        if self.held.as_ref().is_some_and(|held| held.is_due())
            && let Err(error) = self.take_parts()
        {
            let may_go_on = self.held.as_mut().is_some_and(|held| held.snapshot_failed());
            if !may_go_on {
                let operator = self.context.node.to_string();
                return Err(Error::SnapshotsFail {
                    operator,
                    failures: SNAPSHOT_FAILURES_MAX,
                    source: Box::new(self.kept(error)),
                });
            }
            self.recover()?;
        }
        Ok(())
    }

    /// Brings a fresh instance to where the one that has failed was before the call that failed.
    fn recover(&mut self) -> Result<()> {
        let Self { instances, held: Some(held), keyed, context, .. } = self else { return Ok(()) };
        if instances.is_alive() {
            return Ok(());
        }
        self.encoded = None;
        held.under_way = None;
        if !held.may_repeat() {
            let (plugin, function) = (instances.who().to_string(), "snapshot".to_owned());
            let message =
                "it says of itself that calls made again may do something else, and has not given the state that \
                           belongs to its last output"
                    .to_owned();
            let source = Box::new(Error::HookFailed { plugin, function, message });
            return Err(Error::NotRecovered { operator: context.node.to_string(), source });
        }
        let guest = instances.guest()?;
        // Which of the calls since is made again.
        let mut at = None;
        if let Err(error) = held.bring(guest, &mut at) {
            let came_to = guest.failed_came_to();
            if let Some(violation) = error.violation() {
                instances.count(violation);
            }
            let error = match (came_to, at.map(|at| held.log.split_at(at))) {
                (Some(came_to), Some((log, [Entry::Call(call), ..]))) => {
                    let last = Last { call: call.clone(), came_to };
                    instances.kept(&Failed { parts: Some(&held.parts), log, last: &last }, error)
                }
                (came_to, _) => instances.kept_hook(came_to, HookCall::Restore(held.parts.clone()), None, error),
            };
            instances.discard();
            return Err(Error::NotRecovered { operator: context.node.to_string(), source: Box::new(error) });
        }
        if !held.log.is_empty() {
            held.forgot();
        }
        if let Some(keyed) = keyed {
            keyed.forget();
            keyed.is_met_by(instances.number());
        }
        Ok(())
    }

    /// Asks the instance for its state. Numbers of keys are void afterwards, so that calls from here on can be made again in
    /// an instance that has met no key.
    fn take_parts(&mut self) -> Result<()> {
        let Self { instances, held: Some(held), keyed, context, last, .. } = self else { return Ok(()) };
        let is_kept = instances.repro().is_some();
        let guest = instances.guest()?;
        let taken = guest.snapshot(context.key_groups()).and_then(|parts| {
            let forgot = guest.forget();
            guest.counted(forgot).map(|()| parts)
        });
        match taken {
            Ok(parts) => {
                held.snapshot_taken(parts);
                if let Some(keyed) = keyed {
                    keyed.forget();
                    keyed.is_met_by(instances.number());
                }
                Ok(())
            }
            Err(error) => {
                // Where `forget` has failed behind it, there is no bundle.
                *last = guest.failed_came_to().filter(|_| is_kept).map(|came_to| {
                    let call = Box::new(Logged::new(Called::Hook(HookCall::Snapshot), None, Parents::None, 0));
                    Last { call, came_to }
                });
                instances.discard();
                self.encoded = None;
                Err(error)
            }
        }
    }

    /// A call that is about to be made, as it may have to be made again.
    pub(super) fn logged(
        &self,
        keys: Option<&(u32, RecordBatch)>,
        call: Option<&crate::path::KeyedCall>,
        batch: Option<RecordBatch>,
        parents: Parents,
    ) -> Option<Box<Logged>> {
        if self.held.is_none() && self.instances.repro().is_none() {
            return None;
        }
        let called = call.map_or(Called::Rows, |call| Called::Keyed(call.clone()));
        Some(Box::new(Logged { keys: keys.cloned(), ..Logged::new(called, batch, parents, self.calls) }))
    }

    /// What the last call did counts.
    pub(super) fn keep_call(&mut self) {
        if let Some(held) = &mut self.held
            && let Some(call) = held.under_way.take()
        {
            held.push(call);
        }
    }

    /// What a checkpoint keeps of the component.
    ///
    /// Where the plugin fails to give its state, that checkpoint is abandoned and the job goes on: storing it fails.
    pub(super) fn snapshot_held(&mut self) -> volley_api::Result<Option<KeyedSnapshot>> {
        let mut failure = None;
        if self.held.is_some() {
            self.recover()?;
            hit("plugin-snapshot-before")?;
            match self.take_parts() {
                Ok(()) => {
                    let key_groups = self.context.key_groups();
                    if let (Some(stored), Some(held)) = (&mut self.stored, &self.held) {
                        let parts = if planted("drop-held-part") { held.parts.get(1..) } else { Some(&held.parts[..]) };
                        stored.replace(parts.unwrap_or_default(), key_groups)?;
                    }
                    hit("plugin-snapshot-after")?;
                }
                Err(error) => failure = Some(self.kept(error)),
            }
        }
        let Some(stored) = &mut self.stored else { return Ok(None) };
        let mut snapshot = stored.snapshot(&self.context)?;
        if let Some(error) = failure {
            snapshot.snapshot = Box::new(Abandoned(Some(error.into())));
        }
        Ok(Some(snapshot))
    }
}
