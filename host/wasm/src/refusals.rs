//! What refused rows say, whichever world refuses them.

/// The longest code of a refused row that is kept, in bytes.
pub(crate) const CODE_BYTES_MAX: usize = 64;

/// The code of rows that were refused together.
pub(crate) const REJECT_BATCH: &str = "reject-batch";
