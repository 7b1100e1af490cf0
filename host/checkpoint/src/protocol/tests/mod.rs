//! Tests of the epoch protocol.
