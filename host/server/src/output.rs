//! What commands say on standard output, where a reader may be gone or a disk full.

use std::io::{Write, stdout};

use volley_api::{Error, ErrorKind, Result};

/// Prints a text as it is.
///
/// # Errors
/// [`ErrorKind::BrokenPipe`] when nobody reads any more, else [`ErrorKind::External`].
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::External,
        };
        Error::new(kind, format!("cannot write standard output: {error}")).caused_by(error)
    })
}

/// Says something to people, on standard error; whether they still listen changes nothing.
pub(crate) fn tell(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
