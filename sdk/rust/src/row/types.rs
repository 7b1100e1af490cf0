//! Values of row-wise functions that Rust has no type for.

macro_rules! counted {
    ($($(#[$doc:meta])* $name:ident($native:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $native);
    )*};
}

counted! {
    /// Days since 1970-01-01, of a Date32 column.
    Date(i32);
    /// Seconds since 1970-01-01T00:00:00. As an argument it takes columns of any time zone; as a result it has none.
    TimestampSeconds(i64);
    /// Milliseconds since 1970-01-01T00:00:00. As an argument it takes columns of any time zone; as a result it has none.
    TimestampMillis(i64);
    /// Microseconds since 1970-01-01T00:00:00. As an argument it takes columns of any time zone; as a result it has none.
    TimestampMicros(i64);
    /// Nanoseconds since 1970-01-01T00:00:00. As an argument it takes columns of any time zone; as a result it has none.
    TimestampNanos(i64);
}

/// A decimal of at most `P` (1 to 38) digits, `S` of them behind the point: `Decimal::<10, 2>(1234)` is 12.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal<const P: u8, const S: i8>(pub i128);
