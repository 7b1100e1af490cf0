//! The walk over nodes and buffers before anything is decoded.
//!
//! Arrow's constructors validate values, but take the shape on trust: they slice buffers and build bitmaps with
//! assertions. Everything that they would assert is checked here first, with checked arithmetic, and what the batch
//! stands for is summed up, so that nothing is allocated for a message that claims more than it may.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema};
use arrow::ipc::{Buffer, FieldNode, RecordBatch};

use crate::cursor::{self, Cursor, Node, bytes_of, offsets_of};
use crate::{Error, GateLimits, Result};

/// Arrow's own limit for the values of a column of binaries of one size: it computes with i32.
const FIXED_SIZE_BINARY_BYTES_MAX: usize = i32::MAX as usize;

/// Checks a batch's header against the schema and the bytes of its body; gives the number of rows.
pub(crate) fn check(
    header: &RecordBatch<'_>,
    schema: &Schema,
    body_bytes: usize,
    limits: &GateLimits,
) -> Result<usize> {
    if header.compression().is_some() {
        return Err(Error::Unsupported("compressed batches are not accepted".to_owned()));
    }
    if header.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(Error::Unsupported("views never cross: write strings and binaries out".to_owned()));
    }
    let rows = usize::try_from(header.length()).unwrap_or(usize::MAX);
    if rows > limits.rows_max {
        return Err(Error::TooManyRows { rows: header.length(), limit: limits.rows_max });
    }
    let mut scan = Scan {
        cursor: cursor::over(header, body_bytes),
        logical_bytes: 0,
        logical_bytes_max: limits.logical_bytes_max,
    };
    // Without columns the rows themselves are all there is.
    scan.count(rows.div_ceil(8))?;
    for field in schema.fields() {
        scan.column(field, Some(rows))?;
    }
    let (nodes, buffers) = scan.cursor.rest();
    if (nodes, buffers) != (0, 0) {
        let columns = schema.fields().len();
        let problem = format!("{nodes} nodes and {buffers} buffers more than the {columns} agreed columns have");
        return Err(Error::Unsupported(problem));
    }
    Ok(rows)
}

struct Scan<N, B> {
    cursor: Cursor<N, B>,
    logical_bytes: usize,
    logical_bytes_max: usize,
}

impl<'a, N, B> Scan<N, B>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a Buffer>,
{
    /// Checks one column or child, of `wanted` values where its parent decides that.
    fn column(&mut self, field: &Field, wanted: Option<usize>) -> Result<()> {
        let name = field.name();
        let node = self.cursor.node(name, wanted)?;
        // Even what takes no bytes counts: a list of a billion nothings is a billion of something somewhere else.
        self.count(node.length.div_ceil(8))?;
        match field.data_type() {
            DataType::Null if node.nulls == node.length => self.count(node.length),
            DataType::Null => {
                let Node { length, nulls } = node;
                Err(Error::layout(name, format!("{nulls} of {length} values of type Null are null")))
            }
            DataType::Boolean => {
                self.validity(name, node)?;
                self.buffer(name, "values", node.length.div_ceil(8))
            }
            DataType::Utf8 | DataType::Binary => self.variable(name, node, size_of::<i32>()),
            DataType::LargeUtf8 | DataType::LargeBinary => self.variable(name, node, size_of::<i64>()),
            DataType::List(item) | DataType::Map(item, _) => self.list(name, node, item, size_of::<i32>()),
            DataType::LargeList(item) => self.list(name, node, item, size_of::<i64>()),
            DataType::FixedSizeList(item, size) => {
                self.validity(name, node)?;
                let wanted = bytes_of(name, node.length, usize::try_from(*size).unwrap_or(usize::MAX))?;
                self.child(name, item, Some(wanted))
            }
            DataType::Struct(fields) => {
                self.validity(name, node)?;
                if fields.is_empty() {
                    self.count(node.length)?;
                }
                fields.iter().try_for_each(|child| self.child(name, child, Some(node.length)))
            }
            fixed => {
                let Some(width) = width_bytes(fixed) else {
                    return Err(Error::layout(name, format!("type {fixed} has no wire form")));
                };
                self.validity(name, node)?;
                let bytes = bytes_of(name, node.length, width)?;
                if matches!(fixed, DataType::FixedSizeBinary(_)) && bytes > FIXED_SIZE_BINARY_BYTES_MAX {
                    let problem =
                        format!("{bytes} bytes of values; at most {FIXED_SIZE_BINARY_BYTES_MAX} are possible");
                    return Err(Error::layout(name, problem));
                }
                self.buffer(name, "values", bytes)
            }
        }
    }

    fn child(&mut self, parent: &str, field: &Field, wanted: Option<usize>) -> Result<()> {
        self.column(field, wanted).map_err(|error| error.within(parent))
    }

    fn list(&mut self, name: &str, node: Node, item: &Field, offset_bytes: usize) -> Result<()> {
        self.validity(name, node)?;
        self.offsets(name, node, offset_bytes)?;
        self.child(name, item, None)
    }

    fn variable(&mut self, name: &str, node: Node, offset_bytes: usize) -> Result<()> {
        self.validity(name, node)?;
        self.offsets(name, node, offset_bytes)?;
        self.buffer(name, "values", 0)
    }

    fn validity(&mut self, name: &str, node: Node) -> Result<()> {
        self.buffer(name, "validity", if node.nulls > 0 { node.length.div_ceil(8) } else { 0 })
    }

    fn offsets(&mut self, name: &str, node: Node, offset_bytes: usize) -> Result<()> {
        self.buffer(name, "offsets", bytes_of(name, offsets_of(node.length), offset_bytes)?)
    }

    fn buffer(&mut self, name: &str, what: &str, wanted: usize) -> Result<()> {
        let span = self.cursor.buffer(name, what, wanted)?;
        self.count(span.length)
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.logical_bytes = self.logical_bytes.saturating_add(bytes);
        if self.logical_bytes > self.logical_bytes_max {
            let (bytes, limit) = (self.logical_bytes as u64, self.logical_bytes_max);
            return Err(Error::TooManyLogicalBytes { bytes, limit });
        }
        Ok(())
    }
}

/// Bytes of one value, for types of fixed width that cross.
pub(crate) fn width_bytes(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::FixedSizeBinary(size) if *size > 0 => usize::try_from(*size).ok(),
        DataType::Interval(IntervalUnit::MonthDayNano) => Some(16),
        other => other.primitive_width(),
    }
}
