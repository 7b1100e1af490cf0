//! `wasi:cli`: no arguments, no environment, no terminal, standard streams without anything behind them.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::io::{STDERR, STDOUT};
use super::{Exited, InputStream, OutputStream, interface};
use crate::store::HostState;

/// Resources of `wasi:cli`. None is ever made: there is no terminal.
enum TerminalInput {}
enum TerminalOutput {}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut environment = interface(linker, "cli/environment")?;
    environment.func_wrap("get-environment", |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_, (): ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_, (): ()| Ok((None::<String>,)))?;
    let mut exit = interface(linker, "cli/exit")?;
    exit.func_wrap("exit", |_, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
        Err(Exited(u8::from(status.is_err())).into())
    })?;
    exit.func_wrap("exit-with-code", |_, (code,): (u8,)| -> wasmtime::Result<()> { Err(Exited(code).into()) })?;
    interface(linker, "cli/stdin")?.func_wrap("get-stdin", |mut context, (): ()| {
        context.data_mut().wasi.admit_handle()?;
        Ok((Resource::<InputStream>::new_own(0),))
    })?;
    interface(linker, "cli/stdout")?.func_wrap("get-stdout", |context, (): ()| stream(context, STDOUT))?;
    interface(linker, "cli/stderr")?.func_wrap("get-stderr", |context, (): ()| stream(context, STDERR))?;
    terminals(linker)
}

fn stream(mut context: StoreContextMut<'_, HostState>, number: u32) -> wasmtime::Result<(Resource<OutputStream>,)> {
    context.data_mut().wasi.admit_handle()?;
    Ok((Resource::new_own(number),))
}

fn terminals(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut input = interface(linker, "cli/terminal-input")?;
    input.resource("terminal-input", ResourceType::host::<TerminalInput>(), |_, _| Ok(()))?;
    let mut output = interface(linker, "cli/terminal-output")?;
    output.resource("terminal-output", ResourceType::host::<TerminalOutput>(), |_, _| Ok(()))?;
    let mut stdin = interface(linker, "cli/terminal-stdin")?;
    stdin.func_wrap("get-terminal-stdin", |_, (): ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for name in ["stdout", "stderr"] {
        let mut instance = interface(linker, &format!("cli/terminal-{name}"))?;
        let function = format!("get-terminal-{name}");
        instance.func_wrap(&function, |_, (): ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}
