//! `state`: what the host holds for the keys of the call under way.

use arrow::buffer::Buffer;
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};

use crate::abi::message::Outgoing;
use crate::contract::{Entries, Found, StateError};
use crate::held::Taped;
use crate::keyed::Keyed;
use crate::path::pool;
use crate::store::{HostState, NotNow};
use crate::violation::Violation;

type Context<'a> = StoreContextMut<'a, HostState>;
type Groups = WasmList<u32>;
type Bytes = WasmList<u8>;
type Answer<T> = Result<T, StateError>;

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("get", |mut cx: Context<'_>, (state, groups): (u32, Groups)| -> Found1 {
        let groups = numbers(&mut cx, &groups)?;
        answer(&mut cx, "state.get", |keyed| keyed.get(state, &groups), found_bytes)
    })?;
    instance.func_wrap("put", |mut cx: Context<'_>, (state, groups, values): (u32, Groups, Bytes)| -> Done {
        let (groups, values) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &values)?);
        answer(&mut cx, "state.put", |keyed| keyed.put(state, &groups, &values), nothing)
    })?;
    instance.func_wrap("remove", |mut cx: Context<'_>, (state, groups): (u32, Groups)| -> Done {
        let groups = numbers(&mut cx, &groups)?;
        answer(&mut cx, "state.remove", |keyed| keyed.remove(state, &groups), nothing)
    })?;
    instance.func_wrap("merge", |mut cx: Context<'_>, (state, groups, values): (u32, Groups, Bytes)| -> Done {
        let (groups, values) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &values)?);
        answer(&mut cx, "state.merge", |keyed| keyed.merge(state, &groups, &values), nothing)
    })?;
    instance.func_wrap("map-get", |mut cx: Context<'_>, (state, groups, keys): (u32, Groups, Bytes)| -> Found1 {
        let (groups, keys) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &keys)?);
        answer(&mut cx, "state.map-get", |keyed| keyed.map_get(state, &groups, &keys), found_bytes)
    })?;
    instance.func_wrap(
        "map-put",
        |mut cx: Context<'_>, (state, groups, keys, values): (u32, Groups, Bytes, Bytes)| -> Done {
            let (groups, keys) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &keys)?);
            let values = bytes(&mut cx, &values)?;
            answer(&mut cx, "state.map-put", |keyed| keyed.map_put(state, &groups, &keys, &values), nothing)
        },
    )?;
    instance.func_wrap("map-remove", |mut cx: Context<'_>, (state, groups, keys): (u32, Groups, Bytes)| -> Done {
        let (groups, keys) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &keys)?);
        answer(&mut cx, "state.map-remove", |keyed| keyed.map_remove(state, &groups, &keys), nothing)
    })?;
    instance.func_wrap("get-entries", |mut cx: Context<'_>, (state, groups): (u32, Groups)| -> Entries1 {
        let groups = numbers(&mut cx, &groups)?;
        answer(&mut cx, "state.get-entries", |keyed| keyed.get_entries(state, &groups), entries_bytes)
    })?;
    instance.func_wrap("key-groups", |mut cx: Context<'_>, (groups,): (Groups,)| -> KeyGroups1 {
        let groups = numbers(&mut cx, &groups)?;
        answer(&mut cx, "state.key-groups", |keyed| keyed.key_groups(&groups), Vec::len)
    })?;
    instance.func_wrap("append", |mut cx: Context<'_>, (state, groups, values): (u32, Groups, Bytes)| -> Done {
        let (groups, values) = (numbers(&mut cx, &groups)?, bytes(&mut cx, &values)?);
        answer(&mut cx, "state.append", |keyed| keyed.append(state, &groups, &values), nothing)
    })
}

type Done = wasmtime::Result<(Answer<()>,)>;
type KeyGroups1 = wasmtime::Result<(Answer<Vec<u8>>,)>;
type Found1 = wasmtime::Result<(Answer<Found<Outgoing>>,)>;
type Entries1 = wasmtime::Result<(Answer<Entries<Outgoing>>,)>;

/// Numbers of the guest, counted and copied.
fn numbers(cx: &mut Context<'_>, list: &Groups) -> wasmtime::Result<Vec<u32>> {
    cx.data_mut().transfer.add(size_of::<u32>().saturating_mul(list.len()))?;
    Ok(list.as_le_slice(&*cx).to_vec())
}

/// A message of the guest, counted and copied.
fn bytes(cx: &mut Context<'_>, list: &Bytes) -> wasmtime::Result<Buffer> {
    cx.data_mut().transfer.add(list.len())?;
    Ok(pool::copied(list.as_le_slice(&*cx)))
}

/// Does something to the states; counts what is refused, and the bytes that go back.
fn answer<T>(
    cx: &mut Context<'_>,
    import: &'static str,
    access: impl FnOnce(&mut Keyed) -> Answer<T>,
    size_bytes: impl FnOnce(&T) -> usize,
) -> wasmtime::Result<(Answer<T>,)>
where
    Answer<T>: Taped,
{
    let state = cx.data_mut();
    if let Some(answer) = state.tape.play::<Answer<T>>(import)? {
        if let Ok(given) = &answer {
            state.transfer.add(size_bytes(given))?;
        }
        return Ok((answer,));
    }
    let keyed = under_way(state, import)?;
    let answer = access(keyed);
    state.tape.note(import, &answer);
    match &answer {
        Ok(given) => state.transfer.add(size_bytes(given))?,
        // Limits and the storage's own failures are counted where the call fails for them.
        Err(StateError::LimitExceeded(_) | StateError::Unavailable(_)) => {}
        Err(_) => state.metrics.violation(Violation::StateRefused),
    }
    Ok((answer,))
}

/// The keyed side of the call under way; state and timers are only for calls that have keys.
pub(super) fn under_way<'a>(state: &'a mut HostState, import: &'static str) -> wasmtime::Result<&'a mut Keyed> {
    match &mut state.keyed {
        Some(keyed) if keyed.has_groups() => Ok(keyed),
        _ => Err(NotNow::without_key(import).into()),
    }
}

fn nothing(_: &()) -> usize {
    0
}

fn found_bytes(found: &Found<Outgoing>) -> usize {
    found.present.len() + found.values.0.size_bytes()
}

fn entries_bytes(entries: &Entries<Outgoing>) -> usize {
    size_of::<u32>() * entries.groups.len() + entries.map_keys.0.size_bytes() + entries.values.0.size_bytes()
}
