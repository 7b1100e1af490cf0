//! Writes the rows of one subtask: into staged files, or straight to a stream.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use volley_api::{Committable, Epoch, SinkContext, SinkWriter};
use volley_fail_point::{fail_point, planted};

use crate::blocking::{self, Place};
use crate::codec::SinkCodec;
use crate::sink::{Settings, Stream};
use crate::staged::Staged;
use crate::target::Target;
use crate::token::{PreparedFile, Token};
use crate::write::{Encoding, Out, Output, Seam};
use crate::{Error, FileFormat, folder};

pub(crate) struct FileSinkWriter {
    /// Away while work is running; for good, once that has failed or was cancelled.
    work: Option<Box<Work>>,
    place: Place,
    path: String,
}

impl FileSinkWriter {
    pub(crate) fn new(settings: Arc<Settings>, run: Arc<str>, context: SinkContext, stream: Option<Stream>) -> Self {
        let place = if stream.is_some() { Place::Detached } else { Place::Pool };
        let path = settings.path.clone();
        let work = Work { settings, run, context, stream, open: None, rolled: Vec::new(), epochs: 0, codec: None };
        Self { work: Some(Box::new(work)), place, path }
    }

    async fn run<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Work) -> Result<T, Error> + Send + 'static,
    ) -> volley_api::Result<T> {
        let fail = || Error::Broken(format!("{}: written to again after it had failed", self.path));
        let mut work = self.work.take().ok_or_else(fail)?;
        let run = move || {
            let outcome = step(&mut work);
            (work, outcome)
        };
        let (work, outcome) = blocking::run(self.place, &self.path, run).await?;
        let value = outcome?;
        self.work = Some(work);
        Ok(value)
    }
}

#[async_trait]
impl SinkWriter for FileSinkWriter {
    async fn write(&mut self, batch: RecordBatch) -> volley_api::Result<()> {
        self.run(move |work| work.write(&batch)).await
    }

    async fn prepare(&mut self, epoch: Epoch) -> volley_api::Result<Option<Committable>> {
        let prepared = self.run(move |work| work.prepare(epoch)).await?;
        // Only now: a job that breaks off does not wait here, and files without their token would be left behind.
        Ok(prepared.map(|Prepared { committable, staged }| {
            staged.into_iter().for_each(Staged::keep);
            committable
        }))
    }
}

/// One output, with the staged file that it is written to. The output goes first, since it holds the file open.
struct Open {
    output: Output,
    staged: Option<Staged>,
}

/// A staged file that is complete and durable.
struct Finished {
    staged: Staged,
    length: u64,
    crc32: u32,
}

/// Staged files and the token that stands for them.
struct Prepared {
    committable: Committable,
    staged: Vec<Staged>,
}

/// The blocking part of a writer.
struct Work {
    settings: Arc<Settings>,
    /// What tells the files of this run from those of others.
    run: Arc<str>,
    context: SinkContext,
    /// A stream that is written to, while no output is open on it.
    stream: Option<Stream>,
    open: Option<Open>,
    /// Files of this epoch that have reached their size.
    rolled: Vec<Finished>,
    /// How many epochs were prepared.
    epochs: u64,
    /// The codec at work, once something is written.
    codec: Option<SinkCodec>,
}

impl Work {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut at = 0;
        while at < batch.num_rows() {
            self.open()?;
            let open = self.open.as_mut().expect("just opened");
            let room = self.settings.part_rows_max.map_or(u64::MAX, |rows| rows.saturating_sub(open.output.rows));
            let rows = usize::try_from(room).unwrap_or(usize::MAX).min(batch.num_rows() - at);
            open.output.write(&batch.slice(at, rows))?;
            at += rows;
            if open.staged.is_none() {
                open.output.flush()?;
            }
            let is_long = self.settings.part_rows_max.is_some_and(|rows| open.output.rows >= rows);
            let is_large = self.settings.part_bytes_max.is_some_and(|bytes| open.output.bytes() >= bytes);
            if is_long || is_large {
                self.finish_file()?;
            }
        }
        Ok(())
    }

    /// Sees to it that an output is open.
    fn open(&mut self) -> Result<(), Error> {
        if self.open.is_some() {
            return Ok(());
        }
        self.check_epoch()?;
        let settings = Arc::clone(&self.settings);
        let (out, staged, name) = match settings.target.folder() {
            None => (self.take_stream()?, None, settings.name().to_owned()),
            Some(folder) => {
                let stem = settings.target.stem(&self.run, self.context.subtask.index);
                let (staged, file) = Staged::create(folder, &stem, self.context.clock.now_ms())?;
                (Out::File(file), Some(staged), self.display_name(folder))
            }
        };
        // In a folder every file has a header; on a stream the first epoch writes the only one.
        let is_first = !settings.target.is_stream() || self.epochs == 0;
        let mut encoding = Encoding { header: settings.encoding.header && is_first, ..settings.encoding.clone() };
        if let Some(codec) = &settings.encoding.codec {
            // One instance for all files of the writer: it keeps nothing between calls.
            let opened = match &self.codec {
                Some(codec) => codec.clone(),
                None => self.codec.insert(codec.open(&self.context)?).clone(),
            };
            encoding.codec = Some(opened);
        }
        let output = Output::new(out, &encoding, &self.context.input, &name)?;
        self.open = Some(Open { output, staged });
        Ok(())
    }

    /// A file, and a stream in a format with an end, hold one epoch.
    fn check_epoch(&self) -> Result<(), Error> {
        let path = &self.settings.path;
        match (&self.settings.target, self.settings.encoding.format) {
            (Target::File { .. }, _) if self.epochs > 0 => Err(Error::Options(format!(
                "{path} is one file and holds the rows of one epoch: write to a folder (a path that ends in `/`), which \
                 gets a file per epoch"
            ))),
            (Target::Stdout | Target::Pipe(_), FileFormat::Parquet | FileFormat::Avro | FileFormat::Arrow)
                if self.epochs > 0 =>
            {
                let (format, name) = (self.settings.encoding.format.as_str(), self.settings.name());
                Err(Error::Options(format!(
                    "{format} on {name} ends with the first epoch: write csv or jsonl, or to a folder"
                )))
            }
            _ => Ok(()),
        }
    }

    fn take_stream(&mut self) -> Result<Out, Error> {
        let stream = self.stream.take();
        let lost = || Error::Broken(format!("{} is gone", self.settings.name()));
        stream.map(|stream| Out::Stream(stream.0)).ok_or_else(lost)
    }

    /// What errors call the file being written: the user's own word for it.
    fn display_name(&self, folder: &Path) -> String {
        match &self.settings.target {
            Target::Folder(_) => folder.display().to_string(),
            Target::File { name, .. } => folder.join(name).display().to_string(),
            Target::Stdout | Target::Pipe(_) => self.settings.name().to_owned(),
        }
    }

    /// Ends the open output: a file becomes durable under its staged name, a stream is handed back.
    fn finish_file(&mut self) -> Result<(), Error> {
        let Some(Open { output, staged }) = self.open.take() else { return Ok(()) };
        let seam: Seam = output.finish()?;
        let (length, crc32) = seam.length_and_crc();
        match (seam.out, staged) {
            (Out::File(file), Some(staged)) => {
                let folder = self.settings.target.folder().unwrap_or(Path::new("."));
                let failed = |error| Error::io("write", self.display_name(folder), error);
                fail_point("staged-before-sync").map_err(failed)?;
                if !planted("skip-staged-sync") {
                    file.sync_all().map_err(failed)?;
                }
                fail_point("staged-after-sync").map_err(failed)?;
                self.rolled.push(Finished { staged, length, crc32 });
            }
            (Out::Stream(stream), _) => self.stream = Some(Stream(stream)),
            (Out::File(_), None) => {}
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Prepared>, Error> {
        // Without any rows, somebody who asked for a file or a stream still gets a valid one.
        if self.epochs == 0 && !matches!(self.settings.target, Target::Folder(_)) {
            self.open()?;
        }
        self.finish_file()?;
        self.epochs += 1;
        let finished = std::mem::take(&mut self.rolled);
        let Some(folder) = self.settings.target.folder().filter(|_| !finished.is_empty()) else { return Ok(None) };
        // The token is worth nothing unless the staged names survive a crash too.
        let failed = |error| Error::io("write", folder.display().to_string(), error);
        fail_point("staged-before-folder-sync").map_err(failed)?;
        folder::sync(folder)?;
        fail_point("staged-prepared").map_err(failed)?;
        let subtask = self.context.subtask.index;
        let file = |(part, finished): (usize, &Finished)| PreparedFile {
            staged: finished.staged.name().to_owned(),
            name: self.settings.target.final_name(&self.run, subtask, epoch, part, &self.settings.extension),
            length: finished.length,
            crc32: finished.crc32,
        };
        let token = Token::new(&self.context, epoch, finished.iter().enumerate().map(file).collect()).encode();
        let staged = finished.into_iter().map(|finished| finished.staged).collect();
        let committable = self.context.committable(epoch, token);
        Ok(Some(Prepared { committable, staged }))
    }
}
