//! All unsafe code of the boundary, each piece with its proof.

pub(crate) mod deserialize;
pub(crate) mod message;
