//! libFuzzer against `decode_batch`, with mutations that know the format beside its own.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use volley_ipc_fuzz::{Mutator, Target};

fuzz_target!(|input: &[u8]| {
    let _ = Target::Batch.check(input);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed.is_multiple_of(4) {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut input = data[..size].to_vec();
    Mutator::new(Target::Batch, seed.into()).mutate(&mut input, &[]);
    input.truncate(max_size);
    data[..input.len()].copy_from_slice(&input);
    input.len()
});
