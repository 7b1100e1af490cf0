//! The states that a guest declares in `describe`.

use arrow::datatypes::Schema;
use volley_ipc::encode_schema;

/// What a process has the host keep for each key.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// One row.
    Value,
    /// Rows under keys of these columns.
    Map(&'a Schema),
    /// Rows in the order of their appending.
    List,
    /// One row that others are added to, by a function for each column: 0 sum, 1 least, 2 greatest.
    Merge(&'a [u8]),
}

/// A state as `describe` declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    name: String,
    /// The case of `state-kind`.
    kind: u32,
    functions: Vec<u8>,
    map_keys: Option<Vec<u8>>,
    values: Vec<u8>,
}

impl Declared {
    pub(crate) fn new(name: &str, kind: &Kept<'_>, values: &Schema) -> Self {
        let schema = |schema: &Schema| encode_schema(schema).expect("encodes");
        let (kind, functions, map_keys) = match kind {
            Kept::Value => (0, Vec::new(), None),
            Kept::Map(keys) => (1, Vec::new(), Some(schema(keys))),
            Kept::List => (2, Vec::new(), None),
            Kept::Merge(functions) => (3, functions.to_vec(), None),
        };
        Self { name: name.to_owned(), kind, functions, map_keys, values: schema(values) }
    }

    /// The record as memory has it; `put` puts bytes there and gives address and length.
    pub(crate) fn words(&self, put: &mut impl FnMut(&[u8]) -> [u32; 2]) -> [u32; 16] {
        let (name, functions, values) = (put(self.name.as_bytes()), put(&self.functions), put(&self.values));
        let [has_keys, keys, keys_bytes] = self.map_keys.as_ref().map_or([0; 3], |keys| {
            let [address, length] = put(keys);
            [1, address, length]
        });
        let kind = [self.kind, functions[0], functions[1]];
        // Name, kind, map keys, columns, version 1 (and room), no time to live.
        let [name, name_bytes] = name;
        let [values, values_bytes] = values;
        [
            name,
            name_bytes,
            kind[0],
            kind[1],
            kind[2],
            has_keys,
            keys,
            keys_bytes,
            values,
            values_bytes,
            1,
            0,
            0,
            0,
            0,
            0,
        ]
    }
}
