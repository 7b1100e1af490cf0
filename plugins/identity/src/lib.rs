//! A map that gives all columns of its input back, unchanged.
//!
//! Nothing is copied here: what it costs is what the boundary costs.

use volley_sdk::{Batch, Binding, Failure, MapOperator, Mapped, NoConfig, OpenError, Schema};

/// The operator.
pub struct Identity;

impl MapOperator for Identity {
    type Config = NoConfig;

    fn open(_: NoConfig, input: &Schema) -> Result<(Self, Binding), OpenError> {
        let names = input.fields().iter().map(|field| field.name.as_str());
        Ok((Self, Binding::reads(names).replace(input.clone())))
    }

    fn map(&mut self, _: &Batch<'_>) -> Result<Mapped, Failure> {
        Ok(Mapped::unchanged())
    }
}

volley_sdk::export_map!(Identity);

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn what_comes_in_goes_out() {
        let input = batch! { "n" => [Some(1_i64), None], "t" => ["a", ""], "l" => [vec![1.5], vec![]] };
        let outcome = testing::map::<Identity>(json!({}), &input).unwrap();
        assert_eq!(outcome.output, input);
        assert!(outcome.rejects.is_empty());
    }
}
