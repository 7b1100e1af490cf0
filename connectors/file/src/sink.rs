//! The sink: what it promises, and how prepared files become visible.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tokio::sync::OnceCell;
use volley_api::{CommitStatus, Committable, DeliveryGuarantee, Sink, SinkContext, SinkWriter};

use crate::blocking::{self, Place};
use crate::options::csv_bytes;
use crate::target::{STDOUT, STDOUT_NAME, Target, earlier_part, encoding, extension};
use crate::token::Token;
use crate::write::{self, Encoding};
use crate::writer::FileSinkWriter;
use crate::{Error, Existing, FileSinkOptions, staged};

/// Files as a sink.
///
/// Rows go to `.<name>.staged-<unique>` beside the final place; `prepare` ends that file and makes it durable, `commit`
/// renames it. Standard output, pipes and devices are written as rows come, which cannot be taken back.
///
/// One value is for one run: its first writer looks whether the place is free, and the names of all files in a folder
/// have what tells this run from others.
#[derive(Debug)]
pub struct FileSink {
    settings: Arc<Settings>,
    /// What a stream's writer will take: standard output, or a pipe that it opens.
    stream: Option<Mutex<Option<Outlet>>>,
    /// The run's part of the names of files, once the first writer was opened.
    run: OnceCell<Arc<str>>,
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
        let settings = Settings::new(&options, base_dir)?;
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
        let settings = Settings::new(&options, Path::new(""))?;
        Ok(Self::of(settings, Some(Outlet::Open(Stream(output)))))
    }

    fn of(settings: Settings, outlet: Option<Outlet>) -> Self {
        let stream = outlet.map(|outlet| Mutex::new(Some(outlet)));
        Self { settings: Arc::new(settings), stream, run: OnceCell::new() }
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

    /// Sees to it that the folder is there and, unless output is added to it, free of what earlier runs have left.
    async fn prepare_folder(&self, folder: &Path) -> Result<(), Error> {
        let (folder, settings) = (folder.to_owned(), Arc::clone(&self.settings));
        let make = move || {
            let name = folder.display().to_string();
            let fail = |source| Error::Io { action: "make the folder", path: name.clone(), source };
            fs::create_dir_all(&folder).map_err(fail)?;
            if matches!(settings.target, Target::Folder(_)) && settings.existing == Existing::Fail {
                let format = settings.encoding.format;
                let found = earlier_part(&folder, format).map_err(|error| Error::io("look into", &name, error))?;
                if let Some(file) = found {
                    return Err(Error::Occupied { folder: settings.path.clone(), file });
                }
            }
            Ok(())
        };
        blocking::run(Place::Pool, &self.settings.path, make).await?
    }

    /// Runs `work` on the folder and the token of a committable.
    async fn with_token<T: Send + 'static>(
        &self,
        committable: &Committable,
        work: fn(&Path, &Token) -> Result<T, Error>,
    ) -> volley_api::Result<T> {
        let token = Token::decode(&committable.token)?;
        let folder = self.settings.target.folder().map(PathBuf::from).ok_or_else(|| Error::Foreign {
            what: "a committable",
            detail: format!("{} has none", self.settings.name()),
        })?;
        let outcome = blocking::run(Place::Pool, &self.settings.path, move || work(&folder, &token)).await?;
        Ok(outcome?)
    }
}

/// What no other run has in the names of its files: when it began, and a random number. Sorts by time.
fn run_id(now_ms: u64) -> Arc<str> {
    // The keys of the standard library's hash maps are its one source of random numbers.
    let random = RandomState::new().build_hasher().finish() as u32;
    format!("{now_ms:011x}-{random:08x}").into()
}

impl Settings {
    /// What messages call a stream.
    pub(crate) fn name(&self) -> &str {
        if self.target == Target::Stdout { STDOUT_NAME } else { &self.path }
    }

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
        format!("file {} ({})", self.settings.path, self.settings.encoding.format.as_str())
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
        matches!(self.settings.target, Target::File { .. })
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
        let start = async || -> Result<Arc<str>, Error> {
            if let Some(folder) = self.settings.target.folder() {
                self.prepare_folder(folder).await?;
            }
            Ok(run_id(context.clock.now_ms()))
        };
        let run = Arc::clone(self.run.get_or_try_init(start).await?);
        Ok(Box::new(FileSinkWriter::new(Arc::clone(&self.settings), run, context, stream)))
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
