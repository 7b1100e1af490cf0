//! Builders of columns made of columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::Fields;

use super::{Builder, StringBuilder, Validity};
use crate::arrow::{buffers, types};
use crate::{Array, DataType, Field};

/// Builds a column of lists: push items through [`ListBuilder::items`], then close the row with
/// [`ListBuilder::push`].
#[derive(Debug, Clone)]
pub struct ListBuilder<B> {
    items: B,
    ends: Vec<usize>,
    validity: Validity,
}

impl<B: Builder> ListBuilder<B> {
    /// An empty column of lists whose items `items` builds.
    ///
    /// # Panics
    /// When `items` has rows already.
    pub fn new(items: B) -> Self {
        assert_eq!(items.len(), 0, "items before the first list");
        Self { items, ends: Vec::new(), validity: Validity::default() }
    }

    /// The items of the row under construction go here.
    pub fn items(&mut self) -> &mut B {
        &mut self.items
    }

    /// Closes a row: its list is the items since the row before.
    pub fn push(&mut self) {
        self.ends.push(self.items.len());
        self.validity.push_valid();
    }

    fn item_field(&self) -> Field {
        Field::new("item", self.items.data_type())
    }
}

impl<B: Builder> Builder for ListBuilder<B> {
    fn data_type(&self) -> DataType {
        DataType::List(Box::new(self.item_field()))
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.ends.len());
        self.ends.push(self.items.len());
    }

    fn finish(self) -> Array {
        let data_type = self.data_type();
        let field = types::field_to_arrow(&self.item_field()).expect("builders make no columns of other types");
        let ends = self.ends.iter().map(|end| i32::try_from(*end).expect("at most 2^31 items in a column"));
        let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
        let items = self.items.finish();
        let list = ListArray::new(
            Arc::new(field),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Arc::clone(items.inner()),
            buffers::null_buffer(self.validity.into_bits()),
        );
        Array::new(data_type, Arc::new(list))
    }
}

/// Puts finished columns together as one Struct column.
#[derive(Debug, Clone, Default)]
pub struct StructBuilder {
    fields: Vec<Field>,
    columns: Vec<Array>,
    nulls: Option<Vec<bool>>,
}

impl StructBuilder {
    /// A struct without columns yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more column inside.
    #[must_use]
    pub fn field(mut self, name: &str, column: Array) -> Self {
        self.fields.push(Field::new(name, column.data_type().clone()));
        self.columns.push(column);
        self
    }

    /// For each row, whether there is no struct at all.
    #[must_use]
    pub fn nulls(mut self, nulls: &[bool]) -> Self {
        self.nulls = Some(nulls.to_vec());
        self
    }

    /// The column.
    ///
    /// # Panics
    /// When there is no column inside, or lengths differ.
    #[must_use]
    pub fn finish(self) -> Array {
        assert!(!self.columns.is_empty(), "a struct has one column or more");
        let fields: Fields = self
            .fields
            .iter()
            .map(|field| types::field_to_arrow(field).expect("builders make no columns of other types"))
            .collect();
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| Arc::clone(column.inner())).collect();
        let nulls = self.nulls.map(|nulls| {
            let valid: Vec<bool> = nulls.iter().map(|null| !null).collect();
            valid.into()
        });
        let array = StructArray::new(fields, columns, nulls);
        Array::new(DataType::Struct(self.fields), Arc::new(array))
    }
}

/// Builds a column of texts that repeat: each is kept once. It saves memory while it is built and looked at; across
/// the boundary it goes as plain Utf8.
#[derive(Debug, Clone, Default)]
pub struct DictionaryBuilder {
    places: HashMap<String, i32>,
    values: StringBuilder,
    keys: Vec<Option<i32>>,
}

impl DictionaryBuilder {
    /// An empty column of type Dictionary(Utf8).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One row with this text.
    ///
    /// # Panics
    /// When there are more than 2^31 distinct texts.
    pub fn push(&mut self, value: &str) {
        let key = match self.places.get(value) {
            Some(key) => *key,
            None => {
                let key = i32::try_from(self.values.len()).expect("at most 2^31 distinct values");
                self.values.push(value);
                self.places.insert(value.to_owned(), key);
                key
            }
        };
        self.keys.push(Some(key));
    }

    /// One row, with or without a value.
    pub fn push_option(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }
}

impl Builder for DictionaryBuilder {
    fn data_type(&self) -> DataType {
        DataType::Dictionary(Box::new(DataType::Utf8))
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn push_null(&mut self) {
        self.keys.push(None);
    }

    fn finish(self) -> Array {
        let data_type = self.data_type();
        let values = self.values.finish();
        let keys = Int32Array::from(self.keys);
        let array = DictionaryArray::<Int32Type>::new(keys, Arc::clone(values.inner()));
        Array::new(data_type, Arc::new(array))
    }
}
