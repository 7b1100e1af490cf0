//! `clock`: the host's time, which stands still within a call.

use wasmtime::component::LinkerInstance;

use crate::store::HostState;

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("now-ms", |mut context, (): ()| {
        let state = context.data_mut();
        state.require_batch_or_close("clock.now-ms")?;
        let now_ms = *state.now_ms.get_or_insert_with(|| state.clock.now_ms());
        Ok((now_ms,))
    })
}
