//! Prices: the benchmark's round(100 · 10^(6u)) for a uniform u, from 100 to 100,000,000 cents.

use std::sync::LazyLock;

/// u is a multiple of 2⁻²⁰: two numbers of ten bits.
const STEPS: usize = 1 << 10;
/// 10^(6 · 2⁻¹⁰) and 10^(6 · 2⁻²⁰).
const COARSE: f64 = 1.013_583_133_334_065_8;
const FINE: f64 = 1.000_013_175_584_384_4;

/// 10^(6u) is looked up as a product of two powers: five times faster than computing it. The powers are products
/// themselves, and not taken from the machine's mathematics library, so that prices are the same on every machine.
static POWERS: LazyLock<(Vec<f64>, Vec<f64>)> = LazyLock::new(|| (powers(100.0, COARSE), powers(1.0, FINE)));

fn powers(first: f64, factor: f64) -> Vec<f64> {
    std::iter::successors(Some(first), |power| Some(power * factor)).take(STEPS).collect()
}

/// Makes prices out of random numbers.
pub(crate) fn of(numbers: impl ExactSizeIterator<Item = u64>) -> Vec<i64> {
    let (coarse, fine) = &*POWERS;
    // Of the upper bits: they are the best mixed.
    numbers
        .map(|number| (coarse[(number >> 54) as usize] * fine[(number >> 44) as usize % STEPS]).round() as i64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_powers_of_ten() {
        for number in [0, 1 << 44, 1 << 54, u64::MAX / 2, 0x1234_5678_9abc_def0, u64::MAX] {
            let u = (number >> 44) as f64 / (1_u64 << 20) as f64;
            let exact = 100.0 * 10_f64.powf(6.0 * u);
            let price = of([number].into_iter())[0];
            assert!((price as f64 - exact).abs() <= 0.5 + exact * 1e-11, "{number:#x}: {price} for {exact}");
        }
        assert_eq!(of([0, u64::MAX].into_iter()), [100, 99_998_682]);
    }
}
