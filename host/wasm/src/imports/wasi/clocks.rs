//! `wasi:clocks`: the contract's time for the wall, and a monotonic clock that counts its readings.
//!
//! The monotonic clock starts where the wall's stands when a call begins, and goes on by a microsecond with each
//! reading, and to whatever time is waited for: a loop that waits ends, nothing sleeps, and a call made again with the
//! same time sees the same readings. It never goes back within an instance.

use wasmtime::component::{ComponentType, Linker, Lower};

use super::{interface, wall_ms};
use crate::store::HostState;

/// What each reading of the monotonic clock adds.
const READING_NS: u64 = 1_000;

const NS_PER_MS: u64 = 1_000_000;
const MS_PER_S: u64 = 1_000;

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl Datetime {
    fn from_ms(ms: u64) -> Self {
        let nanoseconds = (ms % MS_PER_S) * NS_PER_MS;
        Self { seconds: ms / MS_PER_S, nanoseconds: u32::try_from(nanoseconds).unwrap_or_default() }
    }
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut wall = interface(linker, "clocks/wall-clock")?;
    wall.func_wrap("now", |mut context, (): ()| Ok((Datetime::from_ms(wall_ms(context.data_mut())),)))?;
    wall.func_wrap("resolution", |_, (): ()| Ok((Datetime::from_ms(1),)))?;
    let mut monotonic = interface(linker, "clocks/monotonic-clock")?;
    monotonic.func_wrap("now", |mut context, (): ()| Ok((read(context.data_mut()),)))?;
    monotonic.func_wrap("resolution", |_, (): ()| Ok((READING_NS,)))?;
    monotonic.func_wrap("subscribe-instant", |mut context, (when,): (u64,)| {
        Ok((context.data_mut().wasi.new_pollable(when)?,))
    })?;
    monotonic.func_wrap("subscribe-duration", |mut context, (duration,): (u64,)| {
        let when = read(context.data_mut()).saturating_add(duration);
        Ok((context.data_mut().wasi.new_pollable(when)?,))
    })
}

fn read(state: &mut HostState) -> u64 {
    let base = wall_ms(state).saturating_mul(NS_PER_MS);
    let clock = &mut state.wasi.monotonic_ns;
    *clock = base.max(clock.saturating_add(READING_NS));
    *clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_seconds_and_nanoseconds() {
        let Datetime { seconds, nanoseconds } = Datetime::from_ms(1_234);
        assert_eq!((seconds, nanoseconds), (1, 234_000_000));
    }
}
