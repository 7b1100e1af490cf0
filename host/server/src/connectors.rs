//! The connectors that this host was built with: the one place that names them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::schema_for;
use tokio::task::spawn_blocking;
use volley_api::{CodecFactory, Error, NodeName, Result, Sink, Source};
use volley_config::{ConnectorSection, KnownConnectors, SinkSpec, SourceSpec, plugin_format};
use volley_connector_file::{FileSink, FileSinkOptions, FileSource, FileSourceOptions, SourceCodec};
use volley_connector_generate::{ColumnEvaluator, GenerateOptions, GenerateSource, base_schema};
use volley_connector_memory::DiscardSink;
use volley_connector_nexmark::{NexmarkOptions, NexmarkSource};
use volley_expr::Projection;
use volley_wasm::PluginCodec;

use crate::compose::Surroundings;

/// The sink that drops its rows.
pub(crate) const DISCARD: &str = "discard";

/// The kinds that may stand in a pipeline file.
pub(crate) const KNOWN: KnownConnectors<'static> =
    KnownConnectors { sources: &["file", "generate", "nexmark"], sinks: &["file", DISCARD] };

/// The JSON Schema of the whole pipeline file.
pub(crate) fn pipeline_schema() -> serde_json::Value {
    volley_config::pipeline_schema(
        &[
            ("file", schema_for!(FileSourceOptions)),
            ("generate", schema_for!(GenerateOptions)),
            ("nexmark", schema_for!(NexmarkOptions)),
        ],
        &[("file", schema_for!(FileSinkOptions)), (DISCARD, schema_for!(NoOptions))],
    )
}

/// Makes a source. Files are looked at here, so that their schema is known before anything starts.
pub(crate) async fn source(node: &SourceSpec, around: &Surroundings<'_>) -> Result<Arc<dyn Source>> {
    let section = &node.connector;
    match section.kind.as_str() {
        "file" => {
            let options: FileSourceOptions = section.options.read()?;
            let folder = around.folder.to_owned();
            let codec = codec(section, &node.name, around)?;
            let codec = codec.map(|factory| SourceCodec { node: node.name.value.clone(), factory });
            // Looks into files, or waits for the first lines of standard input.
            let opened = spawn_blocking(move || FileSource::open_with(options, &folder, codec)).await;
            Ok(Arc::new(opened.map_err(|error| Error::internal(format!("opening files: {error}")))??))
        }
        "generate" => {
            let options: GenerateOptions = section.options.read()?;
            let columns: Vec<_> = options.columns.iter().map(|(name, sql)| (name.clone(), sql.clone())).collect();
            let columns =
                Projection::select(&columns, &base_schema()).and_then(|all| all.over_reads()).map_err(Error::from)?;
            Ok(Arc::new(GenerateSource::new(&options, Arc::new(GeneratedColumns(columns)))?))
        }
        "nexmark" => {
            let options: NexmarkOptions = section.options.read()?;
            Ok(Arc::new(NexmarkSource::new(&options)?))
        }
        other => Err(unknown("source", other)),
    }
}

/// Makes a sink. Nothing is written yet.
pub(crate) fn sink(node: &SinkSpec, around: &Surroundings<'_>) -> Result<Arc<dyn Sink>> {
    let section = &node.connector;
    match section.kind.as_str() {
        "file" => {
            let options: FileSinkOptions = section.options.read()?;
            let codec = codec(section, &node.name, around)?;
            Ok(Arc::new(FileSink::new_with(options, around.folder, codec)?))
        }
        DISCARD => {
            section.options.read::<NoOptions>()?;
            Ok(Arc::new(DiscardSink::new()))
        }
        other => Err(unknown("sink", other)),
    }
}

/// The codec of a file's `format: { plugin: … }`, whose numbers are those of the node.
fn codec(
    section: &ConnectorSection,
    node: &NodeName,
    around: &Surroundings<'_>,
) -> Result<Option<Arc<dyn CodecFactory>>> {
    let Some(spec) = plugin_format(&section.options)? else { return Ok(None) };
    let codec: PluginCodec =
        around.plugins.codec(&spec, around.folder).map_err(|error| error.within(&spec.component.place))?;
    codec.metrics().register(around.registry, node.as_str(), codec.plugin());
    Ok(Some(Arc::new(codec)))
}

fn unknown(side: &str, kind: &str) -> Error {
    Error::internal(format!("the {side} `{kind}` passed the check of the pipeline but has no connector"))
}

/// A connector that has nothing to set.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

/// Lets `generate`, which knows no SQL, make columns with expressions.
#[derive(Debug)]
struct GeneratedColumns(Projection);

impl ColumnEvaluator for GeneratedColumns {
    fn reads(&self) -> &[String] {
        self.0.reads()
    }

    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn evaluate(&self, base: &RecordBatch) -> Result<RecordBatch> {
        self.0.evaluate(base).map_err(Error::from)
    }
}
