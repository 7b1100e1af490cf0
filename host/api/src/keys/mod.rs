//! Keys: which columns can be keys, when two keys are the same, and the hash that deals them out.
//!
//! # The normalised key
//!
//! What is the same key must not depend on how a column happens to be represented, nor on the machine. So a key is
//! hashed as bytes in one normal form. **They and the hash are frozen with the checkpoint format**: state is stored by
//! the key group that comes out of them, and `tests/golden/key_hash.txt` holds them for ever.
//!
//! The bytes of a key are those of its columns, in order, without anything between them. A column gives
//!
//! - for a null, whatever the column's type: the byte 0;
//! - for a value: the byte 1 followed by
//!
//! | type of the column | bytes |
//! |---|---|
//! | `Boolean` | one byte, 0 or 1 |
//! | `Int8` to `Int64`, `UInt8` to `UInt64` | the number in the type's own width, little-endian |
//! | `Float16`, `Float32`, `Float64` | its bits, little-endian; −0.0 as 0.0, and every NaN as the positive quiet one without payload (`7e00`, `7fc00000`, `7ff8000000000000`) |
//! | `Decimal32` to `Decimal256` | the unscaled number in 4, 8, 16 or 32 bytes, little-endian; precision and scale leave no trace |
//! | `Date32/64`, `Time32/64`, `Timestamp`, `Duration` | the number in the type's own width, little-endian; unit and time zone leave no trace |
//! | `Interval` | its parts from the largest to the smallest (months; days, milliseconds; months, days, nanoseconds), each little-endian |
//! | `Utf8`, `LargeUtf8`, `Utf8View` | the length in bytes as `u32`, little-endian (of longer texts its low 32 bits), then the bytes |
//! | `Binary`, `LargeBinary`, `BinaryView`, `FixedSizeBinary` | the same |
//! | `Dictionary` | what its value type gives; a key that points to a null is a null |
//!
//! The hash is XXH3-64 of these bytes, with seed 0. A column's type is not part of the key: a job whose key column becomes
//! `Int32` instead of `Int64` has other keys.

mod codec;
mod hash;
mod normal;
mod number;
mod short;
mod walk;

use arrow::datatypes::DataType;

use crate::{Error, Result};

pub use codec::{KeyCodec, KeyRows, RowCodec, unpacked};
pub use hash::KeyHasher;
pub use normal::normalize_keys;
pub use short::ShortKey;

/// Whether a column of that type can be a key.
fn check_type(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Dictionary(_, values) => check_type(values),
        DataType::Null
        | DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Ok(()),
        flat if flat.is_primitive() => Ok(()),
        other => Err(Error::config(format!(
            "a column of type {other} cannot be a key: key by columns of numbers, texts, bytes, times or booleans, such as \
             single fields of it, taken out with `with_columns` before `key_by`"
        ))),
    }
}
