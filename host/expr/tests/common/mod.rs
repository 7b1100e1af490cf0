//! The table that the tests' expressions are written over.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};

/// Four rows of each type that matters.
pub(crate) fn flights() -> RecordBatch {
    let fields = vec![Field::new("f", DataType::Int32, true), Field::new("G", DataType::Utf8, true)];
    let s = StructArray::new(
        fields.into(),
        vec![
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4)])),
            Arc::new(StringArray::from(vec!["p", "q", "r", "s"])),
        ],
        None,
    );
    let price = Decimal128Array::from(vec![Some(1050), Some(-1), None, Some(0)]).with_precision_and_scale(10, 2);
    let dict: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]), None, Some(vec![]), None]);
    let columns: Vec<(&str, bool, ArrayRef)> = vec![
        ("id", false, Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("dep_delay", true, Arc::new(Float64Array::from(vec![Some(15.5), None, Some(-3.0), Some(0.0)]))),
        ("carrier", true, Arc::new(StringArray::from(vec![Some("UA"), Some("aa"), None, Some("DL")]))),
        ("Dep Delay", true, Arc::new(Int32Array::from(vec![Some(10), Some(0), Some(5), None]))),
        ("ok", true, Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]))),
        (
            "at",
            true,
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(1_357_016_400_000),
                Some(1_388_534_399_999),
                None,
                Some(0),
            ])),
        ),
        ("day", true, Arc::new(Date32Array::from(vec![Some(15_706), Some(0), None, Some(-1)]))),
        ("price", true, Arc::new(price.expect("it fits"))),
        ("s", true, Arc::new(s)),
        ("dict", true, Arc::new(dict)),
        ("view", true, Arc::new(StringViewArray::from(vec![Some("one"), Some("two"), None, Some("")]))),
        ("zero", false, Arc::new(Int64Array::from(vec![1, 0, 2, 0]))),
        ("text", true, Arc::new(StringArray::from(vec![Some("1"), Some("x"), None, Some("-7")]))),
        ("list", true, Arc::new(list)),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, nullable, array)| Field::new(*name, array.data_type().clone(), *nullable)).collect();
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of four rows")
}
