//! A HyperLogLog sketch: about how many different hashes it was given.
//!
//! 4,096 registers give a standard error of 1.6 %. Few hashes are kept one by one, to 26 bits each, for which the estimate
//! is all but exact; so a group costs four bytes a value until it has a thousand of them. What a sketch is depends only
//! on the set of hashes, not on their order or on how they were cut and merged.
//!
//! The stored form is frozen: a byte for the form, then codes of four bytes (little-endian, ascending), or one byte for
//! each register.

/// Bits of a hash that number a register.
const REGISTER_BITS: u32 = 12;
/// How many registers there are.
const REGISTERS: usize = 1 << REGISTER_BITS;
/// The greatest value of a register: the bits that do not number it, all zero, and one.
const RANK_MAX: u8 = (64 - REGISTER_BITS + 1) as u8;
/// Bits of a hash that a code has, in front of six bits for the rank of what follows them.
const CODE_BITS: u32 = 26;
const CODE_RANK_BITS: u32 = 6;
/// The greatest rank in a code.
const CODE_RANK_MAX: u32 = 64 - CODE_BITS + 1;
/// The most codes: with more of them, the registers are no larger.
const CODES_MAX: usize = REGISTERS / size_of::<u32>();

const FORM_CODES: u8 = 1;
const FORM_REGISTERS: u8 = 2;

/// What is known of a set of hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sketch {
    /// Ascending; no two have the same first 26 bits.
    Codes(Vec<u32>),
    /// The greatest rank that each register has seen.
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Codes(Vec::new())
    }
}

impl Sketch {
    /// Adds a hash.
    pub(super) fn add(&mut self, hash: u64) {
        match self {
            Self::Codes(_) => {
                let rank = rank(hash, CODE_BITS);
                self.add_code(((hash >> (64 - CODE_BITS)) as u32) << CODE_RANK_BITS | rank);
            }
            Self::Registers(registers) => {
                let register = &mut registers[(hash >> (64 - REGISTER_BITS)) as usize];
                *register = (*register).max(rank(hash, REGISTER_BITS) as u8);
            }
        }
    }

    fn add_code(&mut self, code: u32) {
        let codes = match self {
            Self::Codes(codes) => codes,
            Self::Registers(registers) => {
                let (index, rank) = register_of(code);
                registers[index] = registers[index].max(rank);
                return;
            }
        };
        let at = codes.partition_point(|&known| known >> CODE_RANK_BITS < code >> CODE_RANK_BITS);
        match codes.get_mut(at) {
            Some(known) if *known >> CODE_RANK_BITS == code >> CODE_RANK_BITS => *known = (*known).max(code),
            _ => {
                codes.insert(at, code);
                if codes.len() > CODES_MAX {
                    self.spread_out();
                }
            }
        }
    }

    fn spread_out(&mut self) {
        let Self::Codes(codes) = self else { return };
        let mut registers = Box::new([0; REGISTERS]);
        for &code in codes.iter() {
            let (index, rank) = register_of(code);
            registers[index] = rank.max(registers[index]);
        }
        *self = Self::Registers(registers);
    }

    /// Adds what a stored sketch has seen.
    ///
    /// # Errors
    /// When those are not the bytes of a sketch; says what is wrong with them.
    pub(super) fn merge(&mut self, stored: &[u8]) -> Result<(), String> {
        match stored {
            [FORM_CODES, codes @ ..] if codes.len() % 4 == 0 => {
                for code in codes.chunks_exact(4) {
                    let code = u32::from_le_bytes([code[0], code[1], code[2], code[3]]);
                    if !(1..=CODE_RANK_MAX).contains(&(code & ((1 << CODE_RANK_BITS) - 1))) {
                        return Err(format!("{code:#x} is not a code of a sketch"));
                    }
                    self.add_code(code);
                }
                Ok(())
            }
            [FORM_REGISTERS, others @ ..] if others.len() == REGISTERS => {
                if let Some(rank) = others.iter().find(|&&rank| rank > RANK_MAX) {
                    return Err(format!("{rank} is in a register of a sketch, where the limit is {RANK_MAX}"));
                }
                self.spread_out();
                if let Self::Registers(registers) = self {
                    registers.iter_mut().zip(others).for_each(|(own, &other)| *own = other.max(*own));
                }
                Ok(())
            }
            [form, rest @ ..] => Err(format!("a sketch of the form {form} has not {} bytes", rest.len())),
            [] => Err("a sketch has no bytes".into()),
        }
    }

    /// The bytes to store.
    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Codes(codes) => {
                bytes.push(FORM_CODES);
                codes.iter().for_each(|code| bytes.extend_from_slice(&code.to_le_bytes()));
            }
            Self::Registers(registers) => {
                bytes.push(FORM_REGISTERS);
                bytes.extend_from_slice(&registers[..]);
            }
        }
    }

    /// About how many different hashes there were.
    pub(super) fn estimate(&self) -> i64 {
        match self {
            Self::Codes(codes) => {
                // Linear counting: some hashes share their first bits with others.
                let places = f64::from(1_u32 << CODE_BITS);
                let empty = places - codes.len() as f64;
                (places * (places / empty).ln()).round() as i64
            }
            Self::Registers(registers) => estimate(registers),
        }
    }

    /// The bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.capacity() * size_of::<u32>(),
            Self::Registers(_) => REGISTERS,
        }
    }
}

/// The place of the first one among the bits of a hash behind the first `skipped`, from 1; one more than there are
/// when all are zero.
fn rank(hash: u64, skipped: u32) -> u32 {
    (hash << skipped).leading_zeros().min(64 - skipped) + 1
}

/// Which register a code belongs to, and the rank that it gives it.
fn register_of(code: u32) -> (usize, u8) {
    let between = CODE_BITS - REGISTER_BITS;
    let index = code >> (32 - REGISTER_BITS);
    let bits = code << REGISTER_BITS >> (REGISTER_BITS + CODE_RANK_BITS);
    let rank = match bits {
        0 => between + (code & ((1 << CODE_RANK_BITS) - 1)),
        bits => bits.leading_zeros() - (32 - between) + 1,
    };
    (index as usize, rank as u8)
}

/// Ertl's estimator (New cardinality estimation algorithms for HyperLogLog sketches, 2017), which needs no table of
/// corrections and is unbiased over the whole range.
fn estimate(registers: &[u8; REGISTERS]) -> i64 {
    let mut ranks = [0_u32; RANK_MAX as usize + 1];
    registers.iter().for_each(|&rank| ranks[rank as usize] += 1);
    let total = REGISTERS as f64;
    let [zero, others @ .., last] = ranks;
    let mut sum = total * tau(1.0 - f64::from(last) / total);
    for &count in others.iter().rev() {
        sum = 0.5 * (sum + f64::from(count));
    }
    sum += total * sigma(f64::from(zero) / total);
    (total * total / (2.0 * std::f64::consts::LN_2 * sum)).round() as i64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x).powi(2) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn hashes(values: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        values.map(|value| xxh3_64(&value.to_le_bytes()))
    }

    fn sketch(values: std::ops::Range<u64>) -> Sketch {
        let mut sketch = Sketch::default();
        hashes(values).for_each(|hash| sketch.add(hash));
        sketch
    }

    fn stored(sketch: &Sketch) -> Vec<u8> {
        let mut bytes = Vec::new();
        sketch.store(&mut bytes);
        bytes
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_four_standard_errors() {
        for count in [0, 1, 10, 100, 1_000] {
            assert_eq!(sketch(0..count).estimate(), count as i64);
        }
        for count in [1_025, 2_000, 5_000, 20_000, 100_000, 1_000_000] {
            let error = (sketch(0..count).estimate() as f64 - count as f64).abs() / count as f64;
            assert!(error < 4.0 * 0.016, "{count}: {error}");
        }
    }

    #[test]
    fn a_code_and_a_hash_mean_the_same_register() {
        let rare = (0..60).map(|zeros| xxh3_64(b"x") >> zeros).chain([0, u64::MAX, 1, 1 << 38, 1 << 37]);
        for hash in hashes(0..10_000).chain(rare) {
            let code = ((hash >> (64 - CODE_BITS)) as u32) << CODE_RANK_BITS | rank(hash, CODE_BITS);
            let register = ((hash >> (64 - REGISTER_BITS)) as usize, rank(hash, REGISTER_BITS) as u8);
            assert_eq!(register_of(code), register, "{hash:#x}");
        }
    }

    #[test]
    fn what_a_sketch_is_depends_on_the_set_alone() {
        for end in [10, 1_024, 1_025, 3_000] {
            let whole = sketch(0..end);
            for cut in [0, 1, end / 2, end - 1, end] {
                let mut merged = sketch(cut..end);
                merged.merge(&stored(&sketch(0..cut))).unwrap();
                assert_eq!(merged, whole, "{cut} of {end}");
                let mut again = Sketch::default();
                again.merge(&stored(&merged)).unwrap();
                assert_eq!(again, whole);
            }
        }
    }

    #[test]
    fn the_stored_form_is_frozen() {
        assert_eq!(stored(&Sketch::default()), [1]);
        assert_eq!(stored(&sketch(0..2)), GOLDEN_TWO);
        assert_eq!(xxh3_64(&stored(&sketch(0..5_000))), GOLDEN_MANY);
    }

    const GOLDEN_TWO: [u8; 9] = [1, 1, 89, 188, 47, 129, 58, 123, 199];
    const GOLDEN_MANY: u64 = 2_009_445_607_327_243_227;

    #[test]
    fn damaged_bytes_are_refused() {
        let mut sketch = Sketch::default();
        for bytes in [&[][..], &[0], &[1, 1], &[1, 0, 0, 0, 0], &[1, 63, 0, 0, 0], &[2, 0], &[3]] {
            assert!(sketch.merge(bytes).is_err(), "{bytes:?}");
        }
        let mut registers = vec![54; REGISTERS + 1];
        registers[0] = FORM_REGISTERS;
        assert!(sketch.merge(&registers).unwrap_err().contains("the limit is 53"));
    }
}
