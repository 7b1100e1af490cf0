//! The gate: the only door through which Arrow bytes from a guest or a peer enter the host, and how batches leave it.
//!
//! What crosses is the *wire form* of design §4.1: one encapsulated Arrow IPC message at a time, metadata version V5,
//! little-endian, uncompressed, bodies aligned to 64 bytes, no dictionaries and no views. [`wire_schema`] and
//! [`to_wire`] give the wire form of the host's data; [`encode_schema`] and [`BatchTemplate`] write it (and
//! [`encode_batch`], by arrow-ipc's own encoder); [`decode_schema`] and [`decode_batch`] read what somebody else wrote,
//! and trust none of it: size cap → prefix with checked arithmetic → flatbuffer verification → walk over nodes and
//! buffers, with the caps on rows and size → arrays with validation on → schema.
//!
//! This crate must not know plugins, wasmtime, tasks or connectors. It never panics on any bytes, forbids unsafe code,
//! and never skips Arrow's validation.
#![forbid(unsafe_code)]

mod cursor;
mod decode;
mod encode;
mod envelope;
mod error;
mod gate;
mod scan;
mod schema;
mod template;
mod trim;
mod wire;

pub use encode::{encode_batch, encode_schema};
pub use error::{Error, Result};
pub use gate::{GateLimits, decode_batch};
pub use schema::{
    COLUMNS_MAX, FIELD_METADATA_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELDS_MAX, ROW_BYTES_MAX, SCHEMA_BYTES_MAX,
    TYPE_DEPTH_MAX, decode_schema,
};
pub use template::{BatchMessage, BatchTemplate};
pub use wire::{columns_to_wire, to_wire, wire_schema};
