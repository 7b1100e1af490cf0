//! Builders of columns made of columns.

use std::collections::HashMap;

use super::{Builder, StringBuilder, Validity};
use crate::array::ArrayData;
use crate::buffer::Buffer;
use crate::offsets::Offset;
use crate::{Array, DataType, Field};

/// Builds a column of lists: push items through [`ListBuilder::items`], then close the row with
/// [`ListBuilder::push`].
#[derive(Debug, Clone)]
pub struct ListBuilder<B> {
    items: B,
    /// Offsets as the column has them: the first is 0.
    offsets: Buffer,
    rows: usize,
    validity: Validity,
}

impl<B: Builder> ListBuilder<B> {
    /// An empty column of lists whose items `items` builds.
    ///
    /// # Panics
    /// When `items` has rows already.
    pub fn new(items: B) -> Self {
        assert_eq!(items.len(), 0, "items before the first list");
        Self { items, offsets: Buffer::new(), rows: 0, validity: Validity::default() }
    }

    /// The items of the row under construction go here.
    pub fn items(&mut self) -> &mut B {
        &mut self.items
    }

    /// Closes a row: its list is the items since the row before.
    pub fn push(&mut self) {
        self.validity.push_valid();
        self.end_row();
    }

    fn end_row(&mut self) {
        if self.rows == 0 {
            self.offsets.push(0_i32);
        }
        self.rows += 1;
        self.offsets.push(i32::from_usize(self.items.len()));
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
        self.rows
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.rows);
        self.end_row();
    }

    fn finish(self) -> Array {
        let data_type = self.data_type();
        let data = ArrayData::of(self.rows, self.validity);
        let children = vec![self.items.finish()];
        Array::new(data_type, ArrayData { values: self.offsets, children, ..data })
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
        let rows = self.columns[0].len();
        for (field, column) in self.fields.iter().zip(&self.columns) {
            assert_eq!(column.len(), rows, "rows of the column `{}` inside a struct", field.name);
        }
        let mut validity = Validity::default();
        for (row, null) in self.nulls.iter().flatten().enumerate() {
            if *null { validity.push_null(row) } else { validity.push_valid() }
        }
        let told = self.nulls.as_ref().map_or(rows, Vec::len);
        assert_eq!(told, rows, "rows of which a struct says whether they are null");
        let data = ArrayData::of(rows, validity);
        Array::new(DataType::Struct(self.fields), ArrayData { children: self.columns, ..data })
    }
}

/// Builds a column of texts that repeat: each is kept once. It saves memory while it is built and looked at; across
/// the boundary it goes as plain Utf8.
#[derive(Debug, Clone, Default)]
pub struct DictionaryBuilder {
    places: HashMap<String, i32>,
    values: StringBuilder,
    keys: Buffer,
    validity: Validity,
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
                let key = i32::from_usize(self.values.len());
                self.values.push(value);
                self.places.insert(value.to_owned(), key);
                key
            }
        };
        self.keys.push(key);
        self.validity.push_valid();
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
        self.keys.count::<i32>()
    }

    fn push_null(&mut self) {
        self.validity.push_null(self.len());
        self.keys.push(0_i32);
    }

    fn finish(self) -> Array {
        let data_type = self.data_type();
        let data = ArrayData::of(self.keys.count::<i32>(), self.validity);
        let children = vec![self.values.finish()];
        Array::new(data_type, ArrayData { values: self.keys, children, ..data })
    }
}
