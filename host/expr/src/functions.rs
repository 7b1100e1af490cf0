//! The scalar functions that expressions may call, by name.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::{ScalarUDF, Volatility};

/// Functions that tell of the build instead of the row: an upgrade between two runs would change a replay.
const LEFT_OUT: [&str; 1] = ["version"];

/// Aggregates, known so that they can be refused by what they are.
const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "every",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "percentile_cont",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    "var_samp",
    "variance",
];

/// Window functions, known for the same reason.
const WINDOW_FUNCTIONS: &[&str] =
    &["cume_dist", "dense_rank", "lag", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number"];

static FUNCTIONS: LazyLock<HashMap<String, Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut by_name = HashMap::new();
    for function in datafusion_functions::all_default_functions() {
        if LEFT_OUT.contains(&function.name()) {
            continue;
        }
        for alias in function.aliases() {
            by_name.insert(alias.to_lowercase(), Arc::clone(&function));
        }
        by_name.insert(function.name().to_lowercase(), function);
    }
    by_name
});

/// What a function's name stands for.
pub(crate) enum Known {
    /// A function of a row.
    Scalar,
    /// A scalar function whose result depends on more than its arguments.
    NotRepeatable,
    /// A function that somebody has given.
    Given,
    /// A function of many rows.
    Aggregate,
    /// A function of a row and its neighbours.
    Window,
    /// Nothing.
    Nothing,
}

/// What `name`, in lower case, stands for.
pub(crate) fn known(name: &str) -> Known {
    match FUNCTIONS.get(name) {
        Some(function) if function.signature().volatility == Volatility::Immutable => Known::Scalar,
        Some(_) => Known::NotRepeatable,
        None if AGGREGATES.contains(&name) => Known::Aggregate,
        None if WINDOW_FUNCTIONS.contains(&name) => Known::Window,
        None => Known::Nothing,
    }
}

/// The function of that name, in lower case.
pub(crate) fn get(name: &str) -> Option<Arc<ScalarUDF>> {
    FUNCTIONS.get(name).cloned()
}

/// The names of all functions that give the same result every time, in no order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS
        .iter()
        .filter(|(_, function)| function.signature().volatility == Volatility::Immutable)
        .map(|(name, _)| &**name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_two_things() {
        for name in AGGREGATES.iter().chain(WINDOW_FUNCTIONS) {
            assert!(get(name).is_none(), "{name} is a scalar function too");
        }
        for name in ["random", "uuid", "now", "current_date", "current_timestamp", "current_time", "today"] {
            assert!(matches!(known(name), Known::NotRepeatable), "{name}");
        }
        assert!(matches!(known("version"), Known::Nothing));
        assert!(matches!(known("abs"), Known::Scalar));
    }
}
