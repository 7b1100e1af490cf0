//! Places where tests make the host end, or its storage fail: around what calls of plugins leave behind.

use volley_api::{Error, Result};
use volley_fail_point::fail_point;

/// A place has been come to.
pub(crate) fn hit(name: &'static str) -> Result<()> {
    fail_point(name).map_err(|error| {
        Error::external(format!("cannot come past the fail point {name}")).caused_by(error).retryable()
    })
}
