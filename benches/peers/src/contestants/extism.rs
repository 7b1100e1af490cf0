//! Extism: bytes in and bytes out. The bytes are Arrow IPC streams, written and read with arrow-rs on both sides.

use std::error::Error;
use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use extism::{Plugin, PluginBuilder};

use super::Contestant;

struct Extism {
    plugin: Plugin,
    /// The encoded input, allocated once.
    input: Vec<u8>,
}

pub(crate) fn load(guests: &Path) -> Result<Box<dyn Contestant>, Box<dyn Error>> {
    let path = guests.join("peer_extism.wasm");
    let module = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // Its cache of compiled modules would be a file outside this project.
    let plugin = PluginBuilder::new(module).with_wasi(false).with_cache_disabled().build()?;
    Ok(Box::new(Extism { plugin, input: Vec::new() }))
}

impl Contestant for Extism {
    fn call(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
        self.input.clear();
        let mut writer = StreamWriter::try_new(&mut self.input, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()?;
        drop(writer);
        let output: &[u8] = self.plugin.call("filter_project", self.input.as_slice())?;
        Ok(StreamReader::try_new(output, None)?.collect::<Result<_, _>>()?)
    }
}
