//! The contestants: each takes a batch across its boundary and back, the way its authors meant it.

mod arrow_udf;
mod extism;
mod volley;

use std::error::Error;
use std::path::Path;

use arrow::array::RecordBatch;

pub(crate) use volley::Volley;

use crate::timing::Bar;

/// Takes a batch across a boundary: an instance that is kept from call to call.
pub(crate) trait Contestant {
    /// What the kernel makes of a batch: columns `b`, `a2`, `c`, in one batch or several.
    fn call(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, Box<dyn Error>>;
}

/// Somebody else's boundary.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Its time over Volley's.
    pub(crate) bar: Bar,
    /// Compiles its guest, from this folder, and instantiates it.
    pub(crate) load: fn(&Path) -> Result<Box<dyn Contestant>, Box<dyn Error>>,
}

impl Peer {
    /// The name of its line.
    pub(crate) fn line(&self, rows: usize) -> String {
        format!("R10_{}_{rows}", self.name)
    }
}

/// The peers, in the order of their lines.
pub(crate) const PEERS: [Peer; 3] = [
    Peer { name: "arrow-udf", bar: Bar::AtLeast(3.0), load: arrow_udf::batch },
    Peer { name: "arrow-udf-table", bar: Bar::Stated, load: arrow_udf::table },
    Peer { name: "extism", bar: Bar::AtLeast(5.0), load: extism::load },
];
