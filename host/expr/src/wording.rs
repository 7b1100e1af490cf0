//! Names, positions and causes in the words of messages.

use datafusion_common::DataFusionError;
use datafusion_sql::sqlparser::tokenizer::Location;

/// The most characters of an expression that a message repeats.
const SQL_CHARS_SHOWN: usize = 200;
/// The most names that a message lists.
const NAMES_SHOWN: usize = 20;
/// The most characters of a cause that a message repeats: a function's candidate signatures can go on for pages.
const REASON_CHARS_SHOWN: usize = 600;

/// A text on one line and of bounded length.
pub(crate) fn shortened(text: &str) -> String {
    cut(&on_one_line(text), SQL_CHARS_SHOWN)
}

/// A text with each run of white space as one blank.
pub(crate) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `chars` characters, with an ellipsis for the rest.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// A place in an expression. Locations count from 1; 0 stands for none, which is how the parser marks the end.
pub(crate) fn position(location: Location) -> String {
    match location {
        Location { line: 0, .. } => "its end".into(),
        Location { line: 1, column } => format!("column {column}"),
        Location { line, column } => format!("line {line}, column {column}"),
    }
}

/// A column's name as an expression has to write it.
pub(crate) fn as_identifier(name: &str) -> String {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The known name that somebody who wrote `wrong` most likely meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong, and always one: beyond that a guess misleads.
    let distance_max = (wrong.chars().count() / 3).max(1);
    let lower = wrong.to_lowercase();
    known
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What to say of a name that is no column: the nearest one, and what there is.
pub(crate) fn column_hint(wrong: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return ": the input has no columns".into();
    }
    let guess = match nearest(wrong, known.iter().copied()) {
        Some(name) if name.eq_ignore_ascii_case(wrong) => {
            format!("; did you mean `{}`? Names of columns are case-sensitive", as_identifier(name))
        }
        Some(name) => format!("; did you mean `{}`?", as_identifier(name)),
        None => String::new(),
    };
    let shown: Vec<_> = known.iter().take(NAMES_SHOWN).map(|name| as_identifier(name)).collect();
    let more = match known.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let joint = if guess.is_empty() || guess.ends_with('?') { "" } else { "." };
    format!("{guess}{joint} (columns: {}{more})", shown.join(", "))
}

/// The innermost cause of a failure in DataFusion, without its layers of "caused by".
pub(crate) fn reason(error: &DataFusionError) -> String {
    let error = match error {
        DataFusionError::Collection(errors) => errors.first().unwrap_or(error),
        other => other,
    };
    let root = error.find_root();
    let text = match root {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::Internal(text) => text.clone(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    cut(&on_one_line(&text), REASON_CHARS_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["dep_delay", "carrier", "Dep Delay"];
        assert_eq!(nearest("dep_dealy", known.into_iter()), Some("dep_delay"));
        assert_eq!(nearest("CARRIER", known.into_iter()), Some("carrier"));
        assert_eq!(nearest("tailnum", known.into_iter()), None);
    }

    #[test]
    fn hints_tell_about_case_and_quotes() {
        assert_eq!(
            column_hint("Carrier", &["carrier"]),
            "; did you mean `carrier`? Names of columns are case-sensitive. (columns: carrier)"
        );
        assert_eq!(column_hint("DepDelay", &["Dep Delay"]), "; did you mean `\"Dep Delay\"`? (columns: \"Dep Delay\")");
        let many: Vec<String> = (0..25).map(|i| format!("column{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(column_hint("zzz", &many).ends_with("column19 and 5 more)"));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö …");
        assert_eq!(shortened("a\n  = 1"), "a = 1");
    }
}
