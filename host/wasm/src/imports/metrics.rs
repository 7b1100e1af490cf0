//! `metrics`: numbers for the host's metrics.

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmStr};

use crate::metrics::PluginMetrics;
use crate::store::HostState;

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("counter-add", |context, (name, delta): (WasmStr, u64)| {
        report(&context, &name, |metrics, name| metrics.counter_add(name, delta))
    })?;
    instance.func_wrap("gauge-set", |context, (name, value): (WasmStr, f64)| {
        report(&context, &name, |metrics, name| metrics.gauge_set(name, value))
    })?;
    instance.func_wrap("histogram-record", |context, (name, value): (WasmStr, f64)| {
        report(&context, &name, |metrics, name| metrics.histogram_record(name, value))
    })
}

fn report(
    context: &StoreContextMut<'_, HostState>,
    name: &WasmStr,
    with: impl FnOnce(&PluginMetrics, &str),
) -> wasmtime::Result<()> {
    context.data().require_batch_or_close("metrics")?;
    if context.data().tape.is_playing() {
        // It was counted when the call was made.
        return Ok(());
    }
    // The name is looked at where it lies in the guest's memory.
    with(&context.data().metrics, &name.to_str(context)?);
    Ok(())
}
