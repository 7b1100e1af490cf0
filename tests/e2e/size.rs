//! How large a component may be: it is copied to every host, compiled there, and kept with each of its versions.

use crate::support::plugin;

/// Every example operator is smaller. Most of a component is what all have: so one that is just too large is a sign that
/// something found its way into all.
const COMPONENT_BYTES_MAX: u64 = 100_000;

#[test]
fn every_example_operator_is_small() {
    for name in ["identity", "explode", "filter-project", "threshold", "enrich-flight", "celsius", "ticks"] {
        let path = plugin(name);
        let bytes = path.metadata().expect("a component").len();
        assert!(
            bytes < COMPONENT_BYTES_MAX,
            "plugin `{name}` has {bytes} bytes, of less than {COMPONENT_BYTES_MAX}, as `volley plugin build` wrote it to {}",
            path.display()
        );
    }
}
