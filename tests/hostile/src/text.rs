//! Repetition in a guest's text: `(@repeat 50000 (func))` stands for as many functions, so that a file of a megabyte is a
//! line. In it, `%n` is the number of each and `%s` that of the next. What is repeated stands in braces when its
//! parentheses do not match.

const OPENING: &str = "(@repeat ";

/// The text with all repetitions written out.
///
/// # Panics
/// When one is not closed or has no number.
pub(crate) fn expand(text: &str) -> String {
    let Some(start) = text.find(OPENING) else { return text.to_owned() };
    let rest = &text[start + OPENING.len()..];
    let (times, rest) = rest.split_once(char::is_whitespace).expect("a number and a text");
    let times: usize = times.parse().unwrap_or_else(|error| panic!("{times}: {error}"));
    let (body, rest) = match rest.strip_prefix('{') {
        Some(braced) => braced.split_once("})").expect("a brace that is closed"),
        None => {
            let end = end_of_group(rest).expect("a repetition that is closed");
            (&rest[..end], &rest[end + 1..])
        }
    };
    let body = expand(body);
    let mut out = text[..start].to_owned();
    (0..times).for_each(|number| {
        out.push_str(&body.replace("%n", &number.to_string()).replace("%s", &(number + 1).to_string()))
    });
    out + &expand(rest)
}

/// Where the group that has been opened is closed.
fn end_of_group(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_numbered_and_nest() {
        assert_eq!(expand("a (@repeat 3 (f %n)) b"), "a (f 0)(f 1)(f 2) b");
        assert_eq!(expand("(@repeat 2 (%n %s))"), "(0 1)(1 2)");
        assert_eq!(expand("(@repeat 2 x(@repeat 2 y))(@repeat 1 z)"), "xyyxyyz");
        assert_eq!(expand("(@repeat 3 {(})x(@repeat 3 {)}) y"), "(((x))) y");
        assert_eq!(expand("nothing"), "nothing");
    }
}
