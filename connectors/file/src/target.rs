//! Where a sink writes.

use std::fs::{self, FileType};
use std::io;
use std::path::{Component, Path, PathBuf};

use volley_api::Epoch;

use crate::names::PART;
use crate::{Compression, Error, FileFormat, FileSinkOptions};

/// What standard output is called in `path`.
pub(crate) const STDOUT: &str = "-";
/// The name that the system has for it. It may lead to a file or socket, which opening by name would treat otherwise.
const STDOUT_DEVICE: &str = "/dev/stdout";
/// What standard output is called in messages.
pub(crate) const STDOUT_NAME: &str = "standard output";
/// The most links on the way to a file, which is also the limit of Linux.
const SYMLINKS_MAX: usize = 40;

/// Where a sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output, or what stands in for it.
    Stdout,
    /// A named pipe, a device or a socket: written to as it is.
    Pipe(PathBuf),
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
        if path == STDOUT || path == STDOUT_DEVICE {
            return Ok(Self::Stdout);
        }
        if path.is_empty() {
            return Err(Error::Options("`path` is empty: name a file, a folder/ or -".to_owned()));
        }
        let full = base_dir.join(path);
        match fs::metadata(&full) {
            Ok(metadata) if metadata.is_dir() => return Ok(Self::Folder(full)),
            Ok(metadata) if metadata.is_file() => {}
            Ok(metadata) if is_pipe(metadata.file_type()) => return Ok(Self::Pipe(full)),
            Ok(_) => {
                return Err(Error::Options(format!(
                    "{path}: neither a file, a folder, a pipe nor a character device: rows cannot be written to it"
                )));
            }
            // Nothing is there yet, or it cannot be looked at, which whoever opens it will tell.
            Err(_) if path.ends_with('/') => return Ok(Self::Folder(full)),
            Err(_) => {}
        }
        // What stands behind a link is replaced, not the link.
        let file = resolve(full).map_err(|error| Error::io("follow the links of", path, error))?;
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::Options(format!("{path}: not the name of a file")))?.to_owned();
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self::File { folder: folder.to_owned(), name })
    }

    /// The folder that files are staged and renamed in; `None` for a stream.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Stdout | Self::Pipe(_) => None,
            Self::File { folder, .. } | Self::Folder(folder) => Some(folder),
        }
    }

    /// Whether rows are written as they come, and cannot be taken back.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stdout | Self::Pipe(_))
    }

    /// The same text for all targets whose output would overwrite each other; `None` where nothing is kept.
    pub(crate) fn identity(&self) -> Option<String> {
        let path = match self {
            Self::Stdout => return Some(STDOUT_NAME.to_owned()),
            Self::Pipe(path) | Self::Folder(path) => real_path(path),
            Self::File { folder, name } => real_path(folder).join(name),
        };
        (path != Path::new("/dev/null")).then(|| path.display().to_string())
    }

    /// The final name of the `part`-th file (from 0) of a writer in an epoch of a run.
    pub(crate) fn final_name(&self, run: &str, subtask: u32, epoch: Epoch, part: usize, extension: &str) -> String {
        match (self, part) {
            (Self::File { name, .. }, _) => name.clone(),
            (_, 0) => format!("{PART}{run}-{subtask}-{epoch}.{extension}"),
            (_, part) => format!("{PART}{run}-{subtask}-{epoch}-{part}.{extension}"),
        }
    }

    /// What a staged file is named after, before its epoch is known.
    pub(crate) fn stem(&self, run: &str, subtask: u32) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            _ => format!("{PART}{run}-{subtask}"),
        }
    }
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_char_device() || kind.is_fifo() || kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

/// The file that a chain of links ends at, which need not exist.
fn resolve(mut path: PathBuf) -> io::Result<PathBuf> {
    for _ in 0..=SYMLINKS_MAX {
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(path);
        }
        let next = fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(io::Error::other(format!("more than {SYMLINKS_MAX} of them, one behind the other")))
}

/// The absolute path without links, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(real) = path.ancestors().find_map(|known| Some((known, fs::canonicalize(known).ok()?))) else {
        return path;
    };
    let (known, mut real) = real;
    // What does not exist has no links that could lead elsewhere.
    for part in path.strip_prefix(known).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            Component::Normal(name) => real.push(name),
            _ => {}
        }
    }
    real
}

/// The format and compression that options ask for.
pub(crate) fn encoding(options: &FileSinkOptions, target: &Target) -> Result<(FileFormat, Compression), Error> {
    let path = Path::new(&options.path);
    let by_name = match target {
        Target::Stdout => Some(FileFormat::Jsonl),
        // As for the source: a pipe's name may say what goes through.
        Target::Pipe(_) => FileFormat::of_path(path).or(Some(FileFormat::Jsonl)),
        Target::File { .. } => FileFormat::of_path(path),
        Target::Folder(_) => None,
    };
    let format = options.format.or(by_name).ok_or_else(|| {
        let (path, names) = (&options.path, FileFormat::NAMES);
        Error::Options(format!(
            "{path}: no format has this extension; set `format` (--output-format on the command line) to one of {names}"
        ))
    })?;
    let compression = match (options.compression, target) {
        (Compression::Auto, Target::Stdout | Target::Folder(_)) => Compression::None,
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
    format!("{}{end}", format.extension())
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

    #[cfg(unix)]
    #[test]
    fn equal_targets_have_one_identity() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = folder.path().canonicalize().expect("a real path");
        fs::create_dir(base.join("d")).expect("a folder");
        for (link, to) in [("l", "d"), ("o.csv", "d/x.csv"), ("p.csv", "o.csv"), ("loop", "loop")] {
            std::os::unix::fs::symlink(to, base.join(link)).expect("a link");
        }
        let identity = |path: &str| Target::new(path, &base).expect(path).identity();
        let real = |path: &str| Some(base.join(path).display().to_string());
        for path in ["d/x.csv", "l/x.csv", "o.csv", "p.csv", "./d/../l/x.csv"] {
            assert_eq!(identity(path), real("d/x.csv"), "{path}");
        }
        assert_eq!((identity("d"), identity("l/")), (real("d"), real("d")));
        assert_eq!((identity("n/m/"), identity("n/o/../m/")), (real("n/m"), real("n/m")));
        for path in ["-", "/dev/stdout"] {
            assert_eq!(identity(path).as_deref(), Some("standard output"));
        }
        assert_eq!(identity("/dev/null"), None);
        assert!(Target::new("loop", &base).expect_err("a circle").to_string().contains("loop"));
    }

    #[test]
    fn parts_are_named_after_writer_and_epoch() {
        let folder = Target::Folder("o".into());
        assert_eq!(folder.final_name("ab", 2, Epoch(7), 0, "csv"), "part-ab-2-7.csv");
        assert_eq!(folder.final_name("ab", 2, Epoch(7), 1, "csv"), "part-ab-2-7-1.csv");
        let file = Target::new("x/o.csv", Path::new("/base")).expect("a file");
        assert_eq!(file.folder(), Some(Path::new("/base/x")));
        assert_eq!(file.final_name("ab", 0, Epoch(7), 0, "csv"), "o.csv");
    }
}
