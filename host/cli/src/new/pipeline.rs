//! `volley new`: a pipeline that runs as it is, over a small file that comes with it.

use std::path::{Path, PathBuf};

use super::{Template, check_name, write_project};
use crate::Error;

const FILES: [Template; 4] = [
    ("pipeline.yaml", include_str!("../../templates/pipeline/pipeline.yaml")),
    ("data/orders.csv", include_str!("../../templates/pipeline/data/orders.csv")),
    ("README.md", include_str!("../../templates/pipeline/README.md")),
    // The leading dot is left off in this repository, where it would count for the template itself.
    (".gitignore", include_str!("../../templates/pipeline/gitignore")),
];

/// Makes a pipeline project in `dir` (by default a folder of that name) and lists its files.
///
/// # Errors
/// [`Error::BadName`], [`Error::NotEmpty`], [`Error::Io`].
pub fn create(name: &str, dir: Option<&Path>) -> Result<Vec<PathBuf>, Error> {
    check_name("pipeline", name)?;
    let dir = dir.map_or_else(|| PathBuf::from(name), Path::to_path_buf);
    write_project(&dir, &FILES, &[("name", name)])
}
