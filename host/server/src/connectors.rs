//! The connectors that this host was built with: the one place that names them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::schema_for;
use tokio::task::spawn_blocking;
use volley_api::{Error, Result, Sink, Source};
use volley_config::{ConnectorSection, KnownConnectors};
use volley_connector_file::{FileSink, FileSinkOptions, FileSource, FileSourceOptions};
use volley_connector_generate::{ColumnEvaluator, GenerateOptions, GenerateSource, base_schema};
use volley_connector_memory::DiscardSink;
use volley_connector_nexmark::{NexmarkOptions, NexmarkSource};
use volley_expr::Projection;

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
pub(crate) async fn source(section: &ConnectorSection, folder: &Path) -> Result<Arc<dyn Source>> {
    match section.kind.as_str() {
        "file" => {
            let options: FileSourceOptions = section.options.read()?;
            let folder = folder.to_owned();
            // Looks into files, or waits for the first lines of standard input.
            let opened = spawn_blocking(move || FileSource::open(options, &folder)).await;
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
pub(crate) fn sink(section: &ConnectorSection, folder: &Path) -> Result<Arc<dyn Sink>> {
    match section.kind.as_str() {
        "file" => {
            let options: FileSinkOptions = section.options.read()?;
            Ok(Arc::new(FileSink::new(options, folder)?))
        }
        DISCARD => {
            section.options.read::<NoOptions>()?;
            Ok(Arc::new(DiscardSink::new()))
        }
        other => Err(unknown("sink", other)),
    }
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
