//! Where a sink writes.

use std::path::{Path, PathBuf};

use volley_api::Epoch;

use crate::{Compression, Error, FileFormat, FileSinkOptions};

/// What standard output is called in `path` and in messages.
pub(crate) const STDOUT: &str = "-";

/// Where a sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output, or what stands in for it.
    Stream,
    /// One file.
    File {
        /// The folder that it lies in.
        folder: PathBuf,
        /// Its name there.
        name: String,
    },
    /// A file for each writer and epoch.
    Folder(PathBuf),
}

impl Target {
    pub(crate) fn new(path: &str, base_dir: &Path) -> Result<Self, Error> {
        if path == STDOUT {
            return Ok(Self::Stream);
        }
        if path.is_empty() {
            return Err(Error::Options("`path` is empty: name a file, a folder/ or -".to_owned()));
        }
        let full = base_dir.join(path);
        if path.ends_with('/') || full.is_dir() {
            return Ok(Self::Folder(full));
        }
        let name = full.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::Options(format!("{path}: not the name of a file")))?.to_owned();
        let folder = full.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self::File { folder: folder.to_owned(), name })
    }

    /// The folder that files are staged and renamed in; `None` for a stream.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Stream => None,
            Self::File { folder, .. } | Self::Folder(folder) => Some(folder),
        }
    }

    /// The final name of the `part`-th file (from 0) of a writer in an epoch.
    pub(crate) fn final_name(&self, subtask: u32, epoch: Epoch, part: usize, extension: &str) -> String {
        match (self, part) {
            (Self::File { name, .. }, _) => name.clone(),
            (_, 0) => format!("part-{subtask}-{epoch}.{extension}"),
            (_, part) => format!("part-{subtask}-{epoch}-{part}.{extension}"),
        }
    }

    /// What a staged file is named after, before its epoch is known.
    pub(crate) fn stem(&self, subtask: u32) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            _ => format!("part-{subtask}"),
        }
    }
}

/// The format and compression that options ask for.
pub(crate) fn encoding(options: &FileSinkOptions, target: &Target) -> Result<(FileFormat, Compression), Error> {
    let path = Path::new(&options.path);
    let by_name = match target {
        Target::Stream => Some(FileFormat::Jsonl),
        Target::File { .. } => FileFormat::of_path(path),
        Target::Folder(_) => None,
    };
    let format = options.format.or(by_name).ok_or_else(|| {
        let (path, names) = (&options.path, FileFormat::NAMES);
        Error::Options(format!("{path}: no format has this extension; set `format` to one of {names}"))
    })?;
    let compression = match (options.compression, target) {
        (Compression::Auto, Target::Stream | Target::Folder(_)) => Compression::None,
        (compression, _) => compression.of_path(path),
    };
    let compresses_inside = matches!(format, FileFormat::Parquet | FileFormat::Avro);
    if compresses_inside && compression != Compression::None {
        let (path, format) = (&options.path, format.as_str());
        return Err(Error::Options(format!(
            "{path}: {format} compresses inside; leave `compression` and its extension out"
        )));
    }
    Ok((format, compression))
}

/// The extension of files in a folder.
pub(crate) fn extension(format: FileFormat, compression: Compression) -> String {
    let end = match compression {
        Compression::Gzip => ".gz",
        Compression::Zstd => ".zst",
        Compression::None | Compression::Auto => "",
    };
    format!("{}{end}", format.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<(FileFormat, Compression), String> {
        let options: FileSinkOptions = serde_json::from_str(json).expect("options");
        let target = Target::new(&options.path, Path::new("/nowhere")).map_err(|error| error.to_string())?;
        encoding(&options, &target).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_say_what_is_written() {
        assert_eq!(of(r#"{"path":"a.csv.gz"}"#), Ok((FileFormat::Csv, Compression::Gzip)));
        assert_eq!(of(r#"{"path":"-"}"#), Ok((FileFormat::Jsonl, Compression::None)));
        assert_eq!(of(r#"{"path":"o/","format":"parquet"}"#), Ok((FileFormat::Parquet, Compression::None)));
        assert!(of(r#"{"path":"o/"}"#).unwrap_err().contains("set `format`"));
        assert!(of(r#"{"path":"a.txt"}"#).unwrap_err().contains("a.txt: no format"));
        assert!(of(r#"{"path":"a.parquet.zst"}"#).unwrap_err().contains("compresses inside"));
        assert!(of(r#"{"path":""}"#).unwrap_err().contains("empty"));
    }

    #[test]
    fn parts_are_named_after_writer_and_epoch() {
        let folder = Target::Folder("o".into());
        assert_eq!(folder.final_name(2, Epoch(7), 0, "csv"), "part-2-7.csv");
        assert_eq!(folder.final_name(2, Epoch(7), 1, "csv"), "part-2-7-1.csv");
        let file = Target::new("x/o.csv", Path::new("/base")).expect("a file");
        assert_eq!(file.folder(), Some(Path::new("/base/x")));
        assert_eq!(file.final_name(0, Epoch(7), 0, "csv"), "o.csv");
    }
}
