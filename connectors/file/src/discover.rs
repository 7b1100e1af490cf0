//! Finds the files that a source's `path` means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, FileFormat};

/// The files that `path` means, sorted by name. `path` is relative to `base`; so are the results, where they can be.
pub(crate) fn files(base: &Path, path: &str, format: Option<FileFormat>) -> Result<Vec<PathBuf>, Error> {
    let full = base.join(path);
    let found = match fs::metadata(&full) {
        Ok(metadata) if metadata.is_dir() => in_folder(&full, path, format)?,
        Ok(_) => vec![full],
        Err(_) if is_pattern(path) => matching(&full, path)?,
        Err(error) => return Err(Error::io("read", path, error)),
    };
    Ok(found)
}

/// A name for a file that stays the same wherever the pipeline's folder lies: relative to it, where that is possible.
pub(crate) fn split_name(base: &Path, file: &Path) -> Result<String, Error> {
    let short = file.strip_prefix(base).unwrap_or(file);
    match short.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(Error::Options(format!("{}: the name of a file is not UTF-8", file.display()))),
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Hidden files, staged output and markers like `_SUCCESS` are not data.
fn is_data(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !name.starts_with(['.', '_']) && !file.is_dir()
}

fn in_folder(folder: &Path, path: &str, format: Option<FileFormat>) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("read", path, error))?;
    let mut found = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| Error::io("read", path, error))?.path();
        // With a format every file counts, without one those whose names tell theirs.
        if is_data(&file) && (format.is_some() || FileFormat::of_path(&file).is_some()) {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        let detail = match format {
            Some(_) => "the folder has no files".to_owned(),
            None => format!("the folder has no file with an extension of a format: {}", FileFormat::NAMES),
        };
        return Err(Error::NoMatch { path: path.to_owned(), detail });
    }
    Ok(found)
}

fn matching(full: &Path, path: &str) -> Result<Vec<PathBuf>, Error> {
    let pattern = full.to_str().ok_or_else(|| Error::Options(format!("{}: not UTF-8", full.display())))?;
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, ..Default::default() };
    let paths =
        glob::glob_with(pattern, options).map_err(|error| Error::Options(format!("{path}: not a glob: {error}")))?;
    let mut found = Vec::new();
    for file in paths {
        let file = file.map_err(|error| Error::io("read", error.path().display().to_string(), error.into()))?;
        if is_data(&file) {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::NoMatch { path: path.to_owned(), detail: "the glob matches nothing".to_owned() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn names(base: &Path, path: &str, format: Option<FileFormat>) -> Vec<String> {
        let files = files(base, path, format).expect("files");
        files.iter().map(|file| split_name(base, file).expect("UTF-8")).collect()
    }

    #[test]
    fn files_globs_and_folders() {
        let base = folder(&["d/b.csv", "d/a.csv", "d/.a.csv.staged-1", "d/_SUCCESS", "d/readme.txt", "d/e/c.csv"]);
        let base = base.path();
        assert_eq!(names(base, "d/a.csv", None), ["d/a.csv"]);
        assert_eq!(names(base, "d/*.csv", None), ["d/a.csv", "d/b.csv"]);
        assert_eq!(names(base, "d/**/*.csv", None), ["d/a.csv", "d/b.csv", "d/e/c.csv"]);
        assert_eq!(names(base, "d", None), ["d/a.csv", "d/b.csv"]);
        assert_eq!(names(base, "d/", Some(FileFormat::Csv)), ["d/a.csv", "d/b.csv", "d/readme.txt"]);
    }

    #[test]
    fn a_literal_name_wins_over_a_pattern() {
        let base = folder(&["a[1].csv", "a1.csv"]);
        assert_eq!(names(base.path(), "a[1].csv", None), ["a[1].csv"]);
    }

    #[test]
    fn nothing_found_names_the_path() {
        let base = folder(&["d/readme.txt"]);
        let error = |path: &str| files(base.path(), path, None).expect_err(path).to_string();
        assert!(error("none.csv").contains("none.csv: no such file"), "{}", error("none.csv"));
        assert!(error("*.csv").contains("*.csv: no file matches"));
        assert!(error("d").contains("no file with an extension"));
        assert!(error("d/[.csv").contains("not a glob"));
    }
}
