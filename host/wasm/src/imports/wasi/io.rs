//! `wasi:io`: streams that end or go to the log, and waiting that is over at once.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList};

use super::{ERROR_LEVEL, InputStream, IoError, Misused, OUT_LEVEL, OutputStream, Pollable, Wasi, interface};
use crate::imports::log::write_line;
use crate::store::HostState;

/// Bytes that one write may bring, as `check-write` tells; more is a trap by WASI's own rule.
const WRITE_BYTES_MAX: usize = 4 << 10;

/// The numbers of the output streams.
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

type Context<'a> = StoreContextMut<'a, HostState>;

/// Why a stream does not answer.
#[derive(Debug, ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    /// Never given, but part of the type.
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "the type has two cases; these streams only end")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    error(&mut interface(linker, "io/error")?)?;
    poll(&mut interface(linker, "io/poll")?)?;
    let mut streams = interface(linker, "io/streams")?;
    input(&mut streams)?;
    output(&mut streams)
}

fn error(error: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    error.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    error.func_wrap("[method]error.to-debug-string", |_, (_,): (Resource<IoError>,)| Ok((String::new(),)))
}

/// Nothing is waited for: whoever waits for a time finds the monotonic clock moved on to it.
fn poll(poll: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    poll.resource("pollable", ResourceType::host::<Pollable>(), forget_pollable)?;
    poll.func_wrap("[method]pollable.ready", |context, (pollable,): (Resource<Pollable>,)| {
        let wasi = &context.data().wasi;
        Ok((ready_at(wasi, pollable.rep()) <= wasi.monotonic_ns,))
    })?;
    poll.func_wrap("[method]pollable.block", |mut context, (pollable,): (Resource<Pollable>,)| {
        let wasi = &mut context.data_mut().wasi;
        wasi.monotonic_ns = wasi.monotonic_ns.max(ready_at(wasi, pollable.rep()));
        Ok(())
    })?;
    poll.func_wrap("poll", |mut context, (pollables,): (Vec<Resource<Pollable>>,)| {
        let wasi = &mut context.data_mut().wasi;
        let times = pollables.iter().map(|pollable| ready_at(wasi, pollable.rep()));
        let Some(first) = times.clone().min() else {
            return Err(Misused { function: "poll", problem: "it was given nothing to wait for".to_owned() }.into());
        };
        let now = wasi.monotonic_ns.max(first);
        let ready: Vec<u32> = (0..).zip(times).filter(|(_, time)| *time <= now).map(|(index, _)| index).collect();
        wasi.monotonic_ns = now;
        Ok((ready,))
    })
}

fn ready_at(wasi: &Wasi, pollable: u32) -> u64 {
    wasi.pollables.get(&pollable).copied().unwrap_or(0)
}

fn forget_pollable(mut context: Context<'_>, pollable: u32) -> wasmtime::Result<()> {
    drop_pollable(&mut context.data_mut().wasi, pollable);
    Ok(())
}

pub(super) fn drop_pollable(wasi: &mut Wasi, pollable: u32) {
    wasi.pollables.remove(&pollable);
    wasi.handles = wasi.handles.saturating_sub(1);
}

fn forget_handle(mut context: Context<'_>, _: u32) -> wasmtime::Result<()> {
    let wasi = &mut context.data_mut().wasi;
    wasi.handles = wasi.handles.saturating_sub(1);
    Ok(())
}

/// Streams are ready at any time.
fn ready_now(mut context: Context<'_>) -> wasmtime::Result<(Resource<Pollable>,)> {
    Ok((context.data_mut().wasi.new_pollable(0)?,))
}

fn input(streams: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    streams.resource("input-stream", ResourceType::host::<InputStream>(), forget_handle)?;
    for read in ["read", "blocking-read"] {
        streams.func_wrap(&format!("[method]input-stream.{read}"), |_, _: (Resource<InputStream>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    for skip in ["skip", "blocking-skip"] {
        streams.func_wrap(&format!("[method]input-stream.{skip}"), |_, _: (Resource<InputStream>, u64)| {
            Ok((Err::<u64, _>(StreamError::Closed),))
        })?;
    }
    streams.func_wrap("[method]input-stream.subscribe", |context, _: (Resource<InputStream>,)| ready_now(context))
}

fn output(streams: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    streams.resource("output-stream", ResourceType::host::<OutputStream>(), forget_handle)?;
    streams.func_wrap("[method]output-stream.check-write", |_, _: (Resource<OutputStream>,)| {
        Ok((Ok::<_, StreamError>(WRITE_BYTES_MAX as u64),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{name}"),
            |context, (stream, bytes): (Resource<OutputStream>, WasmList<u8>)| {
                let bytes = permitted(bytes.len() as u64).map(|_| bytes.as_le_slice(&context).to_vec())?;
                write(context, stream.rep(), &bytes);
                Ok((Ok::<_, StreamError>(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        streams.func_wrap(&format!("[method]output-stream.{name}"), |_, _: (Resource<OutputStream>,)| {
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    // Zeroes are nothing that a log could show.
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_, (_, length): (Resource<OutputStream>, u64)| {
                permitted(length)?;
                Ok((Ok::<_, StreamError>(()),))
            },
        )?;
    }
    // There is no input that anything could be taken from.
    for name in ["splice", "blocking-splice"] {
        streams.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_, _: (Resource<OutputStream>, Resource<InputStream>, u64)| Ok((Err::<u64, _>(StreamError::Closed),)),
        )?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |context, _: (Resource<OutputStream>,)| ready_now(context))
}

fn permitted(length: u64) -> Result<(), Misused> {
    if length <= WRITE_BYTES_MAX as u64 {
        return Ok(());
    }
    let problem = format!("{length} bytes at once; `check-write` permits {WRITE_BYTES_MAX}");
    Err(Misused { function: "output-stream.write", problem })
}

fn write(mut context: Context<'_>, stream: u32, bytes: &[u8]) {
    let state = context.data_mut();
    let (lines, level) = match stream {
        STDOUT => (state.wasi.stdout.push(bytes), OUT_LEVEL),
        _ => (state.wasi.stderr.push(bytes), ERROR_LEVEL),
    };
    for line in lines {
        write_line(state, level, &line);
    }
}
