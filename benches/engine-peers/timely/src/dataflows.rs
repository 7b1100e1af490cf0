//! The two dataflows.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use timely::Config;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::operators::{Capability, Inspect, Operator, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle, StreamVec};

use crate::workload::{Row, Total, WINDOW_MS, row, time_ms};

/// Rows that a worker gives before the others have their turn. Larger and smaller ones were slower.
const BATCH_ROWS: u64 = 8192;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dataflow {
    /// W1.
    FilterAndMap,
    /// W2.
    WindowedSum,
}

/// Runs a dataflow over so many rows on so many workers, to its end.
pub(crate) fn run(dataflow: Dataflow, workers: usize, rows: u64) -> Result<Total, String> {
    let guards = timely::execute(Config::process(workers), move |worker| {
        let (index, peers) = (worker.index() as u64, worker.peers() as u64);
        let mut input = InputHandleVec::new();
        let probe = ProbeHandle::new();
        let total = Rc::new(Cell::new(Total::default()));
        worker.dataflow::<u64, _, _>(|scope| {
            let rows = input.to_stream(scope);
            let total = Rc::clone(&total);
            match dataflow {
                Dataflow::FilterAndMap => {
                    filter_and_map(rows).inspect(move |value| add(&total, *value)).probe_with(&probe)
                }
                Dataflow::WindowedSum => {
                    windowed_sum(rows).inspect(move |value| add(&total, *value)).probe_with(&probe)
                }
            };
        });
        // Rows in turns, so that event time passes in all workers alike.
        let mut i = index;
        let mut batch = Vec::with_capacity(BATCH_ROWS as usize);
        while i < rows {
            input.advance_to(time_ms(i));
            batch.extend((0..BATCH_ROWS).map(|k| i + k * peers).take_while(|&i| i < rows).map(row));
            input.send_batch(&mut batch);
            batch.clear();
            i += BATCH_ROWS * peers;
            worker.step();
        }
        input.close();
        while !probe.done() {
            worker.step();
        }
        total.get()
    })?;
    let totals = guards.join().into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(totals.into_iter().fold(Total::default(), Total::merge))
}

fn add(total: &Cell<Total>, check: u64) {
    let mut sum = total.get();
    sum.add(check);
    total.set(sum);
}

fn filter_and_map(rows: StreamVec<'_, u64, Row>) -> StreamVec<'_, u64, u64> {
    rows.filter(|row| row.amount > 100).map(|row| row.amount * 2 + 1)
}

/// A window that is open, with the right to give its results.
struct Window {
    index: u64,
    end: Capability<u64>,
    sums: HashMap<u64, u64, BuildHasherDefault<Multiplied>>,
}

fn windowed_sum(rows: StreamVec<'_, u64, Row>) -> StreamVec<'_, u64, u64> {
    let by_user = Exchange::new(|row: &Row| row.user_id);
    rows.filter(|row| row.amount > 100).unary_frontier(by_user, "WindowedSum", |_, _| {
        let mut open: Vec<Window> = Vec::new();
        move |(input, frontier), output| {
            input.for_each(|time, rows| {
                for row in rows.drain(..) {
                    let index = row.time_ms / WINDOW_MS;
                    let at = open.iter().position(|window| window.index == index).unwrap_or_else(|| {
                        let end = time.delayed(&((index + 1) * WINDOW_MS), 0);
                        open.push(Window { index, end, sums: HashMap::default() });
                        open.len() - 1
                    });
                    *open[at].sums.entry(row.user_id).or_insert(0) += row.amount;
                }
            });
            open.retain_mut(|window| {
                let is_open = frontier.less_than(window.end.time());
                if !is_open {
                    let mut session = output.session(&window.end);
                    session.give_iterator(window.sums.drain().map(|(user_id, sum)| sum * (user_id + 1 + window.index)));
                }
                is_open
            });
        }
    })
}

/// A hash of one number: the standard library's is made for hostile keys and several times slower.
#[derive(Debug, Default)]
struct Multiplied(u64);

impl Hasher for Multiplied {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The best bits of a product are the upper ones, and the table looks at the lower ones too.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}
