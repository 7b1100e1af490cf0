//! A walk over a column of keys: the type is looked at once, not once per row.

use arrow::array::{Array, ArrayAccessor, AsArray};
use arrow::datatypes::DataType;
use arrow::downcast_primitive_array;

use super::normal::KeyValue;

/// What is done with the keys of a column, row by row, in the normal form that [`super`] defines.
pub(super) trait KeyVisitor {
    /// The row has no value: the byte 0.
    fn null(&mut self, row: usize);

    /// The row has a value of fixed width; `tagged` is all that it gives to the key.
    fn fixed(&mut self, row: usize, tagged: impl AsRef<[u8]>);

    /// The row has a text or bytes: what [`text_head`] says, then `text`.
    fn text(&mut self, row: usize, text: &[u8]);
}

/// What stands before a text in a key: the byte 1 and its length.
#[inline]
pub(super) fn text_head(text: &[u8]) -> [u8; TEXT_HEAD_BYTES] {
    // Only the low 32 bits are frozen: see `super`.
    let [a, b, c, d, ..] = (text.len() as u64).to_le_bytes();
    [1, a, b, c, d]
}

/// How long [`text_head`] is.
pub(super) const TEXT_HEAD_BYTES: usize = 5;

/// Shows a visitor every row of a column.
///
/// # Panics
/// When the column's type is not one that `check_type` lets through.
pub(super) fn walk(column: &dyn Array, visitor: &mut impl KeyVisitor) {
    walk_rows(column, None, visitor);
}

/// For each row of a dictionary the place of its value; `None` where it has no key. A key that points to a null is left to
/// the values.
pub(super) fn dictionary_places(column: &dyn Array) -> Vec<Option<usize>> {
    let dictionary = column.as_any_dictionary();
    if dictionary.values().is_empty() {
        // Nothing but nulls can be spoken of here, and arrow refuses to.
        return vec![None; column.len()];
    }
    let keys = dictionary.keys();
    let place = |(row, place)| keys.is_valid(row).then_some(place);
    dictionary.normalized_keys().into_iter().enumerate().map(place).collect()
}

/// Shows the rows of `column`, or, where there are `places`, for each of them the value there.
fn walk_rows<V: KeyVisitor>(column: &dyn Array, places: Option<&[Option<usize>]>, visitor: &mut V) {
    downcast_primitive_array!(
        column => each(column, places, visitor, |visitor, row, value| visitor.fixed(row, value.tagged())),
        DataType::Null => (0..places.map_or(column.len(), <[_]>::len)).for_each(|row| visitor.null(row)),
        DataType::Boolean => {
            each(column.as_boolean(), places, visitor, |visitor, row, value| visitor.fixed(row, value.tagged()));
        }
        DataType::Utf8 => each(column.as_string::<i32>(), places, visitor, text),
        DataType::LargeUtf8 => each(column.as_string::<i64>(), places, visitor, text),
        DataType::Utf8View => each(column.as_string_view(), places, visitor, text),
        DataType::Binary => each(column.as_binary::<i32>(), places, visitor, text),
        DataType::LargeBinary => each(column.as_binary::<i64>(), places, visitor, text),
        DataType::BinaryView => each(column.as_binary_view(), places, visitor, text),
        DataType::FixedSizeBinary(_) => each(column.as_fixed_size_binary(), places, visitor, text),
        DataType::Dictionary(_, _) => {
            let own = dictionary_places(column);
            let through = places.map(|places| places.iter().map(|place| place.and_then(|at| own[at])).collect());
            let places: Vec<_> = through.unwrap_or(own);
            walk_rows(column.as_any_dictionary().values(), Some(&places), visitor);
        }
        other => unreachable!("a column of type {other} was let through as a key")
    );
}

#[inline]
fn text<V: KeyVisitor>(visitor: &mut V, row: usize, text: impl AsRef<[u8]>) {
    visitor.text(row, text.as_ref());
}

/// The loops over one type of array. Three, so that columns without nulls have none of their cost.
fn each<V: KeyVisitor, A: ArrayAccessor>(
    values: A,
    places: Option<&[Option<usize>]>,
    visitor: &mut V,
    show: impl Fn(&mut V, usize, A::Item),
) {
    match places {
        None if values.null_count() == 0 => {
            for row in 0..values.len() {
                show(visitor, row, values.value(row));
            }
        }
        None => {
            for row in 0..values.len() {
                if values.is_valid(row) {
                    show(visitor, row, values.value(row));
                } else {
                    visitor.null(row);
                }
            }
        }
        Some(places) => {
            for (row, place) in places.iter().enumerate() {
                match place {
                    Some(at) if values.is_valid(*at) => show(visitor, row, values.value(*at)),
                    _ => visitor.null(row),
                }
            }
        }
    }
}
