//! The source: what it reads, and how its splits are opened.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{Boundedness, ReadOptions, Replay, Source, Split, SplitId, SplitOffset, SplitReader};

use crate::blocking::{self, Place};
use crate::input::ByteInput;
use crate::rate::RateLimiter;
use crate::read::Offset;
use crate::reader::FileSplitReader;
use crate::{Error, FileSourceOptions, SourceCodec, codec, discover};

mod open;
mod plan;

use open::StreamHead;
use plan::Plan;

/// What standard input is called in `path`, in messages, and as a split.
pub(crate) const STDIN: &str = "-";

/// Files as a source: one split per file.
///
/// Positions are line numbers from 1 in CSV and JSON Lines (the line that a record begins on) and row numbers from 0 in
/// the other formats. Files replay exactly as long as nobody changes them; standard input and named pipes do not.
#[derive(Debug)]
pub struct FileSource {
    plan: Arc<Plan>,
    limiter: Option<Arc<RateLimiter>>,
    /// The one split of a source that can be read once, until it is opened.
    stream: Option<Mutex<Option<StreamHead>>>,
}

impl FileSource {
    /// Finds the files and their schema. Blocks: it opens files, and reads the start of text files; of standard input
    /// and pipes until `infer_rows` records or the end have come, or until no more come after the first, unless `schema`
    /// is declared.
    ///
    /// `base_dir` is what a relative `path` is relative to.
    ///
    /// # Errors
    /// When options make no sense, nothing is there to read, or a file does not fit the others or the declared schema.
    pub fn open(options: FileSourceOptions, base_dir: &Path) -> volley_api::Result<Self> {
        Self::open_with(options, base_dir, None)
    }

    /// As [`FileSource::open`], with the codec that `format: { plugin: … }` stands for.
    ///
    /// # Errors
    /// As [`FileSource::open`], and when the codec refuses its configuration, or there is one and the format is another.
    pub fn open_with(
        options: FileSourceOptions,
        base_dir: &Path,
        codec: Option<SourceCodec>,
    ) -> volley_api::Result<Self> {
        codec::check(options.format, codec.is_some())?;
        if options.path == STDIN {
            return Ok(Self::stream(options, Path::new(STDIN), Box::new(std::io::stdin()), codec)?);
        }
        let full = base_dir.join(&options.path);
        match std::fs::metadata(&full) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                let name = options.path.clone();
                let pipe = File::open(&full).map_err(|error| Error::io("read", &name, error))?;
                Ok(Self::stream(options, &full, Box::new(pipe), codec)?)
            }
            _ => Ok(Self::files(options, base_dir, codec)?),
        }
    }

    /// Reads `input` in the place of standard input; `path` in the options only gives it a name. Blocks like
    /// [`FileSource::open`].
    ///
    /// # Errors
    /// Those of [`FileSource::open`].
    pub fn from_reader(options: FileSourceOptions, input: Box<dyn Read + Send>) -> volley_api::Result<Self> {
        codec::check(options.format, false)?;
        let path = PathBuf::from(&options.path);
        Ok(Self::stream(options, &path, input, None)?)
    }

    fn files(options: FileSourceOptions, base_dir: &Path, codec: Option<SourceCodec>) -> Result<Self, Error> {
        let limiter = limiter(&options)?;
        let name = options.path.clone();
        let plan = blocking::guard(&name, || Plan::of_files(options, base_dir, codec))??;
        Ok(Self { plan: Arc::new(plan), limiter, stream: None })
    }

    fn stream(
        options: FileSourceOptions,
        path: &Path,
        input: Box<dyn Read + Send>,
        codec: Option<SourceCodec>,
    ) -> Result<Self, Error> {
        let limiter = limiter(&options)?;
        let name = plan::display_name(&options.path).to_owned();
        let (plan, head) = blocking::guard(&name, || Plan::of_stream(options, path, input, codec))??;
        Ok(Self { plan: Arc::new(plan), limiter, stream: Some(Mutex::new(Some(head))) })
    }
}

fn limiter(options: &FileSourceOptions) -> Result<Option<Arc<RateLimiter>>, Error> {
    options.rate.map(RateLimiter::new).transpose().map(|limiter| limiter.map(Arc::new))
}

#[async_trait]
impl Source for FileSource {
    fn label(&self) -> String {
        let format = self.plan.codec.as_ref().map_or_else(|| self.plan.format.as_str().to_owned(), SourceCodec::label);
        format!("file {} ({format})", self.plan.options.path)
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.schema)
    }

    fn boundedness(&self) -> Boundedness {
        if self.plan.options.follow { Boundedness::Unbounded } else { Boundedness::Bounded }
    }

    fn replay(&self) -> Replay {
        if self.stream.is_some() { Replay::None } else { Replay::Exact }
    }

    fn compare(&self, left: &SplitOffset, right: &SplitOffset) -> Option<Ordering> {
        Offset::decode(left).ok()?.compare(Offset::decode(right).ok()?)
    }

    fn can_reject(&self) -> bool {
        self.plan.format.is_stream()
    }

    async fn discover(&self) -> volley_api::Result<Vec<Split>> {
        if self.stream.is_some() {
            return Ok(vec![Split { id: SplitId::new(&self.plan.options.path), size_units: None }]);
        }
        let plan = Arc::clone(&self.plan);
        let found = blocking::run(Place::Pool, &self.plan.options.path, move || splits(&plan)).await?;
        Ok(found?)
    }

    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        options: ReadOptions,
    ) -> volley_api::Result<Box<dyn SplitReader>> {
        let mut rows_max = options.batch_rows_max;
        if let Some(limiter) = &self.limiter {
            rows_max = limiter.batch_rows_max(rows_max);
        }
        let from = from.map(Offset::decode).transpose()?;
        let (plan, name) = (Arc::clone(&self.plan), split.id.as_str().to_owned());
        let (place, work) = match &self.stream {
            None => {
                let open = move || plan.open_file(&name, from, rows_max.get());
                (Place::Pool, blocking::run(Place::Pool, split.id.as_str(), open).await??)
            }
            Some(stream) => {
                let head = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                let name = self.plan.name();
                let head = head.ok_or_else(|| Error::Options(format!("{name}: can be read only once")))?;
                let open = move || plan.open_stream(head, rows_max.get());
                (Place::Detached, blocking::run(Place::Detached, name, open).await??)
            }
        };
        let follow_interval = Duration::from_millis(self.plan.options.follow_interval_ms);
        let name = if self.stream.is_some() { self.plan.name() } else { split.id.as_str() };
        Ok(Box::new(FileSplitReader::new(work, place, name, self.limiter.clone(), follow_interval)))
    }
}

fn splits(plan: &Plan) -> Result<Vec<Split>, Error> {
    let files = discover::files(&plan.base_dir, &plan.options.path, plan.options.format)?;
    let split = |file: PathBuf| {
        let name = discover::split_name(&plan.base_dir, &file)?;
        let size = std::fs::metadata(&file).map_err(|error| Error::io("read", &name, error))?.len();
        Ok(Split { id: SplitId::new(&name), size_units: Some(size) })
    };
    files.into_iter().map(split).collect()
}

/// A stream over something that can be read once.
fn byte_stream(options: &FileSourceOptions, path: &Path, input: Box<dyn Read + Send>) -> Result<ByteInput, Error> {
    ByteInput::stream(input, plan::display_name(&options.path), options.compression.of_path(path))
}
