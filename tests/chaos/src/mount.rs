//! Filesystems of our own, where this process may mount some: a small one in memory, and an image in a file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, Stop};

/// A mounted filesystem; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mount(PathBuf);

/// Runs a program that must succeed.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<()> {
    let failed = |why: String| Stop::Trouble(format!("{program}: {why}"));
    let output = Command::new(program).args(arguments).output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

impl Mount {
    /// A filesystem in memory of so many KiB.
    pub(crate) fn memory(at: &Path, kib: u64) -> Result<Self> {
        fs::create_dir_all(at)?;
        run("mount", &["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs", &at.display().to_string()])?;
        Ok(Self(at.to_owned()))
    }

    /// The ext4 in a file.
    pub(crate) fn image(image: &Path, at: &Path) -> Result<Self> {
        fs::create_dir_all(at)?;
        run("mount", &[OsStr::new("-o"), OsStr::new("loop"), image.as_os_str(), at.as_os_str()])?;
        Ok(Self(at.to_owned()))
    }

    /// The same, which becomes read-only when something has gone wrong.
    pub(crate) fn fragile(image: &Path, at: &Path) -> Result<Self> {
        fs::create_dir_all(at)?;
        let options = OsStr::new("loop,errors=remount-ro");
        run("mount", &[OsStr::new("-o"), options, image.as_os_str(), at.as_os_str()])?;
        Ok(Self(at.to_owned()))
    }

    /// Changes its options.
    pub(crate) fn remount(&self, options: &str) -> Result<()> {
        run("mount", &["-o", &format!("remount,{options}"), &self.0.display().to_string()])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still has files open there loses nothing of them.
        drop(run("umount", &[OsStr::new("-l"), self.0.as_os_str()]));
    }
}

/// A file with an empty ext4 of so many MiB.
pub(crate) fn make_image(image: &Path, mib: u64) -> Result<()> {
    File::create(image)?.set_len(mib << 20)?;
    run("mkfs.ext4", &[OsStr::new("-q"), OsStr::new("-F"), image.as_os_str()])
}
