//! The next version of `keeper`: its sums are of another type and have a column more, and it brings the old ones over.

use serde::Deserialize;
use volley_sdk::build::{BooleanBuilder, Builder as _, Float64Builder};
use volley_sdk::state::StateDeclaration;
use volley_sdk::{Array, Batch, Emit, Failure, SnapshotOperator, StatePart, Value, process};

/// Nothing: what the version before it takes is refused.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Config {}

#[process(outputs = ["count", "sum"], snapshot)]
fn keeper_next(
    #[config] _config: &Config,
    id: i64,
    #[state(version = 2)] sums: &mut Value<(f64, bool)>,
    out: &mut Emit<(i64, i64)>,
) {
    let (sum, is_brought) = sums.get().copied().unwrap_or_default();
    sums.set((sum + id as f64, is_brought));
    out.push((if is_brought { 1 } else { 0 }, (sum + id as f64) as i64));
}

impl SnapshotOperator for keeper_next {
    fn restore(&mut self, _: Vec<StatePart>) -> Result<(), Failure> {
        // What it counted is of no interest any more.
        Ok(())
    }

    fn can_migrate(earlier: &[StateDeclaration]) -> Result<(), String> {
        match earlier.iter().find(|state| state.name != "sums" || state.version != 1) {
            None => Ok(()),
            Some(other) => Err(format!("nothing is known here of `{}` of version {}", other.name, other.version)),
        }
    }

    fn migrate(_: &StateDeclaration, values: &Batch<'_>) -> Result<Vec<Array>, Failure> {
        let before = values.at(0).as_i64()?;
        let (mut sums, mut brought) = (Float64Builder::new(), BooleanBuilder::new());
        for row in 0..values.len() {
            sums.push(before.get(row).unwrap_or_default() as f64);
            brought.push(true);
        }
        Ok(vec![sums.finish(), brought.finish()])
    }
}
