//! Rows of any column picked into a column of their own.

use crate::array::ArrayData;
use crate::build::Validity;
use crate::column::Column;
use crate::layout::{Layout, children};
use crate::offsets::Offset;
use crate::{Array, DataType};

/// A row: which of the parts, and where in it.
pub(crate) type Row = (usize, usize);

/// These rows of columns of one type. Not for dictionaries.
pub(crate) fn gather(data_type: &DataType, parts: &[Column<'_>], rows: &[Row]) -> Array {
    let mut validity = Validity::default();
    for (index, (part, row)) in rows.iter().enumerate() {
        if parts[*part].is_null(*row) { validity.push_null(index) } else { validity.push_valid() }
    }
    let mut data = ArrayData::of(rows.len(), validity);
    // Where a row's values lie in the buffers of its part.
    let places = rows.iter().map(|(part, row)| (parts[*part].store(), parts[*part].range().0 + row));
    match Layout::of(data_type) {
        Layout::Null | Layout::Dictionary | Layout::Unknown => {}
        Layout::Bits => {
            let mut bits = crate::BitsBuilder::new();
            places.for_each(|(store, at)| bits.push(store.values()[at / 8] >> (at % 8) & 1 == 1));
            data.values = bits.into_buffer();
        }
        Layout::Fixed(width) => {
            places.for_each(|(store, at)| data.values.extend(&store.values()[at * width..][..width]));
        }
        Layout::Variable(width) => {
            push_offset(&mut data, width, 0);
            for (part, row) in rows {
                let range = parts[*part].offsets().range(*row);
                data.data.extend(&parts[*part].store().data()[range]);
                let end = data.data.len();
                push_offset(&mut data, width, end);
            }
        }
        Layout::List(width) => {
            let mut items = Vec::new();
            push_offset(&mut data, width, 0);
            for (part, row) in rows {
                items.extend(parts[*part].offsets().range(*row).map(|item| (*part, item)));
                push_offset(&mut data, width, items.len());
            }
            data.children = inner(data_type, parts, &items);
        }
        Layout::FixedList(size) => {
            let first = |(part, row): &Row| (parts[*part].range().0 + row) * size;
            let items: Vec<Row> =
                rows.iter().flat_map(|row| (0..size).map(move |item| (row.0, first(row) + item))).collect();
            data.children = inner(data_type, parts, &items);
        }
        Layout::Struct => {
            let items: Vec<Row> = rows.iter().map(|(part, row)| (*part, parts[*part].range().0 + row)).collect();
            data.children = inner(data_type, parts, &items);
        }
    }
    Array::new(data_type.clone(), data)
}

/// One row without a value.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn null(data_type: &DataType) -> Array {
    let mut validity = Validity::default();
    validity.push_null(0);
    let mut data = ArrayData::of(1, validity);
    match Layout::of(data_type) {
        Layout::Null | Layout::Dictionary | Layout::Unknown => {}
        Layout::Bits => data.values.extend(&[0]),
        Layout::Fixed(width) => data.values.extend(&vec![0; width]),
        Layout::Variable(width) => (0..2).for_each(|_| push_offset(&mut data, width, 0)),
        Layout::List(width) => {
            (0..2).for_each(|_| push_offset(&mut data, width, 0));
            data.children = inner(data_type, &[], &[]);
        }
        Layout::FixedList(_) | Layout::Struct => {
            data.children = children(data_type).iter().map(|field| null(&field.data_type)).collect();
        }
    }
    Array::new(data_type.clone(), data)
}

/// The same values of each child.
fn inner(data_type: &DataType, parts: &[Column<'_>], rows: &[Row]) -> Vec<Array> {
    let fields = children(data_type).iter().enumerate();
    fields
        .map(|(index, field)| {
            let parts: Vec<Column<'_>> = parts.iter().filter_map(|part| part.child(index)).collect();
            gather(&field.data_type, &parts, rows)
        })
        .collect()
}

fn push_offset(data: &mut ArrayData, width: usize, place: usize) {
    if width == size_of::<i64>() {
        data.values.push(i64::from_usize(place));
    } else {
        data.values.push(i32::from_usize(place));
    }
}
