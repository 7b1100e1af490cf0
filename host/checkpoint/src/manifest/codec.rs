//! Manifests as bytes, and what is found where one should be.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::{Base64, Manifest};
use crate::store::is_clean;
use crate::{Error, Result};

/// The version of manifests that this host writes, and the highest that it reads.
pub const FORMAT: u32 = 1;

const MAGIC: &str = "volley-manifest";

/// What stands in place of a manifest when a later start has given the epoch up.
const ABANDONED: &str = "volley-abandoned";

/// The line in front is shorter than this: a number of 10 digits, one of 20, and one of 8.
const HEAD_BYTES_MAX: usize = 64;

/// What is found where a manifest should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A manifest.
    Manifest(Box<Manifest>),
    /// The word of a start that this epoch will never be complete.
    Abandoned {
        /// The incarnation that said so.
        by: u64,
    },
    /// A manifest, whole, of a version that this host does not know.
    Newer(u32),
    /// Something else, and what is wrong with it.
    Damaged(String),
}

/// A manifest as bytes.
pub(crate) fn encode(manifest: &Manifest) -> Result<Bytes> {
    let body = serde_json::to_vec_pretty(manifest).map_err(|error| {
        Error::Broken(format!("the manifest of epoch {} cannot be written: {error}", manifest.epoch))
    })?;
    let mut bytes = format!("{MAGIC} {} {} {:08x}\n", manifest.format, body.len(), crc32c::crc32c(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes.into())
}

/// What a start writes in place of a manifest to give an epoch up.
pub(crate) fn abandoned(by: u64) -> Bytes {
    format!("{ABANDONED} by start {by}\n").into_bytes().into()
}

/// Reads what is found where a manifest should be.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    try_decode(bytes).unwrap_or_else(Decoded::Damaged)
}

fn try_decode(bytes: &[u8]) -> Result<Decoded, String> {
    let line_end = bytes.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n');
    let line_end = line_end.ok_or_else(|| format!("its {} bytes do not begin like a manifest", bytes.len()))?;
    let line = std::str::from_utf8(&bytes[..line_end]).map_err(|_| "its first line is not text".to_owned())?;
    let body = &bytes[line_end + 1..];
    let wrong = || format!("its first line is `{}`", line.escape_debug());
    if let Some(by) = line.strip_prefix(ABANDONED).and_then(|rest| rest.strip_prefix(" by start ")) {
        return Ok(Decoded::Abandoned { by: by.parse().map_err(|_| wrong())? });
    }
    let fields: Vec<_> = line.split(' ').collect();
    let [MAGIC, format, length, crc] = fields[..] else { return Err(wrong()) };
    let format: u32 = format.parse().map_err(|_| wrong())?;
    let length: usize = length.parse().map_err(|_| wrong())?;
    if body.len() != length {
        return Err(format!("it has {} bytes behind its first line, and should have {length}", body.len()));
    }
    let (found, expected) = (crc32c::crc32c(body), u32::from_str_radix(crc, 16).map_err(|_| wrong())?);
    if found != expected {
        return Err(format!("its CRC32C is {found:08x}, and should be {expected:08x}"));
    }
    parse(format, body)
}

/// Reads a body that is as it was written.
fn parse(format: u32, body: &[u8]) -> Result<Decoded, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    // The line is not covered by the checksum: its version counts only if the body has the same.
    let version: Version = serde_json::from_slice(body).map_err(|error| format!("its body is no manifest: {error}"))?;
    if version.format != format {
        return Err(format!("its first line has version {format}, and its body version {}", version.format));
    }
    if format > FORMAT {
        return Ok(Decoded::Newer(format));
    }
    let manifest: Manifest =
        serde_json::from_slice(body).map_err(|error| format!("its body is no manifest: {error}"))?;
    if let Some(file) = manifest.files().find(|file| !is_clean(&file.path)) {
        return Err(format!("it names the file `{}`, which is no path below its folder", file.path.escape_debug()));
    }
    Ok(Decoded::Manifest(Box::new(manifest)))
}

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64_STANDARD.decode(text).map(|bytes| Self(bytes.into()))
    }
}

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        BASE64_STANDARD.encode(bytes.0)
    }
}
