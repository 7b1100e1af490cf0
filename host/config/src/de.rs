//! Serde over the tree: any `Deserialize` type is read from a section, and its errors know line, column and path.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Expected, IntoDeserializer, Unexpected, Visitor};

use crate::error::{Problem, quoted};
use crate::place::Place;
use crate::suggest::Unknown;
use crate::tree::{Core, Entry, Node, NodeKind, Scalar, plain_meaning};

/// What went wrong, and where as soon as somebody who knows has said so.
#[derive(Debug)]
pub(crate) struct ReadError {
    pub(crate) problem: Box<Problem>,
    pub(crate) place: Option<Place>,
}

type Result<T, E = ReadError> = std::result::Result<T, E>;

impl ReadError {
    fn new(problem: Problem) -> Self {
        Self { problem: Box::new(problem), place: None }
    }

    fn value(message: String) -> Self {
        Self::new(Problem::Value(message))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(message.to_string())
    }

    fn invalid_type(seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::value(format!("expected {}, found {}", plain_words(expected), Seen(seen)))
    }

    fn invalid_value(seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(seen, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::value(format!("expected {}, found {length} values", plain_words(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Unknown(Unknown::new("value", variant, expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Unknown(Unknown::new("key", field, expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::Missing(field.to_owned()))
    }
}

/// What serde expects, in the words of somebody who writes YAML.
fn plain_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let whole = |from: &str, to: u64| format!("a whole number from {from} to {to}");
    match text.as_str() {
        "a string" | "a borrowed string" | "a character" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "u8" => whole("0", u8::MAX.into()),
        "u16" => whole("0", u16::MAX.into()),
        "u32" => whole("0", u32::MAX.into()),
        "u64" | "usize" => whole("0", u64::MAX),
        "a nonzero u8" => whole("1", u8::MAX.into()),
        "a nonzero u16" => whole("1", u16::MAX.into()),
        "a nonzero u32" => whole("1", u32::MAX.into()),
        "a nonzero u64" | "a nonzero usize" => whole("1", u64::MAX),
        "i8" | "i16" | "i32" | "i64" | "isize" => format!("a whole number ({text})"),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "unit" => "nothing".to_owned(),
        _ if text.starts_with("struct ") => "a mapping (`key: value`)".to_owned(),
        _ => text,
    }
}

struct Seen<'a>(Unexpected<'a>);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Map | Unexpected::StructVariant => f.write_str("a mapping"),
            Unexpected::Seq | Unexpected::TupleVariant => f.write_str("a list"),
            Unexpected::Unit | Unexpected::Option | Unexpected::UnitVariant => f.write_str("nothing"),
            Unexpected::Str(text) => f.write_str(&quoted(text)),
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Signed(value) => write!(f, "`{value}`"),
            Unexpected::Unsigned(value) => write!(f, "`{value}`"),
            Unexpected::Float(value) => write!(f, "`{value}`"),
            other => other.fmt(f),
        }
    }
}

/// A node being read. `place` is its place in the file, `owner` the key that it belongs to: a key that is missing
/// inside is reported there.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    pub(crate) node: &'a Node,
    pub(crate) place: Place,
    pub(crate) owner: Place,
}

impl<'a> Reader<'a> {
    /// Says where, unless something further inside already has.
    fn placed<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if error.place.is_some() {
                return error;
            }
            let problem = match &self.node.kind {
                NodeKind::Scalar(Scalar { text, written: Some(written), .. }) => {
                    Box::new(error.problem.hide(text, written))
                }
                _ => error.problem,
            };
            let place = if matches!(*problem, Problem::Missing(_)) { &self.owner } else { &self.place };
            ReadError { problem, place: Some(place.clone()) }
        })
    }

    fn child(&self, node: &'a Node, key: &dyn fmt::Display, owner: Option<crate::Position>) -> Self {
        let place = self.place.below(key, node.at);
        let owner = place.at(owner.or(node.at));
        Self { node, place, owner }
    }

    fn visit_core<V: Visitor<'a>>(&self, core: Core<'a>, visitor: V) -> Result<V::Value> {
        self.placed(match core {
            Core::Null => visitor.visit_unit(),
            Core::Bool(value) => visitor.visit_bool(value),
            Core::Unsigned(value) => visitor.visit_u64(value),
            Core::Negative(value) => visitor.visit_i64(value),
            Core::Float(value) => visitor.visit_f64(value),
            Core::Text(text) => visitor.visit_borrowed_str(text),
        })
    }

    fn visit_list<V: Visitor<'a>>(&self, items: &'a [Node], visitor: V) -> Result<V::Value> {
        let mut list = ListReader { reader: self, items, next: 0 };
        let value = self.placed(visitor.visit_seq(&mut list))?;
        if list.next < items.len() {
            let message = format!("expected a list of {}, found one of {}", list.next, items.len());
            return self.placed(Err(ReadError::value(message)));
        }
        Ok(value)
    }

    fn visit_entries<V: Visitor<'a>>(&self, entries: &'a [Entry], visitor: V) -> Result<V::Value> {
        self.placed(visitor.visit_map(MappingReader { reader: self, entries: entries.iter(), entry: None }))
    }

    fn visit_text<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value> {
        match &self.node.kind {
            // A number or truth value written where a text is wanted is taken by its letters.
            NodeKind::Scalar(scalar) if scalar.core() != Core::Null => {
                self.placed(visitor.visit_borrowed_str(&scalar.text))
            }
            _ => de::Deserializer::deserialize_any(self.clone(), visitor),
        }
    }

    fn visit_number<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value> {
        match &self.node.kind {
            NodeKind::Scalar(scalar) => self.visit_core(scalar.core_wanted(), visitor),
            _ => de::Deserializer::deserialize_any(self.clone(), visitor),
        }
    }

    fn visit_mapping<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value> {
        match &self.node.kind {
            // `memory:` with nothing behind it is a section with every default.
            NodeKind::Scalar(_) if self.node.is_null() => self.visit_entries(&[], visitor),
            _ => de::Deserializer::deserialize_any(self.clone(), visitor),
        }
    }
}

macro_rules! forward {
    ($way:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.$way(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match &self.node.kind {
            NodeKind::Scalar(scalar) => self.visit_core(scalar.core(), visitor),
            NodeKind::Sequence(items) => self.visit_list(items, visitor),
            NodeKind::Mapping(entries) => self.visit_entries(entries, visitor),
        }
    }

    forward! { visit_text: deserialize_str deserialize_string deserialize_char deserialize_bytes deserialize_byte_buf
    deserialize_identifier }
    forward! { visit_number: deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
    deserialize_f64 }
    forward! { visit_mapping: deserialize_map }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        let reader = self.clone();
        reader.placed(visitor.visit_newtype_struct(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.visit_mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match &self.node.kind {
            NodeKind::Scalar(scalar) if scalar.core() != Core::Null => {
                let name: StrDeserializer<'_, ReadError> = scalar.text.as_str().into_deserializer();
                self.placed(visitor.visit_enum(name))
            }
            NodeKind::Mapping(entries) if entries.len() == 1 => {
                self.placed(visitor.visit_enum(VariantReader { reader: &self, entry: &entries[0] }))
            }
            _ => {
                let message = format!("expected one of {}, found {}", variants.join(", "), self.node.found());
                self.placed(Err(ReadError::value(message)))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { seq unit unit_struct tuple tuple_struct }
}

struct ListReader<'r, 'a> {
    reader: &'r Reader<'a>,
    items: &'a [Node],
    next: usize,
}

impl<'a> de::SeqAccess<'a> for &mut ListReader<'_, 'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let child = self.reader.child(item, &self.next, None);
        self.next += 1;
        child.placed(seed.deserialize(child.clone())).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct MappingReader<'r, 'a> {
    reader: &'r Reader<'a>,
    entries: std::slice::Iter<'a, Entry>,
    entry: Option<&'a Entry>,
}

impl<'a> de::MapAccess<'a> for MappingReader<'_, 'a> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.entry = self.entries.next();
        let Some(entry) = self.entry else { return Ok(None) };
        let key = KeyReader(&entry.key);
        let place = self.reader.place.at(entry.at);
        let read = seed.deserialize(key);
        read.map(Some).map_err(|error: ReadError| ReadError { place: error.place.or(Some(place)), ..error })
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value> {
        let entry = self.entry.take().ok_or_else(|| ReadError::value("a value was read before its key".to_owned()))?;
        let child = self.reader.child(&entry.value, &entry.key, entry.at);
        child.placed(seed.deserialize(child.clone()))
    }
}

/// A key: a text, unless a number or truth value is wanted.
struct KeyReader<'a>(&'a str);

impl<'a> KeyReader<'a> {
    fn visit_number<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value> {
        match plain_meaning(self.0) {
            Core::Bool(value) => visitor.visit_bool(value),
            Core::Unsigned(value) => visitor.visit_u64(value),
            Core::Negative(value) => visitor.visit_i64(value),
            Core::Float(value) => visitor.visit_f64(value),
            Core::Null | Core::Text(_) => visitor.visit_borrowed_str(self.0),
        }
    }
}

impl<'de> de::Deserializer<'de> for KeyReader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(de::value::BorrowedStrDeserializer::new(self.0))
    }

    forward! { visit_number: deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
    deserialize_f64 }

    serde::forward_to_deserialize_any! { char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct
    map struct identifier ignored_any }
}

/// `variant: content`.
struct VariantReader<'r, 'a> {
    reader: &'r Reader<'a>,
    entry: &'a Entry,
}

impl<'a> de::EnumAccess<'a> for VariantReader<'_, 'a> {
    type Error = ReadError;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Reader<'a>)> {
        let key = KeyReader(&self.entry.key);
        let place = self.reader.place.at(self.entry.at);
        let read = seed.deserialize(key);
        let variant = read.map_err(|error: ReadError| ReadError { place: error.place.or(Some(place)), ..error })?;
        Ok((variant, self.reader.child(&self.entry.value, &self.entry.key, self.entry.at)))
    }
}

impl<'a> de::VariantAccess<'a> for Reader<'a> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<()> {
        let empty = match &self.node.kind {
            NodeKind::Mapping(entries) => entries.is_empty(),
            _ => self.node.is_null(),
        };
        if empty { Ok(()) } else { self.placed(Err(ReadError::value("nothing may stand here".to_owned()))) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value> {
        let reader = self.clone();
        reader.placed(seed.deserialize(self))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.visit_mapping(visitor)
    }
}
