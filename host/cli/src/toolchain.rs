//! Which compiler on this machine builds guests, and how one is installed where there is none.
//!
//! Two ways lead to `wasm32-unknown-unknown`: a compiler that has the target's standard library (with rustup,
//! `rustup target add`), or Debian's `rustc-web`, for which cargo builds that library from `rust-web-src`.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The target that guests are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest compiler that the SDK and the host compile with.
pub const RUST_MIN: Version = Version(1, 95, 0);

/// Where Debian's package `rustc-web` puts its compiler.
pub const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Names of a WebAssembly linker for Debian's compiler, the best first.
const LINKERS: [&str; 5] = ["wasm-ld-19", "wasm-ld", "wasm-ld-20", "wasm-ld-21", "rust-lld"];

/// A version as tools print it: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first thing in `text` that looks like `1.2` or `1.2.3`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| {
            let mut parts = word.split('.').map(str::parse::<u32>);
            let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
            Some(Self(major, minor, parts.next().and_then(Result::ok).unwrap_or(0)))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The kind of system, as far as install commands differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// macOS.
    MacOs,
    /// Anything else: commands are given in words.
    Other,
}

impl Platform {
    /// The system this runs on.
    pub fn current() -> Self {
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else if Path::new("/etc/debian_version").exists() {
            Self::Debian
        } else {
            Self::Other
        }
    }
}

/// What is known about Debian's compiler for WebAssembly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianRustc {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Whether the source of the standard library lies beside it (`rust-web-src`).
    pub std_source: bool,
}

/// Facts about a machine, from which [`pick`] chooses.
#[derive(Debug, Clone)]
pub struct GuestFacts {
    /// The kind of system.
    pub platform: Platform,
    /// Whether `rustup` manages the compilers.
    pub rustup: bool,
    /// Version of the `rustc` that cargo would run.
    pub rustc: Option<Version>,
    /// Whether that `rustc` has the standard library of [`TARGET`].
    pub target_installed: bool,
    /// Debian's compiler.
    pub debian: Option<DebianRustc>,
    /// A linker for WebAssembly on the path.
    pub linker: Option<String>,
}

impl GuestFacts {
    /// Asks the machine. The compiler is the one that cargo would run in `dir`, where a toolchain file may stand.
    pub fn gather(dir: &Path) -> Self {
        let rustc = std::env::var_os("RUSTC").filter(|v| !v.is_empty()).unwrap_or_else(|| "rustc".into());
        Self {
            platform: Platform::current(),
            rustup: find_program("rustup").is_some(),
            rustc: version_of(&rustc, dir),
            target_installed: target_installed(&rustc, dir),
            debian: debian_rustc(),
            linker: LINKERS.iter().find(|name| find_program(name).is_some()).map(|name| (*name).to_owned()),
        }
    }
}

/// A way to compile guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestToolchain {
    /// The ordinary compiler has the target.
    Installed,
    /// Debian's compiler, the standard library built from source along with the guest.
    BuildStd {
        /// The compiler.
        rustc: PathBuf,
        /// The linker.
        linker: String,
    },
}

impl GuestToolchain {
    /// In words, for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Installed => format!("the installed target {TARGET}"),
            Self::BuildStd { rustc, linker } => {
                format!("{} with {linker}, standard library from source", rustc.display())
            }
        }
    }

    /// Sets up a `cargo build` for guests: target, compiler, linker.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        if let Self::BuildStd { rustc, linker } = self {
            cargo.args(["-Z", "build-std=std,panic_abort"]);
            // Debian's compiler is a release: build-std and its flag need the door that this variable opens.
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
}

/// Chooses how to compile guests: the installed target where there is one, else Debian's compiler.
///
/// # Errors
/// [`Error::NoGuestToolchain`] with the commands that install one.
pub fn pick(facts: &GuestFacts) -> Result<GuestToolchain, Error> {
    if facts.target_installed {
        return Ok(GuestToolchain::Installed);
    }
    if let (Some(debian), Some(linker)) = (&facts.debian, &facts.linker)
        && debian.std_source
        && debian.version >= RUST_MIN
    {
        return Ok(GuestToolchain::BuildStd { rustc: debian.path.clone(), linker: linker.clone() });
    }
    Err(Error::NoGuestToolchain { found: what_there_is(facts), commands: install_commands(facts) })
}

/// Commands that install a guest toolchain, the best first; one of them is enough.
pub fn install_commands(facts: &GuestFacts) -> Vec<String> {
    let mut commands = Vec::new();
    if facts.rustup {
        commands.push(format!("rustup target add {TARGET}"));
    }
    match facts.platform {
        Platform::Debian => commands.push(apt_get("rustc-web rust-web-src lld-19")),
        Platform::MacOs if !facts.rustup => {
            commands.push(format!("brew install rustup && rustup default stable && rustup target add {TARGET}"))
        }
        Platform::Other if !facts.rustup => {
            commands.push(format!("install rustup from https://rustup.rs, then: rustup target add {TARGET}"));
        }
        Platform::MacOs | Platform::Other => {}
    }
    commands
}

/// `apt-get install …`, with sudo where there is one.
pub(crate) fn apt_get(packages: &str) -> String {
    let sudo = if find_program("sudo").is_some() { "sudo " } else { "" };
    format!("{sudo}apt-get install {packages}")
}

fn what_there_is(facts: &GuestFacts) -> String {
    let mut found = vec![match facts.rustc {
        Some(version) => format!("rustc {version} without that target"),
        None => "no rustc".to_owned(),
    }];
    if let Some(debian) = &facts.debian {
        found.push(format!(
            "{} {}{}",
            debian.path.display(),
            debian.version,
            match (debian.version >= RUST_MIN, debian.std_source) {
                (false, _) => format!(", older than {RUST_MIN}"),
                (true, false) => ", without the source of the standard library".to_owned(),
                (true, true) => String::new(),
            }
        ));
    }
    if facts.linker.is_none() {
        found.push("no wasm-ld".to_owned());
    }
    found.join("; ")
}

/// The first file of that name on the path that can be run.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// The program that runs cargo: `$CARGO` (set when the tool itself was started by cargo) or `cargo`.
pub fn cargo_program() -> OsString {
    std::env::var_os("CARGO").filter(|v| !v.is_empty()).unwrap_or_else(|| "cargo".into())
}

/// What a program prints on stdout, if it starts and succeeds; its stderr is dropped.
pub(crate) fn ask(program: &OsString, args: &[&str], dir: &Path) -> Option<String> {
    let output =
        Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `PROGRAM --version` says, run in `dir`.
pub(crate) fn version_of(program: &OsString, dir: &Path) -> Option<Version> {
    Version::find(&ask(program, &["--version"], dir)?)
}

fn target_installed(rustc: &OsString, dir: &Path) -> bool {
    // The compiler prints where the library would be, whether or not it is there.
    ask(rustc, &["--print", "target-libdir", "--target", TARGET], dir)
        .is_some_and(|libdir| Path::new(libdir.trim()).is_dir())
}

fn debian_rustc() -> Option<DebianRustc> {
    let path = PathBuf::from(DEBIAN_RUSTC);
    let program = path.clone().into_os_string();
    let version = version_of(&program, Path::new("/"))?;
    let sysroot = ask(&program, &["--print", "sysroot"], Path::new("/"))?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    Some(DebianRustc { path, version, std_source: source.is_file() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> GuestFacts {
        GuestFacts {
            platform: Platform::Debian,
            rustup: false,
            rustc: None,
            target_installed: false,
            debian: None,
            linker: None,
        }
    }

    fn debian(version: Version, std_source: bool) -> Option<DebianRustc> {
        Some(DebianRustc { path: DEBIAN_RUSTC.into(), version, std_source })
    }

    #[test]
    fn versions_are_found_in_what_tools_print() {
        assert_eq!(Version::find("rustc 1.95.0 (59807616e 2026-04-14)"), Some(Version(1, 95, 0)));
        assert_eq!(Version::find("cc (Debian 12.2.0-14) 12.2.0"), Some(Version(12, 2, 0)));
        assert_eq!(Version::find("Debian LLD 19.1"), Some(Version(19, 1, 0)));
        assert_eq!(Version::find("none at all"), None);
    }

    #[test]
    fn the_installed_target_comes_first() {
        let facts = GuestFacts {
            target_installed: true,
            debian: debian(Version(1, 96, 0), true),
            linker: Some("wasm-ld-19".into()),
            ..bare()
        };
        assert_eq!(pick(&facts).unwrap(), GuestToolchain::Installed);
    }

    #[test]
    fn debian_needs_a_compiler_new_enough_its_source_and_a_linker() {
        let whole = GuestFacts {
            rustc: Some(RUST_MIN),
            debian: debian(Version(1, 96, 0), true),
            linker: Some("wasm-ld-19".into()),
            ..bare()
        };
        assert_eq!(
            pick(&whole).unwrap(),
            GuestToolchain::BuildStd { rustc: DEBIAN_RUSTC.into(), linker: "wasm-ld-19".into() }
        );
        for (lacking, word) in [
            (GuestFacts { debian: debian(Version(1, 63, 0), true), ..whole.clone() }, "older than 1.95.0"),
            (GuestFacts { debian: debian(Version(1, 96, 0), false), ..whole.clone() }, "without the source"),
            (GuestFacts { linker: None, ..whole.clone() }, "no wasm-ld"),
        ] {
            let message = pick(&lacking).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
            assert!(message.contains("apt-get install rustc-web rust-web-src lld-19"), "{message}");
        }
    }

    #[test]
    fn commands_fit_the_machine() {
        assert_eq!(
            install_commands(&GuestFacts { rustup: true, platform: Platform::MacOs, ..bare() }),
            ["rustup target add wasm32-unknown-unknown"]
        );
        assert_eq!(install_commands(&GuestFacts { rustup: true, ..bare() }).len(), 2);
        assert!(install_commands(&GuestFacts { platform: Platform::MacOs, ..bare() })[0].starts_with("brew install"));
        assert!(!install_commands(&GuestFacts { platform: Platform::Other, ..bare() }).is_empty());
    }

    #[test]
    fn build_std_is_put_on_the_command_line_only_where_needed() {
        let args = |toolchain: GuestToolchain| {
            let mut cargo = Command::new("cargo");
            toolchain.apply(&mut cargo);
            let args: Vec<_> = cargo.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
            let bootstrap = cargo.get_envs().any(|(name, value)| name == "RUSTC_BOOTSTRAP" && value.is_some());
            (args.join(" "), bootstrap)
        };
        assert_eq!(args(GuestToolchain::Installed), ("--target wasm32-unknown-unknown".into(), false));
        let (line, bootstrap) =
            args(GuestToolchain::BuildStd { rustc: DEBIAN_RUSTC.into(), linker: "wasm-ld-19".into() });
        assert_eq!(line, "--target wasm32-unknown-unknown -Z build-std=std,panic_abort");
        assert!(bootstrap);
    }
}
