//! The walk over nodes and buffers before anything is decoded.
//!
//! Arrow's decoder validates values, but takes the shape on trust: it slices buffers, counts nodes and builds bitmaps
//! with assertions. Everything that it would assert is checked here first, with checked arithmetic.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema};
use arrow::ipc::{Buffer, FieldNode, RecordBatch};

use crate::{Error, GateLimits, Result};

/// What the format asks of every buffer's offset. (The contract asks writers for 64, which readers need not insist on.)
const BUFFER_ALIGNMENT: usize = 8;

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
        nodes: header.nodes().into_iter().flatten(),
        buffers: header.buffers().into_iter().flatten(),
        body_bytes,
        logical_bytes: 0,
        logical_bytes_max: limits.logical_bytes_max,
    };
    // Without columns the rows themselves are all there is.
    scan.count(rows as u64 / 8)?;
    for field in schema.fields() {
        scan.column(field, field.name(), Some(rows))?;
    }
    let (nodes, buffers) = (scan.nodes.count(), scan.buffers.count());
    if (nodes, buffers) != (0, 0) {
        return Err(Error::Unsupported(format!(
            "{nodes} nodes and {buffers} buffers more than the {} agreed columns have",
            schema.fields().len()
        )));
    }
    if !schema.fields().is_empty() && (header.nodes().is_none() || header.buffers().is_none()) {
        return Err(Error::Unsupported("a batch without the list of its nodes or buffers".to_owned()));
    }
    Ok(rows)
}

struct Scan<N, B> {
    nodes: N,
    buffers: B,
    body_bytes: usize,
    logical_bytes: u64,
    logical_bytes_max: usize,
}

impl<'a, N, B> Scan<N, B>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a Buffer>,
{
    /// Checks one column or child, of `wanted` elements where its parent decides that.
    fn column(&mut self, field: &Field, path: &str, wanted: Option<usize>) -> Result<()> {
        let Node { length, nulls } = self.node(path, wanted)?;
        let child = |name: &str| format!("{path}.{name}");
        match field.data_type() {
            DataType::Null => {
                if nulls != length {
                    return Err(Error::layout(path, format!("{nulls} of {length} values of type Null are null")));
                }
            }
            DataType::Boolean => {
                self.validity(path, length, nulls)?;
                self.buffer(path, "values", Some(length.div_ceil(8)))?;
            }
            DataType::Utf8 | DataType::Binary => self.variable(path, length, nulls, size_of::<i32>())?,
            DataType::LargeUtf8 | DataType::LargeBinary => self.variable(path, length, nulls, size_of::<i64>())?,
            DataType::List(item) | DataType::Map(item, _) => {
                self.validity(path, length, nulls)?;
                self.offsets(path, length, size_of::<i32>())?;
                self.column(item, &child(item.name()), None)?;
            }
            DataType::LargeList(item) => {
                self.validity(path, length, nulls)?;
                self.offsets(path, length, size_of::<i64>())?;
                self.column(item, &child(item.name()), None)?;
            }
            DataType::FixedSizeList(item, size) => {
                self.validity(path, length, nulls)?;
                let wanted = multiply(path, length, usize::try_from(*size).unwrap_or(usize::MAX))?;
                self.column(item, &child(item.name()), Some(wanted))?;
            }
            DataType::Struct(fields) => {
                self.validity(path, length, nulls)?;
                for field in fields {
                    self.column(field, &child(field.name()), Some(length))?;
                }
            }
            plain => {
                let Some(width) = width_bytes(plain) else {
                    return Err(Error::layout(path, format!("type {plain} has no wire form")));
                };
                self.validity(path, length, nulls)?;
                let bytes = multiply(path, length, width)?;
                let unit = if matches!(plain, DataType::FixedSizeBinary(_)) { 1 } else { width };
                self.typed_buffer(path, "values", bytes, unit)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, path: &str, wanted: Option<usize>) -> Result<Node> {
        let node = self.nodes.next().ok_or_else(|| Error::layout(path, "the batch has no node for it"))?;
        let length = usize::try_from(node.length()).map_err(|_| negative(path, "length", node.length()))?;
        let nulls = usize::try_from(node.null_count()).map_err(|_| negative(path, "null count", node.null_count()))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != length) {
            return Err(Error::layout(path, format!("{length} values where {wanted} are due")));
        }
        if nulls > length {
            return Err(Error::layout(path, format!("{nulls} nulls among {length} values")));
        }
        self.count(length as u64 / 8)?;
        Ok(Node { length, nulls })
    }

    fn variable(&mut self, path: &str, length: usize, nulls: usize, offset_bytes: usize) -> Result<()> {
        self.validity(path, length, nulls)?;
        self.offsets(path, length, offset_bytes)?;
        self.buffer(path, "values", None).map(drop)
    }

    fn validity(&mut self, path: &str, length: usize, nulls: usize) -> Result<()> {
        self.buffer(path, "validity", (nulls > 0).then(|| length.div_ceil(8))).map(drop)
    }

    fn offsets(&mut self, path: &str, length: usize, offset_bytes: usize) -> Result<()> {
        // Arrow allows an empty column to have no offsets at all.
        let entries = if length == 0 { 0 } else { length.saturating_add(1) };
        let bytes = multiply(path, entries, offset_bytes)?;
        self.typed_buffer(path, "offsets", bytes, offset_bytes)
    }

    /// The next buffer, read as values of `unit` bytes: Arrow asserts that nothing is left over.
    fn typed_buffer(&mut self, path: &str, what: &str, wanted: usize, unit: usize) -> Result<()> {
        let length = self.buffer(path, what, Some(wanted))?;
        if length.is_multiple_of(unit) {
            return Ok(());
        }
        Err(Error::layout(path, format!("its {what} have {length} bytes, which is not a multiple of {unit}")))
    }

    /// The next buffer, of at least `wanted` bytes, within the body; gives its length.
    fn buffer(&mut self, path: &str, what: &str, wanted: Option<usize>) -> Result<usize> {
        let buffer = self.buffers.next().ok_or_else(|| Error::layout(path, format!("no buffer for its {what}")))?;
        let offset = usize::try_from(buffer.offset()).map_err(|_| negative(path, what, buffer.offset()))?;
        let length = usize::try_from(buffer.length()).map_err(|_| negative(path, what, buffer.length()))?;
        if !offset.is_multiple_of(BUFFER_ALIGNMENT) {
            return Err(Error::layout(path, format!("its {what} lie at {offset}, which is not a multiple of 8")));
        }
        if offset.checked_add(length).is_none_or(|end| end > self.body_bytes) {
            let body = self.body_bytes;
            return Err(Error::layout(
                path,
                format!("its {what} lie at {offset} + {length}, outside the body of {body} bytes"),
            ));
        }
        if let Some(wanted) = wanted.filter(|wanted| *wanted > length) {
            return Err(Error::layout(path, format!("its {what} have {length} bytes where {wanted} are due")));
        }
        self.count(length as u64)?;
        Ok(length)
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        self.logical_bytes = self.logical_bytes.saturating_add(bytes);
        if self.logical_bytes > self.logical_bytes_max as u64 {
            return Err(Error::TooManyLogicalBytes { bytes: self.logical_bytes, limit: self.logical_bytes_max });
        }
        Ok(())
    }
}

struct Node {
    length: usize,
    nulls: usize,
}

fn negative(path: &str, what: &str, value: i64) -> Error {
    Error::layout(path, format!("{value} as {what}"))
}

fn multiply(path: &str, length: usize, bytes: usize) -> Result<usize> {
    length.checked_mul(bytes).ok_or_else(|| Error::layout(path, format!("{length} values are more than memory holds")))
}

/// Bytes of one value, for types of fixed width.
fn width_bytes(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Decimal256(..) => Some(32),
        DataType::FixedSizeBinary(size) => usize::try_from(*size).ok(),
        DataType::Interval(IntervalUnit::MonthDayNano) => Some(16),
        other => other.primitive_width(),
    }
}
