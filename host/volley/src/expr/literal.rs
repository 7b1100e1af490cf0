//! Values written into an expression.

use std::fmt;

use super::text;

/// A value in an expression: what [`lit`](crate::lit) takes. Made of numbers, texts, `bool`, and of options of these, of
/// which `None` is null.
///
/// As in SQL, integers are `BIGINT` and floats are `DOUBLE`, whatever Rust type they came from; an expression casts where
/// it has to.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal(Value);

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
}

impl Literal {
    /// Whether it is written with a sign in front, which binds less than what stands alone.
    pub(super) fn is_signed(&self) -> bool {
        match self.0 {
            Value::Int(value) => value < 0,
            Value::Float(value) => value.is_finite() && value.is_sign_negative(),
            Value::Null | Value::Bool(_) | Value::Text(_) => false,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Null => f.write_str("NULL"),
            Value::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => f.write_str(&text::float(*value)),
            Value::Text(value) => f.write_str(&text::text(value)),
        }
    }
}

macro_rules! from {
    ($($rust:ty => $make:expr),* $(,)?) => {
        $(
            impl From<$rust> for Literal {
                fn from(value: $rust) -> Self {
                    Self($make(value))
                }
            }
        )*
    };
}

from! {
    bool => Value::Bool,
    i8 => |value| Value::Int(i128::from(value)),
    i16 => |value| Value::Int(i128::from(value)),
    i32 => |value| Value::Int(i128::from(value)),
    i64 => |value| Value::Int(i128::from(value)),
    u8 => |value| Value::Int(i128::from(value)),
    u16 => |value| Value::Int(i128::from(value)),
    u32 => |value| Value::Int(i128::from(value)),
    u64 => |value| Value::Int(i128::from(value)),
    f32 => |value| Value::Float(f64::from(value)),
    f64 => Value::Float,
    String => Value::Text,
    &str => |value: &str| Value::Text(value.to_owned()),
    &String => |value: &String| Value::Text(value.clone()),
}

impl<T: Into<Literal>> From<Option<T>> for Literal {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Value::Null), Into::into)
    }
}
