//! What commands say on standard output, where a reader may be gone or a disk full.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;
use volley_cli::Error;

/// Prints a text for people.
///
/// # Errors
/// [`Error::Output`].
pub(crate) fn print(text: &str) -> Result<(), Error> {
    write(printable(text).as_bytes())
}

/// Prints JSON, indented.
///
/// # Errors
/// [`Error::Output`].
pub(crate) fn print_json(value: &Value) -> Result<(), Error> {
    write(format!("{value:#}\n").as_bytes())
}

/// Prints what the command line's parser has to say: help or a version on standard output, a mistake on stderr.
///
/// # Errors
/// [`Error::Output`].
pub(crate) fn print_usage(said: &clap::Error) -> Result<(), Error> {
    said.print().and_then(|()| io::stdout().flush()).map_err(Error::Output)
}

fn write(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Error::Output)
}

/// The text with control characters made visible, except for ends of lines: names in a component are its author's, and
/// must not drive the reader's terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let drives = |character: char| character.is_control() && character != '\n';
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match drives(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(printable("plain\nüber\n"), "plain\nüber\n");
        assert_eq!(printable("a\u{1b}[2J\rb\u{9b}\n"), "a\\u{1b}[2J\\rb\\u{9b}\n");
    }
}
