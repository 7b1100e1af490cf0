//! An aggregate: sum and mean of the column `amount` for each group, written row by row.

use volley_sdk::{AggregateState, aggregate};

/// What is known of the rows of a group.
#[derive(Debug, Default, AggregateState)]
pub struct SumAvg {
    sum: f64,
    count: i64,
}

#[aggregate(outputs = ["sum", "avg"])]
impl SumAvg {
    /// Adds a row; rows without an amount do not come here.
    #[inline]
    pub fn update(&mut self, amount: f64) {
        self.sum += amount;
        self.count += 1;
    }

    /// Adds what is known of other rows of the group.
    #[inline]
    pub fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// Sum and mean, which a group without an amount has not.
    #[must_use]
    pub fn evaluate(&self) -> (Option<f64>, Option<f64>) {
        let is_empty = self.count == 0;
        ((!is_empty).then_some(self.sum), (!is_empty).then(|| self.sum / self.count as f64))
    }
}

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn each_group_has_its_sum_and_mean() {
        let input =
            batch! { "user" => ["ann", "bob", "ann", "cid"], "amount" => [Some(1_i64), Some(5), Some(2), None] };
        let outcome = testing::aggregate::<SumAvgOperator>(json!({}), &[0, 1, 0, 2], &input).unwrap();
        assert_eq!(
            outcome.output,
            batch! { "sum" => [Some(3.0), Some(5.0), None], "avg" => [Some(1.5), Some(5.0), None] }
        );
    }

    #[test]
    fn input_without_amounts_is_refused_by_name() {
        let input = batch! { "user" => ["ann"], "amount" => ["1"] };
        let error = testing::aggregate::<SumAvgOperator>(json!({}), &[0], &input).unwrap_err().to_string();
        assert!(error.contains("column `amount` is Utf8"), "{error}");
    }
}
