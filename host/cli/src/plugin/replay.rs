//! `volley plugin replay`: a call that has failed in a job, made again by a host; this tool runs no component itself.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::Error;

/// The program that runs components.
const HOST: &str = "volley-host";

/// The host's exit code where the call came out otherwise.
const OTHERWISE: i32 = 6;

/// Which call to make again, and how.
#[derive(Debug, Clone, Default)]
pub struct ReplayRequest {
    /// The folder of the kept call.
    pub bundle: PathBuf,
    /// The component; the one that the job ran unless told.
    pub component: Option<PathBuf>,
    /// Whether it may be of another digest.
    pub allow_other: bool,
    /// Whether the answer is JSON.
    pub json: bool,
    /// The host; the one beside this tool, else the first in `PATH`, unless told.
    pub host: Option<PathBuf>,
}

/// The command that makes the call again and prints what happened.
#[must_use]
pub fn command(request: &ReplayRequest) -> Command {
    let host = request.host.clone().or_else(beside_this_tool).unwrap_or_else(|| HOST.into());
    let mut command = Command::new(host);
    command.arg("replay");
    if let Some(component) = &request.component {
        command.arg("--component").arg(component);
    }
    if request.allow_other {
        command.arg("--allow-other");
    }
    if request.json {
        command.arg("--json");
    }
    // A folder may be called like an option.
    command.arg("--").arg(&request.bundle);
    command
}

/// Makes the call again. The host prints what happened; the answer is the exit status of this tool: 0 the same happened again, 1
/// something else did, 2 the call could not be made, 141 nobody reads what is printed.
///
/// # Errors
/// When there is no host to be started.
pub fn replay(request: &ReplayRequest) -> Result<u8, Error> {
    let mut command = command(request);
    let status = command.status().map_err(|source| {
        let program = Path::new(command.get_program()).to_owned();
        Error::NoHost { program, source }
    })?;
    Ok(exit_status(status))
}

fn exit_status(host: ExitStatus) -> u8 {
    match host.code() {
        Some(0) => 0,
        Some(OTHERWISE) => 1,
        Some(141) => 141,
        _ => 2,
    }
}

fn beside_this_tool() -> Option<PathBuf> {
    let host = std::env::current_exe().ok()?.with_file_name(format!("{HOST}{}", std::env::consts::EXE_SUFFIX));
    host.is_file().then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_asked_for_what_was_asked() {
        let arguments = |request: &ReplayRequest| -> Vec<String> {
            command(request).get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
        };
        let bundle = || PathBuf::from("-x");
        assert_eq!(arguments(&ReplayRequest { bundle: bundle(), ..ReplayRequest::default() }), ["replay", "--", "-x"]);
        let all = ReplayRequest {
            bundle: bundle(),
            component: Some("a.wasm".into()),
            allow_other: true,
            json: true,
            host: Some("/opt/host".into()),
        };
        assert_eq!(arguments(&all), ["replay", "--component", "a.wasm", "--allow-other", "--json", "--", "-x"]);
        assert_eq!(command(&all).get_program(), "/opt/host");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_host_says_is_what_this_tool_says() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("host");
        for (code, due) in [(0, 0), (6, 1), (2, 2), (4, 2), (141, 141)] {
            std::fs::write(&host, format!("#!/bin/sh\nexit {code}\n")).unwrap();
            std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o755)).unwrap();
            let request = ReplayRequest { host: Some(host.clone()), ..ReplayRequest::default() };
            assert_eq!(replay(&request).unwrap(), due, "{code}");
        }
        let none = ReplayRequest { host: Some(dir.path().join("none")), ..ReplayRequest::default() };
        let error = replay(&none).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("--host"), "{error}");
    }
}
