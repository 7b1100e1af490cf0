//! What a row-wise function can give back for a column.

use std::borrow::Cow;

use super::types::{Date, Decimal, TimestampMicros, TimestampMillis, TimestampNanos, TimestampSeconds};
use crate::build::{BinaryBuilder, BooleanBuilder, Builder, FixedBuilder, ListBuilder, StringBuilder};
use crate::kernels::TURN;
use crate::{DataType, TimeUnit};

/// A type that a row-wise function may return for a column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an output column",
    label = "not a type that a column is made of",
    note = "use bool, i8…i64, u8…u64, f32, f64, String, &str, Vec<u8>, &[u8], Date, Decimal<P, S>, TimestampMillis (or Seconds, Micros, Nanos), a Vec of one of them, or Option of one of them for nulls",
    note = "several columns: return a tuple with `outputs = [\"…\", \"…\"]`, or a struct with #[derive(Columns)]"
)]
pub trait Output: Sized {
    /// Collects the values.
    type Builder: Builder;

    /// The type as the component announces it, in Arrow's words.
    const TYPE: &'static str;

    /// An empty column.
    fn builder() -> Self::Builder;

    /// Adds one row.
    fn write(self, builder: &mut Self::Builder);

    /// Adds eight rows.
    #[doc(hidden)]
    #[inline(always)]
    fn write_eight(values: [Self; TURN], builder: &mut Self::Builder) {
        values.into_iter().for_each(|value| value.write(builder));
    }

    /// A column of so many rows; `None` is a null.
    #[doc(hidden)]
    #[inline]
    fn column(rows: usize, mut value: impl FnMut(usize) -> Option<Self>) -> crate::Array {
        let mut builder = Self::builder();
        for row in 0..rows {
            match value(row) {
                Some(value) => value.write(&mut builder),
                None => builder.push_null(),
            }
        }
        builder.finish()
    }
}

/// `None` is a null.
impl<T: Output> Output for Option<T> {
    type Builder = T::Builder;
    const TYPE: &'static str = T::TYPE;

    fn builder() -> Self::Builder {
        T::builder()
    }

    #[inline]
    fn write(self, builder: &mut Self::Builder) {
        match self {
            Some(value) => value.write(builder),
            None => builder.push_null(),
        }
    }

    #[inline(always)]
    fn write_eight(values: [Self; TURN], builder: &mut Self::Builder) {
        match values {
            [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g), Some(h)] => {
                T::write_eight([a, b, c, d, e, f, g, h], builder);
            }
            values => values.into_iter().for_each(|value| value.write(builder)),
        }
    }
}

macro_rules! fixed_outputs {
    ($($output:ty => $native:ty: $kind:literal, $builder:expr, $value:ident => $inner:expr;)*) => {$(
        impl Output for $output {
            type Builder = FixedBuilder<$native>;
            const TYPE: &'static str = $kind;

            fn builder() -> Self::Builder {
                $builder
            }

            #[inline]
            fn write(self, builder: &mut Self::Builder) {
                let $value = self;
                builder.push($inner);
            }

            #[inline(always)]
            fn write_eight(values: [Self; TURN], builder: &mut Self::Builder) {
                builder.push_eight(values.map(|$value| $inner));
            }

            #[inline]
            fn column(rows: usize, mut value: impl FnMut(usize) -> Option<Self>) -> crate::Array {
                FixedBuilder::<$native>::filled_with($builder, rows, |row| {
                    value(row).map(|value| {
                        let $value = value;
                        $inner
                    })
                })
            }
        }
    )*};
}

fixed_outputs! {
    i8 => i8: "Int8", FixedBuilder::<i8>::new(), value => value;
    i16 => i16: "Int16", FixedBuilder::<i16>::new(), value => value;
    i32 => i32: "Int32", FixedBuilder::<i32>::new(), value => value;
    i64 => i64: "Int64", FixedBuilder::<i64>::new(), value => value;
    u16 => u16: "UInt16", FixedBuilder::<u16>::new(), value => value;
    u32 => u32: "UInt32", FixedBuilder::<u32>::new(), value => value;
    u64 => u64: "UInt64", FixedBuilder::<u64>::new(), value => value;
    f32 => f32: "Float32", FixedBuilder::<f32>::new(), value => value;
    f64 => f64: "Float64", FixedBuilder::<f64>::new(), value => value;
    Date => i32: "Date32", FixedBuilder::date32(), value => value.0;
    TimestampSeconds => i64: "Timestamp(s)", FixedBuilder::timestamp(TimeUnit::Second, None), value => value.0;
    TimestampMillis => i64: "Timestamp(ms)", FixedBuilder::timestamp(TimeUnit::Millisecond, None), value => value.0;
    TimestampMicros => i64: "Timestamp(µs)", FixedBuilder::timestamp(TimeUnit::Microsecond, None), value => value.0;
    TimestampNanos => i64: "Timestamp(ns)", FixedBuilder::timestamp(TimeUnit::Nanosecond, None), value => value.0;
    u8 => u8: "UInt8", FixedBuilder::<u8>::new(), value => value;
}

impl<const P: u8, const S: i8> Output for Decimal<P, S> {
    type Builder = FixedBuilder<i128>;
    const TYPE: &'static str = "Decimal128";

    fn builder() -> Self::Builder {
        FixedBuilder::decimal(P, S)
    }

    #[inline]
    fn write(self, builder: &mut Self::Builder) {
        builder.push(self.0);
    }
}

impl Output for bool {
    type Builder = BooleanBuilder;
    const TYPE: &'static str = "Boolean";

    fn builder() -> Self::Builder {
        BooleanBuilder::new()
    }

    #[inline]
    fn write(self, builder: &mut Self::Builder) {
        builder.push(self);
    }
}

macro_rules! text_outputs {
    ($($output:ty),*) => {$(
        impl Output for $output {
            type Builder = StringBuilder;
            const TYPE: &'static str = "Utf8";

            fn builder() -> Self::Builder {
                StringBuilder::new()
            }

            #[inline]
            fn write(self, builder: &mut Self::Builder) {
                builder.push(&self);
            }
        }
    )*};
}

text_outputs!(&str, String, Cow<'_, str>);

impl Output for &[u8] {
    type Builder = BinaryBuilder;
    const TYPE: &'static str = "Binary";

    fn builder() -> Self::Builder {
        BinaryBuilder::new()
    }

    #[inline]
    fn write(self, builder: &mut Self::Builder) {
        builder.push(self);
    }
}

/// An item of a `Vec`: what column the `Vec` makes. `u8` makes bytes, everything else a list.
#[diagnostic::on_unimplemented(
    message = "`Vec<{Self}>` cannot be an output column",
    label = "not a type that a list is made of",
    note = "lists hold bool, i8…i64, u16…u64, f32, f64, String, &str, Date or timestamps, or Option of one of them; Vec<u8> is Binary"
)]
pub trait Item: Sized {
    #[doc(hidden)]
    type Builder: Builder;
    #[doc(hidden)]
    const TYPE: &'static str;
    #[doc(hidden)]
    fn builder() -> Self::Builder;
    #[doc(hidden)]
    fn push(items: Vec<Self>, builder: &mut Self::Builder);
}

impl<T: Item> Output for Vec<T> {
    type Builder = T::Builder;
    const TYPE: &'static str = T::TYPE;

    fn builder() -> Self::Builder {
        T::builder()
    }

    fn write(self, builder: &mut Self::Builder) {
        T::push(self, builder);
    }
}

impl Item for u8 {
    type Builder = BinaryBuilder;
    const TYPE: &'static str = "Binary";

    fn builder() -> Self::Builder {
        BinaryBuilder::new()
    }

    fn push(items: Vec<Self>, builder: &mut Self::Builder) {
        builder.push(&items);
    }
}

// Only one of the types has a lifetime, but all share the macro.
macro_rules! items {
    ($($item:ty => $kind:literal;)*) => {$(
        impl<'a> Item for $item {
            type Builder = ListBuilder<<$item as Output>::Builder>;
            const TYPE: &'static str = $kind;

            fn builder() -> Self::Builder {
                ListBuilder::new(<$item as Output>::builder())
            }

            fn push(items: Vec<Self>, builder: &mut Self::Builder) {
                for item in items {
                    Output::write(item, builder.items());
                }
                builder.push();
            }
        }

        impl<'a> Item for Option<$item> {
            type Builder = ListBuilder<<$item as Output>::Builder>;
            const TYPE: &'static str = $kind;

            fn builder() -> Self::Builder {
                ListBuilder::new(<$item as Output>::builder())
            }

            fn push(items: Vec<Self>, builder: &mut Self::Builder) {
                for item in items {
                    Output::write(item, builder.items());
                }
                builder.push();
            }
        }
    )*};
}

items! {
    bool => "List(Boolean)";
    i8 => "List(Int8)";
    i16 => "List(Int16)";
    i32 => "List(Int32)";
    i64 => "List(Int64)";
    u16 => "List(UInt16)";
    u32 => "List(UInt32)";
    u64 => "List(UInt64)";
    f32 => "List(Float32)";
    f64 => "List(Float64)";
    String => "List(Utf8)";
    &'a str => "List(Utf8)";
    Date => "List(Date32)";
    TimestampMillis => "List(Timestamp(ms))";
    TimestampMicros => "List(Timestamp(µs))";
}

/// The type of the column that `T` makes.
pub(crate) fn output_type<T: Output>() -> DataType {
    T::builder().data_type()
}
