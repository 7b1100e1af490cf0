//! How large a component may be: it is copied to every host, compiled there, and kept with each of its versions.

use crate::support::plugin;

/// Of one function of rows. Most of a component is what all have: so one that is just too large is a sign that something found
/// its way into all. About 5 kB of it are the lifecycle, which is compiled with the operator, for speed: it is more than it was,
/// since `open` tells and answers what only other worlds need.
const ROWS_BYTES_MAX: u64 = 105_000;

/// Of several functions that share state or go both ways: keys and timers, groups and their merging, reading and writing.
const SEVERAL_BYTES_MAX: u64 = 150_000;

/// Maps, filters, flat-maps and scalars.
const ROWS: [&str; 6] = ["identity", "explode", "filter-project", "threshold", "enrich-flight", "celsius"];

/// Processes, aggregates and codecs.
const SEVERAL: [&str; 6] = ["sessionizer", "sum-avg", "quantile-sketch", "ticks", "top-k", "anomaly"];

#[test]
fn every_example_operator_is_small() {
    let rows = ROWS.iter().map(|name| (name, ROWS_BYTES_MAX));
    let several = SEVERAL.iter().map(|name| (name, SEVERAL_BYTES_MAX));
    for (name, bytes_max) in rows.chain(several) {
        let path = plugin(name);
        let bytes = path.metadata().expect("a component").len();
        assert!(
            bytes < bytes_max,
            "plugin `{name}` has {bytes} bytes, of less than {bytes_max}, as `volley plugin build` wrote it to {}",
            path.display()
        );
    }
}
