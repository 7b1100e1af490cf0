//! XXH3-64 of a single number with its tag, worked out in registers.
//!
//! The general function reads its input as two words that overlap. Just behind the stores of a tag and a number such reads
//! wait until both have reached the cache, which costs several times what the hash does. The steps are those of the
//! specification for inputs of 9 to 16 and of 4 to 8 bytes, with seed 0; the constants come from its default secret.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3-64 of the byte 1 and a number. Where the width is known when it is compiled, which is everywhere, nothing is left
/// of the choice.
#[inline(always)]
pub(super) fn hash_tagged(tagged: &[u8]) -> u64 {
    if let [1, number @ ..] = tagged {
        if let Some(bytes) = number.as_array() {
            return hash_tagged_64(u64::from_le_bytes(*bytes));
        }
        if let Some(bytes) = number.as_array() {
            return hash_tagged_32(u32::from_le_bytes(*bytes));
        }
    }
    xxh3_64(tagged)
}

/// XXH3-64 of the byte 1 and the eight bytes of `bits`, little-endian.
#[inline(always)]
fn hash_tagged_64(bits: u64) -> u64 {
    // The input as one word is what it begins with, and its last eight bytes are the number.
    let low = (bits << 8 | 1) ^ 0x6782_737b_ea42_39b9;
    let high = bits ^ 0xaf56_bc3b_0996_523a;
    let product = u128::from(low) * u128::from(high);
    let folded = product as u64 ^ (product >> 64) as u64;
    let mut hash = 9_u64.wrapping_add(low.swap_bytes()).wrapping_add(high).wrapping_add(folded);
    hash = (hash ^ hash >> 37).wrapping_mul(0x1656_6791_9e37_79f9);
    hash ^ hash >> 32
}

/// XXH3-64 of the byte 1 and the four bytes of `bits`, little-endian.
#[inline(always)]
fn hash_tagged_32(bits: u32) -> u64 {
    const PRIME: u64 = 0x9fb2_1c65_1e98_df25;
    let input = (u64::from(bits << 8 | 1) << 32) + u64::from(bits);
    let mut hash = input ^ 0xc73a_b174_c5ec_d5a2;
    hash ^= hash.rotate_left(49) ^ hash.rotate_left(24);
    hash = hash.wrapping_mul(PRIME);
    hash = (hash ^ (hash >> 35).wrapping_add(5)).wrapping_mul(PRIME);
    hash ^ hash >> 28
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_general_function_gives(number: [u8; 32], tag in 0_u8..2) {
            for width in 0..=number.len() {
                let tagged = [&[tag], &number[..width]].concat();
                prop_assert_eq!(hash_tagged(&tagged), xxh3_64(&tagged));
            }
        }
    }
}
