//! A process with one value for each key: every row goes out with the sum of the column `amount` of its key so far.

use volley_sdk::{Emit, Value, process};

#[process(outputs = ["total"])]
fn running_total(amount: f64, total: &mut Value<f64>, out: &mut Emit<(f64,)>) {
    let sum = total.get().copied().unwrap_or_default() + amount;
    total.set(sum);
    out.push((sum,));
}

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{Process, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    fn rows(users: &[&str], amounts: &[f64]) -> RecordBatch {
        batch! { "user" => users.to_vec(), "amount" => amounts.to_vec() }
    }

    #[test]
    fn each_row_has_the_sum_of_its_key_so_far() {
        let first = rows(&["ann", "bob", "ann"], &[1.0, 10.0, 2.0]);
        let mut job = Process::<running_total>::open(json!({}), &first, &["user"], None).unwrap();
        let wanted = batch! { "user" => ["ann", "bob", "ann"], "total" => [1.0, 10.0, 3.0] };
        assert_eq!(job.rows(&first).unwrap().port("out"), &wanted);
        let wanted = batch! { "user" => ["bob", "ann"], "total" => [15.0, 7.0] };
        assert_eq!(job.rows(&rows(&["bob", "ann"], &[5.0, 4.0])).unwrap().port("out"), &wanted);
    }

    #[test]
    fn rows_without_an_amount_are_passed_over() {
        let input = batch! { "user" => ["ann", "ann"], "amount" => [None, Some(2_i64)] };
        let mut job = Process::<running_total>::open(json!({}), &input, &["user"], None).unwrap();
        assert_eq!(job.rows(&input).unwrap().port("out"), &batch! { "user" => ["ann"], "total" => [2.0] });
    }
}
