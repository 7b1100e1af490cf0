//! The cache of compiled components, so that a plugin is compiled once per machine.
//!
//! A file is named by the component's SHA-256 and the hash of everything that decides how it is compiled; it holds a
//! mark, the SHA-256 of the artefact, and the artefact. The digest finds damage. Against forgery stands that folder and
//! file belong to the user of this process and nobody else may write there: whoever can, can also replace the host.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::abi;

const MARK: &[u8; 16] = b"volley-aot-v1\0\0\0";
const DIGEST_BYTES: usize = 32;

/// The largest artefact that is read back: a Python component compiles to about 100 MB.
const ARTEFACT_BYTES_MAX: u64 = 1 << 30;

/// Where compiled components are kept when nothing else is said: `$XDG_CACHE_HOME/volley/aot`, else
/// `~/.cache/volley/aot`; `None` when neither variable is set.
#[must_use]
pub fn default_cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("volley").join("aot"))
}

/// A folder of compiled components for one engine.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    engine_hash: String,
}

impl Cache {
    /// Makes the folder if need be, and refuses one that others can write to.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::metadata(folder)?;
        check_private(&metadata)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!("{} must be open to its owner only (chmod 700)", folder.display())));
        }
        let mut hasher = StableHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { folder: folder.to_owned(), engine_hash: hex(&hasher.0.finalize()[..8]) })
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.aot", self.engine_hash))
    }

    /// The compiled component with this digest, if there is an undamaged one.
    pub(crate) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.file(digest);
        match self.read(engine, &path) {
            Ok(component) => component,
            Err(problem) => {
                tracing::warn!(file = %path.display(), problem, "a cached plugin is not usable and is compiled again");
                None
            }
        }
    }

    #[expect(unsafe_code, reason = "the one call of abi::deserialize")]
    fn read(&self, engine: &Engine, path: &Path) -> Result<Option<Component>, String> {
        let file = match OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        check_private(&file.metadata().map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(ARTEFACT_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let artefact = checked_artefact(&bytes).ok_or("it is damaged")?;
        // SAFETY: the artefact is what `put` wrote: the digest before it matches these very bytes, which are in our own
        // memory now, and the file belongs to this process's user and is writable by nobody else, in a folder that is
        // open to that user alone (`check_private` and `open`), so nobody else can have made both. `put` writes only
        // what `Component::serialize` gave, under a name with the engine's compatibility hash.
        let component = unsafe { abi::deserialize::component(engine, artefact) };
        component.map(Some).map_err(|error| format!("{error:#}"))
    }

    /// Keeps a compiled component. A failure costs time at the next start and nothing else, so it is only logged.
    pub(crate) fn put(&self, digest: &str, component: &Component) {
        let path = self.file(digest);
        let written = component
            .serialize()
            .map_err(|error| format!("{error:#}"))
            .and_then(|artefact| write_atomically(&path, &artefact).map_err(|error| error.to_string()));
        if let Err(problem) = written {
            tracing::warn!(file = %path.display(), problem, "a compiled plugin could not be cached");
        }
    }
}

/// `O_NOFOLLOW`: a symbolic link in place of the file is refused.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

fn write_atomically(path: &Path, artefact: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(MARK)?;
    file.write_all(&Sha256::digest(artefact))?;
    file.write_all(artefact)?;
    file.as_file().sync_data()?;
    let _: File = file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn checked_artefact(bytes: &[u8]) -> Option<&[u8]> {
    let (digest, artefact) = bytes.strip_prefix(MARK)?.split_at_checked(DIGEST_BYTES)?;
    (Sha256::digest(artefact).as_slice() == digest).then_some(artefact)
}

fn check_private(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it"));
    }
    Ok(())
}

/// Lower-case hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    })
}

/// The standard library's hasher may change between versions of Rust; file names should not.
struct StableHasher(Sha256);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn component(engine: &Engine) -> Component {
        Component::from_binary(engine, &wat::parse_str("(component)").expect("valid text")).expect("compiles")
    }

    #[test]
    fn what_was_put_is_got_and_damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("aot");
        let engine = Engine::default();
        let cache = Cache::open(&path, &engine).expect("opens");
        assert!(cache.get(&engine, "d1").is_none());
        cache.put("d1", &component(&engine));
        assert!(cache.get(&engine, "d1").is_some());
        assert!(cache.get(&engine, "d2").is_none());
        let file = cache.file("d1");
        assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o700);
        let mut bytes = fs::read(&file).expect("readable");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&file, &bytes).expect("writable");
        assert!(cache.get(&engine, "d1").is_none(), "a flipped bit");
        cache.put("d1", &component(&engine));
        assert!(cache.get(&engine, "d1").is_some(), "compiled again");
    }

    #[test]
    fn folders_and_files_that_others_can_write_to_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::default();
        let open = folder.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("owner");
        assert!(Cache::open(&open, &engine).is_err());
        let cache = Cache::open(&folder.path().join("aot"), &engine).expect("opens");
        cache.put("d1", &component(&engine));
        fs::set_permissions(cache.file("d1"), fs::Permissions::from_mode(0o666)).expect("owner");
        assert!(cache.get(&engine, "d1").is_none());
    }
}
