//! The sink: what it promises, and how prepared files become visible.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{
    CodecFactory, CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, ShownBeyond, Sink,
    SinkContext, SinkWriter,
};

use crate::blocking::{self, Place};
use crate::codec::SinkCodec;
use crate::names::{Own, TAKEN, run_part};
use crate::options::csv_bytes;
use crate::staged::Replacing;
use crate::target::{STDOUT, STDOUT_NAME, Target, encoding, extension};
use crate::token::Token;
use crate::write::{self, Encoding};
use crate::writer::FileSinkWriter;
use crate::{Error, Existing, FileFormat, FileSinkOptions, codec, folder, staged};

/// Files as a sink.
///
/// Rows go to `.<name>.staged-<unique>` beside the final place; `prepare` ends that file and makes it durable, `commit`
/// renames it. Standard output, pipes and devices are written as rows come, which cannot be taken back.
///
/// The first writer of a run looks whether the place is free, and the names of all files in a folder have what tells the run
/// from others: with checkpoints the job, the sink and the incarnation, so that another process finds what this one staged
/// and finishes it or throws it away.
#[derive(Debug)]
pub struct FileSink {
    settings: Arc<Settings>,
    /// What a stream's writer will take: standard output, or a pipe that it opens.
    stream: Option<Mutex<Option<Outlet>>>,
    /// The latest run whose first writer was opened.
    begun: tokio::sync::Mutex<Option<Begun>>,
}

/// A run that the place was looked at for.
#[derive(Debug)]
struct Begun {
    run: JobRun,
    node: NodeName,
    /// Its part of the names of files.
    name: Arc<str>,
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
    existing: Existing,
}

/// Where a stream's bytes go.
#[derive(Debug)]
enum Outlet {
    Open(Stream),
    /// To be opened, which waits until somebody reads it.
    At(PathBuf),
}

/// Standard output, a pipe or a device, opened.
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
        Self::new_with(options, base_dir, None)
    }

    /// As [`FileSink::new`], with the codec that `format: { plugin: … }` stands for.
    ///
    /// # Errors
    /// As [`FileSink::new`], and when there is a codec and the format is another.
    pub fn new_with(
        options: FileSinkOptions,
        base_dir: &Path,
        codec: Option<Arc<dyn CodecFactory>>,
    ) -> volley_api::Result<Self> {
        let settings = Settings::new(&options, base_dir, codec)?;
        let outlet = match &settings.target {
            Target::Stdout => Some(Outlet::Open(Stream(Box::new(std::io::stdout())))),
            Target::Pipe(path) => Some(Outlet::At(path.clone())),
            Target::File { .. } | Target::Folder(_) => None,
        };
        Ok(Self::of(settings, outlet))
    }

    /// Writes to `output` in the place of standard output; `path` in the options is not used.
    ///
    /// # Errors
    /// Those of [`FileSink::new`].
    pub fn to_writer(mut options: FileSinkOptions, output: Box<dyn Write + Send>) -> volley_api::Result<Self> {
        options.path = STDOUT.to_owned();
        let settings = Settings::new(&options, Path::new(""), None)?;
        Ok(Self::of(settings, Some(Outlet::Open(Stream(output)))))
    }

    fn of(settings: Settings, outlet: Option<Outlet>) -> Self {
        let stream = outlet.map(|outlet| Mutex::new(Some(outlet)));
        Self { settings: Arc::new(settings), stream, begun: tokio::sync::Mutex::default() }
    }

    /// The stream, for its one writer.
    async fn open_stream(&self, outlet: &Mutex<Option<Outlet>>) -> Result<Stream, Error> {
        let name = self.settings.name();
        let outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner).take();
        match outlet.ok_or_else(|| Error::Options(format!("{name} has one writer")))? {
            Outlet::Open(stream) => Ok(stream),
            Outlet::At(path) => {
                // Nobody may ever read it: the runtime must not wait for that when it ends.
                let open = move || fs::OpenOptions::new().write(true).open(path);
                let opened = blocking::run(Place::Detached, name, open).await?;
                let file = opened.map_err(|error| Error::io("write", name, error))?;
                Ok(Stream(Box::new(file)))
            }
        }
    }

    /// What the files of a run have in their names. For its first writer, sees to it that the folder is there and that the
    /// run may write into it.
    async fn begin(&self, context: &SinkContext) -> Result<Arc<str>, Error> {
        let mut begun = self.begun.lock().await;
        if let Some(begun) = begun.as_ref().filter(|begun| begun.run == context.run && begun.node == context.node) {
            return Ok(Arc::clone(&begun.name));
        }
        let name = run_part(&context.run, &context.node, context.clock.now_ms())?;
        if self.settings.target.folder().is_some() {
            let (settings, context) = (Arc::clone(&self.settings), context.clone());
            blocking::run(Place::Pool, &self.settings.path, move || settings.prepare_folder(&context)).await??;
        }
        let (run, node) = (context.run.clone(), context.node.clone());
        *begun = Some(Begun { run, node, name: Arc::clone(&name) });
        Ok(name)
    }

    /// Runs `work` on the folder and the token of a committable.
    async fn with_token<T: Send + 'static>(
        &self,
        committable: &Committable,
        work: fn(&Path, Replacing, &Token) -> Result<T, Error>,
    ) -> volley_api::Result<T> {
        let token = Token::decode(committable)?;
        let folder = self.settings.target.folder().map(PathBuf::from).ok_or_else(|| Error::Foreign {
            what: "a committable",
            detail: format!("{} has none", self.settings.name()),
        })?;
        let is_folder = matches!(self.settings.target, Target::Folder(_));
        let replacing = if is_folder { Replacing::No } else { Replacing::Yes };
        let outcome = blocking::run(Place::Pool, &self.settings.path, move || work(&folder, replacing, &token)).await?;
        Ok(outcome?)
    }
}

impl Settings {
    /// What messages call a stream.
    pub(crate) fn name(&self) -> &str {
        if self.target == Target::Stdout { STDOUT_NAME } else { &self.path }
    }

    /// Sees to it that the folder is there and that a run may write into it.
    fn prepare_folder(&self, context: &SinkContext) -> Result<(), Error> {
        let Some(folder) = self.target.folder() else { return Ok(()) };
        folder::make(folder)?;
        if !matches!(self.target, Target::Folder(_)) {
            return Ok(());
        }
        // What a job that goes on has written before is its own.
        if self.existing == Existing::Fail && !context.is_restored {
            let found = folder::earlier_part(folder, self.encoding.format)?;
            if let Some(file) = found {
                return Err(Error::Occupied { folder: self.path.clone(), file });
            }
        }
        if context.run.incarnation > 0 { folder::check_is_latest(folder, context) } else { Ok(()) }
    }

    fn new(options: &FileSinkOptions, base_dir: &Path, codec: Option<Arc<dyn CodecFactory>>) -> Result<Self, Error> {
        codec::check(options.format, codec.is_some())?;
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
        if options.existing.is_some() && !matches!(target, Target::Folder(_)) {
            let path = &options.path;
            return Err(Error::Options(format!("`existing` is for folders, and {path} is not one: end it in `/`")));
        }
        let encoding = Encoding {
            format,
            compression,
            delimiter,
            quote,
            header: options.csv.header,
            null_value: options.csv.null_value.clone(),
            is_stream: target.is_stream(),
            codec: codec.map(SinkCodec::new),
        };
        let (path, extension) = (options.path.clone(), extension(format, compression));
        let (part_rows_max, part_bytes_max) = (options.part_rows_max, options.part_bytes_max);
        let existing = options.existing.unwrap_or_default();
        Ok(Self { path, target, encoding, extension, part_rows_max, part_bytes_max, existing })
    }
}

#[async_trait]
impl Sink for FileSink {
    fn label(&self) -> String {
        let encoding = &self.settings.encoding;
        let format = encoding.codec.as_ref().map_or_else(|| encoding.format.as_str().to_owned(), SinkCodec::label);
        format!("file {} ({format})", self.settings.path)
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        match self.settings.target {
            Target::Stdout | Target::Pipe(_) => DeliveryGuarantee::Immediate,
            Target::File { .. } | Target::Folder(_) => DeliveryGuarantee::ExactlyOnce,
        }
    }

    fn target(&self) -> Option<String> {
        self.settings.target.identity()
    }

    fn is_single_epoch(&self) -> bool {
        let format = self.settings.encoding.format;
        let has_end = matches!(format, FileFormat::Parquet | FileFormat::Avro | FileFormat::Arrow);
        match self.settings.target {
            Target::File { .. } => true,
            Target::Stdout | Target::Pipe(_) => has_end,
            Target::Folder(_) => false,
        }
    }

    fn parallelism_max(&self) -> Option<u32> {
        match self.settings.target {
            Target::Stdout | Target::Pipe(_) | Target::File { .. } => Some(1),
            Target::Folder(_) => None,
        }
    }

    fn check(&self, input: &SchemaRef) -> volley_api::Result<()> {
        Ok(write::check(&self.settings.encoding, input)?)
    }

    async fn open(&self, context: SinkContext) -> volley_api::Result<Box<dyn SinkWriter>> {
        let stream = match &self.stream {
            None => None,
            Some(outlet) => Some(self.open_stream(outlet).await?),
        };
        let run = self.begin(&context).await?;
        Ok(Box::new(FileSinkWriter::new(Arc::clone(&self.settings), run, context, stream)))
    }

    async fn commit(&self, committable: &Committable) -> volley_api::Result<()> {
        let begun = self.begun.lock().await;
        // What was written a moment ago need not be read again; what waited for another start may have changed meanwhile.
        let is_own = begun.as_ref().is_some_and(|begun| begun.run == committable.run);
        drop(begun);
        self.with_token(committable, if is_own { staged::commit } else { staged::commit_restored }).await
    }

    async fn lookup(&self, committable: &Committable) -> volley_api::Result<CommitStatus> {
        self.with_token(committable, staged::lookup).await
    }

    async fn shows(&self, committable: &Committable) -> volley_api::Result<bool> {
        self.with_token(committable, staged::shows).await
    }

    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> volley_api::Result<ShownBeyond> {
        // Elsewhere names do not tell who wrote what is there.
        let Target::Folder(folder) = &self.settings.target else { return Ok(ShownBeyond::Unknown) };
        let (folder, own, incarnation) = (folder.clone(), Own::new(since, sink)?, since.incarnation);
        let work = move || folder::shown_beyond(&folder, &own, incarnation, epoch);
        let shown = blocking::run(Place::Pool, &self.settings.path, work).await??;
        Ok(shown.map_or(ShownBeyond::Nothing, ShownBeyond::UpTo))
    }

    async fn abort(&self, committable: &Committable) -> volley_api::Result<()> {
        self.with_token(committable, staged::abort).await
    }

    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> volley_api::Result<()> {
        // Elsewhere nothing is staged that a run could know again.
        let Target::Folder(folder) = &self.settings.target else { return Ok(()) };
        let mut begun = self.begun.lock().await;
        if begun.as_ref().is_some_and(|begun| begun.run.incarnation < run.incarnation) {
            // What that run staged is that of another from now on.
            *begun = None;
        }
        drop(begun);
        // All of them are read before anything is removed.
        let own = Own::new(run, sink)?;
        let mut names = HashSet::new();
        for committable in kept.iter().filter(|committable| committable.sink == *sink) {
            for file in Token::decode(committable)?.files {
                names.extend([format!(".{}{TAKEN}", file.name), file.staged]);
            }
        }
        let (folder, incarnation) = (folder.clone(), run.incarnation);
        let work = move || folder::clean_up(&folder, &own, incarnation, &names);
        Ok(blocking::run(Place::Pool, &self.settings.path, work).await??)
    }
}
