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

use crate::abi::deserialize::Artefact;

const MARK: &[u8; 16] = b"volley-aot-v1\0\0\0";
const DIGEST_BYTES: usize = 32;

/// The largest artefact that is taken: a Python component compiles to about 100 MB.
pub(crate) const ARTEFACT_BYTES_MAX: u64 = 1 << 30;

/// Where compiled components are kept when nothing else is said: `$XDG_CACHE_HOME/volley/aot`, else
/// `~/.cache/volley/aot`; `None` when neither variable is set.
#[must_use]
pub fn default_cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("volley").join("aot"))
}

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// What a compiled component is kept under: the component's digest, and a hash of everything that decides how it is
/// compiled.
#[derive(Debug)]
pub(crate) struct CacheKey(String);

impl CacheKey {
    pub(crate) fn new(digest: &str, engine: &Engine) -> Self {
        let mut hasher = StableHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self(format!("{digest}-{}", hex(&hasher.0.finalize()[..8])))
    }
}

impl Cache {
    /// Makes the folder if need be, and refuses one that others can write to.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::metadata(folder)?;
        check_private(&metadata)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!("{} must be open to its owner only (chmod 700)", folder.display())));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    fn file(&self, key: &CacheKey) -> PathBuf {
        self.folder.join(format!("{}.aot", key.0))
    }

    /// The compiled component that was kept under this key, if it is there and undamaged.
    pub(crate) fn get(&self, key: &CacheKey) -> Option<Artefact> {
        let path = self.file(key);
        match read(&path) {
            Ok(artefact) => artefact,
            Err(problem) => {
                tracing::warn!(file = %path.display(), problem, "a cached plugin is not usable and is compiled again");
                None
            }
        }
    }

    /// Keeps a compiled component. A failure costs time at the next start and nothing else, so it is only logged.
    pub(crate) fn put(&self, key: &CacheKey, artefact: &Artefact) {
        let path = self.file(key);
        if let Err(error) = write_atomically(&path, artefact.bytes()) {
            tracing::warn!(file = %path.display(), %error, "a compiled plugin could not be cached");
        }
    }
}

#[expect(unsafe_code, reason = "bytes from the cache become code")]
fn read(path: &Path) -> Result<Option<Artefact>, String> {
    let text = |error: io::Error| error.to_string();
    let mut file = match OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    check_private(&file.metadata().map_err(text)?).map_err(text)?;
    let mut head = [0; MARK.len() + DIGEST_BYTES];
    file.read_exact(&mut head).map_err(text)?;
    let mut artefact = Vec::new();
    file.take(ARTEFACT_BYTES_MAX).read_to_end(&mut artefact).map_err(text)?;
    let (mark, digest) = head.split_at(MARK.len());
    if mark != MARK || Sha256::digest(&artefact).as_slice() != digest {
        return Err("it is damaged".to_owned());
    }
    // SAFETY: the artefact is what `put` wrote: the digest before it matches these very bytes, which are in our own memory
    // now, and the file belongs to this process's user and is writable by nobody else, in a folder that is open to that
    // user alone (`check_private` and `open`), so nobody else can have made both. `put` writes nothing but artefacts.
    Ok(Some(unsafe { Artefact::from_bytes(artefact) }))
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
    use std::os::unix::fs::PermissionsExt;

    use wasmtime::Config;

    use super::*;

    fn artefact(engine: &Engine) -> Artefact {
        Artefact::compile(engine, &wat::parse_str("(component)").expect("valid text")).expect("compiles")
    }

    #[test]
    fn what_was_put_is_got_and_damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("aot");
        let engine = Engine::default();
        let cache = Cache::open(&path).expect("opens");
        let key = CacheKey::new("d1", &engine);
        assert!(cache.get(&key).is_none());
        cache.put(&key, &artefact(&engine));
        let kept = cache.get(&key).expect("kept");
        assert!(kept.component(&engine).is_ok());
        assert!(cache.get(&CacheKey::new("d2", &engine)).is_none());
        let file = cache.file(&key);
        assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o700);
        let whole = fs::read(&file).expect("readable");
        let mut bytes = whole.clone();
        *bytes.last_mut().expect("not empty") ^= 1;
        for damaged in [&bytes[..], &whole[..whole.len() - 1], &whole[..10], &[]] {
            fs::write(&file, damaged).expect("writable");
            assert!(cache.get(&key).is_none(), "{} bytes of {}", damaged.len(), whole.len());
        }
        cache.put(&key, &artefact(&engine));
        assert!(cache.get(&key).is_some(), "compiled again");
    }

    #[test]
    fn another_configuration_is_another_key_and_its_code_does_not_load() {
        let (one, other) = (Engine::default(), Engine::new(Config::new().epoch_interruption(true)).expect("starts"));
        assert_ne!(CacheKey::new("d", &one).0, CacheKey::new("d", &other).0);
        assert!(artefact(&one).component(&other).is_err());
    }

    #[test]
    fn folders_and_files_that_others_can_write_to_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::default();
        let open = folder.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("owner");
        assert!(Cache::open(&open).is_err());
        let cache = Cache::open(&folder.path().join("aot")).expect("opens");
        let key = CacheKey::new("d1", &engine);
        cache.put(&key, &artefact(&engine));
        fs::set_permissions(cache.file(&key), fs::Permissions::from_mode(0o666)).expect("owner");
        assert!(cache.get(&key).is_none());
    }
}
