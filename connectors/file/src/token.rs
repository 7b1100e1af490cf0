//! The token of a committable: which staged files become which final ones.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The version of the encoding: JSON text.
const VERSION: u32 = 1;

/// What one writer prepared in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    v: u32,
    /// The files, in the order of their rows.
    pub(crate) files: Vec<PreparedFile>,
}

/// One file that is staged, whole and durable. Names are relative to the sink's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreparedFile {
    /// Its name before the commit.
    pub(crate) staged: String,
    /// Its name after it.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// CRC-32 of its contents.
    pub(crate) crc32: u32,
}

impl Token {
    pub(crate) fn new(files: Vec<PreparedFile>) -> Self {
        Self { v: VERSION, files }
    }

    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("names and numbers are always written").into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let fail = |detail: String| Error::Foreign { what: "a committable", detail };
        let token: Self = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        if token.v != VERSION {
            return Err(fail(format!("version {}, expected {VERSION}", token.v)));
        }
        // A token comes from storage: it must not reach outside the sink's folder.
        let is_plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..";
        let stranger = token.files.iter().flat_map(|file| [&file.staged, &file.name]).find(|name| !is_plain(name));
        if let Some(name) = stranger {
            return Err(fail(format!("`{name}` is not the name of a file")));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_and_strangers_are_refused() {
        let file = |name: &str| PreparedFile { staged: ".a".into(), name: name.into(), length: 3, crc32: 9 };
        let token = Token::new(vec![file("a.csv")]);
        assert_eq!(Token::decode(&token.encode()).expect("own"), token);
        assert_eq!(
            &token.encode()[..],
            br#"{"v":1,"files":[{"staged":".a","name":"a.csv","length":3,"crc32":9}]}"#,
            "manifests hold this form"
        );
        assert!(Token::decode(&Token::new(vec![file("../a.csv")]).encode()).is_err());
        assert!(Token::decode(br#"{"v":2,"files":[]}"#).is_err());
        assert!(Token::decode(b"").is_err());
    }
}
