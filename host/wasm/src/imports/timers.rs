//! `timers`: calls that a plugin asks for.

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};

use super::state::under_way;
use crate::contract::{Timer, TimerError};
use crate::store::HostState;
use crate::violation::Violation;

type Context<'a> = StoreContextMut<'a, HostState>;
type Done = wasmtime::Result<(Result<(), TimerError>,)>;

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("register", |mut cx: Context<'_>, (timers,): (WasmList<Timer>,)| -> Done {
        change(&mut cx, "timers.register", &timers, true)
    })?;
    instance.func_wrap("delete", |mut cx: Context<'_>, (timers,): (WasmList<Timer>,)| -> Done {
        change(&mut cx, "timers.delete", &timers, false)
    })
}

fn change(cx: &mut Context<'_>, import: &'static str, timers: &WasmList<Timer>, register: bool) -> Done {
    // As they lie in the guest's memory: 24 bytes each.
    cx.data_mut().transfer.add(timers.len().saturating_mul(24))?;
    if let Some(answer) = cx.data_mut().tape.play::<Result<(), TimerError>>(import)? {
        return Ok((answer,));
    }
    under_way(cx.data_mut(), import)?;
    let timers: Vec<Timer> = timers.iter(&mut *cx)?.collect::<wasmtime::Result<_>>()?;
    let state = cx.data_mut();
    let answer = under_way(state, import)?.change_timers(&timers, register);
    if let Err(TimerError::UnknownGroup(_) | TimerError::OutOfRange(_)) = &answer {
        state.metrics.violation(Violation::TimerRefused);
    }
    state.tape.note(import, &answer);
    Ok((answer,))
}
