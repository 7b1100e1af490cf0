//! Plugins: one operator each, written as a Cargo project, shipped as a component.

pub mod build;
pub mod cargo;
mod compact;
pub mod componentize;
pub mod contract;
pub mod debug_build;
pub mod diff;
pub mod inspect;
mod names;
pub mod new;
pub mod replay;
pub mod sections;
pub mod where_;

pub use build::{BuildRequest, BuiltPlugin, build};

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;

/// The largest file that the tool reads as a plugin: a Python component has 18 MB, ten times that with debug info.
pub const PLUGIN_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The identity of a component: `sha256:` and 64 hexadecimal digits.
pub fn digest(component: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(component))
}

/// Reads a file that should be a plugin, whole, and not more than [`PLUGIN_BYTES_MAX`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(PLUGIN_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let count = bytes.len() as u64;
    if count > PLUGIN_BYTES_MAX {
        let bytes = path.metadata().map_or(count, |meta| meta.len());
        return Err(Error::TooLarge { path: path.into(), bytes, max: PLUGIN_BYTES_MAX });
    }
    Ok(bytes)
}

/// Refuses a path where something else than a file or a link stands: a renamed file would take the place of a device.
pub(crate) fn check_replaceable(path: &Path) -> Result<(), Error> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() => Err(Error::OutIsSpecial { path: path.into() }),
        _ => Ok(()),
    }
}

/// Writes a file so that its name never stands for half of it: a neighbour first, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    check_replaceable(path)?;
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let mut staged = tempfile::Builder::new();
    staged.prefix(".volley-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A plugin is no secret: the umask decides, as it does for what cargo writes.
        staged.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut staged = staged.tempfile_in(dir).map_err(Error::io("write into", dir))?;
    std::io::Write::write_all(&mut staged, bytes).map_err(Error::io("write", path))?;
    staged.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ordinary_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        for path in [socket.as_path(), &link, dir.path()] {
            let error = write(path, b"x").unwrap_err();
            assert!(matches!(error, Error::OutIsSpecial { .. }) && error.is_usage(), "{error}");
        }
        assert!(!socket.metadata().unwrap().is_file());
        let file = dir.path().join("file");
        write(&file, b"x").unwrap();
        write(&file, b"y").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"y");
    }
}
