//! The folder of a running job: whose it is, that it has one job, and the socket in it.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use volley_api::{Error, Result};

/// The socket's name.
const SOCKET: &str = "control.sock";
/// The folder is its owner's alone.
const FOLDER_MODE: u32 = 0o700;
/// And so is the socket.
const SOCKET_MODE: u32 = 0o600;
/// The bits that anybody else's access stands in.
const OTHERS: u32 = 0o077;
/// The longest path that a socket can have everywhere, in bytes: 104 with a closing zero on macOS, 108 on Linux.
pub(super) const SOCKET_PATH_MAX: usize = 103;

/// Where the socket of a folder is.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

/// A job's place in its folder, for as long as the value lives.
pub(super) struct Place {
    socket: PathBuf,
    /// Locked. The system unlocks it however the process ends, so that no leftover can lock a folder for good.
    _folder: File,
}

impl Drop for Place {
    fn drop(&mut self) {
        // While the folder is still locked, so that it is this job's socket; what cannot be removed is replaced later.
        drop(std::fs::remove_file(&self.socket));
    }
}

/// Takes a folder for a job, making it if need be, and listens in it.
pub(super) async fn take(folder: &Path) -> Result<(Place, UnixListener)> {
    let socket = socket(folder);
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        return Err(Error::config(format!(
            "--folder {}: the socket's path has {length} bytes, and the limit of the system is {SOCKET_PATH_MAX}: \
             choose a shorter one, or one relative to where the host is started",
            folder.display()
        )));
    }
    let locked = lock(folder)?;
    clear(&socket).await?;
    let failed = |error| Error::external(format!("cannot listen on {}", socket.display())).caused_by(error);
    let listener = UnixListener::bind(&socket).map_err(failed)?;
    let place = Place { socket: socket.clone(), _folder: locked };
    // Nobody else reaches it in between, since nobody else may enter the folder.
    std::fs::set_permissions(&socket, Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    Ok((place, listener))
}

/// Makes the folder, if need be, and locks it.
fn lock(folder: &Path) -> Result<File> {
    let shown = folder.display();
    let failed = |error: io::Error| Error::external(format!("cannot use the folder {shown}")).caused_by(error);
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(failed)?;
    let opened = File::open(folder).map_err(failed)?;
    let mode = opened.metadata().map_err(failed)?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(Error::config(format!(
            "--folder {shown} is open to others (mode {:03o}), who could then stop the job: `chmod 700 {shown}`, or \
             name a folder that does not exist yet",
            mode & 0o777
        )));
    }
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(occupied(folder)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn occupied(folder: &Path) -> Error {
    let shown = folder.display();
    Error::config(format!(
        "another job runs in the folder {shown}: give each its own (`volley-host status {shown}` shows it)"
    ))
}

/// Removes a socket that a job left behind which was killed. Whatever else stands there stays.
async fn clear(socket: &Path) -> Result<()> {
    let failed = |error| Error::external(format!("cannot look at {}", socket.display())).caused_by(error);
    match std::fs::symlink_metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Error::config(format!("{} is no socket, and is not replaced", socket.display())));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(socket).await {
        // On a file system whose locks do not reach other machines' processes, or with another program's socket.
        Ok(_) => Err(occupied(socket.parent().unwrap_or(Path::new(".")))),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(socket).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}
