//! The kernels against plain loops.

use proptest::prelude::*;

use super::*;
use crate::bits::{Bits, BitsBuilder};

fn bools(bits: Bits<'_>) -> Vec<bool> {
    (0..bits.len()).map(|index| bits.get(index)).collect()
}

proptest! {
    #[test]
    fn bitmaps(pairs in prop::collection::vec((any::<i8>(), any::<i8>()), 0..70), skip in 0_usize..12) {
        let (left, right): (Vec<i8>, Vec<i8>) = pairs.iter().copied().unzip();
        let above = test(&left, |value| value > 3);
        prop_assert_eq!(bools(above.bits()), left.iter().map(|value| *value > 3).collect::<Vec<_>>());
        let less = test_pairs(&left, &right, |left, right| left < right);
        prop_assert_eq!(bools(less.bits()), pairs.iter().map(|(left, right)| left < right).collect::<Vec<_>>());
        // From any bit on.
        let skip = skip.min(pairs.len());
        let (one, other) = (above.bits().slice(skip, pairs.len() - skip), less.bits().slice(skip, pairs.len() - skip));
        let rows = || pairs[skip..].iter();
        prop_assert_eq!(bools(and(one, other).bits()), rows().map(|(l, r)| *l > 3 && l < r).collect::<Vec<_>>());
        prop_assert_eq!(bools(or(one, other).bits()), rows().map(|(l, r)| *l > 3 || l < r).collect::<Vec<_>>());
        prop_assert_eq!(bools(not(one).bits()), rows().map(|(l, _)| *l <= 3).collect::<Vec<_>>());
    }

    #[test]
    fn rows_and_what_they_hold(values in prop::collection::vec(any::<i64>(), 0..70), texts in prop::collection::vec(".{0,9}", 70)) {
        let mut rows = Rows::new();
        // The second time memory is used again.
        for bound in [i64::MIN, 0] {
            let kept: Vec<usize> = (0..values.len()).filter(|row| values[*row] > bound).collect();
            rows.select(&values, |value| value > bound);
            prop_assert_eq!(rows.iter().map(|row| *row as usize).collect::<Vec<_>>(), kept.clone());
            let bits = test(&values, |value| value > bound);
            let mut by_bits = Rows::new();
            by_bits.select_bits(bits.bits());
            prop_assert_eq!(&*by_bits, &*rows);
            let wanted: Vec<i64> = kept.iter().map(|row| values[*row]).collect();
            let mut taken = vec![0; rows.len()];
            take(&values, &rows, &mut taken);
            prop_assert_eq!(&taken, &wanted);
            let mut filtered = vec![0; rows.len()];
            prop_assert_eq!(filter(&values, bits.bits(), &mut filtered), rows.len());
            prop_assert_eq!(&filtered, &wanted);
            let mut roomy = vec![0; rows.len() + 9];
            prop_assert_eq!(filter(&values, bits.bits(), &mut roomy), rows.len());
            prop_assert_eq!(&roomy[..rows.len()], &wanted[..]);
            let (mut offsets, mut data) = (vec![0_i32], Vec::new());
            for text in &texts {
                data.extend_from_slice(text.as_bytes());
                offsets.push(data.len() as i32);
            }
            let mut taken_offsets = vec![-1; rows.len() + 1];
            let mut taken = vec![0; text_bytes(&offsets, &rows)];
            take_text(&offsets, &data, &rows, &mut taken_offsets, &mut taken);
            let wanted: Vec<&str> = kept.iter().map(|row| texts[*row].as_str()).collect();
            let found: Vec<&str> = taken_offsets
                .windows(2)
                .map(|pair| std::str::from_utf8(&taken[pair[0] as usize..pair[1] as usize]).unwrap())
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn values_from_values(pairs in prop::collection::vec((any::<i32>(), any::<i32>()), 0..70)) {
        let (left, right): (Vec<i32>, Vec<i32>) = pairs.iter().copied().unzip();
        let mut out = vec![0_i64; left.len()];
        map(&left, &mut out, |value| i64::from(value) * 2);
        prop_assert_eq!(&out, &left.iter().map(|value| i64::from(*value) * 2).collect::<Vec<_>>());
        let mut sums = vec![0_i32; left.len()];
        map_pairs(&left, &right, &mut sums, i32::wrapping_add);
        prop_assert_eq!(&sums, &pairs.iter().map(|(left, right)| left.wrapping_add(*right)).collect::<Vec<_>>());
        let checked = try_map(&left, &mut sums, |value| value.checked_mul(3));
        prop_assert_eq!(checked.err(), left.iter().position(|value| value.checked_mul(3).is_none()));
        prop_assert_eq!(sum(&left), left.iter().fold(0, |sum: i32, value| sum.wrapping_add(*value)));
        prop_assert_eq!(min(&left), left.iter().copied().min());
        prop_assert_eq!(max(&left), left.iter().copied().max());
    }

    #[test]
    fn nan_is_never_the_best(floats in prop::collection::vec(prop_oneof![Just(f64::NAN), -9.0..9.0], 1..40)) {
        let known = || floats.iter().copied().filter(|float| !float.is_nan());
        let least = min(&floats).unwrap();
        match known().min_by(f64::total_cmp) {
            Some(wanted) => prop_assert_eq!(least, wanted),
            None => prop_assert!(least.is_nan()),
        }
        let greatest = max(&floats).unwrap();
        match known().max_by(f64::total_cmp) {
            Some(wanted) => prop_assert_eq!(greatest, wanted),
            None => prop_assert!(greatest.is_nan()),
        }
    }
}

#[test]
fn an_empty_column_has_no_best() {
    assert_eq!((min::<i64>(&[]), max::<f64>(&[]), sum::<i32>(&[])), (None, None, 0));
    assert!(BitsBuilder::new().is_empty());
}
