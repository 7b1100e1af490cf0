//! What the tests of this crate share: an environment, known connectors and a connector's options.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io;

use serde::Deserialize;
use volley_config::{ConfigErrors, Environment, KnownConnectors, PipelineSpec};

/// Connectors of the tests.
pub(crate) const KNOWN: KnownConnectors<'static> =
    KnownConnectors { sources: &["file", "generate"], sinks: &["file", "memory"] };

/// A few fixed variables and files.
pub(crate) struct Fixed;

impl Environment for Fixed {
    fn variable(&self, name: &str) -> io::Result<Option<String>> {
        Ok(match name {
            "DATA" => Some("data".to_owned()),
            "FOUR" => Some("4".to_owned()),
            "EMPTY" => Some(String::new()),
            "TILDE" => Some("~".to_owned()),
            "SECRET" => Some("hunter2".to_owned()),
            "EVIL" => Some("x }\nsinks: {}\n".to_owned()),
            _ => None,
        })
    }

    fn file(&self, path: &str) -> io::Result<String> {
        match path {
            "secrets/password" => Ok("hunter2\n".to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

/// Options as a connector would have them.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileOptions {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) format: Option<Format>,
    #[serde(default)]
    pub(crate) header: bool,
}

/// An enumeration as a connector would have it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Csv,
    Jsonl,
    Parquet,
}

/// Reads a pipeline with the fixtures above.
pub(crate) fn parse(text: &str) -> Result<PipelineSpec, ConfigErrors> {
    volley_config::parse(text, "p.yaml", &KNOWN, &Fixed)
}

/// The pipeline of `tests/good`.
pub(crate) const GOOD: &str = include_str!("../good/delays.yaml");

/// Another, with event time, keys and windows.
pub(crate) const WINDOWS: &str = include_str!("../good/windows.yaml");
