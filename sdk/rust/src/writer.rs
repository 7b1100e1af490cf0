//! Columns written straight into the message that goes out, for operators to which a copy matters.

use crate::column::{Column, Fixed};
use crate::gather::gather;
use crate::layout::Layout;
use crate::offsets::Offsets;
use crate::wire::Message;
use crate::{Array, DataType, EmitError, Field, kernels};

/// The columns of one output batch under construction, to be written in the port's order. See
/// [`Emitter::write`](crate::Emitter::write).
pub struct Writer<'a> {
    message: Message<'a>,
    /// What is still to be written.
    fields: &'a [Field],
    rows: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(message: Message<'a>, fields: &'a [Field], rows: usize) -> Self {
        Self { message, fields, rows }
    }

    /// Number of rows of every column.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The next column, without nulls, of a type that holds `T`: all of its values are to be filled in. Until then they
    /// mean nothing.
    ///
    /// # Errors
    /// [`EmitError::InvalidBatch`] when the next column is of another type, or there is none.
    pub fn values<T: Fixed>(&mut self) -> Result<&mut [T], EmitError> {
        let rows = self.rows;
        self.next(T::holds, || format!("values of {}", std::any::type_name::<T>()))?;
        self.message.node(rows, 0);
        self.message.buffer(&[]);
        Ok(self.message.values(rows))
    }

    /// The next column, without nulls, of type Utf8 or Binary, with so many bytes in all rows together: offsets (one more
    /// than there are rows, the first is 0) and bytes are to be filled in.
    ///
    /// # Errors
    /// [`EmitError::InvalidBatch`] when the next column is of another type, or there is none.
    pub fn text(&mut self, bytes: usize) -> Result<(&mut [i32], &mut [u8]), EmitError> {
        let rows = self.rows;
        self.next(|data_type| Layout::of(data_type) == Layout::Variable(4), || "text".to_owned())?;
        self.message.node(rows, 0);
        self.message.buffer(&[]);
        Ok(self.message.variable(rows + 1, bytes))
    }

    /// The next column is this one.
    ///
    /// # Errors
    /// [`EmitError::InvalidBatch`] when type or rows are not those of the next column, or there is none.
    pub fn column(&mut self, column: Column<'_>) -> Result<(), EmitError> {
        let data_type = column.data_type().unpacked();
        let field = self.next(|wanted| *wanted == data_type, || data_type.to_string())?;
        crate::runner::check_nulls(field, column).map_err(EmitError::InvalidBatch)?;
        if column.len() != self.rows {
            let (name, found, rows) = (&field.name, column.len(), self.rows);
            return Err(EmitError::InvalidBatch(format!("column `{name}` has {found} values for {rows} rows")));
        }
        self.message.column(column);
        Ok(())
    }

    /// The next column is this one.
    ///
    /// # Errors
    /// See [`Writer::column`].
    pub fn array(&mut self, array: &Array) -> Result<(), EmitError> {
        self.column(array.column(""))
    }

    /// The next column is these rows of this one, in this order.
    ///
    /// # Errors
    /// [`EmitError::InvalidBatch`] when the type is not that of the next column, or there is none, or these are not as
    /// many as the rows of the batch.
    ///
    /// # Panics
    /// When the column has no such row.
    #[inline]
    pub fn take(&mut self, column: Column<'_>, rows: &[u32]) -> Result<(), EmitError> {
        // The three loops are compiled into the operator, for speed; all else is the SDK's, for size.
        match Layout::of(column.data_type()) {
            Layout::Fixed(4) if self.is_plain(column, rows)? => self.take_values::<u32>(column, rows),
            Layout::Fixed(8) if self.is_plain(column, rows)? => self.take_values::<u64>(column, rows),
            Layout::Variable(4) if self.is_plain(column, rows)? => {
                let offsets = begin_text(column)?;
                let bytes = kernels::text_bytes(offsets, rows);
                let (taken_offsets, taken) = self.message.variable(rows.len() + 1, bytes);
                kernels::take_text(offsets, column.store().data(), rows, taken_offsets, taken);
            }
            _ => self.take_gathered(column, rows)?,
        }
        Ok(())
    }

    /// Whether a column is one without nulls, of which as many rows are taken as the batch has; then its node and its
    /// empty validity are written.
    #[inline(never)]
    fn is_plain(&mut self, column: Column<'_>, rows: &[u32]) -> Result<bool, EmitError> {
        self.check_taken(rows)?;
        if column.null_count() > 0 {
            return Ok(false);
        }
        self.next(|wanted| wanted == column.data_type(), || column.data_type().to_string())?;
        self.message.node(rows.len(), 0);
        self.message.buffer(&[]);
        Ok(true)
    }

    #[inline]
    fn take_values<T: bytemuck::Pod>(&mut self, column: Column<'_>, rows: &[u32]) {
        kernels::take(column.values::<T>().values(), rows, self.message.values(rows.len()));
    }

    #[inline(never)]
    fn take_gathered(&mut self, column: Column<'_>, rows: &[u32]) -> Result<(), EmitError> {
        self.check_taken(rows)?;
        let parts = [column];
        let rows: Vec<(usize, usize)> = rows.iter().map(|row| (0, *row as usize)).collect();
        self.array(&gather(column.data_type(), &parts, &rows))
    }

    fn check_taken(&self, rows: &[u32]) -> Result<(), EmitError> {
        if rows.len() == self.rows {
            return Ok(());
        }
        let (found, wanted) = (rows.len(), self.rows);
        Err(EmitError::InvalidBatch(format!("{found} rows are taken for {wanted} rows")))
    }

    /// The field of the next column, if its type is wanted.
    fn next(
        &mut self,
        wanted: impl FnOnce(&DataType) -> bool,
        found: impl FnOnce() -> String,
    ) -> Result<&'a Field, EmitError> {
        let Some((field, rest)) = self.fields.split_first() else {
            return Err(EmitError::InvalidBatch(format!("all columns are written; {} comes after them", found())));
        };
        if !wanted(&field.data_type) {
            let (name, data_type) = (&field.name, &field.data_type);
            return Err(EmitError::InvalidBatch(format!("column `{name}` is {data_type}, got {}", found())));
        }
        self.fields = rest;
        Ok(field)
    }

    /// The message is complete.
    pub(crate) fn finish(self) -> Result<(), EmitError> {
        if let Some(field) = self.fields.first() {
            return Err(EmitError::InvalidBatch(format!("column `{}` was not written", field.name)));
        }
        self.message.finish();
        Ok(())
    }
}

/// The offsets of a text column, from which rows are taken.
#[inline(never)]
fn begin_text<'c>(column: Column<'c>) -> Result<&'c [i32], EmitError> {
    match column.offsets() {
        Offsets::Small(offsets) => Ok(offsets),
        Offsets::Large(_) => {
            Err(EmitError::InvalidBatch("text with 64-bit offsets for a column with 32-bit ones".to_owned()))
        }
    }
}
