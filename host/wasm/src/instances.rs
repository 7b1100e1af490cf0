//! The instance of one subtask, and the fresh ones that take its place when it fails.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use volley_api::{NodeName, OperatorContext, SubtaskId};

use crate::bind::Bound;
use crate::guest::Guest;
use crate::http::side::Grant;
use crate::imports::log::LogRate;
use crate::imports::random::Random;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::metrics::PluginMetrics;
use crate::options::{PluginLimits, PluginOptions};
use crate::plugin::{Determinism, Plugin, Who, config_text};
use crate::repro::Repro;
use crate::store::JobParts;
use crate::violation::Violation;
use crate::{Error, Result};

/// How long a plugin that failed too often is not started again in this process, in milliseconds.
pub(crate) const QUARANTINE_MS: u64 = 5 * 60 * 1_000;

/// Makes the instances of one subtask: the first, and one more after each failure, within the restart budget.
pub(crate) struct Instances {
    plugin: Arc<Plugin>,
    options: PluginOptions,
    config: String,
    metrics: Arc<PluginMetrics>,
    context: OperatorContext,
    input: PluginInput,
    bound: Bound,
    guest: Option<Guest>,
    /// How many instances there were, the present one included.
    made: u64,
    log_rate: Arc<LogRate>,
    /// When fresh instances were made, within the last `restarts_within`; as many as the budget at most.
    restarts_ms: VecDeque<u64>,
    /// What the plugin says of itself, once it was asked.
    determinism: OnceLock<Determinism>,
}

impl Instances {
    /// The first instance, bound. `expected` is what an earlier instance agreed to for the same input, if there was one.
    pub(crate) fn start(
        plugin: &Arc<Plugin>,
        options: &PluginOptions,
        metrics: &Arc<PluginMetrics>,
        context: &OperatorContext,
        input: PluginInput,
        expected: Option<Bound>,
    ) -> Result<Self> {
        let config = config_text(&options.config);
        let log_rate = Arc::default();
        not_quarantined(plugin, metrics, context, context.clock.now_ms())?;
        let (guest, bound) = make(plugin, options, &config, metrics, context, &input, &log_rate)?;
        if let Some(expected) = expected {
            same(&guest, &expected, &bound)?;
        }
        Ok(Self {
            plugin: Arc::clone(plugin),
            options: options.clone(),
            config,
            metrics: Arc::clone(metrics),
            context: context.clone(),
            input,
            bound,
            guest: Some(guest),
            made: 1,
            log_rate,
            restarts_ms: VecDeque::new(),
            determinism: OnceLock::new(),
        })
    }

    /// What was agreed on.
    pub(crate) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The instance, or a fresh one where the last has failed.
    pub(crate) fn guest(&mut self) -> Result<&mut Guest> {
        if self.guest.is_none() {
            self.spend_restart()?;
            self.metrics.restart();
            let Self { plugin, options, config, metrics, context, input, log_rate, .. } = self;
            let (guest, bound) = make(plugin, options, config, metrics, context, input, log_rate)?;
            same(&guest, &self.bound, &bound)?;
            self.guest = Some(guest);
            self.made += 1;
        }
        Ok(self.guest.as_mut().expect("made just now, if it was not there"))
    }

    /// Where bundles of failed calls go, if anywhere.
    pub(crate) fn repro(&self) -> Option<&Repro> {
        self.options.repro.as_deref()
    }

    /// The node, and which of its instances.
    pub(crate) fn place(&self) -> (&NodeName, SubtaskId) {
        (&self.context.node, self.context.subtask)
    }

    /// The configuration as the plugin gets it.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// What it is bound to.
    pub(crate) fn input(&self) -> &PluginInput {
        &self.input
    }

    /// Whether there is an instance that has not failed.
    pub(crate) fn is_alive(&self) -> bool {
        self.guest.is_some()
    }

    /// An instance beside the present one, bound to the same.
    pub(crate) fn another(&self) -> Result<Guest> {
        self.aside(|parts| parts)
    }

    /// One of so many calls is made twice.
    pub(crate) fn determinism_sample(&self) -> u32 {
        self.options.determinism_sample
    }

    /// Where it runs, and with what.
    pub(crate) fn context(&self) -> &OperatorContext {
        &self.context
    }

    /// What the plugin says of itself. A fresh instance is asked, once.
    pub(crate) fn determinism(&self) -> Result<Determinism> {
        if let Some(known) = self.determinism.get() {
            return Ok(*known);
        }
        let said = self.plugin.describe(&self.options.limits)?.determinism;
        Ok(*self.determinism.get_or_init(|| said))
    }

    /// A fresh instance, bound, that works aside: with what a job's instance has, made other by `with`.
    pub(crate) fn aside(&self, with: impl FnOnce(JobParts) -> JobParts) -> Result<Guest> {
        let job = with(parts(&self.plugin, &self.options, &self.metrics, &self.context, &self.log_rate));
        let mut guest = Guest::instantiate(&self.plugin, &self.options.limits, job)?;
        let bound = guest.open(&self.config, &self.input)?;
        same(&guest, &self.bound, &bound)?;
        Ok(guest)
    }

    /// Puts an instance in the place of the present one, which is given out.
    pub(crate) fn exchange(&mut self, guest: Option<Guest>) -> Option<Guest> {
        std::mem::replace(&mut self.guest, guest)
    }

    /// The number of the present instance: fresh ones have others.
    pub(crate) fn number(&self) -> u64 {
        self.made
    }

    /// Lets go of an instance that has failed.
    pub(crate) fn discard(&mut self) {
        self.guest = None;
    }

    /// Ends the instance, if it still lives.
    pub(crate) fn close(&mut self, number: u64) -> Result<()> {
        let Some(guest) = &mut self.guest else { return Ok(()) };
        let closed = guest.close(number);
        if let Err(violation) = closed.as_ref().map_err(Error::violation)
            && let Some(violation) = violation
        {
            self.count(violation);
        }
        closed
    }

    pub(crate) fn count(&self, violation: Violation) {
        self.metrics.violation(violation);
    }

    pub(crate) fn metrics(&self) -> &Arc<PluginMetrics> {
        &self.metrics
    }

    pub(crate) fn who(&self) -> &Who {
        self.plugin.who()
    }

    pub(crate) fn kind(&self) -> PluginKind {
        self.plugin.info().kind
    }

    pub(crate) fn limits(&self) -> &PluginLimits {
        &self.options.limits
    }

    /// One more fresh instance: allowed as long as there were not too many lately.
    fn spend_restart(&mut self) -> Result<()> {
        let limits = &self.options.limits;
        let now_ms = self.context.clock.now_ms();
        // Another subtask, or another job of this process, may have used up its budget meanwhile.
        not_quarantined(&self.plugin, &self.metrics, &self.context, now_ms)?;
        let within_ms = u64::try_from(limits.restarts_within.as_millis()).unwrap_or(u64::MAX);
        while self.restarts_ms.front().is_some_and(|at_ms| now_ms.saturating_sub(*at_ms) >= within_ms) {
            self.restarts_ms.pop_front();
        }
        if self.restarts_ms.len() >= limits.restarts_max {
            self.plugin.engine().quarantine().put(&self.plugin.who().digest, now_ms.saturating_add(QUARANTINE_MS));
            self.count(Violation::Quarantined);
            let (count, seconds) = (self.restarts_ms.len(), limits.restarts_within.as_secs_f64());
            let why = format!("after {count} failures within {seconds} s (`limits.restarts`)");
            return Err(quarantined(&self.plugin, &self.context, &why));
        }
        self.restarts_ms.push_back(now_ms);
        Ok(())
    }
}

fn make(
    plugin: &Plugin,
    options: &PluginOptions,
    config: &str,
    metrics: &Arc<PluginMetrics>,
    context: &OperatorContext,
    input: &PluginInput,
    log_rate: &Arc<LogRate>,
) -> Result<(Guest, Bound)> {
    let job = parts(plugin, options, metrics, context, log_rate);
    let mut guest = Guest::instantiate(plugin, &options.limits, job)?;
    let bound = guest.open(config, input)?;
    Ok((guest, bound))
}

/// What an instance of the job has.
fn parts(
    plugin: &Plugin,
    options: &PluginOptions,
    metrics: &Arc<PluginMetrics>,
    context: &OperatorContext,
    log_rate: &Arc<LogRate>,
) -> JobParts {
    JobParts {
        metrics: Arc::clone(metrics),
        clock: Arc::clone(&context.clock),
        random: Random::new(context.seeds, context.node.clone(), context.subtask),
        task: Some((context.node.to_string(), context.subtask.index)),
        log_rate: Arc::clone(log_rate),
        crossing: options.crossing,
        http: http_grant(plugin, options),
        is_muted: false,
    }
}

/// Whom it may send requests to, and through what.
fn http_grant(plugin: &Plugin, options: &PluginOptions) -> Option<Grant> {
    let transport = plugin.engine().http().filter(|_| !options.grants.http.is_empty())?;
    Some(Grant { origins: Arc::new(options.grants.http.iter().cloned().collect()), transport: Arc::clone(transport) })
}

fn same(guest: &Guest, expected: &Bound, bound: &Bound) -> Result<()> {
    if expected == bound {
        return Ok(());
    }
    let problem = "it is not pure: the same configuration and input gave another binding before".to_owned();
    Err(guest.broke("open", Violation::ImpureOpen, problem))
}

fn not_quarantined(plugin: &Plugin, metrics: &PluginMetrics, context: &OperatorContext, now_ms: u64) -> Result<()> {
    let Some(left_ms) = plugin.engine().quarantine().left_ms(&plugin.who().digest, now_ms) else { return Ok(()) };
    metrics.violation(Violation::Quarantined);
    Err(quarantined(plugin, context, &format!("for another {} s", left_ms.div_ceil(1_000))))
}

fn quarantined(plugin: &Plugin, context: &OperatorContext, why: &str) -> Error {
    Error::Quarantined { operator: context.node.to_string(), plugin: plugin.who().to_string(), why: why.to_owned() }
}
