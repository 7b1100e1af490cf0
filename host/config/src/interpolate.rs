//! `${VAR}` and `${file:PATH}` in values, replaced after parsing, so that what is substituted is never read as YAML.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::error::{Findings, Problem};
use crate::place::Place;
use crate::tree::{Node, NodeKind, Scalar};

/// The longest file that `${file:…}` reads: passwords and certificates, not data.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// All substituted values of one document together.
const SUBSTITUTED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where `${…}` gets its values from.
pub trait Environment {
    /// The value of an environment variable; none when it is not set.
    ///
    /// # Errors
    /// When it is set to something that cannot be used.
    fn variable(&self, name: &str) -> io::Result<Option<String>>;

    /// The text of a file named relative to the pipeline file's folder.
    ///
    /// # Errors
    /// When it cannot be read, is too long or is not UTF-8.
    fn file(&self, path: &str) -> io::Result<String>;
}

/// The variables of this process, and files relative to a folder.
#[derive(Debug, Clone)]
pub struct ProcessEnvironment {
    folder: PathBuf,
}

impl ProcessEnvironment {
    /// Relative paths count from `folder`, the one that holds the pipeline file.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> io::Result<Option<String>> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    fn file(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        File::open(self.folder.join(path))?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let message = format!("it is longer than {FILE_BYTES_MAX} bytes, the most that `${{file:…}}` takes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(text)
    }
}

/// Replaces every reference in the values of `tree`; keys stay as they are. What cannot be replaced goes to `findings`.
pub(crate) fn interpolate(tree: &mut Node, place: &Place, environment: &dyn Environment, findings: &mut Findings) {
    Substitution { environment, findings, bytes: 0 }.node(tree, place);
}

struct Substitution<'a> {
    environment: &'a dyn Environment,
    findings: &'a mut Findings,
    bytes: usize,
}

impl Substitution<'_> {
    /// Recursion is bounded by the depth of the tree.
    fn node(&mut self, node: &mut Node, place: &Place) {
        match &mut node.kind {
            NodeKind::Scalar(scalar) => self.scalar(scalar, place),
            NodeKind::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &place.below(index, item.at));
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    let place = place.below(&entry.key, entry.value.at);
                    self.node(&mut entry.value, &place);
                }
            }
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar, place: &Place) {
        if !scalar.text.contains("${") {
            return;
        }
        match self.substituted(&scalar.text) {
            Ok(text) => scalar.written = Some(std::mem::replace(&mut scalar.text, text)),
            Err(message) => self.findings.push(place, Problem::Substitution(message)),
        }
    }

    fn substituted(&mut self, text: &str) -> Result<String, String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        // Each turn consumes a reference, so the length of the text bounds the loop.
        while let Some(dollar) = rest.find("${") {
            if let Some(before) = rest[..dollar].strip_suffix('$') {
                result.push_str(before);
                result.push_str("${");
                rest = &rest[dollar + 2..];
                continue;
            }
            result.push_str(&rest[..dollar]);
            let inside = &rest[dollar + 2..];
            let end = inside.find('}').ok_or("`${` has no `}`; write `$${` for that text itself")?;
            let value = self.value(&inside[..end])?;
            self.bytes += value.len();
            if self.bytes > SUBSTITUTED_BYTES_MAX {
                return Err(format!("the substituted values are longer than {SUBSTITUTED_BYTES_MAX} bytes in all"));
            }
            result.push_str(&value);
            rest = &inside[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }

    fn value(&self, reference: &str) -> Result<String, String> {
        match reference.strip_prefix("file:") {
            Some(path) => self.file(path.trim()),
            None => self.variable(reference),
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        if path.is_empty() {
            return Err("`${file:}` names no file".to_owned());
        }
        let text = self.environment.file(path).map_err(|error| format!("`${{file:{path}}}`: {error}"))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!(
                "`${{{name}}}` is neither `${{VAR}}` (letters, digits and `_`) nor `${{file:PATH}}`; \
                 write `$${{{name}}}` for that text itself"
            ));
        }
        match self.environment.variable(name) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(format!(
                "the environment variable `{name}` is not set; set it (`export {name}=…`), \
                 or write `$${{{name}}}` for that text itself"
            )),
            Err(error) => Err(format!("the environment variable `{name}` cannot be used: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Fixed;

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> io::Result<Option<String>> {
            Ok(match name {
                "HOST" => Some("example.org".to_owned()),
                "EVIL" => Some("x: [1, ${HOST}]\n".to_owned()),
                "LONG" => Some("x".repeat(1024 * 1024)),
                _ => None,
            })
        }

        fn file(&self, path: &str) -> io::Result<String> {
            match path {
                "key" => Ok("secret\r\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn substituted(text: &str) -> Result<String, String> {
        let mut findings = Findings::default();
        Substitution { environment: &Fixed, findings: &mut findings, bytes: 0 }.substituted(text)
    }

    #[test]
    fn references_are_replaced_once() {
        assert_eq!(substituted("a ${HOST}:1 ${HOST}"), Ok("a example.org:1 example.org".to_owned()));
        assert_eq!(substituted("${file:key}"), Ok("secret".to_owned()));
        assert_eq!(substituted("${EVIL}"), Ok("x: [1, ${HOST}]\n".to_owned()));
        assert_eq!(substituted("$${HOST} $$ $ {x} $$${HOST}"), Ok("${HOST} $$ $ {x} $${HOST}".to_owned()));
    }

    #[test]
    fn what_cannot_be_replaced_says_why() {
        for (text, part) in [
            ("${NOPE}", "`export NOPE=…`"),
            ("${HOST", "has no `}`"),
            ("${}", "neither"),
            ("${HOST:-x}", "neither"),
            ("${file:}", "names no file"),
            ("${file:nope}", "`${file:nope}`: "),
        ] {
            let message = substituted(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(substituted(&"${LONG}".repeat(5)).unwrap_err().contains("bytes in all"));
    }

    #[test]
    fn files_are_bounded_and_relative() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("short")).unwrap().write_all(b"hello\n").unwrap();
        let long = vec![b'x'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        File::create(folder.path().join("long")).unwrap().write_all(&long).unwrap();
        File::create(folder.path().join("binary")).unwrap().write_all(&[0xff, 0xfe]).unwrap();
        let environment = ProcessEnvironment::new(folder.path());
        assert_eq!(environment.file("short").unwrap(), "hello\n");
        assert!(environment.file("long").unwrap_err().to_string().contains("65536"));
        assert!(environment.file("binary").is_err());
        assert!(environment.file("nope").is_err());
    }
}
