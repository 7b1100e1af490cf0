//! The hash of keys as it was frozen.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Float16Array, Float32Array, Float64Array, Int64Array, StringArray, new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use half::f16;
use volley_api::KeyHasher;
use xxhash_rust::xxh3::xxh3_64;

fn hashes(columns: &[ArrayRef]) -> Vec<u64> {
    let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    let mut hashes = vec![7; 3];
    KeyHasher::new(&types).expect("keys").hash_into(columns, &mut hashes);
    hashes
}

/// One row of the type, from the text of a golden file.
fn golden_value(text: &str) -> ArrayRef {
    let Some((name, value)) = text.split_once(" =") else {
        return new_null_array(&text.parse().expect(text), 1);
    };
    let data_type: DataType = name.parse().expect(name);
    // Nothing follows the sign of an empty text.
    let value = value.strip_prefix(' ').unwrap_or(value);
    let column = match value.split_once(':') {
        Some(("bits", bits)) => float_of_bits(&data_type, u64::from_str_radix(bits, 16).expect(bits)),
        Some(("hex", hex)) => {
            let bytes = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect(hex);
            Arc::new(BinaryArray::from_vec(vec![&(0..hex.len()).step_by(2).map(bytes).collect::<Vec<_>>()]))
        }
        Some(("number", number)) => {
            let number = Int64Array::from(vec![number.parse::<i64>().expect(number)]);
            cast(&number, &data_type).expect(text)
        }
        Some(("repeat", length)) => {
            let length = length.parse().expect(length);
            Arc::new(StringArray::from(vec![('a'..='z').cycle().take(length).collect::<String>()]))
        }
        _ => Arc::new(StringArray::from(vec![value])),
    };
    if *column.data_type() == data_type { column } else { cast(&column, &data_type).expect(text) }
}

fn float_of_bits(data_type: &DataType, bits: u64) -> ArrayRef {
    let fits = "as many bits as the float has";
    match data_type {
        DataType::Float16 => Arc::new(Float16Array::from(vec![f16::from_bits(bits.try_into().expect(fits))])),
        DataType::Float32 => Arc::new(Float32Array::from(vec![f32::from_bits(bits.try_into().expect(fits))])),
        _ => Arc::new(Float64Array::from(vec![f64::from_bits(bits)])),
    }
}

#[test]
fn hashes_are_those_of_the_golden_file() {
    let golden = include_str!("golden/key_hash.txt");
    let mut count = 0;
    for line in golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let hash = u64::from_str_radix(fields.next().expect("a hash"), 16).expect(line);
        let bytes = fields.next().expect("bytes");
        let columns: Vec<_> = fields.map(golden_value).collect();
        assert_eq!(hashes(&columns), [hash], "{line}");
        if bytes != "-" {
            let bytes: Vec<_> =
                (0..bytes.len()).step_by(2).map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).expect(line)).collect();
            assert_eq!(xxh3_64(&bytes), hash, "{line}");
        }
        // In the middle of other rows, and behind an offset.
        let nulls: Vec<_> = columns.iter().map(|column| new_null_array(column.data_type(), 3)).collect();
        let around = |column: &ArrayRef, null: &ArrayRef| concat(&[null, column, null]).expect(line).slice(1, 5);
        let amid: Vec<_> = columns.iter().zip(&nulls).map(|(column, null)| around(column, null)).collect();
        assert_eq!(hashes(&amid)[2], hash, "{line} amid nulls");
        assert_eq!(hashes(&amid)[0], hashes(&nulls)[0], "nulls around {line}");
        count += 1;
    }
    assert!(count >= 190, "only {count} lines were read");
}
