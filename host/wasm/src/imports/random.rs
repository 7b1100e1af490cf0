//! `random`: numbers that a replay sees again.

use volley_api::{NodeName, SeedSource, SubtaskId};
use wasmtime::component::LinkerInstance;

use crate::store::HostState;

/// Where one instance's numbers come from: a stream (SplitMix64) per call, seeded by job, node, subtask and the number
/// of the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Random {
    source: Option<(SeedSource, NodeName, SubtaskId)>,
    call: u64,
    stream: Option<u64>,
    /// Where the stream of every call begins, for calls that are made again elsewhere.
    fixed: Option<u64>,
}

impl Random {
    pub(crate) fn new(seeds: SeedSource, node: NodeName, subtask: SubtaskId) -> Self {
        Self { source: Some((seeds, node, subtask)), call: 0, stream: None, fixed: None }
    }

    /// A call begins. The same number again means the same call again.
    pub(crate) fn begin(&mut self, call: u64) {
        self.call = call;
        self.stream = None;
    }

    /// Where the stream of the present call begins.
    pub(crate) fn seed(&self) -> u64 {
        self.fixed.unwrap_or_else(|| {
            self.source.as_ref().map_or(0, |(seeds, node, subtask)| {
                let (index, call) = (subtask.index.to_le_bytes(), self.call.to_le_bytes());
                seeds.derive(&[node.as_str().as_bytes(), &index, &call])
            })
        })
    }

    /// Calls from here on see the numbers that follow this one.
    pub(crate) fn fix(&mut self, seed: u64) {
        self.fixed = Some(seed);
    }

    /// Calls from here on see numbers of their own again.
    pub(crate) fn unfix(&mut self) {
        self.fixed = None;
    }

    /// The next number of the present call.
    pub(crate) fn next(&mut self) -> u64 {
        let state = self.stream.unwrap_or_else(|| self.seed());
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.stream = Some(state);
        volley_api::split_mix_64(state)
    }
}

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("next-u64", |mut context, (): ()| {
        let state = context.data_mut();
        state.require_batch_or_close("random.next-u64")?;
        Ok((state.random.next(),))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_made_again_sees_the_same_numbers() {
        let random = |index| {
            let node = NodeName::new("enrich").expect("a name");
            Random::new(SeedSource::new(7), node, SubtaskId { index, parallelism: 2 })
        };
        let draw = |random: &mut Random, call| {
            random.begin(call);
            [random.next(), random.next()]
        };
        let mut first = random(0);
        let numbers = draw(&mut first, 3);
        assert_ne!(numbers[0], numbers[1]);
        assert_eq!(numbers, draw(&mut first, 3));
        assert_ne!(numbers, draw(&mut first, 4));
        assert_ne!(numbers, draw(&mut random(1), 3));
    }
}
