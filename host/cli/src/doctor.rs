//! `volley doctor`: what a user needs on this machine, what is there, and how the rest is installed.
//!
//! Facts are gathered at one place and judged at another, so that the judgement can be tested for machines that the
//! tests do not run on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::toolchain::{
    GuestFacts, GuestToolchain, Platform, RUST_MIN, TARGET, Version, apt_get, ask, cargo_program, find_program,
    install_commands, pick, version_of,
};

/// What is known about the machine.
#[derive(Debug, Clone)]
pub struct Facts {
    /// About compilers for guests.
    pub guest: GuestFacts,
    /// Version of cargo.
    pub cargo: Option<Version>,
    /// Whether the ordinary compiler brings a linker for WebAssembly, and which.
    pub bundled_linker: Option<PathBuf>,
    /// The C compiler and its version.
    pub cc: Option<(String, Option<Version>)>,
    /// The program that runs pipelines, and its version.
    pub volley_host: Option<(PathBuf, Option<Version>)>,
}

impl Facts {
    /// Asks the machine; programs are run with `--version` and nothing else.
    pub fn gather() -> Self {
        let here = Path::new(".");
        Self {
            guest: GuestFacts::gather(here),
            cargo: version_of(&cargo_program(), here),
            bundled_linker: bundled_linker(here),
            cc: c_compiler(here),
            volley_host: volley_host(here),
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked for.
    pub tool: &'static str,
    /// Whether it is there and new enough.
    pub ok: bool,
    /// Whether `volley doctor` fails without it.
    pub needed: bool,
    /// What was found, or what is wrong.
    pub found: String,
    /// Its version.
    pub version: Option<String>,
    /// What it is for.
    pub needed_for: &'static str,
    /// Commands that install it, one of which is enough; empty when it is there.
    pub install: Vec<String>,
}

/// Judges the facts.
pub fn examine(facts: &Facts) -> Vec<Check> {
    let guest = &facts.guest;
    let rust = install_rust(guest);
    vec![
        rust_tool("cargo", facts.cargo, "building plugins and Volley", &rust),
        rust_tool("rustc", guest.rustc, "building plugins and Volley", &rust),
        guest_target(guest),
        guest_linker(facts),
        c_compiler_check(facts),
        host_check(facts),
    ]
}

/// Whether nothing that is needed is missing.
pub fn healthy(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok || !check.needed)
}

fn rust_tool(tool: &'static str, version: Option<Version>, needed_for: &'static str, install: &[String]) -> Check {
    let ok = version.is_some_and(|version| version >= RUST_MIN);
    let found = match version {
        None => "missing".to_owned(),
        Some(_) if ok => "yes".to_owned(),
        Some(_) => format!("too old, {RUST_MIN} is needed"),
    };
    let install = if ok { Vec::new() } else { install.to_vec() };
    Check { tool, ok, needed: true, found, version: version.map(|v| v.to_string()), needed_for, install }
}

fn guest_target(guest: &GuestFacts) -> Check {
    let (ok, found, version) = match pick(guest) {
        Ok(GuestToolchain::Installed) => (true, "installed".to_owned(), guest.rustc),
        Ok(GuestToolchain::BuildStd { rustc, .. }) => {
            (true, format!("from source, by {}", rustc.display()), guest.debian.as_ref().map(|debian| debian.version))
        }
        Err(_) => (false, "missing".to_owned(), None),
    };
    Check {
        tool: TARGET,
        ok,
        needed: true,
        found,
        version: version.map(|v| v.to_string()),
        needed_for: "building plugins",
        install: if ok { Vec::new() } else { install_commands(guest) },
    }
}

fn guest_linker(facts: &Facts) -> Check {
    let guest = &facts.guest;
    let bundled = facts.bundled_linker.as_ref().map(|_| "rust-lld, with rustc".to_owned());
    // Debian's compiler is called with a linker from the path; the ordinary one brings its own.
    let found = match pick(guest) {
        Ok(GuestToolchain::BuildStd { linker, .. }) => Some(linker),
        _ => bundled.or_else(|| guest.linker.clone()),
    };
    let install = match (&found, guest.platform) {
        (Some(_), _) => Vec::new(),
        (None, Platform::Debian) => vec![apt_get("lld-19")],
        (None, Platform::MacOs) => vec!["brew install lld".to_owned()],
        (None, Platform::Other) => vec!["install LLVM's lld with your package manager".to_owned()],
    };
    Check {
        tool: "wasm linker",
        ok: found.is_some(),
        needed: true,
        found: found.unwrap_or_else(|| "missing".to_owned()),
        version: None,
        needed_for: "building plugins",
        install,
    }
}

fn c_compiler_check(facts: &Facts) -> Check {
    let install = match (&facts.cc, facts.guest.platform) {
        (Some(_), _) => Vec::new(),
        (None, Platform::Debian) => vec![apt_get("build-essential")],
        (None, Platform::MacOs) => vec!["xcode-select --install".to_owned()],
        (None, Platform::Other) => vec!["install gcc or clang with your package manager".to_owned()],
    };
    let (found, version) = facts.cc.clone().unwrap_or_else(|| ("missing".to_owned(), None));
    Check {
        tool: "C compiler",
        ok: facts.cc.is_some(),
        needed: true,
        found,
        version: version.map(|v| v.to_string()),
        needed_for: "linking tests of plugins, and building Volley (zstd)",
        install,
    }
}

fn host_check(facts: &Facts) -> Check {
    let (found, version) = match &facts.volley_host {
        Some((path, version)) => (path.display().to_string(), version.map(|v| v.to_string())),
        None => ("not on the path".to_owned(), None),
    };
    let install = match &facts.volley_host {
        Some(_) => Vec::new(),
        None => vec!["in a checkout of Volley: cargo install --locked --path host/server".to_owned()],
    };
    Check {
        tool: "volley-host",
        ok: facts.volley_host.is_some(),
        needed: false,
        found,
        version,
        needed_for: "running pipelines (optional)",
        install,
    }
}

/// Commands that install Rust, or a newer one.
fn install_rust(guest: &GuestFacts) -> Vec<String> {
    if guest.rustup {
        return vec!["rustup update stable".to_owned()];
    }
    vec![match guest.platform {
        Platform::MacOs => "brew install rustup && rustup default stable".to_owned(),
        Platform::Debian | Platform::Other => {
            "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".to_owned()
        }
    }]
}

/// The linker that compilers from rustup bring along.
fn bundled_linker(dir: &Path) -> Option<PathBuf> {
    let rustc: OsString = std::env::var_os("RUSTC").filter(|v| !v.is_empty()).unwrap_or_else(|| "rustc".into());
    let libdir = ask(&rustc, &["--print", "target-libdir"], dir)?;
    let linker = Path::new(libdir.trim()).parent()?.join("bin").join("rust-lld");
    linker.is_file().then_some(linker)
}

fn c_compiler(dir: &Path) -> Option<(String, Option<Version>)> {
    let named = std::env::var_os("CC").filter(|v| !v.is_empty());
    let candidates = named.into_iter().chain(["cc", "gcc", "clang"].map(OsString::from));
    candidates.into_iter().find_map(|program| {
        // On macOS without its developer tools there is a `cc` that only says how to get one: running it tells.
        let said = ask(&program, &["--version"], dir)?;
        Some((program.to_string_lossy().into_owned(), Version::find(&said)))
    })
}

fn volley_host(dir: &Path) -> Option<(PathBuf, Option<Version>)> {
    let name = format!("volley-host{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(&name)));
    let path = find_program(&name).or_else(|| beside.filter(|path| path.is_file()))?;
    let version = version_of(&path.clone().into_os_string(), dir);
    Some((path, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Facts {
        Facts {
            guest: GuestFacts {
                platform: Platform::Debian,
                rustup: true,
                rustc: Some(RUST_MIN),
                target_installed: true,
                debian: None,
                linker: None,
            },
            cargo: Some(RUST_MIN),
            bundled_linker: Some("/rust/bin/rust-lld".into()),
            cc: Some(("cc".into(), Some(Version(12, 2, 0)))),
            volley_host: None,
        }
    }

    fn check(facts: &Facts, tool: &str) -> Check {
        examine(facts).into_iter().find(|check| check.tool == tool).unwrap()
    }

    #[test]
    fn a_machine_with_all_that_is_needed_is_healthy_even_without_a_host() {
        let checks = examine(&whole());
        assert!(healthy(&checks), "{checks:?}");
        assert!(checks.iter().filter(|check| check.ok).all(|check| check.install.is_empty()));
        assert!(!check(&whole(), "volley-host").ok);
    }

    #[test]
    fn each_missing_tool_names_the_command_that_installs_it() {
        for (facts, tool, command) in [
            (Facts { cargo: None, ..whole() }, "cargo", "rustup update stable"),
            (Facts { cc: None, ..whole() }, "C compiler", "apt-get install build-essential"),
            (Facts { bundled_linker: None, ..whole() }, "wasm linker", "apt-get install lld-19"),
            (
                Facts { guest: GuestFacts { target_installed: false, ..whole().guest }, ..whole() },
                TARGET,
                "rustup target add wasm32-unknown-unknown",
            ),
        ] {
            let checks = examine(&facts);
            assert!(!healthy(&checks), "{tool}");
            let install = check(&facts, tool).install;
            assert!(install.iter().any(|line| line.contains(command)), "{tool}: {install:?}");
        }
    }

    #[test]
    fn an_old_compiler_is_told_from_a_missing_one() {
        let facts = Facts { guest: GuestFacts { rustc: Some(Version(1, 63, 0)), ..whole().guest }, ..whole() };
        let rustc = check(&facts, "rustc");
        assert!(!rustc.ok && rustc.found.contains("1.95.0"), "{rustc:?}");
        assert_eq!(rustc.version.as_deref(), Some("1.63.0"));
    }

    #[test]
    fn every_missing_tool_has_a_command_on_every_platform() {
        for platform in [Platform::Debian, Platform::MacOs, Platform::Other] {
            for rustup in [false, true] {
                let facts = Facts {
                    guest: GuestFacts {
                        platform,
                        rustup,
                        rustc: None,
                        target_installed: false,
                        debian: None,
                        linker: None,
                    },
                    cargo: None,
                    bundled_linker: None,
                    cc: None,
                    volley_host: None,
                };
                for check in examine(&facts) {
                    assert!(!check.ok && !check.install.is_empty(), "{platform:?} {rustup}: {check:?}");
                }
            }
        }
    }
}
