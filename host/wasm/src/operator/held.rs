//! Operators that hold state themselves: fresh instances are brought to where the one before was, and asked for their state
//! at barriers and now and then in between.

use arrow::array::RecordBatch;
use volley_api::{KeyedSnapshot, OperatorContext};

use super::PluginOperator;
use crate::held::{Abandoned, Held, Logged, Migration, Record, SNAPSHOT_FAILURES_MAX, Stored};
use crate::instances::Instances;
use crate::keyed::{Keyed, listed_keys};
use crate::plugin::Determinism;
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
            let earlier = migration.earlier().map_err(|source| Error::Wire { plugin: who.to_string(), source })?;
            let can = guest.can_migrate(earlier).map_err(|error| migration.refused_by(context, &who, error))?;
            can.map_err(|why| migration.refused(context, &who, &why))?;
            migration.adopt(&mut restoring, &listed, &record)?;
            helper = Some(guest);
        }
        let keyed =
            Keyed::open(&restoring, &keys.fields, &keys.states, |declared, state| match (&migration, &mut helper) {
                (Some(migration), Some(guest)) => migration.bring(declared, state, guest, context),
                _ => Ok(()),
            })?;
        drop(helper);
        let mut stored = Stored::open(&restoring, &record)?;
        let held = if record.holds_state {
            let parts = stored.parts()?;
            if !parts.is_empty() {
                let versions: std::collections::BTreeSet<u32> = parts.iter().map(|part| part.version).collect();
                let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
                instances.guest()?.restore(&parts).map_err(|error| Error::NotRestored {
                    operator: context.node.to_string(),
                    versions: versions.join(", "),
                    source: Box::new(error),
                })?;
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
                    source: Box::new(error),
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
        let guest = instances.guest()?;
        if let Err(error) = held.bring(guest) {
            if let Some(violation) = error.violation() {
                instances.count(violation);
            }
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
        let Self { instances, held: Some(held), keyed, context, .. } = self else { return Ok(()) };
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
        parents: crate::imports::emitter::Parents,
    ) -> Option<Box<Logged>> {
        if self.held.is_none() && self.instances.repro().is_none() {
            return None;
        }
        Some(Box::new(Logged {
            keys: keys.cloned(),
            call: call.cloned(),
            batch,
            parents,
            number: self.calls,
            random: 0,
            now_ms: None,
            answers: Vec::new(),
            http: Vec::new(),
            exceeded: None,
            has_failed: false,
        }))
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
            match self.take_parts() {
                Ok(()) => {
                    let key_groups = self.context.key_groups();
                    if let (Some(stored), Some(held)) = (&mut self.stored, &self.held) {
                        stored.replace(&held.parts, key_groups)?;
                    }
                }
                Err(error) => failure = Some(error),
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
