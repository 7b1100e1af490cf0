//! The guests of these tests: built from text, by the crate that all tests of the boundary share.

pub(crate) use volley_test_guests::{Guest, words_to_bytes, world};
