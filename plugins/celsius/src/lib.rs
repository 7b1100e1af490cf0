//! A function for expressions: degrees Fahrenheit to degrees Celsius.

/// Degrees Celsius.
#[volley_sdk::scalar]
pub fn celsius(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) * 5.0 / 9.0
}

#[cfg(test)]
mod tests {
    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    #[test]
    fn water_freezes_and_boils() {
        let values = testing::scalar::<super::celsius>(json!({}), &batch! { "f" => [Some(32.0), None, Some(212.0)] });
        assert_eq!(values.unwrap(), batch! { "c" => [Some(0.0), None, Some(100.0)] }.columns()[0]);
    }
}
