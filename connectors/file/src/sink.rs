//! The sink: what it promises, and how prepared files become visible.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{CommitStatus, Committable, DeliveryGuarantee, Sink, SinkContext, SinkWriter};

use crate::blocking::{self, Place};
use crate::options::csv_bytes;
use crate::target::{STDOUT, Target, encoding, extension};
use crate::token::Token;
use crate::write::{self, Encoding};
use crate::writer::FileSinkWriter;
use crate::{Error, FileSinkOptions, staged};

/// Files as a sink.
///
/// Rows go to `.<name>.staged-<unique>` beside the final place; `prepare` ends that file and makes it durable, `commit`
/// renames it. Standard output is written as rows come and cannot be taken back.
#[derive(Debug)]
pub struct FileSink {
    settings: Arc<Settings>,
    /// Standard output, until its writer takes it.
    stream: Option<Mutex<Option<Stream>>>,
}

/// What the writers of a sink have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) path: String,
    pub(crate) target: Target,
    pub(crate) encoding: Encoding,
    pub(crate) extension: String,
    pub(crate) part_rows_max: Option<u64>,
    pub(crate) part_bytes_max: Option<u64>,
}

/// Standard output, or what stands in for it.
pub(crate) struct Stream(pub(crate) Box<dyn Write + Send>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

impl FileSink {
    /// Settles where and how to write; touches nothing.
    ///
    /// `base_dir` is what a relative `path` is relative to.
    ///
    /// # Errors
    /// When options make no sense.
    pub fn new(options: FileSinkOptions, base_dir: &Path) -> volley_api::Result<Self> {
        let settings = Settings::new(&options, base_dir)?;
        let stream = match settings.target {
            Target::Stream => Some(Mutex::new(Some(Stream(Box::new(std::io::stdout()))))),
            _ => None,
        };
        Ok(Self { settings: Arc::new(settings), stream })
    }

    /// Writes to `output` in the place of standard output; `path` in the options is not used.
    ///
    /// # Errors
    /// Those of [`FileSink::new`].
    pub fn to_writer(mut options: FileSinkOptions, output: Box<dyn Write + Send>) -> volley_api::Result<Self> {
        options.path = STDOUT.to_owned();
        let settings = Settings::new(&options, Path::new(""))?;
        Ok(Self { settings: Arc::new(settings), stream: Some(Mutex::new(Some(Stream(output)))) })
    }

    /// Runs `work` on the folder and the token of a committable.
    async fn with_token<T: Send + 'static>(
        &self,
        committable: &Committable,
        work: fn(&Path, &Token) -> Result<T, Error>,
    ) -> volley_api::Result<T> {
        let token = Token::decode(&committable.token)?;
        let folder =
            self.settings.target.folder().map(PathBuf::from).ok_or_else(|| Error::Foreign {
                what: "a committable",
                detail: "standard output has none".to_owned(),
            })?;
        let outcome = blocking::run(Place::Pool, &self.settings.path, move || work(&folder, &token)).await?;
        Ok(outcome?)
    }
}

impl Settings {
    fn new(options: &FileSinkOptions, base_dir: &Path) -> Result<Self, Error> {
        let target = Target::new(&options.path, base_dir)?;
        let (format, compression) = encoding(options, &target)?;
        let (delimiter, quote) = csv_bytes(options.csv.delimiter, options.csv.quote, Path::new(&options.path))?;
        for (key, value) in [("part_rows_max", options.part_rows_max), ("part_bytes_max", options.part_bytes_max)] {
            match (value, &target) {
                (None, _) | (Some(1..), Target::Folder(_)) => {}
                (Some(0), _) => return Err(Error::Options(format!("`{key}` is 0: use at least 1"))),
                _ => {
                    let path = &options.path;
                    return Err(Error::Options(format!(
                        "`{key}` is for folders, and {path} is not one: end it in `/`"
                    )));
                }
            }
        }
        let encoding = Encoding {
            format,
            compression,
            delimiter,
            quote,
            header: options.csv.header,
            null_value: options.csv.null_value.clone(),
            is_stream: target == Target::Stream,
        };
        let (path, extension) = (options.path.clone(), extension(format, compression));
        let (part_rows_max, part_bytes_max) = (options.part_rows_max, options.part_bytes_max);
        Ok(Self { path, target, encoding, extension, part_rows_max, part_bytes_max })
    }
}

#[async_trait]
impl Sink for FileSink {
    fn label(&self) -> String {
        format!("file {} ({})", self.settings.path, self.settings.encoding.format.as_str())
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.settings.target {
            Target::Stream => DeliveryGuarantee::Immediate,
            Target::File { .. } | Target::Folder(_) => DeliveryGuarantee::ExactlyOnce,
        }
    }

    fn parallelism_max(&self) -> Option<u32> {
        match self.settings.target {
            Target::Stream | Target::File { .. } => Some(1),
            Target::Folder(_) => None,
        }
    }

    fn check(&self, input: &SchemaRef) -> volley_api::Result<()> {
        Ok(write::check(&self.settings.encoding, input)?)
    }

    async fn open(&self, context: SinkContext) -> volley_api::Result<Box<dyn SinkWriter>> {
        let stream = match &self.stream {
            None => None,
            Some(stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                Some(stream.ok_or_else(|| Error::Options("standard output has one writer".to_owned()))?)
            }
        };
        if let Some(folder) = self.settings.target.folder().map(PathBuf::from) {
            let name = folder.display().to_string();
            let make = move || std::fs::create_dir_all(&folder);
            let made = blocking::run(Place::Pool, &self.settings.path, make).await?;
            made.map_err(|source| Error::Io { action: "make the folder", path: name, source })?;
        }
        Ok(Box::new(FileSinkWriter::new(Arc::clone(&self.settings), context, stream)))
    }

    async fn commit(&self, committable: &Committable) -> volley_api::Result<()> {
        self.with_token(committable, staged::commit).await
    }

    async fn lookup(&self, committable: &Committable) -> volley_api::Result<CommitStatus> {
        self.with_token(committable, staged::lookup).await
    }

    async fn abort(&self, committable: &Committable) -> volley_api::Result<()> {
        self.with_token(committable, staged::abort).await
    }
}
