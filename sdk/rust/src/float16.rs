//! Half-precision floats: 16 bits to `f32` and back.

const MANTISSA_BITS: u32 = 10;
const EXPONENT_MASK: u16 = 0x7c00;
const MANTISSA_MASK: u16 = 0x03ff;
const SIGN_MASK: u16 = 0x8000;

/// The value of a half, exactly.
pub(crate) fn to_f32(half: u16) -> f32 {
    let (exponent, mantissa) = ((half & EXPONENT_MASK) >> MANTISSA_BITS, half & MANTISSA_MASK);
    let magnitude = match exponent {
        // Subnormal: a count of 2^-24.
        0 => f32::from(mantissa) * 2f32.powi(-24),
        0x1f if mantissa == 0 => f32::INFINITY,
        0x1f => f32::from_bits(0x7fc0_0000 | u32::from(mantissa) << 13),
        _ => f32::from_bits((u32::from(exponent) + 127 - 15) << 23 | u32::from(mantissa) << 13),
    };
    if half & SIGN_MASK == 0 { magnitude } else { -magnitude }
}

/// The nearest half; ties go to the even one, what is too large becomes infinite.
pub(crate) fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & SIGN_MASK;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        // NaN stays one, with the upper bits of what it carries.
        return sign | EXPONENT_MASK | 0x0200 | (magnitude >> 13) as u16 & MANTISSA_MASK;
    }
    // Halves below 2^-14 are counts of 2^-24; the float addition rounds as wanted.
    if magnitude < 0x3880_0000 {
        let rounded = f32::from_bits(magnitude) + 0.5;
        return sign | (rounded.to_bits() - 0.5f32.to_bits()) as u16;
    }
    // Add half of the last place that stays, less one unless that place is odd: then cut.
    let odd = magnitude >> 13 & 1;
    let rounded = (magnitude - (112 << 23) + 0x0fff + odd) >> 13;
    sign | rounded.min(u32::from(EXPONENT_MASK)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_back_and_floats_are_rounded_to_the_nearest() {
        for half in 0..=u16::MAX {
            let value = to_f32(half);
            if value.is_nan() {
                assert!(to_f32(from_f32(value)).is_nan());
                continue;
            }
            assert_eq!(from_f32(value), half, "{value}");
            // Between two neighbours, the even one is the nearest to their middle.
            let next = half.wrapping_add(1);
            if half & !SIGN_MASK < EXPONENT_MASK - 1 {
                let middle = (f64::from(value) + f64::from(to_f32(next))) / 2.0;
                assert_eq!(from_f32(middle as f32), if half % 2 == 0 { half } else { next }, "{middle}");
            }
        }
        assert_eq!(from_f32(1e9), EXPONENT_MASK);
        assert_eq!(from_f32(-65_520.0), SIGN_MASK | EXPONENT_MASK);
        assert_eq!(from_f32(65_519.0), EXPONENT_MASK - 1);
    }
}
