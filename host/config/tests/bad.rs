//! Bad pipeline files: each `tests/bad/NAME.yaml` has the report it must give beside it, in `NAME.err`.
//! `UPDATE_GOLDENS=1 cargo test -p volley-config --test bad` rewrites the reports; read the difference before keeping it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{FileOptions, Fixed, KNOWN};
use volley_config::{ConfigError, PipelineSpec};

#[test]
fn bad_files_give_the_reports_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let reports = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "err")).count();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let wrong: Vec<String> = files.iter().filter_map(|path| check(path, update).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(update || reports == files.len(), "{reports} reports for {} files", files.len());
}

fn check(path: &Path, update: bool) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let report = report(&text) + "\n";
    let golden = path.with_extension("err");
    if update {
        fs::write(&golden, &report).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if report == expected {
        Ok(())
    } else {
        Err(format!("{}\n--- expected\n{expected}--- got\n{report}", path.display()))
    }
}

/// What a person sees: the errors of the file, else those of the connectors' options.
fn report(text: &str) -> String {
    match volley_config::parse(text, "p.yaml", &KNOWN, &Fixed) {
        Err(errors) => errors.report(),
        Ok(spec) => {
            let reports: Vec<String> = options_errors(&spec).iter().map(ConfigError::report).collect();
            assert!(!reports.is_empty(), "nothing is wrong with\n{text}");
            reports.join("\n")
        }
    }
}

fn options_errors(spec: &PipelineSpec) -> Vec<ConfigError> {
    let sources = spec.sources.iter().map(|source| &source.connector);
    let connectors = sources.chain(spec.sinks.iter().map(|sink| &sink.connector));
    connectors
        .filter(|connector| connector.kind == "file")
        .filter_map(|connector| connector.options.read::<FileOptions>().err())
        .collect()
}
