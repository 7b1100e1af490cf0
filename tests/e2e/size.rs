//! How large a component may be: it is copied to every host, compiled there, and kept with each of its versions.

use crate::support::{plugin, repository};

/// Of one function of rows. Most of a component is what all have: so one that is just too large is a sign that something found
/// its way into all.
const ROWS_BYTES_MAX: u64 = 100_000;

/// Of several functions. An aggregate reads and writes two schemas, that of its results and that of its state, and groups
/// its rows in loops of its own; a process has imports for state and timers, columns of keys, and code that takes values of state
/// apart and puts them together; a codec goes both ways.
const SEVERAL_BYTES_MAX: u64 = 125_000;
const STATEFUL_BYTES_MAX: u64 = 180_000;

/// Panics name their source by its whole path: so many of these begin with that of the checkout.
const PATHS: u64 = 20;

/// Maps, filters, flat-maps and scalars.
const ROWS: [&str; 6] = ["identity", "explode", "filter-project", "threshold", "enrich-flight", "celsius"];

/// Processes, aggregates and codecs.
const SEVERAL: [&str; 6] = ["sessionizer", "running-total", "sum-avg", "quantile-sketch", "ticks", "greatest"];

/// Processes with several kinds of state; and with a state of their own, whose parts are put together and taken apart.
const STATEFUL: [&str; 4] = ["top-k", "anomaly", "journeys", "baseline"];

#[test]
fn every_example_operator_is_small() {
    let rows = ROWS.iter().map(|name| (name, ROWS_BYTES_MAX));
    let several = SEVERAL.iter().map(|name| (name, SEVERAL_BYTES_MAX));
    let paths_bytes = PATHS * repository().as_os_str().len() as u64;
    let stateful = STATEFUL.iter().map(|name| (name, STATEFUL_BYTES_MAX));
    for (name, bytes_max) in rows.chain(several).chain(stateful) {
        let bytes_max = bytes_max + paths_bytes;
        let path = plugin(name);
        let bytes = path.metadata().expect("a component").len();
        assert!(
            bytes < bytes_max,
            "plugin `{name}` has {bytes} bytes, of less than {bytes_max}, as `volley plugin build` wrote it to {}",
            path.display()
        );
    }
}
