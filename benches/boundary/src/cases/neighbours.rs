//! What a plugin that burns its time does to the others of its host.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use volley_api::{Operator, OperatorFactory, Output, PortIndex, RowReject, StreamRecord};
use volley_bench_support::timing::{Bar, Ratio};
use volley_test_guests::Guest;
use volley_wasm::{Crossing, OnError, Plugin, PluginFactory, PluginLimits, PluginOptions};

use crate::data::Shape;
use crate::guest::{Guests, context, operator};
use crate::sink::Counting;

/// Plugins in one host, the one that spins included.
const PLUGINS: usize = 100;

/// Rows of a batch.
const ROWS: usize = 1_000;

/// Each of the others is handed a batch so often, whether it is done with the last one or not.
const PERIOD: Duration = Duration::from_millis(50);

/// How long it is quiet, and how long one of them spins, in a round.
const PHASE: Duration = Duration::from_secs(2);

/// At the beginning of a phase nothing is measured.
const SETTLE: Duration = Duration::from_millis(300);

/// CPU time that one call may take: what the one that spins takes, again and again.
const DEADLINE: Duration = Duration::from_millis(200);

/// Rounds at most: each takes seconds.
const ROUNDS_MAX: usize = 15;

/// Nothing is measured.
const PAUSE: usize = usize::MAX;
/// All threads end.
const END: usize = usize::MAX - 1;

/// R16: the 99th percentile of the time from when a batch is there to when it is treated, beside a plugin that spins / without.
pub(crate) fn spinning(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    let spinner = Guest::new("filter", &["a"]).process("(loop $again (br $again)) unreachable");
    let spinner = Plugin::from_bytes(&guests.engine, "spinner", &spinner.build())?;
    let rounds = rounds.clamp(1, ROUNDS_MAX);
    // Two phases a round, of which one is quiet.
    let phase = AtomicUsize::new(PAUSE);
    let ready = Barrier::new(PLUGINS + 1);
    let latencies: Vec<Vec<Duration>> = thread::scope(|scope| {
        let others: Vec<_> = (1..PLUGINS)
            .map(|number| {
                let (phase, ready) = (&phase, &ready);
                scope.spawn(move || other(guests, number, rounds, phase, ready))
            })
            .collect();
        let spins = scope.spawn(|| spin(&spinner, &phase, &ready));
        ready.wait();
        for number in 0..2 * rounds {
            // The one that spins is in its call already when it counts.
            phase.store(PAUSE, Ordering::SeqCst);
            SPINS.store(usize::from(spins_in(number)), Ordering::SeqCst);
            thread::sleep(SETTLE);
            phase.store(number, Ordering::SeqCst);
            thread::sleep(PHASE);
        }
        phase.store(END, Ordering::SeqCst);
        let mut all = vec![Vec::new(); 2 * rounds];
        for other in others {
            let seen = other.join().expect("a neighbour ends by itself");
            all.iter_mut().zip(seen).for_each(|(all, seen)| all.extend(seen));
        }
        let failures = spins.join().expect("the one that spins ends by itself");
        eprintln!("R16: {failures} calls used up their time");
        all
    });
    let p99: Vec<Duration> = latencies.into_iter().map(|mut phase| percentile(&mut phase, 0.99)).collect();
    let of = |spins: bool| (0..).zip(&p99).filter(move |(phase, _)| spins_in(*phase) == spins).map(|(_, p99)| *p99);
    let (quiet, beside): (Vec<Duration>, Vec<Duration>) = (of(false).collect(), of(true).collect());
    eprintln!(
        "R16: p99 of a batch of {ROWS} rows, round by round: quiet {quiet:.2?}, beside one that spins {beside:.2?}"
    );
    let rounds = beside.iter().zip(&quiet).map(|(beside, quiet)| (beside.as_secs_f64(), quiet.as_secs_f64()));
    Ratio::of_medians(&rounds.collect::<Vec<_>>()).print("R16", Bar::AtMost(1.5));
    Ok(())
}

/// Whether the one that spins does in a phase: which of a round's two it is takes turns, so that what else goes on beside the
/// bench meets both alike.
fn spins_in(phase: usize) -> bool {
    phase % 4 == 1 || phase % 4 == 2
}

/// Whether the one that spins does now.
static SPINS: AtomicUsize = AtomicUsize::new(0);

/// One of those that do their work; gives its times, phase by phase.
fn other(guests: &Guests, number: usize, rounds: usize, phase: &AtomicUsize, ready: &Barrier) -> Vec<Vec<Duration>> {
    let shape = Shape::Numbers;
    let batches = shape.batches(ROWS);
    let mut plugin =
        operator(&guests.filter_project, &shape.schema(), Crossing::Direct).expect("the plugin takes its input");
    let mut times = vec![Vec::new(); 2 * rounds];
    work(&mut *plugin, &batches[0]);
    ready.wait();
    let mut due = Instant::now() + PERIOD * number as u32 / PLUGINS as u32;
    for batch in batches.iter().cycle() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match phase.load(Ordering::SeqCst) {
            END => break,
            PAUSE => work(&mut *plugin, batch),
            phase => {
                work(&mut *plugin, batch);
                times[phase].push(due.elapsed());
            }
        }
        due += PERIOD;
    }
    times
}

fn work(plugin: &mut dyn Operator, batch: &RecordBatch) {
    let mut output = Counting::default();
    plugin.process(StreamRecord::new(batch.clone()), &mut output).expect("the operator works on its own input");
}

/// The one that spins: each row uses up its time, and is left out then. Gives how many were.
fn spin(plugin: &Arc<Plugin>, phase: &AtomicUsize, ready: &Barrier) -> usize {
    let input = Shape::Numbers.schema();
    let limits = PluginLimits { deadline: DEADLINE, restarts_max: usize::MAX, ..PluginLimits::default() };
    let options = PluginOptions { limits, on_error: OnError::Skip, ..PluginOptions::default() };
    let factory = PluginFactory::new(Arc::clone(plugin), options);
    factory.bind(&input).expect("it binds");
    let mut operator = factory.create(context(&input)).expect("it starts");
    let rows = Shape::Numbers.batches(1);
    ready.wait();
    let mut refused = Refused(0);
    while phase.load(Ordering::SeqCst) != END {
        if SPINS.load(Ordering::SeqCst) == 0 {
            thread::sleep(PERIOD);
            continue;
        }
        operator.process(StreamRecord::new(rows[0].clone()), &mut refused).expect("a guilty row is left out");
    }
    refused.0
}

/// Counts rows that are left out.
struct Refused(usize);

impl Output for Refused {
    fn emit(&mut self, _: PortIndex, record: StreamRecord) -> volley_api::Result<()> {
        Err(volley_api::Error::internal(format!("{} rows came out of a loop without end", record.num_rows())))
    }

    fn reject(&mut self, _: &StreamRecord, rejects: Vec<RowReject>) -> volley_api::Result<()> {
        self.0 += rejects.len();
        Ok(())
    }
}

/// Of at least one.
fn percentile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let place = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1));
    times.get(place - 1).copied().unwrap_or_default()
}
