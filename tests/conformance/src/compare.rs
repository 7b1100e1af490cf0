//! Whether two results are the same, and how to say that they are not.

use serde_json::Value;

use crate::host::ByRow;

/// How far floats may be apart that were added up in another order, relative to the larger one.
const FLOAT_DIFFERENCE_MAX: f64 = 1e-9;

/// Fails at the first row of which something else came.
pub(crate) fn same_by_row(how: &str, found: &ByRow, due: &ByRow) -> Result<(), String> {
    let rows = due.keys().chain(found.keys());
    match rows.into_iter().find(|row| found.get(row) != due.get(row)) {
        None => Ok(()),
        Some(row) => Err(format!("{how}, row {row} becomes {:?}, and else {:?}", found.get(row), due.get(row))),
    }
}

/// Fails at the first text that differs.
pub(crate) fn same(how: &str, found: &[String], due: &[String]) -> Result<(), String> {
    match found.iter().zip(due).find(|(found, due)| found != due) {
        Some((found, due)) => Err(format!("{how} there is {found}, and else {due}")),
        None if found.len() != due.len() => {
            let longer = if found.len() > due.len() { found } else { due };
            let next = &longer[found.len().min(due.len())];
            Err(format!("{how} there are {}, and else {}; one has {next}", found.len(), due.len()))
        }
        None => Ok(()),
    }
}

/// The same for JSON, with floats that may be rounded otherwise.
pub(crate) fn about_same(how: &str, found: &[String], due: &[String]) -> Result<(), String> {
    let parse = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text.as_str()));
    for (group, (one, other)) in found.iter().zip(due).enumerate() {
        if one != other && !is_about(&parse(one), &parse(other)) {
            return Err(format!("{how} group {group} has {one}, and else {other}"));
        }
    }
    if found.len() == due.len() { Ok(()) } else { Err(format!("{how} {} groups, and else {}", found.len(), due.len())) }
}

fn is_about(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else { return a == b };
            a == b || (a - b).abs() <= FLOAT_DIFFERENCE_MAX * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_about(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_about(a, b)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_difference_and_everything_else_is() {
        let texts = |text: &str| vec![text.to_owned()];
        assert!(about_same("", &texts(r#"{"a":0.30000000000000004}"#), &texts(r#"{"a":0.3}"#)).is_ok());
        for (one, other) in [(r#"{"a":0.3}"#, r#"{"a":0.31}"#), (r#"{"a":null}"#, r#"{"a":0.0}"#), ("{}", r#"{"a":1}"#)]
        {
            assert!(about_same("", &texts(one), &texts(other)).is_err(), "{one} {other}");
        }
        assert!(same("", &texts("a"), &[]).is_err());
    }
}
